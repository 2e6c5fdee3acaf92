# lib.sh: what the tests of the command share.  Sourced by each of them; run.sh sets the variables.
#
#	VILLAGE		the binary
#	ROOT		a small busybox root that nobody changes
#	WORK		an empty directory of this test's own
#	RESULTS		where each check leaves "pass" or "fail"
#	TEST		the name of the test
#
# Every check has a name; a failed one says what was wanted and what came.
# shellcheck shell=bash

: "${VILLAGE:?}" "${ROOT:?}" "${WORK:?}" "${RESULTS:?}" "${TEST:?}"

out=
err=
status=

pass()
{
	echo pass >>"$RESULTS"
}

fail()
{
	echo fail >>"$RESULTS"
	echo "fail $TEST: $*" | tr '\n' ' ' | cut -c1-300
}

skip()
{
	echo "skip: $*"
	exit 77
}

# run COMMAND...: fills out, err and status; an end after 20 seconds at the latest.
run()
{
	timeout -k 2 "${LIMIT:-20}" "$@" >"$WORK/.out" 2>"$WORK/.err"
	status=$?
	out=$(tr -d '\0' <"$WORK/.out")
	err=$(tr -d '\0' <"$WORK/.err")
}

# inside ARG...: village do over the busybox root.  Its standard input is that of the caller.
inside()
{
	run "$VILLAGE" "do" --rootfs "$ROOT" "$@"
}

is_status()
{
	if [ "$status" = "$1" ]; then
		pass
	else
		fail "$2: exit status $status, wanted $1; stderr: $err"
	fi
}

is_out()
{
	if [ "$out" = "$1" ]; then
		pass
	else
		fail "$2: got [$out], wanted [$1]; status $status, stderr: $err"
	fi
}

# Extended regular expressions, the case counts.
out_has()
{
	if grep -Eq -- "$1" <<<"$out"; then
		pass
	else
		fail "$2: no match for [$1] in [$out]; status $status, stderr: $err"
	fi
}

err_has()
{
	if grep -Eq -- "$1" <<<"$err"; then
		pass
	else
		fail "$2: no match for [$1] in stderr [$err]; status $status"
	fi
}

# ok NAME COMMAND...: the command must succeed.
ok()
{
	local name=$1

	shift
	if "$@" >/dev/null 2>&1; then
		pass
	else
		fail "$name: failed: $*"
	fi
}

# equal GOT WANTED NAME
equal()
{
	if [ "$1" = "$2" ]; then
		pass
	else
		fail "$3: got [$1], wanted [$2]"
	fi
}

# until COMMAND...: waits for it to succeed, ten seconds at most.
until_ok()
{
	local i

	for ((i = 0; i < 200; i++)); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.05
	done
	return 1
}

# make_root DIR: a busybox root.
make_root()
{
	local dir=$1 bb applet

	bb=$(command -v busybox) || { echo "busybox is not installed" >&2; return 1; }
	mkdir -p "$dir"/{bin,dev,etc,proc,root,run,sys,tmp,usr/bin,var}
	chmod 1777 "$dir/tmp"
	cp "$bb" "$dir/bin/busybox"
	for applet in $("$bb" --list); do
		[ "$applet" = busybox ] || ln -sf busybox "$dir/bin/$applet"
	done
	printf 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home:/bin/sh\n' >"$dir/etc/passwd"
	printf 'root:x:0:\nuser:x:1000:\nextra:x:2000:user\n' >"$dir/etc/group"
	echo "Village test root" >"$dir/etc/motd"
	echo data >"$dir/etc/data"
}

# make_bundle DIR ARGS-AS-JSON [MORE-PROCESS-JSON [MORE-TOP-JSON]]: an OCI bundle over a copy of the root.
make_bundle()
{
	local dir=$1 args=$2 process=${3:-} top=${4:-}

	mkdir -p "$dir"
	[ -d "$dir/rootfs" ] || cp -a "$ROOT" "$dir/rootfs"
	cat >"$dir/config.json" <<-END
	{
		"ociVersion": "1.0.2",
		"process": {
			"terminal": false,
			"user": { "uid": 0, "gid": 0 },
			"args": $args,
			"env": [ "PATH=/bin:/usr/bin", "TERM=xterm" ],
			"cwd": "/"
			${process:+, $process}
		},
		"root": { "path": "rootfs", "readonly": false },
		"hostname": "bundle",
		"mounts": [
			{ "destination": "/proc", "type": "proc", "source": "proc" },
			{ "destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": [ "nosuid", "mode=755", "size=65536k" ] },
			{ "destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": [ "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620" ] },
			{ "destination": "/tmp", "type": "tmpfs", "source": "tmpfs" }
		],
		"linux": { "namespaces": [ { "type": "pid" }, { "type": "mount" }, { "type": "ipc" }, { "type": "uts" }, { "type": "network" } ] }
		${top:+, $top}
	}
	END
}

# oci ARG...: the command with a state directory of this test's own.
oci()
{
	run "$VILLAGE" --root "$WORK/state" "$@"
}

# below PID: every process below it.
below()
{
	local kid

	# shellcheck disable=SC2013
	for kid in $(cat /proc/"$1"/task/*/children 2>/dev/null); do
		echo "$kid"
		below "$kid"
	done
}

# process NAME: the pid of the first process of this test whose name or argv[0] is NAME.
process()
{
	local pid

	for pid in $(below "$REAPER"); do
		if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$1" ] ||
		    [ "$(tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | head -n 1)" = "$1" ]; then
			echo "$pid"
			return 0
		fi
	done
	return 1
}

# none_left: no sentry and no gofer of this test.
none_left()
{
	! process village-sentry >/dev/null && ! process village-gofer >/dev/null
}
