# village do never changes the host without --rw, and does with it.
# shellcheck shell=bash source=lib.sh
. "$(dirname "$0")/lib.sh"

# everything that a listing shows of a tree, and the contents
picture()
{
	(cd "$1" && find . -printf '%p %y %m %U:%G %n %s %T@ %l\n' | grep -v '^\. ' | sort &&
	    find . -type f -print0 | sort -z | xargs -0 -r sha256sum)
}

mark=village-test-$$
run "$VILLAGE" "do" -- /bin/sh -c "echo x >/etc/$mark && cat /etc/$mark && mkdir /usr/$mark && rm /etc/passwd && ls /etc/passwd"
out_has '^x$' "written inside"
err_has 'No such file' "removed inside"
ok "no new file on the host" test ! -e "/etc/$mark"
ok "no new directory on the host" test ! -e "/usr/$mark"
ok "nothing removed on the host" test -e /etc/passwd

cp -a "$ROOT" "$WORK/copy"
before=$(picture "$WORK/copy")
run "$VILLAGE" "do" --rootfs "$WORK/copy" -- /bin/sh -c '
	echo more >>/etc/data; echo new >/etc/new; chmod 700 /etc/motd; chown 5:6 /etc/passwd; mv /etc/group /etc/grp
	rm -rf /var; mkdir -p /a/b/c; ln -s x /etc/link; ln /etc/data /etc/hard; touch -d "2001-02-03 04:05:06" /etc
	truncate -s 5 /bin/busybox; cat /etc/data'
is_out $'data\nmore' "changes are seen inside"
equal "$(picture "$WORK/copy")" "$before" "the root is as it was"

run "$VILLAGE" "do" --rootfs "$WORK/copy" -- /bin/cat /etc/data
is_out data "the next run starts afresh"

run "$VILLAGE" "do" --rootfs "$WORK/copy" --rw -- /bin/sh -c '
	set -e
	echo more >>/etc/data; echo new >/etc/new; chmod 700 /etc/motd; chown 5:6 /etc/passwd; mv /etc/group /etc/grp
	rm -rf /var; mkdir -p /a/b/c; ln -s target /etc/link; ln /etc/data /etc/hard; mkfifo /etc/fifo
	touch -d "2001-02-03 04:05:06" /etc/grp; umask 077; echo secret >/etc/secret'
is_status 0 "--rw: the commands"
cd "$WORK/copy" || exit 1
equal "$(cat etc/data 2>&1)" $'data\nmore' "--rw: appended"
equal "$(cat etc/new 2>&1)" new "--rw: new file"
equal "$(stat -c %a etc/motd)" 700 "--rw: chmod"
equal "$(stat -c %u:%g etc/passwd)" 5:6 "--rw: chown"
ok "--rw: renamed" test -e etc/grp -a ! -e etc/group
ok "--rw: removed" test ! -e var
ok "--rw: directories" test -d a/b/c
equal "$(readlink etc/link)" target "--rw: symbolic link"
equal "$(stat -c %h etc/data)" 2 "--rw: hard link"
equal "$(TZ=UTC stat -c %y etc/grp | cut -d. -f1)" "2001-02-03 04:05:06" "--rw: times"
equal "$(stat -c '%a %u' etc/secret)" "600 0" "--rw: umask and owner"

# no way out of the root, by links or dots
ln -s /etc/passwd "$WORK/copy/outlink"
ln -s "../../../../../../../../etc/hostname" "$WORK/copy/dots"
run "$VILLAGE" "do" --rootfs "$WORK/copy" -- /bin/sh -c 'cat /outlink; cat /dots; cat /../../../etc/hostname; true'
ok "links stay inside" test "$(grep -c . <<<"$out")" = 2
equal "$(head -n 1 <<<"$out")" "$(head -n 1 "$WORK/copy/etc/passwd")" "an absolute link means the root's own"

# a full filesystem below --rw: the program sees ENOSPC, nothing else happens
mkdir "$WORK/small"
if mount -t tmpfs -o size=3m tmpfs "$WORK/small" 2>/dev/null; then
	cp -a "$ROOT/bin" "$WORK/small/"
	mkdir -p "$WORK/small/proc" "$WORK/small/dev" "$WORK/small/tmp"
	run "$VILLAGE" "do" --rootfs "$WORK/small" --rw -- /bin/sh -c 'dd if=/dev/zero of=/big bs=64k count=100; echo $?; rm /big; echo again >/after && cat /after'
	out_has '^1$' "full disk: dd fails"
	err_has 'No space left' "full disk: and says why"
	out_has '^again$' "full disk: after making room"
	umount "$WORK/small"
fi
