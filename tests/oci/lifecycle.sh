# create, start, state, kill, delete, list, run: the life of a container as runc has it.
# shellcheck shell=bash source=lib.sh
. "$(dirname "$0")/lib.sh"

b=$WORK/bundle

# json KEY: a string or number of the JSON in $out.
json()
{
	sed -n 's/.*"'"$1"'"[[:space:]]*:[[:space:]]*"\{0,1\}\([^",}]*\).*/\1/p' <<<"$out" | head -n 1
}

state()
{
	oci state "$1"
	json status
}

# create starts nothing yet
make_bundle "$b" '[ "/bin/sh", "-c", "echo started; while [ ! -e /go ]; do sleep 0.05; done; exit 7" ]'
timeout "${LIMIT:-20}" "$VILLAGE" --root "$WORK/state" create --bundle "$b" --pid-file "$WORK/pid" one >"$WORK/c.out" 2>"$WORK/c.err" </dev/null
equal "$?" 0 "create: $(cat "$WORK/c.err")"
pid=$(cat "$WORK/pid" 2>/dev/null)
ok "create: the pid file names a process" test -d "/proc/$pid"
oci state one
is_status 0 "state"
equal "$(json status)" created "state after create"
equal "$(json id)" one "state: id"
equal "$(json pid)" "$pid" "state: pid"
equal "$(json bundle)" "$b" "state: bundle"
ok "state: ociVersion" test -n "$(json ociVersion)"
sleep 0.2
equal "$(cat "$WORK/c.out")" "" "nothing runs before start"
oci create --bundle "$b" one
ok "the same name again fails" test "$status" != 0
err_has 'one|exist' "the same name again"
oci delete one
ok "a created container can be deleted or must be forced" test "$status" = 0 -o -n "$err"
if [ "$status" = 0 ]; then
	timeout "${LIMIT:-20}" "$VILLAGE" --root "$WORK/state" create --bundle "$b" one >"$WORK/c.out" 2>"$WORK/c.err" </dev/null
fi

oci start one
is_status 0 "start"
ok "start: it runs" until_ok grep -q started "$WORK/c.out"
equal "$(state one)" running "state after start"
oci start one
ok "starting twice fails" test "$status" != 0
oci list
out_has '^ID +PID +STATUS +BUNDLE +CREATED' "list has a head"
out_has "^one +[0-9]+ +running +$b" "list"
oci list -q
is_out one "list -q"
oci list --format json
out_has '"id" *: *"one"' "list --format json"
oci delete one
ok "deleting what runs fails" test "$status" != 0
err_has 'running|stopped' "deleting what runs"
oci exec one /bin/touch /go
is_status 0 "exec ends it"
until_stopped()
{
	[ "$(state one)" = stopped ]
}
ok "it stops" until_ok until_stopped
oci kill one TERM
ok "kill of a stopped one fails" test "$status" != 0
err_has 'container not running' "kill of a stopped one"
oci start one
ok "start of a stopped one fails" test "$status" != 0
oci exec one /bin/true
ok "exec in a stopped one fails" test "$status" != 0
err_has 'container not running|not running|stopped' "exec in a stopped one"
oci delete one
is_status 0 "delete"
oci state one
ok "state of what was deleted fails" test "$status" != 0
err_has 'does not exist' "state of what was deleted"
oci list -q
is_out "" "an empty list"

# signals
make_bundle "$b" '[ "/bin/sh", "-c", "trap \"echo got TERM; exit 9\" TERM; echo ready; while :; do sleep 0.05; done" ]'
for sig in TERM SIGTERM 15; do
	timeout "${LIMIT:-20}" "$VILLAGE" --root "$WORK/state" create --bundle "$b" one >"$WORK/c.out" 2>&1 </dev/null
	oci start one
	ok "kill: ready" until_ok grep -q ready "$WORK/c.out"
	oci kill one $sig
	is_status 0 "kill $sig"
	ok "kill $sig: stops" until_ok until_stopped
	ok "kill $sig arrived" grep -q 'got TERM' "$WORK/c.out"
	oci delete one
	is_status 0 "delete after kill $sig"
done
timeout "${LIMIT:-20}" "$VILLAGE" --root "$WORK/state" create --bundle "$b" one >"$WORK/c.out" 2>&1 </dev/null
oci start one
oci kill one NOSUCH
ok "an unknown signal fails" test "$status" != 0
oci kill one KILL
is_status 0 "kill KILL"
ok "kill KILL: stops" until_ok until_stopped
oci delete one
timeout "${LIMIT:-20}" "$VILLAGE" --root "$WORK/state" create --bundle "$b" one >"$WORK/c.out" 2>&1 </dev/null
oci start one
oci delete --force one
is_status 0 "delete --force of what runs"
oci delete --force one
is_status 0 "delete --force of what is not there"
oci delete one
ok "delete of what is not there fails" test "$status" != 0
err_has 'does not exist' "delete of what is not there"
for c in start state; do
	oci $c nobody
	ok "$c: unknown container fails" test "$status" != 0
	err_has 'does not exist' "$c: unknown container"
done
oci kill nobody TERM
ok "kill: unknown container fails" test "$status" != 0
err_has 'does not exist' "kill: unknown container"

# run: in the foreground
make_bundle "$b" '[ "/bin/sh", "-c", "echo hello; pwd; hostname; exit 5" ]'
oci run --bundle "$b" two
is_status 5 "run: exit status"
is_out $'hello\n/\nbundle' "run: output"
oci state two
ok "run leaves no container" test "$status" != 0
make_bundle "$b" '[ "cat" ]'
out=$(echo through | timeout "${LIMIT:-20}" "$VILLAGE" --root "$WORK/state" run --bundle "$b" two)
equal "$out" through "run: standard input"
(cd "$b" && oci run two </dev/null; equal "$status" 0 "run: the bundle is the working directory")
make_bundle "$b" '[ "/bin/sh", "-c", "kill -9 $$" ]'
oci run --bundle "$b" two
ok "run: no hang" test "$status" != 124

# what a failed start leaves can be deleted
make_bundle "$b" '[ "/bin/none" ]'
timeout "${LIMIT:-20}" "$VILLAGE" --root "$WORK/state" create --bundle "$b" bad >"$WORK/c.out" 2>"$WORK/c.err" </dev/null
s1=$?
oci start bad
ok "create or start of a missing command fails" test "$s1" != 0 -o "$status" != 0
err="$(cat "$WORK/c.err") $err"
err_has '/bin/none.*no such file or directory|no such file or directory.*/bin/none' "the message says why"
if [ "$s1" = 0 ]; then
	oci delete bad
	is_status 0 "what failed to start can be deleted"
fi
oci list -q
is_out "" "nothing is left in the list"
ok "nothing is left in the state directory" test -z "$(ls -A "$WORK/state" 2>/dev/null)"
ok "no process is left" until_ok none_left
