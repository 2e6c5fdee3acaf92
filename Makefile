# Village: one static binary that carries command line, sentry, gofer and stub.
#
#   make            the release binary, build/village
#   make demo       installs what is missing, builds, runs a program in the sandbox
#   make check      builds and runs every test; ends with "N passed, M failed"
#   make MODE=asan  the same in another mode: dev release asan tsan
#   make check-asan check-tsan  the suites in a sanitizer's build

MODE ?= release
O    := build/$(MODE)
CC   ?= gcc

# V=1 shows the commands.
ifeq ($(V),)
Q := @
endif

MODES := dev release asan tsan
ifeq ($(filter $(MODE),$(MODES)),)
$(error MODE=$(MODE) is not one of: $(MODES))
endif

WARN := -Wall -Wextra -Wshadow -Wvla -Wundef -Wstrict-prototypes -Wmissing-prototypes \
	-Wwrite-strings -Wimplicit-fallthrough -Werror
CFLAGS_dev     := -O1
CFLAGS_release := -O2 -DNDEBUG -D_FORTIFY_SOURCE=2 -fstack-protector-strong
CFLAGS_asan    := -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined
CFLAGS_tsan    := -O1 -fsanitize=thread
LINK_dev       := -static-pie
LINK_release   := -static-pie -Wl,-z,relro,-z,now -Wl,-z,pack-relative-relocs
LINK_asan      := -pie -fsanitize=address,undefined
LINK_tsan      := -pie -fsanitize=thread
CFLAGS  := -std=gnu11 -D_GNU_SOURCE -I. -g -pthread -fPIE -fno-omit-frame-pointer $(WARN) $(CFLAGS_$(MODE))
LDFLAGS := -pthread $(LINK_$(MODE))
LIBS    := -ljansson -lcap

DIRS := base platform sentry sentry/kernel sentry/mm sentry/vfs sentry/syscall fs netstack gofer runtime
objs  = $(patsubst %.c,$(O)/%.o,$(foreach d,$(1),$(wildcard $(d)/*.c)))
OBJS := $(call objs,$(DIRS))
# All but main(): what unit tests and fuzz targets link with.
LIBOBJS = $(filter-out $(O)/runtime/main.o,$(OBJS))

.PHONY: all deps demo check check-unit check-guest check-asan check-tsan check-oci check-programs check-steady check-fault check-stress bench ltp lint fuzz docs clean
all: $(O)/village
	@if [ $(MODE) = release ]; then ln -f $< build/village; fi

EXTRA_OBJS :=
include base/filters.mk $(wildcard platform/stub/stub.mk sentry/kernel/vdso/vdso.mk)

$(O)/village: $(OBJS) $(EXTRA_OBJS)
	@echo "  LD $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(O)/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "  CC $<"
	$(Q)$(CC) $(CFLAGS) -MMD -MP -c $< -o $@

-include $(OBJS:.o=.d) $(wildcard $(O)/tests/unit/*.d)

# ---- what is needed, and a first run ----------------------------------------
deps:
	@tools/deps.sh

demo: deps
	@$(MAKE) --no-print-directory -j$$(nproc) all
	@tools/demo.sh build/village

# ---- tests ------------------------------------------------------------------
UNIT  := $(patsubst tests/unit/%.c,$(O)/tests/unit/%,$(wildcard tests/unit/test_*.c))
$(O)/libvillage.a: $(LIBOBJS) $(EXTRA_OBJS)
	@rm -f $@; ar rcs $@ $^
$(O)/tests/unit/%: tests/unit/%.c $(O)/libvillage.a Makefile
	@mkdir -p $(@D)
	@echo "  CC $<"
	$(Q)$(CC) $(CFLAGS) -MMD -MP $< -o $@ $(LDFLAGS) $(O)/libvillage.a -lcheck -lsubunit -lrt -lm $(LIBS)

check:
	@tools/deps.sh tests
	@tools/check.sh

check-unit: $(UNIT)
	@tools/unit.sh $(UNIT)
# Each against the same native runs: calls patched when they have trapped a few times, at once, never.
GUEST_PASSES ?= systrap ptrace systrap:always systrap:off
check-guest: all
	@tests/guest/run.sh -j 2 $(GUEST_PASSES:%=-p %) $(O)/village $(O)/tests/guest
# A long campaign, not part of check: SUITES="unit guest" picks some. A report fails the test it came from.
check-asan check-tsan:
	@tools/sanitized.sh $(@:check-%=%) $(SUITES)
check-oci: all
	@tests/oci/run.sh $(O)/village
check-programs: all
	@tests/programs/run.sh -p systrap $(O)/village "$$(SUITE=$(SUITE) tests/programs/rootfs.sh)"
# Less than one call in a hundred of a program at work traps.
check-steady: all
	@tests/programs/steady.sh $(O)/village "$$(SUITE=$(SUITE) tests/programs/rootfs.sh)"
# make ltp LTP=/opt/ltp [FILTER=regex]: see docs/ltp.md.
ltp: all
	@tools/ltp.sh $(O)/village "$(LTP)" "$(FILTER)"
# Needs root; about two minutes.
bench: all
	@tests/bench/run.sh $(O)/village "$$(tests/programs/rootfs.sh)"
check-fault: all
	@tests/fault/run.sh $(O)/village
STRESS_SECONDS ?= 25
check-stress: all
	@tests/stress/run.sh -s $(STRESS_SECONDS) $(O)/village
# Needs clang. FUZZ_SECONDS=N: how long each target runs.
fuzz:
	@$(MAKE) --no-print-directory MODE=asan CC=clang O=build/fuzz \
		CFLAGS_asan="-O1 -fsanitize=address,undefined,fuzzer-no-link" build/fuzz/libvillage.a
	@tools/fuzz.sh build/fuzz

-include tests/fuzz/fuzz.mk

# ---- reading and making -----------------------------------------------------
lint:
	@tools/lint.sh
# The parts of docs/ that the source already says.
docs: all
	@tools/docs.sh $(O)/village

clean:
	rm -rf build
