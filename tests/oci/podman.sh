# podman from Debian's packages with this runtime; the image is an import of the busybox root.
# shellcheck shell=bash source=lib.sh
. "$(dirname "$0")/lib.sh"
command -v podman >/dev/null || skip "podman is not installed"

export HOME=$WORK XDG_RUNTIME_DIR=$WORK/run
mkdir -p "$WORK/run"
runtime=$VILLAGE
case $VILLAGE in
*/asan/* | */tsan/*)
	# conmon starts it with few variables; where reports go is one.
	runtime=$WORK/village
	printf '#!/bin/sh\nVILLAGE_SANITIZER_LOG=%s exec %s "$@"\n' "$VILLAGE_SANITIZER_LOG" "$VILLAGE" >"$runtime"
	chmod 755 "$runtime"
	;;
esac
pm()
{
	LIMIT=60 run podman --root "$WORK/store" --runroot "$WORK/runroot" --storage-driver vfs --cgroup-manager cgroupfs \
	    --events-backend file --runtime "$runtime" "$@"
}

tar -C "$ROOT" -cf "$WORK/root.tar" .
pm import -q "$WORK/root.tar" village-test
[ "$status" = 0 ] || skip "podman import does not work here: $(head -c 200 <<<"$err")"
image=village-test

pm run --rm --network=none $image echo hello
is_status 0 "run"
is_out hello "run"
pm run --rm --network=none $image sh -c 'exit 42'
is_status 42 "exit status"
pm run --rm --network=none $image sh -c 'echo out; echo err >&2'
is_out out "stdout"
err_has '^err$' "stderr"
out=$(echo piped | timeout 60 podman --root "$WORK/store" --runroot "$WORK/runroot" --storage-driver vfs --cgroup-manager cgroupfs \
    --events-backend file --runtime "$runtime" run --rm -i --network=none $image cat 2>"$WORK/e")
equal "$out" piped "-i: $(head -c 200 "$WORK/e")"
pm run --rm --network=none -e A=b -w /etc -u 1000:1000 --hostname hh $image sh -c 'echo $A $(pwd) $(id -u) $(hostname)'
is_out "b /etc 1000 hh" "-e -w -u --hostname"
mkdir "$WORK/vol"
echo data >"$WORK/vol/f"
pm run --rm --network=none -v "$WORK/vol:/v" $image sh -c 'cat /v/f; echo new >/v/g'
is_out data "-v"
equal "$(cat "$WORK/vol/g" 2>/dev/null)" new "-v is written through"
pm run --rm --network=none -v "$WORK/vol:/v:ro" $image sh -c 'echo x >/v/h; echo $?'
is_out 1 "-v ro"
pm run --rm --network=none --read-only $image sh -c 'touch /x; echo $?'
is_out 1 "--read-only"
pm run --rm --network=none $image /none
is_status 127 "a missing command"
pm run --rm --network=none $image none
is_status 127 "not in PATH"
pm run --rm --network=none $image /etc/motd
is_status 126 "not executable"

pm run -d --name long --network=none $image sh -c 'trap "exit 3" TERM; echo up; while :; do sleep 0.1; done'
is_status 0 "run -d"
logs_up()
{
	pm logs long
	grep -q up <<<"$out"
}
ok "logs" until_ok logs_up
pm ps --format '{{.Names}} {{.State}}'
out_has '^long (running|Up)' "ps"
pm exec long echo inside
is_out inside "exec"
pm exec long sh -c 'exit 7'
is_status 7 "exec: status"
pm exec -e Q=1 -w /tmp -u 1000 long sh -c 'echo $Q $(pwd) $(id -u)'
is_out "1 /tmp 1000" "exec -e -w -u"
pm exec long none
is_status 127 "exec: not found"
pm stop -t 5 long
is_status 0 "stop"
pm inspect --format '{{.State.ExitCode}}' long
is_out 3 "stop: the handler ran"
pm start long
is_status 0 "start again"
pm kill long
is_status 0 "kill"
pm wait long
is_out 137 "kill: status"
pm rm long
is_status 0 "rm"
pm run -d --name long2 --network=none $image sleep 1000
pm rm -f -t 0 long2
is_status 0 "rm -f"
if command -v script >/dev/null; then
	(sleep 3) | timeout 60 script -qefc "stty rows 21 cols 43; podman --root $WORK/store --runroot $WORK/runroot --storage-driver vfs \
--cgroup-manager cgroupfs --events-backend file --runtime $runtime run --rm -it --network=none $image sh -c 'tty; sleep 1; stty size'" /dev/null >"$WORK/tty" 2>&1
	out=$(tr -d '\r' <"$WORK/tty")
	out_has '^/dev/(pts/[0-9]+|console)' "-it: a terminal"
	out_has '^21 43$' "-it: its size"
fi
pm ps -aq
is_out "" "nothing left in podman"
pm rmi -f $image
ok "no process left" until_ok none_left
