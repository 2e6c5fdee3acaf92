# perl: files, processes, sockets, modules.
. /cases/lib
cat >t.pl <<'END'
use strict; use warnings;
use File::Find; use File::Temp qw(tempdir tempfile); use File::Copy; use File::Path qw(make_path remove_tree);
use POSIX qw(:sys_wait_h strftime); use IO::Socket::UNIX; use IO::Select; use Socket; use Time::HiRes qw(sleep time alarm);
use Digest::SHA qw(sha256_hex); use Data::Dumper; use List::Util qw(sum); use Storable; use Fcntl qw(:flock :seek);
$| = 1;
print "perl ", $] > 5.03 ? "5" : "?", "\n";
my %h = map { $_ => length } qw(one three five); print join(",", map { "$_=$h{$_}" } sort keys %h), "\n";
my $d = tempdir(CLEANUP => 1); make_path("$d/a/b/c"); open(my $f, ">", "$d/a/f") or die; print $f "line $_\n" for 1..100; close $f;
copy("$d/a/f", "$d/a/g"); rename("$d/a/g", "$d/h"); my @n; find(sub { push @n, $File::Find::name =~ s/^\Q$d\E//r }, $d); print join(" ", sort @n), "\n";
open($f, "+<", "$d/h") or die; flock($f, LOCK_EX); seek($f, -10, SEEK_END); print <$f>; close $f; print -s "$d/h", " ", (stat _)[3], "\n";
print sha256_hex("x"), " ", sum(1..100), "\n"; store({ a => [1, 2] }, "$d/s"); print retrieve("$d/s")->{a}[1], "\n";
my $pid = fork; if (!$pid) { exit 7 } waitpid($pid, 0); print "child ", $? >> 8, "\n";
print `echo backticks`, $? >> 8, "\n"; system("exit 5"); print $? >> 8, "\n"; system("kill -9 \$\$"); print $? & 127, "\n";
open(my $p, "-|", "seq 5") or die; print scalar(my @l = <$p>), "\n"; close $p; open($p, "|-", "sort") or die; print $p "$_\n" for qw(b c a); close $p;
local $SIG{ALRM} = sub { die "alarm\n" }; eval { alarm 0.05; select(undef, undef, undef, 5) }; print $@; alarm 0;
local $SIG{USR1} = sub { print "usr1\n" }; kill USR1 => $$;
{ local $SIG{CHLD} = sub { 1 while waitpid(-1, WNOHANG) > 0 }; my @k = map { my $k = fork; exit 0 if !$k; $k } 1..5; sleep 0.2; print "reaped\n" }
socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die; syswrite($a, "over"); sysread($b, my $buf, 10); print "$buf\n";
my $s = IO::Socket::UNIX->new(Local => "$d/sock", Listen => 1) or die; if (!fork) { my $c = IO::Socket::UNIX->new(Peer => "$d/sock"); print $c "hello\n"; exit }
my $c = $s->accept; print "server got ", scalar <$c>; wait; print IO::Select->new($a)->can_write(1) ? "writable\n" : "?\n";
pipe(my $r, my $w); if (!fork) { close $r; print $w "piped $_\n" for 1..3; exit } close $w; print while <$r>; wait;
print strftime("%Y-%m-%d", gmtime(0)), " ", join(",", sort { $a <=> $b } 10, 9, 100, 1), "\n"; print "env $ENV{HOME} $0 @ARGV\n";
open($f, "<", "/none") or print "$!\n"; mkdir "/tmp" or print "$!\n"; print "utf8 \x{41}\n"; printf "%.10f %e\n", atan2(1, 1) * 4, 1e100; my $x = "a" x (1 << 20); print length($x), "\n";
END
perl t.pl arg; echo "status $?"
perl -ne 'print if /root/' /etc/passwd; perl -pi -e 's/perl/PERL/' t.pl; grep -c PERL t.pl; perl -MJSON::PP -e 'print JSON::PP->new->canonical->encode({b=>1,a=>[1,2]}), "\n"'; perl -e 'die "dead\n"' 2>&1; echo $?
