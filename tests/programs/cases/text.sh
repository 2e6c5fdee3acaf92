# sed, awk, grep, diff, patch.
. /cases/lib
seq 100 >n
sed -n '5p;$p' n; sed 's/\(.\)\(.\)/\2\1/' n | sed -n 42p; sed -i 's/^1$/one/' n; head -n 1 n; sed -i.bak '1d' n; ls n*; sed = n | sed 'N;s/\n/ /' | tail -n 1
sed -e '/^5/d' -e 's/9/nine/g' n | wc -l; printf 'a\nb\n' | sed 'G;w written' | wc -l; cat written; sed --version | head -n 1 | cut -d' ' -f1
for a in awk gawk mawk; do
	command -v $a >/dev/null || continue
	$a 'BEGIN { printf "%s %d\n", "begin", 6 * 7 } { s += $1 } END { print NR, s }' n
	$a -F: '{ print $1, $7 }' /etc/passwd | sort | head -n 3
	$a 'BEGIN { while (("seq 3" | getline l) > 0) print "got " l; close("seq 3"); system("echo system"); print "to sort" | "sort"; print length(ENVIRON) > 0 }'
	$a 'BEGIN { x["a"] = 1; x["b"] = 2; n = 0; for (k in x) n += x[k]; print n, substr("hello", 2, 3), toupper("up"), index("abc", "c"), split("a b c", p), p[3] }'
done
grep -c 1 n; grep -n '^9.$' n | head -n 2; grep -v '[02468]$' n | wc -l; grep -E '^(1|2)+$' n; grep -q nothing n; echo $?; grep x /none 2>/dev/null; echo $?
grep -rl 'root' /etc/passwd /etc/group | sort; grep -o '[0-9]*5' n | head -n 3; grep -P '^\d{3}$' n; echo abc | grep -F b; zgrep -c . /usr/share/doc/bash/changelog.Debian.gz 2>/dev/null | grep -c .
mkdir a b; seq 50 >a/f; seq 50 | sed 's/25/changed/;40d' >b/f; echo only >b/new; echo gone >a/old
diff -u --label x --label y a/f b/f; diff -ruN a b | sed 's/\t.*//' >p; diff a/f b/f; echo $?; diff -q a b; cmp a/f b/f; diff3 a/f b/f a/f | head -n 3; sdiff -s a/f b/f
cp -a a c && (cd c && patch -p1 <../p) && diff -r c b && echo patched; (cd c && patch -R -p1 <../p >/dev/null) && diff -r c a && echo reversed
(cd c && sed -i 's/24/other/' f && patch -p1 --dry-run <../p); echo $?; (cd c && patch -p1 -f <../p; ls; wc -l f.rej)
echo 'x^2' | bc 2>/dev/null; echo '2^100' | bc; echo 'scale=20; 4*a(1)' | bc -l
file -b /bin/sh /etc/passwd p a | cut -d, -f1-2; file -bi /usr/share/doc/bash/changelog.Debian.gz 2>/dev/null | cut -d';' -f1; strings -n 8 /bin/true 2>/dev/null | head -n 0
