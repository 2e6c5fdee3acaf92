#!/bin/sh
# sanitized.sh asan|tsan [SUITE...]: the suites in that build, all or those named; "N passed, M failed" at the end.
#
# A report from any process fails the test it came from (tests/sanitizer.sh).  These builds are several
# times slower, so every limit on time is wider; nothing else that a suite asks is weaker.
set -u
mode=${1:-}
case $mode in
asan | tsan) shift ;;
*)
	echo "usage: sanitized.sh asan|tsan [SUITE...]" >&2
	exit 1
	;;
esac
out=build/$mode
passed=0 failed=0
if [ $# = 0 ]; then
	set -- unit guest oci programs stress
	# Failures on purpose, and inputs of a generator, find what is touched too late or too far.
	[ "$mode" = tsan ] || set -- "$@" limits fault fuzz
fi

UNIT_TIMEOUT=${UNIT_TIMEOUT:-600} GUEST_TIMEOUT=${GUEST_TIMEOUT:-60} PROGRAM_TIMEOUT=${PROGRAM_TIMEOUT:-900}
LIMIT=${LIMIT:-90} OCI_TIMEOUT=${OCI_TIMEOUT:-900} STRESS_GRACE=${STRESS_GRACE:-180} FAULT_TIMEOUT=${FAULT_TIMEOUT:-60}
export UNIT_TIMEOUT GUEST_TIMEOUT PROGRAM_TIMEOUT LIMIT OCI_TIMEOUT STRESS_GRACE FAULT_TIMEOUT

# suite NAME COMMAND...: its count is added to ours; one that ends without a count has failed.
suite() {
	echo "== $1"
	shift
	log=$(mktemp)
	# Neither make's job descriptors nor its flags may reach a native run.
	env -u MAKEFLAGS -u MAKELEVEL "$@" >"$log" 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
	code=$?
	cat "$log"
	line=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$log" | tail -1)
	rm -f "$log"
	line=${line:-0 passed, 1 failed}
	f=${line#*passed, }
	f=${f%% failed*}
	passed=$((passed + ${line%% passed*}))
	failed=$((failed + f))
	[ "$code" = 0 ] || [ "$f" != 0 ] || failed=$((failed + 1))
}

make --no-print-directory -j2 MODE="$mode" all || { echo "0 passed, 1 failed"; exit 1; }
for name in "$@"; do
	case $name in
	unit) suite unit make --no-print-directory -j2 MODE="$mode" check-unit ;;
	guest) suite guest tests/guest/run.sh -j 2 -p systrap -p ptrace -p systrap:always -p systrap:off \
		"$out/village" "$out/tests/guest" ;;
	oci) suite oci tests/oci/run.sh "$out/village" ;;
	programs) suite programs tests/programs/run.sh -p systrap "$out/village" "$(tests/programs/rootfs.sh)" ;;
	stress) suite stress tests/stress/run.sh -s "${STRESS_SECONDS:-60}" "$out/village" ;;
	limits) suite limits tests/stress/limits.sh "$out/village" ;;
	fault) suite fault tests/fault/run.sh "$out/village" ;;
	fuzz) suite fuzz make --no-print-directory -j2 MODE="$mode" check-fuzz RUNS="${RUNS:-20000}" ;;
	*)
		echo "sanitized.sh: $name: no such suite" >&2
		failed=$((failed + 1))
		;;
	esac
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
