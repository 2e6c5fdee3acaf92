#!/bin/bash
# limits.sh VILLAGE [KIND...]: guests that take all they can get, in a sandbox with limits on processes and memory.
#
# The eater may fail or be killed; the sandbox must go on: the shell that started the eater answers afterwards, and
# nothing stays behind.  Ends with "N passed, M failed".
set -u

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=../sanitizer.sh
. "$here/../sanitizer.sh"
if [ $# -lt 1 ] || [ ! -x "$1" ]; then
	echo "usage: limits.sh VILLAGE [KIND...]" >&2
	exit 1
fi
VILLAGE=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
shift
kinds=("$@")
[ ${#kinds[@]} -gt 0 ] || kinds=(forks bomb threads memory shared reserve maps stack fds-data fds-pipe fds-socket
	fds-event fds-file fds-memfd flight deep disk names timers signals ipc watches)
base=$(mktemp -d "${TMPDIR:-/tmp}/village-limits.XXXXXX")
trap 'rm -rf "$base"' EXIT
chmod 755 "$base"
ROOT=$base/root WORK=$base RESULTS=$base/results TEST=limits
export VILLAGE ROOT WORK RESULTS TEST
# shellcheck disable=SC1091
. "$here/../oci/lib.sh"
make_root "$ROOT" || exit 1
${CC:-gcc} -O0 -Wall -static -pthread -o "$ROOT/bin/eater" "$here/eater.c" || exit 1
${CC:-gcc} -O1 -Wall -o "$base/reaper" "$here/../oci/reaper.c" || exit 1

passed=0 failed=0
for kind in "${kinds[@]}"; do
	rm -rf "$base/bundle/config.json" "$base/state"
	# exec: what the eater left behind may still fill the process limit.
	make_bundle "$base/bundle" "[ \"/bin/sh\", \"-c\", \"eater $kind; exec /bin/echo alive\" ]" '' \
	    '"annotations": { "limits": "yes" }'
	sed -i 's/"linux": {/"linux": { "resources": { "pids": { "limit": 200 }, "memory": { "limit": 268435456 } },/' \
	    "$base/bundle/config.json"
	sanitizer_begin "$base/san"
	"$base/reaper" "${LIMIT:-60}" "$VILLAGE" --root "$base/state" run --bundle "$base/bundle" eaten \
	    >"$base/out" 2>"$base/err" </dev/null
	status=$?
	if report=$(sanitizer_report); then
		failed=$((failed + 1))
		echo "fail $kind: $report"
		sanitizer_show
	elif [ $status = 0 ] && grep -q '^alive$' "$base/out" && ! grep -q "internal error" "$base/err"; then
		passed=$((passed + 1))
		echo "pass $(head -n 1 "$base/out")"
	else
		failed=$((failed + 1))
		echo "fail $kind: status $status"
		tail -n 5 "$base/out"
		head -n 30 "$base/err"
	fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
