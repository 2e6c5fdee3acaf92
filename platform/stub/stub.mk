# The stub: freestanding, linked alone at its fixed address, then embedded as bytes.
STUB_SRC := platform/stub/mapper.S platform/stub/guest.S
$(O)/platform/stub/stub.bin: $(STUB_SRC) platform/stub/stub.ld platform/stub/stub.h base/stublayout.h
	@mkdir -p $(@D)
	$(CC) -I. -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack -Wl,-z,max-page-size=4096 \
		-T platform/stub/stub.ld $(STUB_SRC) -o $(@D)/stub.elf
	objcopy -O binary -j .text $(@D)/stub.elf $@
$(O)/platform/stub/blob.o: platform/stub/blob.S $(O)/platform/stub/stub.bin
	$(CC) -DSTUB_BIN='"$(O)/platform/stub/stub.bin"' -c $< -o $@
EXTRA_OBJS += $(O)/platform/stub/blob.o
