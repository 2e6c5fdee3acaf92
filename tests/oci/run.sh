#!/bin/bash
# run.sh [-v] VILLAGE [NAME...]: the tests of the command itself, each a script beside this one.
#
# Every test gets an empty directory and a busybox root.  It runs below a process that notices what it
# leaves behind, in a mount namespace in which a forgotten mount shows.  Ends with "N passed, M failed",
# where every single check counts.
set -u

here=$(cd "$(dirname "$0")" && pwd)
verbose=
[ "${1:-}" = -v ] && { verbose=yes; shift; }
if [ $# -lt 1 ]; then
	echo "usage: run.sh [-v] VILLAGE [NAME...]" >&2
	exit 1
fi
if [ ! -x "$1" ]; then
	echo "run.sh: $1: no such program" >&2
	exit 1
fi
if [ -z "${OCI_PRIVATE:-}" ]; then
	OCI_PRIVATE=yes exec unshare --mount --propagation private "$0" ${verbose:+-v} "$@"
fi

VILLAGE=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
shift
base=$(mktemp -d "${TMPDIR:-/tmp}/village-oci.XXXXXX")
trap 'rm -rf "$base"' EXIT
RESULTS=$base/results
ROOT=$base/root
WORK=$base
TEST=run
export VILLAGE ROOT RESULTS WORK TEST
: >"$RESULTS"
chmod 755 "$base"
# shellcheck source=lib.sh
. "$here/lib.sh"
# shellcheck source=../sanitizer.sh
. "$here/../sanitizer.sh"
make_root "$ROOT" || exit 1
${CC:-gcc} -O1 -Wall -o "$base/reaper" "$here/reaper.c" || exit 1

names=("$@")
if [ ${#names[@]} -eq 0 ]; then
	for f in "$here"/*.sh; do
		case ${f##*/} in
		run.sh | lib.sh) ;;
		*) names+=("$(basename "$f" .sh)") ;;
		esac
	done
fi

skipped=0
for TEST in "${names[@]}"; do
	if [ ! -e "$here/$TEST.sh" ]; then
		echo "run.sh: $TEST: no such test" >&2
		exit 1
	fi
	WORK=$base/$TEST
	mkdir -p "$WORK"
	mounts=$(wc -l </proc/self/mountinfo)
	before=$(wc -l <"$RESULTS")
	sanitizer_begin "$base/san"
	# LC_ALL: messages are compared; the standard input is empty unless a test says otherwise.
	LC_ALL=C "$base/reaper" "${OCI_TIMEOUT:-120}" bash "$here/$TEST.sh" </dev/null >"$base/log" 2>&1
	status=$?
	grep -v '^skip: ' "$base/log"
	case $status in
	0) ;;
	77)
		skipped=$((skipped + 1))
		echo "skip $TEST: $(sed -n 's/^skip: //p' "$base/log" | tail -n 1)"
		;;
	124) fail "timed out" ;;
	125) fail "left processes behind" ;;
	*) fail "the script ended with status $status" ;;
	esac
	if report=$(sanitizer_report); then
		fail "$report"
		sanitizer_show
	fi
	[ "$(wc -l </proc/self/mountinfo)" = "$mounts" ] || fail "left a mount behind"
	if [ $status = 0 ] && [ "$(wc -l <"$RESULTS")" = "$before" ]; then
		fail "no check was made"
	fi
	[ -z "$verbose" ] || echo "$TEST: $(tail -n +$((before + 1)) "$RESULTS" | sort | uniq -c | tr -s ' \n' ' ')"
	grep -q " $WORK" /proc/self/mountinfo || rm -rf "$WORK"
done

passed=$(grep -c pass "$RESULTS")
failed=$(grep -c fail "$RESULTS")
[ $skipped = 0 ] || echo "$skipped skipped"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
