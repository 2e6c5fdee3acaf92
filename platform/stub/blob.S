/* blob: the linked stub as bytes of the village binary. */
	.section .rodata
	.globl	stub_blob, stub_blob_end
	.hidden	stub_blob, stub_blob_end
	.balign	16
stub_blob:
	.incbin	STUB_BIN
stub_blob_end:
	.section .note.GNU-stack, "", @progbits
