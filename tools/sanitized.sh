#!/bin/sh
# sanitized.sh asan|tsan: unit tests and guest programs in that build; "N passed, M failed" for both at the end.
set -u
mode=$1
out=build/$mode
passed=0 failed=0

suite() {
	log=$(mktemp)
	"$@" >"$log" 2>&1
	code=$?
	cat "$log"
	line=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$log" | tail -1)
	rm -f "$log"
	line=${line:-0 passed, 1 failed}
	f=${line#*passed, }
	passed=$((passed + ${line%% passed*}))
	failed=$((failed + ${f%% failed*}))
	[ "$code" = 0 ] || [ "${f%% failed*}" != 0 ] || failed=$((failed + 1))
}

make --no-print-directory -j2 MODE="$mode" all || { echo "0 passed, 1 failed"; exit 1; }
suite make --no-print-directory -j2 MODE="$mode" check-unit
GUEST_TIMEOUT=${GUEST_TIMEOUT:-60}
export GUEST_TIMEOUT
suite tests/guest/run.sh -p systrap -j 2 "$out/village" "$out/tests/guest"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
