# A large file of the host that is to be copied to memory at its first write, for a program that is killed meanwhile.
# shellcheck shell=bash source=lib.sh
. "$(dirname "$0")/lib.sh"

cp -a "$ROOT" "$WORK/root"
ROOT=$WORK/root
truncate -s 1536M "$ROOT/large"
truncate -s 5M "$ROOT/small"

for platform in systrap ptrace; do
	# shellcheck disable=SC2016
	inside --platform $platform -- /bin/sh -c '(: >>/large) & sleep 0.1; kill -9 $!; wait $!; echo $?; stat -c %b /large'
	is_out "137
0" "$platform: killed, and nothing of it is there"
	inside --platform $platform -- /bin/sh -c ': >>/small; stat -c %b /small'
	is_out 10240 "$platform: copied"
done
