#!/bin/sh
# Runs unit test programs; each is a Check runner. Prints "N passed, M failed".
# shellcheck source=../tests/sanitizer.sh
. "$(dirname "$0")/../tests/sanitizer.sh"
passed=0 failed=0
san=$(mktemp)
trap 'rm -f "$san"' EXIT
for t in "$@"; do
	sanitizer_begin "$san"
	out=$(timeout "${UNIT_TIMEOUT:-120}" "$t" 2>&1)
	code=$?
	line=$(printf '%s\n' "$out" | grep -E '^[0-9]+%: Checks: ' | tail -1)
	checks=$(printf '%s\n' "$line" | sed -n 's/.*Checks: \([0-9]*\).*/\1/p')
	bad=$(printf '%s\n' "$line" | sed -n 's/.*Failures: \([0-9]*\), Errors: \([0-9]*\).*/\1 + \2/p')
	bad=$((${bad:-0}))
	if { [ "$code" != 0 ] || sanitizer_report >/dev/null; } && [ "$bad" = 0 ]; then
		bad=1
	fi
	if [ "$bad" != 0 ] || [ -z "$checks" ]; then
		printf 'FAIL %s (exit %s)\n' "$(basename "$t")" "$code"
		printf '%s\n' "$out" | tail -60
		sanitizer_show
		[ "$bad" = 0 ] && bad=1
	fi
	failed=$((failed + bad))
	passed=$((passed + ${checks:-0} - (${checks:-0} > 0 ? bad : 0)))
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
