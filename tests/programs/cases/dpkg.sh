# dpkg: build a package, install it, upgrade it, remove it; on a root that may be changed.
# rw
. /cases/lib
DEBIAN_FRONTEND=noninteractive
export DEBIAN_FRONTEND
pkg()
{
	rm -rf p; mkdir -p p/DEBIAN p/usr/bin p/usr/share/villagetest p/etc
	printf 'Package: villagetest\nVersion: %s\nArchitecture: all\nMaintainer: x <x@x>\nDepends: libc6\nDescription: a test\n two lines\n' "$1" >p/DEBIAN/control
	printf '#!/bin/sh\necho villagetest %s\n' "$1" >p/usr/bin/villagetest; chmod 755 p/usr/bin/villagetest
	echo "version=$1" >p/etc/villagetest.conf; echo /etc/villagetest.conf >p/DEBIAN/conffiles
	seq 1000 >p/usr/share/villagetest/numbers; ln -s numbers p/usr/share/villagetest/link; [ "$1" = 1 ] && echo old >p/usr/share/villagetest/old
	ln p/usr/share/villagetest/numbers p/usr/share/villagetest/hard; chmod 4755 p/usr/bin/villagetest
	for s in preinst postinst prerm postrm; do printf '#!/bin/sh\necho %s %s "$@" | sed "s/ [0-9.]*$//"\n' "$s" "$1" >p/DEBIAN/$s; chmod 755 p/DEBIAN/$s; done
	find p -exec touch -d @1000000000 {} +
	dpkg-deb --root-owner-group -b p "v$1.deb" >/dev/null
}
pkg 1; pkg 2
dpkg-deb -c v1.deb | awk '{ print $1, $2, $6, $7, $8 }'; dpkg-deb -f v1.deb Version
dpkg -i v1.deb 2>&1 | grep -v 'Reading database'; echo "install $?"
villagetest; dpkg -s villagetest | grep -E 'Status|Version'; dpkg -L villagetest; stat -c '%a %U %h' /usr/bin/villagetest /usr/share/villagetest/hard
dpkg -V villagetest; echo "verify $?"; echo changed >/usr/share/villagetest/numbers; dpkg -V villagetest
echo mine >>/etc/villagetest.conf
dpkg --force-confold -i v2.deb 2>&1 | grep -v 'Reading database'; villagetest; cat /etc/villagetest.conf; ls /etc/villagetest* /usr/share/villagetest
dpkg -S /usr/bin/villagetest; dpkg -l villagetest | tail -n 1 | tr -s ' '
dpkg -r villagetest 2>&1 | grep -v 'Reading database'; ls /etc/villagetest* /usr/bin/villagetest 2>&1 | sort; dpkg -P villagetest 2>&1 | grep -v 'Reading database'; ls /etc/villagetest* 2>&1
dpkg -i v1.deb 2>&1 | grep -v 'Reading database'; mkdir /opt/extra; echo kept >/opt/extra/f; rm -rf /usr/share/doc/sqlite3; mv /etc/issue /etc/issue.moved; ln -sf /etc/issue.moved /etc/issue
dpkg -i /etc/passwd 2>&1 | tail -n 1; echo "no package $?"; dpkg --audit; echo "audit $?"; dpkg --get-selections | wc -l; dpkg-query -W -f '${Package} ${Version}\n' villagetest
