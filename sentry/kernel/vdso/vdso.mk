# The guest's vDSO: linked on its own, then embedded in the sentry as bytes.
VDSO_DIR := sentry/kernel/vdso
EXTRA_OBJS += $(O)/$(VDSO_DIR)/image.o

$(O)/$(VDSO_DIR)/vdso.so: $(VDSO_DIR)/vdso.S $(VDSO_DIR)/vdso.lds $(VDSO_DIR)/vdso.mk
	@mkdir -p $(@D)
	$(CC) -nostdlib -shared -fPIC -Wl,-soname=linux-vdso.so.1 -Wl,-T,$(VDSO_DIR)/vdso.lds \
		-Wl,--hash-style=both -Wl,--eh-frame-hdr -Wl,-Bsymbolic -Wl,-z,noexecstack \
		-Wl,--build-id=none -Wl,-z,max-page-size=4096 -o $@ $<

$(O)/$(VDSO_DIR)/image.o: $(VDSO_DIR)/image.S $(O)/$(VDSO_DIR)/vdso.so
	$(CC) -DVDSO_FILE='"$(O)/$(VDSO_DIR)/vdso.so"' -c -o $@ $<
