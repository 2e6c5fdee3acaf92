# exec: another process in a running container.
# shellcheck shell=bash source=lib.sh
. "$(dirname "$0")/lib.sh"

b=$WORK/bundle
make_bundle "$b" '[ "/bin/sh", "-c", "echo ready; exec sleep 1000" ]'
timeout "${LIMIT:-20}" "$VILLAGE" --root "$WORK/state" create --bundle "$b" box >"$WORK/c.out" 2>&1 </dev/null
oci start box
ok "ready" until_ok grep -q ready "$WORK/c.out"

oci exec box /bin/echo hello there
is_status 0 "exec"
is_out "hello there" "exec"
oci exec box /bin/sh -c 'exit 23'
is_status 23 "exit status"
oci exec box /bin/sh -c 'kill -TERM $$; sleep 1'
is_status 143 "a signal"
oci exec box sh -c 'ps | grep -c "sleep 1000"'
ok "it sees the other processes" test "$status" = 0
out=$(echo piped | timeout "${LIMIT:-20}" "$VILLAGE" --root "$WORK/state" exec box cat)
equal "$out" piped "standard input"
oci exec box sh -c 'echo $PATH; pwd; id -u'
is_out $'/bin:/usr/bin\n/\n0' "its environment, directory and user are the container's"
oci exec --env X=1 --cwd /etc --user 1000:1001 box sh -c 'echo $X $(pwd) $(id -u) $(id -g)'
is_out "1 /etc 1000 1001" "--env --cwd --user"
oci exec box /bin/none
is_status 127 "a missing command"
err_has '/bin/none.*no such file or directory|no such file or directory.*/bin/none' "a missing command"
oci exec box none
is_status 127 "not in PATH"
err_has 'executable file not found' "not in PATH"
oci exec box /etc/motd
is_status 126 "not executable"
err_has 'permission denied' "not executable"
oci exec nobody /bin/true
ok "an unknown container fails" test "$status" != 0
err_has 'does not exist' "an unknown container"
oci exec box
ok "no command fails" test "$status" != 0
oci exec --no-such-option box /bin/true
ok "an unknown option fails" test "$status" != 0

cat >"$WORK/process.json" <<-END
	{ "user": { "uid": 1000, "gid": 1000 }, "args": [ "sh", "-c", "echo from json \$Y \$(pwd) \$(id -u)" ],
	  "env": [ "PATH=/bin", "Y=yes" ], "cwd": "/tmp", "terminal": false }
END
oci exec --process "$WORK/process.json" box
is_status 0 "--process"
is_out "from json yes /tmp 1000" "--process"
echo '{ bad' >"$WORK/bad.json"
oci exec --process "$WORK/bad.json" box
ok "--process: bad JSON fails" test "$status" != 0
err_has 'bad.json' "--process: bad JSON"
oci exec --process "$WORK/absent.json" box
err_has 'absent.json' "--process: no such file"

oci exec --detach --pid-file "$WORK/pid" box sleep 500
is_status 0 "--detach"
pid=$(cat "$WORK/pid" 2>/dev/null)
ok "--pid-file" test -d "/proc/${pid:-none}"
oci exec box sh -c 'ps | grep "sleep 500" | grep -v grep'
out_has 'sleep 500' "--detach: it runs"

# files written by one are seen by the other
oci exec box sh -c 'echo shared >/tmp/f'
oci exec box cat /tmp/f
is_out shared "one filesystem"

if command -v script >/dev/null; then
	(sleep 1) | timeout "${LIMIT:-20}" script -qefc "stty rows 12 cols 34; $VILLAGE --root $WORK/state exec --tty box sh -c 'tty; stty size'" /dev/null >"$WORK/tty" 2>&1
	out=$(tr -d '\r' <"$WORK/tty")
	out_has '^/dev/pts/[0-9]+$' "--tty: a terminal"
	out_has '^12 34$' "--tty: its size"
fi

# eighty at once, more than may queue at a sandbox that is stopped
sentry=$(process village-sentry)
ok "the sandbox is stopped" kill -STOP "$sentry"
jobs_=
for i in $(seq 80); do
	timeout "${LIMIT:-20}" "$VILLAGE" --root "$WORK/state" exec box echo "number $i" >"$WORK/n$i" 2>&1 &
	jobs_="$jobs_ $!"
done
sleep 0.5
ok "and goes on" kill -CONT "$sentry"
# shellcheck disable=SC2086
wait $jobs_
equal "$(cat "$WORK"/n* | sort -u | wc -l)" 80 "eighty at once"

oci kill box KILL
until_stopped()
{
	oci state box
	grep -q '"stopped"' <<<"$out"
}
ok "stops" until_ok until_stopped
oci delete box
is_status 0 "delete"
ok "nothing left" until_ok none_left
