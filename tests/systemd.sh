# The end of boot.sh and debian.sh, in the new root, which has directories for all mounts: what the kernel shows, then
# systemd as process 1. `target` is what it shall reach.
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 dev dev
for name in null zero full random urandom tty; do
    touch "dev/$name"
    mount --bind "/dev/$name" "dev/$name"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd

pivot_root . old
umount -l old
ip link set lo up
exec env -i container=machine PATH="$PATH" /usr/lib/systemd/systemd --system "--unit=$target" --show-status=no
