#!/bin/sh
# A first run: a real shell and real tools, in the sandbox, over this machine's own root.
set -eu
village=$1
echo "demo: $village do -- /bin/sh -c ..."
# shellcheck disable=SC2016 # expanded inside
exec "$village" do --hostname village -- /bin/sh -c '
	uname -snr
	echo "processes here:"; ls -d /proc/[0-9]* | tr "\n" " "; echo
	echo "written inside" > /village-demo && cat /village-demo
	ls -l /village-demo /bin/true
	seq 1 20000 | sort -rn | head -3 | tr "\n" " "; echo
'
