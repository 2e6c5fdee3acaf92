# village do: signals that the command gets pass to the program; its end comes back.
# shellcheck shell=bash source=lib.sh
. "$(dirname "$0")/lib.sh"

# start SCRIPT: the script in the background; it must say "ready".
start()
{
	: >"$WORK/out"
	# a shell ignores SIGINT and SIGQUIT in what it starts in the background
	env --default-signal "$VILLAGE" "do" --rootfs "$ROOT" -- /bin/sh -c "$1" >"$WORK/out" 2>"$WORK/err" &
	pid=$!
	until_ok grep -q ready "$WORK/out" || fail "never ready: $(cat "$WORK/err")"
}

finish()
{
	local i

	for ((i = 0; i < 200; i++)); do
		kill -0 $pid 2>/dev/null || break
		sleep 0.05
	done
	if kill -0 $pid 2>/dev/null; then
		fail "still running after ten seconds"
		kill -9 $pid
	fi
	wait $pid 2>/dev/null
	status=$?
}

for s in TERM INT HUP USR1 USR2 QUIT; do
	start "trap 'echo got $s; exit 9' $s; echo ready; while :; do sleep 0.05; done"
	kill -$s $pid
	finish
	equal "$status" 9 "$s is handled inside"
	equal "$(tail -n 1 "$WORK/out")" "got $s" "$s arrives"
done

start 'trap "" TERM; echo ready; sleep 0.3; echo survived'
kill -TERM $pid
finish
equal "$status" 0 "an ignored SIGTERM"
equal "$(tail -n 1 "$WORK/out")" survived "an ignored SIGTERM"

# a program that does not handle it dies from it, as the first process or not
start 'echo ready; exec sleep 100'
kill -TERM $pid
sleep 0.5
if kill -0 $pid 2>/dev/null; then
	# as pid 1 of its own it may ignore what it has no handler for; SIGKILL always works
	kill -KILL $pid
	finish
	equal "$status" 137 "SIGKILL ends village itself"
else
	finish
	equal "$status" 143 "SIGTERM without a handler"
fi

start 'echo ready; sleep 100'
kill -KILL $pid
finish
equal "$status" 137 "SIGKILL"
ok "nothing survives a killed village" until_ok none_left

# a stopped command stops nothing by accident
start 'echo ready; for i in 1 2 3 4 5; do sleep 0.1; done; echo done'
kill -STOP $pid
sleep 0.2
kill -CONT $pid
finish
equal "$status" 0 "stopped and continued"
equal "$(tail -n 1 "$WORK/out")" "done" "stopped and continued"

# many signals in a row: none kills the command, some arrive
start 'n=0; trap "n=\$((n+1))" USR1; echo ready; while [ $n -lt 5 ]; do sleep 0.02; done; echo enough'
for _ in $(seq 100); do
	kill -USR1 $pid 2>/dev/null || break
	sleep 0.02
done
finish
equal "$status" 0 "many signals"
equal "$(tail -n 1 "$WORK/out")" enough "many signals"
