# Reads the live processes of a sandbox: seccomp, capabilities, namespaces, root, descriptors.
# shellcheck shell=bash source=lib.sh
. "$(dirname "$0")/lib.sh"

field()
{
	sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"
}

# own PID KIND NAME: the process is in another namespace of that kind than this test.
own()
{
	if [ "$(readlink "/proc/$1/ns/$2")" != "$(readlink "/proc/self/ns/$2")" ]; then
		pass
	else
		fail "$3 shares the host's $2 namespace"
	fi
}

sandbox()
{
	local platform=$1 pid sentry gofer stubs p fd target name caps t

	: >"$WORK/out"
	"$VILLAGE" "do" --platform "$platform" --rootfs "$ROOT" --volume "$WORK:/mnt:ro" -- /bin/sh -c 'echo ready; sleep 30 & sleep 30 & wait' >"$WORK/out" 2>&1 &
	pid=$!
	if ! until_ok grep -q ready "$WORK/out"; then
		fail "$platform: never ready: $(cat "$WORK/out")"
		return
	fi
	sleep 0.2
	sentry=$(process village-sentry)
	gofer=$(process village-gofer)
	equal "${sentry:+found}" found "$platform: a process named village-sentry"
	equal "${gofer:+found}" found "$platform: a process named village-gofer"
	if [ -z "$sentry" ] || [ -z "$gofer" ]; then
		kill -9 $pid
		return
	fi

	equal "$(field "$sentry" Seccomp)" 2 "$platform: sentry under seccomp"
	for t in /proc/"$sentry"/task/*; do
		equal "$(sed -n 's/^Seccomp:[[:space:]]*//p' "$t/status")" 2 "$platform: every thread of the sentry under seccomp"
	done
	for caps in CapInh CapPrm CapEff CapAmb; do
		equal "$(field "$sentry" $caps)" 0000000000000000 "$platform: sentry's $caps"
	done
	equal "$(field "$sentry" NoNewPrivs)" 1 "$platform: sentry has no_new_privs"
	for name in user pid net mnt ipc uts; do
		own "$sentry" $name "$platform: sentry"
	done
	equal "$(ls -A "/proc/$sentry/root/")" "" "$platform: the sentry's root is empty"
	ok "$platform: sentry is the first of its pid namespace" test "$(field "$sentry" NSpid | awk '{ print $NF }')" = 1
	for fd in /proc/"$sentry"/fd/*; do
		target=$(readlink "$fd")
		case $target in
		socket:* | pipe:* | anon_inode:* | /memfd:* | /dev/null | "$WORK/out" | /proc/*/mem | "$ROOT"/*) pass ;;
		*) if [ -d "$fd" ]; then fail "$platform: sentry holds a directory: $target"; else pass; fi ;;
		esac
	done

	# guest code runs in processes below the sentry
	stubs=$(below "$sentry")
	ok "$platform: there are stubs" test -n "$stubs"
	for p in $stubs; do
		[ -e "/proc/$p/status" ] || continue
		equal "$(field "$p" Seccomp)" 2 "$platform: stub under seccomp"
		equal "$(field "$p" CapEff)" 0000000000000000 "$platform: stub without capabilities"
		equal "$(field "$p" CapPrm)" 0000000000000000 "$platform: stub without capabilities"
		equal "$(field "$p" NoNewPrivs)" 1 "$platform: stub has no_new_privs"
		for name in user pid net mnt ipc uts; do
			own "$p" $name "$platform: stub"
		done
		equal "$(ls -A "/proc/$p/root/" 2>/dev/null)" "" "$platform: the stub's root is empty"
		for fd in /proc/"$p"/fd/*; do
			[ -e "$fd" ] || continue
			target=$(readlink "$fd")
			case $target in
			/proc | /proc/*) pass ;;	# the mapper's fixed directory
			*) if [ -d "$fd" ] && [ "$(stat -L -f -c %T "$fd")" != proc ]; then fail "$platform: stub holds a directory: $target"; else pass; fi ;;
			esac
		done
	done

	equal "$(field "$gofer" Seccomp)" 2 "$platform: gofer under seccomp"
	equal "$(field "$gofer" NoNewPrivs)" 1 "$platform: gofer has no_new_privs"
	# chown dac_override dac_read_search fowner fsetid mknod setfcap, and setuid setgid to act as a user
	caps=$(field "$gofer" CapEff)
	equal "$((0x$caps & ~(0x1f | 1 << 27 | 1 << 31 | 1 << 6 | 1 << 7)))" 0 "$platform: gofer has only file capabilities ($caps)"
	for name in mnt net ipc uts; do
		own "$gofer" $name "$platform: gofer"
	done
	ok "$platform: the gofer does not see the host's root" test ! -e "/proc/$gofer/root/etc/os-release"
	kill -9 $pid
	wait $pid 2>/dev/null
	ok "$platform: gone" until_ok none_left
}

sandbox systrap
sandbox ptrace

# what the binary says about itself
run "$VILLAGE" debug host-syscalls
is_status 0 "debug host-syscalls"
out_has 'futex' "debug host-syscalls names futex"
if grep -Eqw 'openat|execve|socket|connect|ptrace|fork|kill' <<<"$(awk '/^[a-z]/ { of = $1 } of == "sentry:" && !/sanitizer: / { print $1 }' <<<"$out")"; then
	fail "debug host-syscalls lists a call that opens or starts something: $out"
else
	pass
fi
