# run --bundle: what config.json asks for.
# shellcheck shell=bash source=lib.sh
. "$(dirname "$0")/lib.sh"

b=$WORK/bundle

# bundle_run ARGS [PROCESS [TOP]]
bundle_run()
{
	make_bundle "$b" "$@"
	oci run --bundle "$b" c
}

bundle_run '[ "/bin/sh", "-c", "echo $PATH; echo $TERM; echo ${HOME-none}" ]'
out_has '^/bin:/usr/bin$' "env"
out_has '^xterm$' "env"
bundle_run '[ "/bin/echo", "a b", "c\"d", "e\\f", "\u00e9" ]'
is_out 'a b c"d e\f é' "args: JSON escapes"
sed -i 's,"cwd": "/","cwd": "/etc",' "$b/config.json"
sed -i 's,"args": .*,"args": [ "pwd" ]\,,' "$b/config.json"
oci run --bundle "$b" c
is_out /etc "cwd"

make_bundle "$b" '[ "/bin/sh", "-c", "id -u; id -g; cat /proc/self/status | grep -E ^Groups" ]'
sed -i 's/"user": .*/"user": { "uid": 1000, "gid": 1001, "additionalGids": [ 7, 8 ], "umask": 63 },/' "$b/config.json"
oci run --bundle "$b" c
out_has '^1000$' "user"
out_has '^1001$' "group"
out_has '^Groups:.*7 8' "additional groups"

caps='"capabilities": { "bounding": [ "CAP_CHOWN", "CAP_KILL" ], "effective": [ "CAP_CHOWN" ], "permitted": [ "CAP_CHOWN", "CAP_KILL" ] }'
bundle_run '[ "/bin/sh", "-c", "grep ^Cap /proc/self/status" ]' "$caps"
out_has '^CapBnd:.0000000000000021$' "capabilities: bounding"
bundle_run '[ "/bin/grep", "^Cap", "/proc/self/status" ]' "$caps"
out_has '^CapBnd:.0000000000000021$' "capabilities: bounding"
out_has '^CapPrm:.0000000000000021$' "capabilities: root gets the bounding set at exec"
bundle_run '[ "/bin/sh", "-c", "ulimit -n; ulimit -Hn" ]' '"rlimits": [ { "type": "RLIMIT_NOFILE", "soft": 100, "hard": 200 } ]'
is_out $'100\n200' "rlimits"
bundle_run '[ "/bin/grep", "NoNewPrivs", "/proc/self/status" ]' '"noNewPrivileges": true'
out_has '1$' "noNewPrivileges"
bundle_run '[ "/bin/cat", "/proc/self/oom_score_adj" ]' '"oomScoreAdj": 100'
is_out 100 "oomScoreAdj"

make_bundle "$b" '[ "/bin/sh", "-c", "echo x >/etc/motd; echo $?; touch /tmp/y; echo $?" ]'
sed -i 's/"readonly": false/"readonly": true/' "$b/config.json"
oci run --bundle "$b" c
is_out $'1\n0' "a read-only root, a writable mount"
equal "$(cat "$b/rootfs/etc/motd")" "Village test root" "a read-only root on the host"

mkdir -p "$WORK/src"
echo bound >"$WORK/src/f"
make_bundle "$b" '[ "/bin/sh", "-c", "cat /mnt/f; echo new >/mnt/g; echo $?; echo new >/ro/g; echo $?; cat /one" ]'
sed -i 's,"mounts": \[,&\n{ "destination": "/mnt"\, "type": "bind"\, "source": "'"$WORK/src"'"\, "options": [ "rbind"\, "rw" ] }\,\n{ "destination": "/ro"\, "type": "bind"\, "source": "'"$WORK/src"'"\, "options": [ "bind"\, "ro" ] }\,\n{ "destination": "/one"\, "type": "bind"\, "source": "'"$WORK/src/f"'"\, "options": [ "bind" ] }\,,' "$b/config.json"
oci run --bundle "$b" c
is_out $'bound\n0\n1\nbound' "bind mounts: directory, read-only, file"
equal "$(cat "$WORK/src/g" 2>/dev/null)" new "bind mounts are written through"
bundle_run '[ "/bin/sh", "-c", "mount | grep -c . ; test -c /dev/null && test -d /proc/self && test -c /dev/zero && test -c /dev/urandom && echo devices" ]'
out_has '^devices$' "default devices"
bundle_run '[ "/bin/sh", "-c", "ls /dev/fd/ >/dev/null && test -e /dev/stdin && test -d /dev/pts && echo links" ]'
out_has '^links$' "default links"
bundle_run '[ "/bin/cat", "/proc/kcore" ]' '' '"process_": 0'
ok "unknown keys are ignored" test "$status" != 124

# a root given by an absolute path
make_bundle "$b" '[ "/bin/cat", "/etc/motd" ]'
sed -i 's,"path": "rootfs","path": "'"$ROOT"'",' "$b/config.json"
oci run --bundle "$b" c
is_out "Village test root" "an absolute root"

# ---- bad input --------------------------------------------------------------------------------
bad()
{
	oci run --bundle "$b" c
	is_status 1 "$1"
	err_has "$2" "$1"
	oci list -q
	is_out "" "$1: nothing left"
}

rm -rf "$b"
bad "no bundle" 'bundle.*[Nn]o such file or directory'
mkdir "$b"
bad "no config.json" 'config.json.*[Nn]o such file or directory|config.json.*does not exist'
: >"$b/config.json"
bad "an empty config.json" 'config.json'
echo '{ "ociVersion": "1.0.2", "process": ' >"$b/config.json"
bad "cut JSON" 'config.json'
echo 'hello' >"$b/config.json"
bad "no JSON" 'config.json'
echo '[]' >"$b/config.json"
bad "an array" 'config.json|object'
printf '%0.s[' $(seq 100000) >"$b/config.json"
bad "a hundred thousand brackets" 'config.json'
make_bundle "$b" '[ "/bin/true" ]'
sed -i '/"root"/d' "$b/config.json"
bad "no root" 'root'
make_bundle "$b" '[]'
bad "no arguments" 'args'
make_bundle "$b" '"text"'
bad "arguments of the wrong type" 'args'
make_bundle "$b" '[ "/bin/true" ]'
sed -i 's,"path": "rootfs","path": "absent",' "$b/config.json"
bad "no such root" 'absent.*[Nn]o such file or directory'
make_bundle "$b" '[ "/bin/true" ]'
sed -i 's/"uid": 0/"uid": "zero"/' "$b/config.json"
bad "a uid that is text" 'uid'
make_bundle "$b" '[ "/bin/true" ]'
sed -i 's/"uid": 0/"uid": -1/' "$b/config.json"
bad "a negative uid" 'uid'
make_bundle "$b" '[ "/bin/true" ]' '"rlimits": [ { "type": "RLIMIT_NONE", "soft": 1, "hard": 2 } ]'
bad "an unknown limit" 'RLIMIT_NONE'
make_bundle "$b" '[ "/bin/true" ]'
sed -i 's,"source": "proc",&\, "options": 5,' "$b/config.json"
bad "options of the wrong type" 'options'
make_bundle "$b" '[ "/bin/none" ]'
oci run --bundle "$b" c
is_status 127 "a missing command"
err_has 'no such file or directory' "a missing command"
make_bundle "$b" '[ "none" ]'
oci run --bundle "$b" c
is_status 127 "a command not in PATH"
err_has 'executable file not found' "a command not in PATH"
make_bundle "$b" '[ "/etc/motd" ]'
oci run --bundle "$b" c
is_status 126 "a command that is no program"
err_has 'permission denied' "a command that is no program"
for id in '' '../x' 'a/b' '-x' 'a b'; do
	oci run --bundle "$b" "$id"
	ok "the name [$id] is refused" test "$status" = 1
done
oci run --bundle "$b"
ok "no name is refused" test "$status" = 1
