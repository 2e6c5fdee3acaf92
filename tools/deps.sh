#!/bin/sh
# deps.sh [tests]: installs the Debian packages that the build needs, or also those of the tests; nothing when all are there.
set -eu
packages="gcc make libc6-dev libseccomp-dev libcap-dev libjansson-dev pkg-config"
[ "${1:-}" != tests ] || packages="$packages check libsubunit-dev bzip2 debootstrap busybox-static musl-tools golang-go git
python3 podman shellcheck util-linux bsdutils procps"
missing=""
for p in $packages; do
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $p"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" != 0 ]; then
	echo "deps: these packages are missing, install them as root: apt-get install$missing" >&2
	exit 1
fi
echo "deps: installing$missing"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # a list of words
if ! apt-get install -y --no-install-recommends $missing >/dev/null 2>&1; then
	apt-get update -q >/dev/null
	apt-get install -y --no-install-recommends $missing >/dev/null
fi
