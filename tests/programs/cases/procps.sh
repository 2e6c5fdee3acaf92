# What ps, top, free and their like need: the form of their output, not the numbers.
. /cases/lib
sleep 100 & p=$!
ps -o pid= -p $p | tr -d ' ' | sed "s/$p/the pid/"; ps -o comm=,args=,stat= -p $p; ps -o ppid= -p $p | tr -d ' ' | sed "s/$$/the shell/"; ps -o uid=,gid=,ni=,nlwp= -p $p | tr -s ' '
ps aux | head -n 1; ps aux | grep -c '[s]leep 100'; ps -ef | grep -c '[s]leep 100'; ps -e --no-headers | grep -c sleep; ps -T -p $p | wc -l; ps -o rss=,vsz= -p $p | awk '{ print ($1 > 0), ($2 >= $1) }'; ps axjf | head -n 1 | tr -s ' '
pgrep -x sleep | sed "s/$p/the pid/"; pgrep -c sleep; pidof sleep | sed "s/$p/the pid/"; pkill -f 'sleep 100'; wait $p; echo $?
free | awk 'NR == 1 { print $1, $2, $3 } /Mem/ { print ($2 > 0), ($3 <= $2) } /Swap/ { print "swap" }'; free -m | wc -l
top -b -n 1 | head -n 7 | tail -n 1 | tr -s ' '; top -b -n 1 | grep -c top; uptime | grep -c 'load average'; w -h 2>/dev/null | wc -l; vmstat | head -n 2 | tail -n 1 | tr -s ' '
cat /proc/uptime | awk '{ print NF }'; cat /proc/loadavg | awk '{ print NF }'; awk '/^MemTotal/ { print $3 }' /proc/meminfo; grep -c ^processor /proc/cpuinfo | awk '{ print ($1 > 0) }'; test "$(nproc)" -gt 0 && echo cpus; pmap $$ | head -n 1 | sed "s/^$$/pid/"; pmap $$ | tail -n 1 | awk '{ print $1 }'
sysctl -n kernel.ostype; cat /proc/version | cut -d' ' -f1; ls -l /proc/self/fd | grep -c -- '->'; readlink /proc/self/exe; cat /proc/self/comm; tr '\0' ' ' </proc/self/cmdline; echo; grep -c . /proc/self/maps | awk '{ print ($1 > 5) }'; cat /proc/self/status | grep -E '^(Name|Umask|Threads|Uid)'; pwdx $$ | sed "s/^$$/pid/"; kill -l TERM; tty; who | wc -l; time -p true 2>&1 | awk '{ print $1 }'; fuser /none 2>/dev/null; echo $?; killall -0 nosuchprocess 2>/dev/null; echo $?
