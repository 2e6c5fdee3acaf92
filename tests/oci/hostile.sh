# What a guest or a root directory may try against the sentry and the command line.
# shellcheck shell=bash source=lib.sh
. "$(dirname "$0")/lib.sh"

# names that fill the room for the place inside a filesystem to the last byte
# shellcheck disable=SC2016
inside -- sh -c 'n=$(printf "%0254d" 0); mkdir -p /tmp/q/$n /tmp/m; mount -o bind /tmp/q/$n /tmp/m
	grep " /tmp/m " /proc/self/mountinfo | cut -d" " -f4 | wc -c'
is_status 0 "mountinfo with a long place"
is_out 262 "mountinfo with a long place"

b=$WORK/bundle
make_bundle "$b" '[ "/bin/sh", "-c", "exec sleep 1000" ]'
timeout 20 "$VILLAGE" --root "$WORK/state" create --bundle "$b" --pid-file "$WORK/pid" box >/dev/null 2>&1 </dev/null
oci start box
oci create --bundle "$b" --pid-file "$WORK/pid" box
err_has 'already exists' "a second box"
ok "the first one's pid file stays" test -s "$WORK/pid"
oci delete --force box

# a device in place of a file must not even be opened; a FIFO shows it
cp -a "$ROOT" "$WORK/fifo"
rm -f "$WORK/fifo/etc/passwd"
mkfifo "$WORK/fifo/etc/passwd"
(exec 3>"$WORK/fifo/etc/passwd"; : >"$WORK/opened") &
writer=$!
run "$VILLAGE" "do" --rootfs "$WORK/fifo" --user 0 -- true
is_status 0 "--user with a FIFO for a passwd"
ok "the FIFO was not opened" test ! -e "$WORK/opened"
kill "$writer"
wait "$writer" 2>/dev/null

# a process's name cannot drive the terminal of who looks at it
esc=$(printf 'a\033[31mX')
cp -a "$ROOT" "$WORK/esc"
cp "$(readlink -f "$ROOT/bin/busybox")" "$WORK/esc/bin/real"
printf '#!/bin/sh\nsleep 1000\n' >"$WORK/esc/bin/$esc"
chmod 755 "$WORK/esc/bin/$esc"
"$VILLAGE" --root "$WORK/state" "do" --id esc --rootfs "$WORK/esc" -- "/bin/$esc" >/dev/null 2>&1 </dev/null &
until_ok sh -c "'$VILLAGE' --root '$WORK/state' ps esc | grep -q 31mX"
oci ps esc
out_has 'a\?\[31mX' "ps: a name with an escape"
oci kill esc KILL
wait

# nor make up a process
two=$(printf 'a\n77 1 S init')
cp "$WORK/esc/bin/$esc" "$WORK/esc/bin/$two"
"$VILLAGE" --root "$WORK/state" "do" --id two --rootfs "$WORK/esc" -- "/bin/$two" >/dev/null 2>&1 </dev/null &
until_ok sh -c "'$VILLAGE' --root '$WORK/state' ps two | grep -q 77"
oci ps two
out_has 'a\\n77 1 S init' "ps: a name with a line's end"
equal "$(grep -cE '^ *77 ' <<<"$out")" 0 "ps: a process that is none"
oci kill two KILL
wait
