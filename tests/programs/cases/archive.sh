# tar, gzip, bzip2, xz, zstd.
. /cases/lib
cp -a /usr/share/doc/git tree 2>/dev/null || cp -a /usr/share/doc/bash tree
mkdir tree/sub; ln -s ../x tree/sub/sym; touch tree/sub/hard1; ln tree/sub/hard1 tree/sub/hard2; mkfifo tree/sub/fifo; chmod 4711 tree/sub/hard1
touch -d '2010-01-01' tree/sub
tar --sort=name --mtime=2020-01-01 -cf a.tar tree && sha256sum a.tar && tar -tvf a.tar | wc -l
mkdir out && tar -xpf a.tar -C out && (cd out && find tree -printf '%p %y %m %U %G %l\n' | sort) | sha256sum
(find tree -printf '%p %y %m %U %G %l\n' | sort) | sha256sum
diff -r --no-dereference --exclude fifo tree out/tree && echo same
stat -c %h out/tree/sub/hard1
for z in gzip bzip2 xz zstd; do
	case $z in
	gzip) o="-n" ;;
	zstd) o="-q" ;;
	*) o= ;;
	esac
	$z $o -c a.tar >a.$z && $z -dc a.$z | cmp - a.tar && echo "$z fine" && $z -t $( [ $z = zstd ] && echo -q ) a.$z; echo $?
	sha256sum a.$z
	head -c 1000 a.$z | $z -dc >/dev/null 2>&1; echo "cut $?"
done
xz -T2 -c a.tar | xz -dc | cmp - a.tar && echo threads
tar -czf b.tgz -C tree . && tar -tzf b.tgz | wc -l; tar -cJf b.txz tree && tar -tJf b.txz | wc -l
tar -cf - tree | (mkdir piped; cd piped && tar -xf -) && find piped | wc -l
tar -rf a.tar /etc/passwd 2>/dev/null; tar -tf a.tar | tail -n 1; tar --delete -f a.tar etc/passwd; tar -tf a.tar | tail -n 1
tar -xf a.tar -O tree/sub/hard2 | wc -c; tar -df a.tar >/dev/null 2>&1; echo "compared $?"
tar -cf s.tar --listed-incremental=snap tree && touch tree/added && tar -cf s2.tar --listed-incremental=snap tree && tar -tf s2.tar | grep -c added
truncate -s 10M hole; printf x | dd of=hole bs=1 seek=5000000 conv=notrunc 2>/dev/null; tar -Scf h.tar hole; test "$(stat -c %s h.tar)" -lt 1000000 && echo sparse
gzip -k hole && gunzip -c hole.gz | cmp - hole && echo zeros
