#!/bin/busybox sh
# The guest's first process: mounts what tests expect, runs them, powers off.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb
mount() { busybox mount "$@"; }
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
busybox mkdir -p /dev/pts /dev/shm
mount -t devpts -o ptmxmode=0666 devpts /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
busybox chmod 1777 /tmp /var/tmp
# A checkout may lie below /tmp; then it stays in sight.
[ -n "$(busybox ls /tmp)" ] || mount -t tmpfs -o mode=1777 tmp /tmp
mount -t tmpfs -o mode=755 run /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t securityfs security /sys/kernel/security
mount -t tracefs tracing /sys/kernel/tracing
mount -t bpf bpf /sys/fs/bpf
for link in fd:/proc/self/fd stdin:/proc/self/fd/0 stdout:/proc/self/fd/1 stderr:/proc/self/fd/2; do
    [ -e "/dev/${link%%:*}" ] || busybox ln -s "${link#*:}" "/dev/${link%%:*}"
done
busybox ip link set lo up
busybox hostname driftline-guest
for module in /driftline/*.ko; do
    busybox insmod "$module" || echo "cannot load $module"
done

# Tells the runner outside what starts and how it ended; the empty echo ends a line that a test left open.
run_test() {
    name=$1
    shift
    echo "driftline-guest: start $name"
    "$@" </dev/null
    status=$?
    echo
    echo "driftline-guest: exit $name $status"
}
echo "driftline-guest: Linux $(busybox uname -r), up $(busybox cut -d' ' -f1 /proc/uptime) s, lockdown: $(busybox cat /sys/kernel/security/lockdown)"
. /driftline/run.sh
echo "driftline-guest: end"
busybox poweroff -f
