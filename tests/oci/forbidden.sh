# A sentry that was taken over makes a host call that its filter forbids: it must not live to see the answer.
# shellcheck shell=bash source=lib.sh
. "$(dirname "$0")/lib.sh"

VILLAGE_FORBIDDEN=none inside -- /bin/true
case $status:$err in
0:*) skip "this build has no test hooks" ;;
*VILLAGE_FORBIDDEN*) ;;
*) fail "no answer to an unknown call: $status $err" ;;
esac
case $VILLAGE in
*/asan/* | */tsan/*) skip "the sanitizers' run time needs some of these calls" ;;
esac

# Some hosts have no 32-bit calls at all: the instruction is a fault there.
echo 'int main(void) { __asm__ volatile("int $0x80" : : "a"(20)); return 0; }' >"$WORK/int80.c"
"${CC:-gcc}" -o "$WORK/int80" "$WORK/int80.c"
no_int80=
( "$WORK/int80"; exit $? ) 2>/dev/null || no_int80=1

for platform in systrap ptrace; do
	for call in open openat socket connect execve execveat fork clone-process clone-namespace mmap-exec \
	    mprotect-exec kill tgkill-term mount unshare setns bpf io_uring_setup process_vm_writev memfd_create \
	    ioctl-tiocsti prctl seccomp unknown x32 int80 ptrace; do
		# One request of ptrace's is the platform's own; the hook asks for another.
		VILLAGE_FORBIDDEN=$call inside --platform $platform -- /bin/true
		if [ "$call$no_int80" = int801 ]; then
			is_status 1 "$platform, $call"
			err_has "internal error: signal 11" "$platform, $call"
			continue
		fi
		is_status 159 "$platform, $call"
		err_has "killed by signal 31" "$platform, $call"
	done
done
ok "nothing left" until_ok none_left
