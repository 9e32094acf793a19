#!/bin/sh
# PID 1 of the test suite: makes the namespaces it was born into look like a machine on which nothing of a cloud runs.
# usage: test-room.sh HOME COMMAND...
# All that is mounted, started or configured from here on ends with this process.
set -eu
home=$1
shift

ip link set lo up
# Sockets of engines that run outside are out of sight: nothing of the user's is found, so nothing of it is touched.
mount -t tmpfs -o mode=755,size=256m run /run
# Shared memory of a Postgres that is killed goes with the room.
mount -t tmpfs -o mode=1777,size=1g shm /dev/shm
if mountpoint -q /var/lib/lxcfs; then umount --lazy /var/lib/lxcfs; fi
# Nor of its images: what a purge out there removes, the run still has.
mkdir -p "$home/cache"
mount --bind "$home/cache" /var/cache
# Users and settings that the parts add stay in here.
mkdir -p "$home/etc/upper" "$home/etc/work"
mount -t overlay -o "lowerdir=/etc,upperdir=$home/etc/upper,workdir=$home/etc/work" etc /etc

# Not by exec: this shell reaps what daemons leave to PID 1.
"$@"
