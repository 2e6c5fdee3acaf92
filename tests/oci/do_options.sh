# village do: what each option changes.
# shellcheck shell=bash source=lib.sh
. "$(dirname "$0")/lib.sh"

inside --env A=1 --env "B=two words" --env C= -- /bin/sh -c 'echo "$A/$B/$C/${C-unset}"'
is_out "1/two words//" "--env"
inside --env PATH=/usr/bin -- /bin/sh -c 'echo $PATH'
is_out /usr/bin "--env PATH"
inside -- /bin/sh -c 'pwd'
ok "the default directory exists inside" test "$status" = 0
inside --cwd /etc -- /bin/pwd
is_out /etc "--cwd"
inside --cwd /etc -- /bin/cat motd
is_out "Village test root" "--cwd"
inside --hostname here -- /bin/hostname
is_out here "--hostname"
inside --hostname here -- /bin/uname -n
is_out here "--hostname and uname"

inside -- /bin/id -u
is_out 0 "root by default"
inside --user 1000 -- /bin/sh -c 'id -u; echo $(id -g)'
out_has '^1000' "--user by number"
inside --user 1000:2000 -- /bin/sh -c 'echo $(id -u):$(id -g)'
is_out 1000:2000 "--user with a group"
inside --user user -- /bin/sh -c 'echo $(id -u):$(id -g)'
is_out 1000:1000 "--user by name, the root's passwd"
inside --user 1000 -- /bin/sh -c 'touch /etc/mine 2>/dev/null; echo $?'
is_out 1 "--user may not write what is root's"
inside --user 1000 -- /bin/sh -c 'grep CapEff /proc/self/status'
out_has '0000000000000000' "--user has no capability"

mkdir -p "$WORK/vol/sub"
echo outside >"$WORK/vol/file"
inside --volume "$WORK/vol:/mnt/v" -- /bin/sh -c 'cat /mnt/v/file; echo inside >/mnt/v/new; mkdir /mnt/v/d'
is_out outside "--volume is readable"
equal "$(cat "$WORK/vol/new" 2>/dev/null)" inside "--volume is written through"
ok "--volume: a directory" test -d "$WORK/vol/d"
inside --volume "$WORK/vol:/mnt/v:ro" -- /bin/sh -c 'cat /mnt/v/file; echo x >/mnt/v/file; echo $?; rm /mnt/v/new; echo $?; mkdir /mnt/v/e; echo $?'
is_out $'outside\n1\n1\n1' "--volume ro refuses"
err_has "[Rr]ead-only file system" "--volume ro: the error"
equal "$(cat "$WORK/vol/file")" outside "--volume ro: unchanged"
inside --volume "$WORK/vol/file:/etc/motd:ro" -- /bin/cat /etc/motd
is_out outside "--volume of a file"
inside --volume "$WORK/vol:/a" --volume "$WORK/vol/sub:/b" -- /bin/sh -c 'touch /b/x; ls /a/sub'
is_out x "two volumes, one inside the other"
echo changed >"$WORK/vol/file"
inside --volume "$WORK/vol:/mnt/v" -- /bin/cat /mnt/v/file
is_out changed "--volume sees the host's changes"

inside --network none -- /bin/sh -c 'ls /sys/class/net 2>/dev/null; wget -q -O - http://192.0.2.1/ 2>/dev/null; echo $?'
out_has '^1$' "--network none"
inside --strace -- /bin/echo traced
is_out traced "--strace leaves stdout alone"
err_has 'execve\(' "--strace shows execve"
err_has 'write\(1(<[^>]*>)?, "traced' "--strace shows write"
inside --report -- /bin/true
is_status 0 "--report"
err_has "calls that came to the kernel: [1-9]" "--report counts calls"
run "$VILLAGE" "do" --report -- /usr/bin/python3 -c 'import ctypes
call = ctypes.CDLL(None).syscall
call(-9); call(0x40000027)'
err_has "system call number -9\b" "--report names an unknown number as it is"
err_has "x32 system call 39\b" "--report names an x32 call"
inside -- /bin/mount
out_has ' on / ' "a root is mounted"
