# The small tools, one by one.
. /cases/lib
printf 'c\na\nb\n' >f
sort f; sort -r f; tac f; nl f; wc f; head -n 1 f; tail -n 1 f; rev f 2>/dev/null
cut -c1 f; paste f f; join f f 2>/dev/null; comm f f 2>/dev/null | wc -l; uniq f; tr a-z A-Z <f
od -c f; od -An -tx1 f; base64 f; cksum f; md5sum f; sha1sum f; sha512sum f | cut -c1-20; sum f; b2sum f | cut -c1-20
split -b 2 f part. && ls part.*; cat part.* | cmp - f && echo joined
ln f hard; ln -s f soft; stat -c '%h %F' f; readlink soft; realpath soft; ls -l soft | cut -d' ' -f1
chmod 640 f; stat -c %a f; chmod u+s,g-r,o+x f; stat -c %A f; chmod 644 f
touch -d '2001-02-03 04:05:06.789' f; stat -c '%y %Y' f; touch -r f g; stat -c %Y g; touch -t 200001010000 f; date -r f +%F
t=$(mktemp); test -f "$t" && stat -c %a "$t"; d=$(mktemp -d -p .); stat -c %a "$d"; rmdir "$d"; rm "$t"
truncate -s 1M sparse; stat -c %s sparse; truncate -s -10 sparse; stat -c %s sparse
dd if=/dev/zero of=z bs=64k count=10 2>/dev/null; stat -c %s z; dd if=z of=z2 bs=1000 skip=3 seek=2 conv=notrunc 2>/dev/null; stat -c %s z2
cp -p f p; cmp f p; cp -l f l; stat -c %h l; cp --sparse=always z s; stat -c %s s; install -m 751 f inst; stat -c %a inst
mv p q; test ! -e p && ls q; mv -n q f; ls q; mkdir -p x/y/z; rmdir -p x/y/z; test ! -e x && echo removed
seq 10 | shuf --random-source=/bin/sh | wc -l; seq 3 | tee t1 t2 | wc -l; cat t1 t2 | wc -l
seq 20 | xargs -n 5 echo; seq 4 | xargs -P 4 -I{} sh -c 'echo {}' | sort; find . -name 'part.*' -exec echo {} + | wc -w
env -i X=1 env; env A=2 sh -c 'echo $A'; printenv HOME; expr 3 + 4; factor 1234567; numfmt --to=iec 1048576
basename /a/b.c .c; dirname /a/b/c; pathchk /etc/passwd && echo valid; test -L soft && echo link; if [ f -nt g ]; then echo newer; else echo older; fi
timeout 0.1 sleep 5; echo $?; timeout -s KILL 0.1 sleep 5; echo $?; timeout 5 true; echo $?; nice -n 5 nice; nohup echo hup 2>/dev/null
sleep 0.01; date -d @0 +%FT%T; date -u -d '2020-02-29 +1 year' +%F; id -u; id -un; id -G | wc -w; groups; logname 2>/dev/null; whoami; tty
uname -s -m; arch; nproc | grep -c .; hostname | grep -c .; df / | wc -l; df --output=target / | tail -n 1; stat -f -c %l /tmp
mkfifo p1; (echo x >p1 &) ; cat p1; mknod n p && stat -c %F n; sync; sync f; echo synced
fold -w 3 /etc/hostname | head -n 0; fmt -w 20 <<E
a paragraph of several words that is too long
E
expand -t 4 <<E | head -n 1
	tab
E
csplit -s - 2 <<E && cat xx00 xx01
one
two
three
E
dircolors -p | head -n 1; printf '%b' 'a\tb\n'; echo -n; yes no | head -n 2; seq -s, 5; seq -w 8 11
ls -1 --sort=size; ls -F | head -n 3; dir | wc -w; stat -c '%n %s %F' /dev/null /etc / /tmp | awk '{ print $1, $3, $4 }'
tail -f /dev/null & p=$!; sleep 0.05; kill $p; wait $p; echo $?
(sleep 0.1; echo appended >>grow) & : >grow; timeout 3 tail -n +1 -F grow 2>/dev/null | head -n 1; wait
(for i in 1 2 3; do echo $i; sleep 0.02; done) | stdbuf -oL cat | wc -l
chown 3:4 f; stat -c %u:%g f; chgrp 9 f; stat -c %g f; chroot / /bin/echo chrooted; shred -u z2; test -e z2; echo $?
