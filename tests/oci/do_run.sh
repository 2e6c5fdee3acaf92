# village do: the command's output, exit status, standard streams and arguments.
# shellcheck shell=bash source=lib.sh
. "$(dirname "$0")/lib.sh"

inside -- /bin/echo hello "two words" ""
is_status 0 "echo"
is_out "hello two words " "echo"

equal "$err" "" "nothing on stderr"

for n in 0 1 7 126 127 200 255; do
	inside -- /bin/sh -c "exit $n"
	is_status $n "exit $n"
done
for s in HUP:129 INT:130 KILL:137 SEGV:139 PIPE:141 TERM:143; do
	inside -- /bin/sh -c "/bin/sh -c 'kill -${s%:*} \$\$'"
	is_status "${s#*:}" "a child's ${s%:*}"
done
# the command itself dies from a signal; as the first process it may only get it from a fault
inside -- /bin/sh -c 'kill -9 $$; exit 3'
ok "first process and SIGKILL" test "$status" = 137 -o "$status" = 3

inside -- /bin/sh -c 'echo out; echo err >&2'
is_out out "stdout"
equal "$err" err "stderr"

printf 'a\nb\nc\n' >"$WORK/in"
inside -- /bin/cat <"$WORK/in"
is_out $'a\nb\nc' "stdin from a file"
out=$(printf 'piped' | timeout "${LIMIT:-20}" "$VILLAGE" "do" --rootfs "$ROOT" -- /bin/cat | tr "[:lower:]" "[:upper:]")
equal "$out" PIPED "pipes on both sides"
out=$(yes | head -c 3000000 | timeout "${LIMIT:-20}" "$VILLAGE" "do" --rootfs "$ROOT" -- /bin/wc -c)
equal "$out" 3000000 "three megabytes in"
out=$(timeout "${LIMIT:-20}" "$VILLAGE" "do" --rootfs "$ROOT" -- /bin/sh -c 'yes | head -c 3000000' | wc -c)
equal "$out" 3000000 "three megabytes out"
out=$(timeout "${LIMIT:-20}" "$VILLAGE" "do" --rootfs "$ROOT" -- /bin/yes | head -n 1)
equal "$out" y "a reader that leaves early"
inside -- /bin/sh -c 'read x; echo "[$x] $?"' </dev/null
is_out "[] 1" "end of input"
# closed standard streams must not turn into something else
run bash -c '"$0" do --rootfs "$1" -- /bin/sh -c "echo ok" <&-' "$VILLAGE" "$ROOT"
is_out ok "stdin closed"
run bash -c '"$0" do --rootfs "$1" -- /bin/sh -c "exit 4" >&- 2>&-' "$VILLAGE" "$ROOT"
is_status 4 "stdout and stderr closed"
inside -- /bin/ls /proc/self/fd
is_out $'0\n1\n2\n3' "no descriptor but the three (and that of ls)"
# appending, and a file written by two
echo first >"$WORK/log"
timeout "${LIMIT:-20}" "$VILLAGE" "do" --rootfs "$ROOT" -- /bin/sh -c 'echo second; echo third >&2' >>"$WORK/log" 2>&1
equal "$(tr '\n' ' ' <"$WORK/log")" "first second third " "append"

inside -- echo "found by PATH"
is_out "found by PATH" "PATH"
inside -- /bin/sh -c 'echo $0 $# "$@"' name -- -x --rootfs
is_out "name 3 -- -x --rootfs" "options of the command"
inside -- /bin/sh -c 'for i in 1 2 3 4 5; do (echo $i) & done; wait' && out=$(sort <<<"$out" | tr -d '\n')
equal "$out" 12345 "background jobs"
inside -- /bin/sh -c 'sleep 100 & exit 5'
is_status 5 "the first process ends it all"
inside -- /bin/sh -c '(sleep 0.2; echo late) & exec sleep 0.5'
is_out late "until then its children run"

run "$VILLAGE" "do" -- /bin/true
is_status 0 "over the host's root"
run "$VILLAGE" "do" -- /bin/sh -c 'cat /etc/os-release'
is_out "$(cat /etc/os-release)" "the host's files"
for p in systrap ptrace; do
	inside --platform $p -- /bin/echo $p
	is_out $p "platform $p"
done
