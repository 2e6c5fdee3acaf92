#!/bin/sh
# fuzz.sh DIR: builds each tests/fuzz/fuzz_*.c against DIR/libvillage.a and runs it for FUZZ_SECONDS (10).
#
# Inputs that found something new stay in DIR/corpus; one that crashes is left there too and fails the run.
set -u
dir=$1
passed=0 failed=0
for src in tests/fuzz/fuzz_*.c; do
	name=$(basename "$src" .c)
	prog=$dir/$name
	seeds=tests/fuzz/seeds/$name
	mkdir -p "$dir/corpus/$name" "$seeds"
	if ! clang -g -O1 -fsanitize=fuzzer,address,undefined -std=gnu11 -D_GNU_SOURCE -I. -pthread -o "$prog" "$src" \
	    "$dir/libvillage.a" -ljansson -lcap; then
		echo "FAIL $name: does not compile"
		failed=$((failed + 1))
		continue
	fi
	if "$prog" -max_total_time="${FUZZ_SECONDS:-10}" -rss_limit_mb=4096 -verbosity=0 \
	    -artifact_prefix="$dir/corpus/$name-" "$dir/corpus/$name" "$seeds" >"$prog.log" 2>&1; then
		passed=$((passed + 1))
	else
		echo "FAIL $name, see $prog.log"
		tail -n 20 "$prog.log"
		failed=$((failed + 1))
	fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
