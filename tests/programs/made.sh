#!/bin/sh
# made.sh: programs for steady.sh that no package of Debian's has, made once and kept under the user's cache directory.
#
# busybox-musl is Debian's source of busybox with a shell and a few tools, linked with musl; go-io is io.go as a static
# program.  Prints the folder; nobody may write to it.  MIRROR in the environment overrides Debian's default mirror.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
# One version for every host, so that what is compared is the same.
suite=bookworm
mirror=${MIRROR:-http://deb.debian.org/debian}
options="STATIC ASH ASH_ECHO ASH_TEST SH_IS_ASH FEATURE_SH_MATH FEATURE_SH_STANDALONE CAT CP DD ECHO FIND GREP HEAD LS MKDIR MV RM SEQ
SORT TEST TOUCH TRUE WC"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/village
key=$({ cat "$here/made.sh" "$here/io.go"; go version; } | sha256sum | cut -c1-12)
made=$cache/made-$key

# source_get: unpacks Debian's source of busybox here.  The package lists of the machine stay as they are.
source_get()
{
	mkdir -p lists/partial
	echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >sources.list
	for command in update "--download-only source busybox"; do
		# shellcheck disable=SC2086 # words
		apt-get -q -o Dir::Etc::sourcelist="$PWD/sources.list" -o Dir::Etc::sourceparts=/dev/null \
		    -o Dir::State::lists="$PWD/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
		    -o APT::Sandbox::User=root $command
	done
	mkdir busybox
	tar -xjf busybox_*.orig.tar.bz2 -C busybox --strip-components=1
}

# busybox_make: the kernel's headers are those of the host; musl has none.
busybox_make()
{
	mkdir include
	for dir in linux asm-generic mtd; do
		ln -s "/usr/include/$dir" include/
	done
	ln -s "/usr/include/$(gcc -print-multiarch)/asm" include/
	make -s -C busybox allnoconfig
	for o in $options; do
		sed -i "s/^# CONFIG_$o is not set/CONFIG_$o=y/" busybox/.config
	done
	# An answer for each option that depends on these; there are fewer.
	seq 2000 | sed 's/.*//' | make -s -C busybox oldconfig
	make -s -C busybox -j"$(nproc)" HOSTCC=gcc CC="musl-gcc -w -idirafter $PWD/include" busybox
	cp busybox/busybox "$1/busybox-musl"
}

go_make()
{
	GOCACHE=$PWD/gocache GOENV=off GOFLAGS='' GO111MODULE=off GOTOOLCHAIN=local CGO_ENABLED=0 go build -o "$1/go-io" "$here/io.go"
}

if [ ! -e "$made/.complete" ]; then
	mkdir -p "$cache"
	# Two builders may start at once: the second waits and then finds the work done.
	exec 9>"$cache/.lock"
	flock 9
	if [ ! -e "$made/.complete" ]; then
		work=$(mktemp -d)
		trap 'rm -rf "$work"' EXIT
		echo "made.sh: making $made (once)" >&2
		# An earlier attempt may have been cut short.
		rm -rf "$made"
		mkdir -p "$made"
		# Not in a condition: there -e has no effect.
		set +e
		(set -e; cd "$work"; source_get; busybox_make "$made"; go_make "$made") >"$work/log" 2>&1
		status=$?
		set -e
		[ $status = 0 ] || { tail -n 20 "$work/log" >&2; exit 1; }
		: >"$made/.complete"
	fi
	exec 9>&-
fi
echo "$made"
