/* The finished vDSO, as bytes in the sentry; VDSO_FILE comes from vdso.mk. */
	.section .rodata
	.balign	4096
	.globl	vdso_image, vdso_image_end
vdso_image:
	.incbin	VDSO_FILE
vdso_image_end:
	.balign	16
	.section .note.GNU-stack, "", @progbits
