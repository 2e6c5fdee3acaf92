# busybox, one static program that is everything.
. /cases/lib
bb=/bin/busybox
$bb echo hello
$bb seq 1 5 | $bb awk '{ s += $1 } END { print s }'
$bb sh -c 'for i in a b c; do echo $i; done | $0 tac' $bb
printf 'b\na\nc\n' | $bb sort
$bb find /cases -name '*.sh' | $bb sort | $bb wc -l
$bb dd if=/dev/zero bs=1k count=100 2>/dev/null | $bb md5sum
$bb tar -cf - -C /etc passwd group | $bb tar -tf -
echo text | $bb gzip | $bb gunzip
$bb sha1sum /etc/passwd
$bb expr 6 '*' 7
$bb sleep 0.05 && echo slept
$bb timeout 1 $bb sleep 5; echo "timeout $?"
$bb sh -c 'trap "echo trapped" EXIT; exit 3'; echo "status $?"
$bb stat -c '%s %a %F' /etc/passwd
$bb ls / | $bb grep -c .
$bb mkfifo p && ( $bb cat p & echo through >p; wait )
$bb env -i A=1 $bb env
$bb vi --help 2>&1 | $bb head -n 0; echo done
