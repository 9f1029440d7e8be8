# Makes the world of one engine, then sleeps as its process 1 and so holds the namespaces open while the daemon comes and goes.
# Run by engine.py as: unshare --mount --net --pid --uts --fork sh holder.sh ROOT DIRECTORY SHARED...
# ROOT is a cached root, DIRECTORY the engine's state; each SHARED path is seen under the same name inside and outside.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
root=$1 directory=$2
shift 2

# The engine's own / is a tmpfs: the cached root stays as it is, and several engines can use it at once.
mkdir -p "$directory/root"
mount -t tmpfs -o mode=755 engine "$directory/root"
cd "$directory/root"
cp -a "$root"/etc "$root"/bin "$root"/sbin "$root"/lib "$root"/lib64 .
mkdir -p usr host dev proc sys run tmp var/tmp root
mount --bind "$root/usr" usr
mount -o remount,bind,ro usr

for path in "$@"; do
    mkdir -p "./$path"
    mount --rbind "$path" "./$path"
done
mount --rbind /dev dev
mount -t proc proc proc
mount -t sysfs sysfs sys # a new one, for it shows the network devices of the namespace it was made in
mount --rbind /sys/fs/cgroup sys/fs/cgroup
echo "${directory##*/}" >/proc/sys/kernel/hostname

pivot_root . host # the machine's own tree stays in reach as /host, so that containers can bind-mount its programs
cd /
ip link set lo up

# The machine's /proc says who we are outside: process id and start time, which no other process ever shares.
read -r stat </host/proc/self/stat
echo "$stat" >"$directory/holder"
echo ready
exec tini-static -- busybox sleep 2147483647 >/dev/null 2>&1 # process 1 inherits orphans and must reap them
