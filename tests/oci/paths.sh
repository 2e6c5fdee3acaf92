# maskedPaths and readonlyPaths of config.json.
# shellcheck shell=bash source=lib.sh
. "$(dirname "$0")/lib.sh"

b=$WORK/bundle

# paths_run ARGS LINUX: a bundle with these keys in its linux object.
paths_run()
{
	make_bundle "$b" "$1"
	sed -i 's,"linux": { ,"linux": { '"$2"'\, ,' "$b/config.json"
	oci run --bundle "$b" c
}

paths_run '[ "/bin/sh", "-c", "ls -A /etc; touch /etc/x; echo $?; cat /bin/nothing; wc -c </proc/meminfo" ]' \
    '"maskedPaths": [ "/etc"\, "/proc/meminfo"\, "/none"\, "/proc/none/x" ]'
is_out $'1\n0' "a masked directory is empty and read-only, a masked file is empty"
equal "$(cat "$b/rootfs/etc/motd")" "Village test root" "what is masked stays as it is"
paths_run '[ "/bin/sh", "-c", "cat /etc/motd; echo x >/etc/motd; echo $?; echo x >/proc/sys/kernel/hostname; echo $?; echo x >/tmp/x; echo $?" ]' \
    '"readonlyPaths": [ "/etc"\, "/proc/sys"\, "/none" ]'
is_out $'Village test root\n1\n1\n0' "read-only paths"
paths_run '[ "/bin/true" ]' '"maskedPaths": [ "relative/../x" ]\, "sysctl": { "net.core.somaxconn": "1" }'
is_status 0 "a masked path that is not there, a sysctl"
