# Makes a machine of its own in which systemd is process 1, and becomes that. Only a world of namespaces: the kernel, and
# the programs below /usr, are those of this machine.
# Run by booted.py as: unshare --mount --net --pid --ipc --uts --cgroup --fork sh boot.sh DIRECTORY PYTHON PACKAGES SOURCE ENGINE USR
# DIRECTORY/log becomes /var/log, DIRECTORY/etc and DIRECTORY/opt are copied; PYTHON, PACKAGES and SOURCE are seen below
# /opt, ENGINE (a directory) as /run/engine and its data as /var/lib/docker. USR are the directories that make up /usr.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
directory=$1 python=$2 packages=$3 source=$4 engine=$5 usr=$6

mkdir -p "$directory/root"
mount -t tmpfs -o mode=755 machine "$directory/root"
cd "$directory/root"
cp -a "$directory/etc" "$directory/opt" .
for name in bin sbin lib lib32 lib64 libx32; do ln -s "usr/$name" "$name"; done
mkdir -p usr home old opt/python opt/packages opt/source proc root run sys tmp var/tmp var/lib/docker var/log -m 755 dev
ln -s ../run var/run

if [ "$usr" = /usr ]; then mount --bind /usr usr; else mount -t overlay -o "lowerdir=$usr" usr usr; fi
mount --bind "$python" opt/python
mount --bind "$packages" opt/packages
mount --bind "$source" opt/source
mount --bind "$directory/log" var/log
mount --bind "$engine/data" var/lib/docker
mount -t tmpfs -o mode=755 run run
mkdir run/engine
mount --rbind "$engine" run/engine
ln -s engine/docker.sock run/docker.sock

target=machine.target
. "${0%/*}/systemd.sh"
