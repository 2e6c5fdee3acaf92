# village do: bad input gets a clear message with the name in it, the right status, and leaves nothing.
# shellcheck shell=bash source=lib.sh
. "$(dirname "$0")/lib.sh"

run "$VILLAGE" "do" --rootfs "$WORK/nowhere" -- /bin/true
is_status 1 "missing rootfs"
err_has "nowhere.*[Nn]o such file or directory" "missing rootfs"
touch "$WORK/file"
run "$VILLAGE" "do" --rootfs "$WORK/file" -- /bin/true
is_status 1 "rootfs is a file"
err_has "file.*[Nn]ot a directory" "rootfs is a file"

inside --no-such-option -- /bin/true
is_status 1 "unknown option"
err_has "no-such-option" "unknown option"
inside
is_status 1 "no command"
ok "no command: something is said" test -n "$err"
run "$VILLAGE" no-such-command
is_status 1 "unknown command"
err_has "no-such-command" "unknown command"
run "$VILLAGE"
ok "no arguments: fails" test "$status" != 0
inside --platform abacus -- /bin/true
is_status 1 "unknown platform"
err_has "abacus" "unknown platform"
inside --env
is_status 1 "an option without its value"
inside --volume nocolon -- /bin/true
is_status 1 "malformed volume"
err_has "nocolon" "malformed volume"
inside --volume "$WORK/absent:/mnt" -- /bin/true
is_status 1 "volume without a source"
err_has "absent.*[Nn]o such file or directory" "volume without a source"
inside --volume "$WORK:/mnt:rwx" -- /bin/true
is_status 1 "volume with an unknown mode"
inside --env NOEQUALS -- /bin/true
ok "an --env without = is no crash" test "$status" = 0 -o "$status" = 1
inside --user nobody-knows -- /bin/true
is_status 1 "unknown user"
err_has "nobody-knows" "unknown user"
inside --cwd /not/there -- /bin/true
ok "missing directory fails" test "$status" != 0
err_has "/not/there.*[Nn]o such file or directory" "missing directory"
inside --network bridge -- /bin/true
is_status 1 "unknown network"

inside -- /bin/none
is_status 127 "missing command"
err_has "/bin/none.*no such file or directory|no such file or directory.*/bin/none" "missing command"
inside -- no-such-program
is_status 127 "not in PATH"
err_has "no-such-program.*executable file not found|executable file not found.*no-such-program" "not in PATH"
inside -- /etc/motd
is_status 126 "not executable"
err_has "permission denied" "not executable"
inside -- /etc
is_status 126 "a directory"
err_has "permission denied|is a directory" "a directory"
inside -- ""
ok "an empty command fails" test "$status" = 127 -o "$status" = 126 -o "$status" = 1

cp -a "$ROOT" "$WORK/root"
head -c 200 "$ROOT/bin/busybox" >"$WORK/root/bin/truncated"
head -c 20 "$ROOT/bin/busybox" >"$WORK/root/bin/stub"
: >"$WORK/root/bin/empty"
printf 'plain words\n' >"$WORK/root/bin/words"
printf '#!/bin/absent\n' >"$WORK/root/bin/lost"
# a 32-bit header: class 1, machine 3
{ printf '\177ELF\001\001\001\0\0\0\0\0\0\0\0\0\002\0\003\0\001\0\0\0'; head -c 400 /dev/zero; } >"$WORK/root/bin/elf32"
# another architecture: class 2, machine 183
{ printf '\177ELF\002\001\001\0\0\0\0\0\0\0\0\0\002\0\267\0\001\0\0\0'; head -c 400 /dev/zero; } >"$WORK/root/bin/arm"
cp "$ROOT/bin/busybox" "$WORK/root/bin/garbled"
printf '\377\377\377\377' | dd of="$WORK/root/bin/garbled" bs=1 seek=54 conv=notrunc 2>/dev/null
chmod 755 "$WORK"/root/bin/*
for f in truncated stub empty words elf32 arm garbled; do
	run "$VILLAGE" "do" --rootfs "$WORK/root" -- "/bin/$f"
	is_status 126 "$f"
	err_has "exec format error|invalid|not supported" "$f"
	run "$VILLAGE" "do" --rootfs "$WORK/root" -- /bin/busybox sh -c "/bin/$f; echo \$?" </dev/null
	ok "$f from a shell is no crash" test "$status" = 0
done
run "$VILLAGE" "do" --rootfs "$WORK/root" -- /bin/lost
is_status 127 "missing interpreter"
err_has "no such file or directory" "missing interpreter"

# lower case, one line, no trace of where in the source it happened
inside -- /bin/none
equal "$(grep -c . <<<"$err")" 1 "one line"
ok "nothing left" none_left
