# The filters: compiled from hostcalls.def by a program that runs here, then part of base/filter.c.
$(O)/tools/mkfilters: tools/mkfilters.c base/hostcalls.h base/hostcalls.def base/hostcall.h base/stublayout.h base/filters.mk
	@mkdir -p $(@D)
	@echo "  CC $<"
	$(Q)$(CC) $(CFLAGS) -o $@ $< -lseccomp
$(O)/base/filters.inc: $(O)/tools/mkfilters
	@mkdir -p $(@D)
	$(Q)$< >$@.new && mv $@.new $@
$(O)/base/filter.o: $(O)/base/filters.inc
$(O)/base/filter.o: CFLAGS += -DFILTERS_INC='"$(O)/base/filters.inc"'
