# Runs the Java of a root of unpacked packages in there, as it finds its own files by /proc/self/exe.
# DIRECTORY, with the program's state, has the same path inside and outside; the network is this machine's. The mounts
# are this process's alone and end with it.
# Run by zookeeper.py as: unshare --mount --propagation=private sh java.sh ROOT DIRECTORY ARGUMENTS OF JAVA
set -eu
root=$1 directory=$2
shift 2
mkdir -p "$directory/root"
mount -t tmpfs -o mode=755 root "$directory/root"
cd "$directory/root"
cp -a "$root"/etc "$root"/bin "$root"/lib "$root"/lib64 .
mkdir -p usr dev proc tmp "./$directory"
mount --bind "$root/usr" usr
mount --rbind /dev dev
mount -t proc proc proc
mount --bind "$directory" "./$directory"
for java in usr/lib/jvm/*/bin/java; do
    exec env -i PATH=/usr/sbin:/usr/bin LANG=C.UTF-8 chroot . "/$java" "$@"
done
