#!/bin/sh
# rootfs.sh [DIR]: a Debian root for the program tests.
#
# The root is made once by debootstrap and kept under the user's cache directory, keyed by suite and
# package list.  Without DIR its path is printed; nobody may write to it.  With DIR it is copied there.
# SUITE and MIRROR in the environment override the host's release and Debian's default mirror.
set -eu

variant=minbase
packages="bash bc busybox-static bzip2 diffutils file findutils gawk gcc git gzip less libc6-dev make
musl-tools patch perl procps psmisc python3 python3-minimal sqlite3 tar time util-linux xz-utils zstd"

say()
{
	echo "rootfs.sh: $*" >&2
}

suite=${SUITE:-}
if [ -z "$suite" ] && [ -r /etc/os-release ]; then
	# shellcheck disable=SC1091
	suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
fi
suite=${suite:-bookworm}
mirror=${MIRROR:-http://deb.debian.org/debian}
list=$(echo "$packages" | tr -s ' \n' ',,' | sed 's/,$//')
key=$(printf '%s %s %s' "$suite" "$variant" "$list" | sha256sum | cut -c1-12)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/village
root=$cache/root-$suite-$key

if [ ! -e "$root/.complete" ]; then
	command -v debootstrap >/dev/null || { say "debootstrap is not installed"; exit 1; }
	[ "$(id -u)" = 0 ] || { say "debootstrap needs root"; exit 1; }
	mkdir -p "$cache"
	# Two builders may start at once: the second waits and then finds the work done.
	exec 9>"$cache/.lock"
	flock 9
	if [ ! -e "$root/.complete" ]; then
		# An earlier attempt may have been cut short.
		rm -rf "$root" "$root.new"
		say "making $root (once; takes a few minutes)"
		if ! debootstrap --variant="$variant" --include="$list" "$suite" "$root.new" "$mirror" \
		    >"$root.log" 2>&1; then
			say "debootstrap failed; its log is $root.log"
			tail -n 5 "$root.log" >&2
			rm -rf "$root.new"
			exit 1
		fi
		rm -rf "$root.new"/var/cache/apt/* "$root.new"/var/lib/apt/lists/*
		mkdir -p "$root.new/cases"
		: >"$root.new/.complete"
		mv "$root.new" "$root"
		rm -f "$root.log"
	fi
	exec 9>&-
fi

if [ $# -eq 0 ]; then
	echo "$root"
	exit 0
fi
mkdir -p "$1"
cp -a --reflink=auto "$root/." "$1/"
