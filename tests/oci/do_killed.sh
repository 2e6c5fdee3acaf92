# A killed sentry or gofer: the command says so, ends with a failure, and nothing stays.
# shellcheck shell=bash source=lib.sh
. "$(dirname "$0")/lib.sh"

start()
{
	: >"$WORK/out"
	"$VILLAGE" "do" --rootfs "$ROOT" -- /bin/sh -c 'echo ready; while :; do sleep 0.1; cat /etc/motd; done' >"$WORK/out" 2>"$WORK/err" &
	pid=$!
	until_ok grep -q ready "$WORK/out" || fail "never ready: $(cat "$WORK/err")"
}

finish()
{
	local i

	for ((i = 0; i < 100; i++)); do
		kill -0 $pid 2>/dev/null || break
		sleep 0.05
	done
	if kill -0 $pid 2>/dev/null; then
		fail "$1: the command goes on"
		kill -9 $pid
	else
		pass
	fi
	wait $pid 2>/dev/null
	status=$?
	ok "$1: a failure" test "$status" != 0
	ok "$1: nothing left" until_ok none_left
}

for victim in village-sentry village-gofer; do
	for sig in KILL SEGV; do
		start
		p=$(process $victim)
		if [ -z "$p" ]; then
			fail "no process named $victim"
			kill -9 $pid
			continue
		fi
		kill -$sig "$p"
		finish "$victim, SIG$sig"
		ok "$victim, SIG$sig: a message" test -s "$WORK/err"
	done
done

# every stub at once: the guests' processes, and the one that new ones come from
start
for p in $(below $pid); do
	[ "$(cat "/proc/$p/comm" 2>/dev/null)" != village-stub ] || kill -KILL "$p"
done
finish "stubs"
ok "stubs: a status as of a killed process" test "$status" -gt 128

# the command itself
start
kill -KILL $pid
finish "the command"

# any process of the sandbox, at any moment of a start
for n in 0 1 2 3 4 5 6 7; do
	"$VILLAGE" "do" --rootfs "$ROOT" -- /bin/sleep 5 >/dev/null 2>&1 &
	pid=$!
	sleep "0.0$n"
	for p in $(below $pid | tail -n 1); do
		kill -KILL "$p" 2>/dev/null
	done
	kill -KILL $pid 2>/dev/null
	wait $pid 2>/dev/null
	ok "killed after ${n}0 ms: nothing left" until_ok none_left
done
