# Files of the host, read so often that the sentry maps them, while guests or the host change them: the results are
# the host's own, and no truncation at a bad moment hurts the sandbox.
# shellcheck shell=bash source=lib.sh
. "$(dirname "$0")/lib.sh"

mkdir -p "$WORK/vol" "$WORK/native"
cp -a "$ROOT" "$WORK/root"
${CC:-gcc} -O1 -Wall -static -pthread -o "$WORK/root/bin/window" "$(dirname "$0")/window.c" || exit 1
prog=$WORK/root/bin/window
ROOT=$WORK/root

# The same natively and inside: a file that the program has made, and one that was there.
run sh -c "$prog make $WORK/native/f && $prog edges $WORK/native/f"
is_status 0 "native"
want=$out
ok "native: repeated reads agree" test -z "$(grep ' differ$' <<<"$want" | grep -v ', 0 differ$')"

for platform in systrap ptrace; do
	inside --platform $platform --volume "$WORK/vol:/mnt" -- /bin/sh -c '/bin/window make /mnt/f && /bin/window edges /mnt/f'
	equal "$out" "$want" "$platform: a shared mount"
	inside --platform $platform --rw -- /bin/sh -c '/bin/window make /tmp/f && /bin/window edges /tmp/f'
	equal "$out" "$want" "$platform: a root that is written through"
	"$prog" make "$ROOT/tmp/below" >/dev/null
	inside --platform $platform -- /bin/window edges /tmp/below
	equal "$out" "$(grep -A 1000 '^opened to read' <<<"$want")" "$platform: a root beneath memory"
done

# Over an overlay of the host's a file moves when it is first written, and what was opened before follows.
for how in native root shared; do
	mkdir -p "$WORK/$how."{upper,work,merged}
	if ! mount -t overlay overlay -o "lowerdir=$ROOT,upperdir=$WORK/$how.upper,workdir=$WORK/$how.work" \
	    "$WORK/$how.merged" 2>/dev/null; then
		echo "no overlay can be mounted here: left out"
		break
	fi
	case $how in
	native) run "$prog" edges "$WORK/native.merged/tmp/below" ;;
	root) run "$VILLAGE" "do" --rootfs "$WORK/root.merged" --rw -- /bin/window edges /tmp/below ;;
	shared) inside --volume "$WORK/shared.merged:/mnt" -- /bin/window edges /mnt/tmp/below ;;
	esac
	umount "$WORK/$how.merged"
	[ $how = native ] && want=$out
	equal "$out" "$want" "over an overlay, $how"
done

inside --volume "$WORK/vol:/mnt" -- /bin/window race /mnt/race 2
is_out "wrong: 0" "a guest that cuts what it reads, shared"
inside --rw -- /bin/window race /tmp/race 2
is_out "wrong: 0" "a guest that cuts what it reads, its root"

# shorten FILE: until it is killed, the host cuts the file and brings it back.
shorten()
{
	cp "$1" "$WORK/whole"
	while [ -e "$1" ]; do
		truncate -s 5000 "$1"
		dd if="$WORK/whole" of="$1" conv=notrunc status=none
		sleep 0.01
	done
}

# watch FILE WHAT ARG...: the host changes FILE, which the guest reads.
watch()
{
	local file=$1 what=$2 pid

	shift 2
	shorten "$file" &
	pid=$!
	inside "$@" 2
	kill "$pid"
	wait "$pid" 2>/dev/null
	cp "$WORK/whole" "$file"
	is_out "wrong: 0" "the host cuts a file of $what"
}

watch "$WORK/vol/race" "a shared mount" --volume "$WORK/vol:/mnt" -- /bin/window read /mnt/race
watch "$WORK/vol/race" "a shared mount, read-only" --volume "$WORK/vol:/mnt:ro" -- /bin/window read /mnt/race
watch "$ROOT/tmp/race" "the root, which nobody should change" -- /bin/window read /tmp/race
