# group.sh: time on a processor of all processes together; run.sh reads it in.
#
# A control group counts them however they end: the stubs of a sandbox have no parent to collect them, and getrusage(2)
# would miss them.  Nothing but what is measured is in it, and it is removed at the end.
# shellcheck disable=SC2034 # now, cpu, group_why are for the callers

group=
group_file=
group_why=

# A control group of its own: version 2 where it is mounted, else cpuacct of version 1.
group_find()
{
	local mnt

	mnt=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
	if [ -n "$mnt" ]; then
		group=$mnt$(sed -n 's/^0:://p' /proc/self/cgroup)
		group=${group%/}/village-bench.$$
		group_file=cpu.stat
		mkdir "$group" 2>/dev/null && [ -r "$group/$group_file" ] && return
		rmdir "$group" 2>/dev/null
	fi
	mnt=$(awk '$3 == "cgroup" && $4 ~ /(^|,)cpuacct(,|$)/ { print $2; exit }' /proc/mounts)
	if [ -n "$mnt" ]; then
		group=$mnt/village-bench.$$
		group_file=cpuacct.usage
		mkdir "$group" 2>/dev/null && [ -r "$group/$group_file" ] && return
		rmdir "$group" 2>/dev/null
	fi
	group=
	group_why="no control group can be made: neither version 2 nor cpuacct of version 1"
}

# Whoever calls is in the group from now on, and what it starts.
group_enter()
{
	[ -z "$group" ] || echo "$BASHPID" >"$group/cgroup.procs"
}

# Waits for those that end by themselves.
group_settle()
{
	local tries

	[ -n "$group" ] || return 0
	for ((tries = 0; tries < 100; tries++)); do
		[ -n "$(cat "$group/cgroup.procs")" ] || return 0
		sleep 0.01
	done
}

group_end()
{
	[ -z "$group" ] || rmdir "$group" 2>/dev/null
}

# stamp: now and cpu, wall and processor time in microseconds.
stamp()
{
	local key value

	now=${EPOCHREALTIME/./}
	cpu=0
	[ -n "$group" ] || return 0
	if [ "$group_file" = cpuacct.usage ]; then
		read -r cpu <"$group/$group_file"
		cpu=$((cpu / 1000))
	else
		while read -r key value; do
			[ "$key" != usage_usec ] || cpu=$value
		done <"$group/$group_file"
	fi
}
