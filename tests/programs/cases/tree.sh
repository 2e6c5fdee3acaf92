# coreutils over real trees.
. /cases/lib
ls -lR /usr/share/doc | sha256sum
ls -la /etc | tail -n +4 | awk '{ $2 = ""; print }' | sha256sum
ls -iR /usr/share/doc | wc -l
find /usr/share/doc -type f | wc -l
find /usr/lib -type l -printf '%p -> %l\n' | sort | sha256sum
find /usr/bin -perm -4000 | sort
find /etc -newermt 2000-01-01 -type f | sort | sha256sum
find /usr/share -name '*.gz' -size +4k | sort | tail -n 5
find /usr/share/doc -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum
du -s --apparent-size -B1 /usr/share/doc/git 2>/dev/null | cut -f2
du -ab --apparent-size /usr/share/perl5 2>/dev/null | awk '$1 < 100000' | grep -v '^4096' | sort | sha256sum
cp -a /usr/share/doc copy && diff -r --no-dereference /usr/share/doc copy && echo same
(cd /usr/share/doc && find . -printf '%p %y %m %U %G %T@ %l\n' | sort) >a
(cd copy && find . -printf '%p %y %m %U %G %T@ %l\n' | sort) >b
cmp a b && echo attributes too
mv copy moved && find moved -type f | wc -l
chmod -R go-rx moved && find moved -perm /077 ! -type l | wc -l
chown -R 5:6 moved && find moved ! -user 5 ! -type l | wc -l
find moved -type f -name '*c*' -delete; find moved -type f | wc -l
rm -rf moved; ls
mkdir -p deep/a/b/c/d/e/f/g; touch deep/a/b/c/d/e/f/g/h; find deep | sort
for i in $(seq 500); do echo "$i" >"deep/f$i"; done
ls deep | wc -l; cat deep/f* | sort -n | tail -n 1
rm deep/f*; find deep -type f; rm -r deep
sort -u /usr/share/dict/words 2>/dev/null | head -n 1
find /usr/include -name '*.h' | xargs cat | sort | uniq -c | sort -rn | head -n 5
find /usr/include -name '*.h' | xargs wc -l | tail -n 1
