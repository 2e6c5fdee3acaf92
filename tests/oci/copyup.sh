# A large file of the host that is to be copied to memory at its first write, for a program that is killed meanwhile.
# shellcheck shell=bash source=lib.sh
. "$(dirname "$0")/lib.sh"

cp -a "$ROOT" "$WORK/root"
ROOT=$WORK/root
yes | head -c 1G >"$ROOT/large"
yes | head -c 5M >"$ROOT/small"
truncate -s 5M "$ROOT/sparse"

for platform in systrap ptrace; do
	# shellcheck disable=SC2016
	inside --platform $platform -- /bin/sh -c 'free() { stat -f -c %f /; }; before=$(free)
		(: >>/large) & sleep 0.05; kill -9 $!; wait $!; echo $? $((before - $(free)))
		: >>/large; echo $((before - $(free)))'
	is_out "137 0
262144" "$platform: killed, and nothing of it is there"
	inside --platform $platform -- /bin/sh -c ': >>/small; stat -c %b /small'
	is_out 10240 "$platform: copied"
	inside --platform $platform -- /bin/sh -c 'printf x >>/sparse; stat -c "%s %b" /sparse'
	is_out "5242881 8" "$platform: copied with its holes"
done
