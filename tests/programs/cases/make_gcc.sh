# gcc and make: a project of several files, a static and a shared library, in parallel, its results run.
. /cases/lib
mkdir src; cd src || exit 1
for i in 1 2 3 4 5 6; do
	printf '#include "all.h"\nint f%d(int x) { return x * %d + 1; }\n' $i $i >f$i.c
	echo "int f$i(int);" >>all.h
done
cat >main.c <<'END'
#include <math.h>
#include <stdio.h>
#include "all.h"
#ifndef VALUE
#define VALUE 1
#endif
int shared(int);
int
main(int argc, char **argv)
{
	printf("%d %d %s\n", f1(VALUE) + f2(2) + f3(3) + f4(4) + f5(5) + f6(6), shared(argc), argc > 1 ? argv[1] : "-");
	printf("%.6f\n", sqrt(2.0 * argc));
	return 3;
}
END
echo 'static int n; int shared(int x) { return x * 10 + n++; }' >shared.c
cat >Makefile <<'END'
CFLAGS = -O1 -Wall
OBJS = main.o f1.o f2.o f3.o f4.o f5.o f6.o
all: prog statically
prog: main.o libf.a libshared.so ; $(CC) -o $@ main.o -L. -lf -lshared -lm -Wl,-rpath,'$$ORIGIN'
statically: $(OBJS) shared.o ; $(CC) -static -o $@ $^ -lm
libf.a: f1.o f2.o f3.o f4.o f5.o f6.o ; rm -f $@; ar crD $@ $^ && ranlib -D $@
libshared.so: shared.c ; $(CC) -fPIC -shared -o $@ $<
%.o: %.c all.h ; $(CC) $(CFLAGS) -c -o $@ $<
.PHONY: all clean
clean: ; rm -f *.o *.a *.so prog statically
END
make -s -j2; echo "make $?"
ls | sort
./prog arg; echo $?
./statically; echo $?
make -s; echo "again $?"
make -q; echo "up to date $?"
touch f3.c; make -q; echo "not any more $?"
make -j2 | sort | sed 's/^/did: /'
make -s clean; ls | sort | tr '\n' ' '; echo
make -s -j3 CFLAGS='-O2 -DVALUE=5' && ./prog x y; echo $?
sha256sum prog statically libf.a f1.o | cut -c1-16
echo 'int main( { return 0; }' >bad.c; gcc -c bad.c 2>/dev/null; echo "bad $?"
echo 'int main(void) { return missing(); }' >und.c; gcc -w -o und und.c 2>/dev/null; echo "undefined $?"
gcc -E -dM - </dev/null | grep -c __x86_64__; gcc -S -O2 -o - f1.c | grep -c ret
nm libf.a 2>/dev/null | grep -c ' T '; objdump -d f1.o | grep -c ret; size f1.o | wc -l; readelf -h prog | grep Type; strip prog && ./prog >/dev/null; echo $?; ldd prog | wc -l
printf 'a:\n\t@echo a; sleep 0.05\nb:\n\t@echo b\nall: a b\n.PHONY: a b all\n' >M2; make -f M2 -j2 all | sort
printf 'x:\n\t@exit 4\ny: x\n\t@echo never\n' >M3; make -f M3 y 2>&1; echo $?
printf 'V := $(shell echo from the shell)\n$(info $(V))\nall: ; @echo $(words a b c) $(patsubst %%.c,%%.o,x.c) $@\n' >M4; make -f M4
gcc -pg -o /dev/null main.c 2>/dev/null; gcc -O2 -flto -o lto main.c f?.c shared.c -lm 2>/dev/null && ./lto; echo $?
