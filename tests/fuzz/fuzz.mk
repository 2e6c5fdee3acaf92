# make check-fuzz [RUNS=10000]: each target over its seeds and so many mutations of them, in this MODE and with the
# plain compiler.  An input that fails stays in build/MODE/tests/fuzz.

RUNS ?= 10000
FUZZ := $(patsubst tests/fuzz/%.c,$(O)/tests/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

.PHONY: check-fuzz
check-fuzz: $(FUZZ)
	@tests/fuzz/run.sh $(RUNS) $^

$(O)/tests/fuzz/fuzz_%: tests/fuzz/fuzz_%.c tests/fuzz/driver.c $(O)/libvillage.a
	@mkdir -p $(@D)
	@echo "  CC $<"
	$(Q)$(CC) $(CFLAGS) -o $@ $< tests/fuzz/driver.c $(LDFLAGS) $(O)/libvillage.a $(LIBS)
