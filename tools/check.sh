#!/bin/sh
# Every everyday test, in one run; the last line counts them: "N passed, M failed".
#
# Each suite prints its own "N passed, M failed"; a suite that ends without that line counts as one failure.
set -u
jobs=$(nproc)
passed=0 failed=0

suite() {
	name=$1
	shift
	echo "== $name"
	log=$(mktemp)
	# Neither make's job descriptors nor its flags may reach a native run.
	env -u MAKEFLAGS -u MAKELEVEL "$@" >"$log" 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
	code=$?
	cat "$log"
	line=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$log" | tail -1)
	rm -f "$log"
	if [ -z "$line" ]; then
		echo "$name: ended (status $code) without a count"
		failed=$((failed + 1))
		return
	fi
	p=${line%% passed*}
	f=${line#*passed, }
	f=${f%% failed*}
	passed=$((passed + p))
	failed=$((failed + f))
	if [ "$code" != 0 ] && [ "$f" = 0 ]; then
		echo "$name: status $code"
		failed=$((failed + 1))
	fi
}

echo "== build"
make --no-print-directory -j"$jobs" MODE=dev all || { echo "0 passed, 1 failed"; exit 1; }
make --no-print-directory -j"$jobs" MODE=release all || { echo "0 passed, 1 failed"; exit 1; }

suite lint make --no-print-directory lint
suite unit make --no-print-directory -j"$jobs" MODE=dev check-unit
suite fuzz make --no-print-directory -j"$jobs" MODE=dev check-fuzz RUNS=2000
suite fault make --no-print-directory MODE=dev check-fault
suite guest make --no-print-directory MODE=dev check-guest
suite oci make --no-print-directory MODE=dev check-oci
suite stress make --no-print-directory MODE=dev check-stress STRESS_SECONDS=10
suite limits tests/stress/limits.sh build/dev/village
suite programs make --no-print-directory MODE=release check-programs
suite "steady, Debian 12" make --no-print-directory MODE=release check-steady SUITE=bookworm
suite "steady, Debian 13" make --no-print-directory MODE=release check-steady SUITE=trixie

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
