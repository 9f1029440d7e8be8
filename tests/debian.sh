# Makes a machine of a Debian root, and becomes its systemd.
# Run by debian.py as: unshare --mount --net --pid --ipc --uts --cgroup --fork sh debian.sh DIRECTORY ROOT ENGINE
# ROOT is the lower layer of its file system, and stays as it is. ENGINE (a directory, or empty) is seen at its own path,
# and its socket and data where Docker has them.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
directory=$1 root=$2 engine=$3

mkdir -p "$directory/layers" "$directory/root"
mount -t tmpfs -o mode=755 layers "$directory/layers"
mkdir "$directory/layers/upper" "$directory/layers/work"
layers="lowerdir=$root,upperdir=$directory/layers/upper,workdir=$directory/layers/work"
mount -t overlay -o "$layers" machine "$directory/root"
cd "$directory/root"
mkdir old
mount -t tmpfs -o mode=755 run run
if [ "$engine" ]; then
    mkdir -p "./$engine" var/lib/docker etc/systemd/system/hostwatch.service.d
    mount --rbind "$engine" "./$engine"
    mount --bind "$engine/data" var/lib/docker
    ln -s "$engine/docker.sock" run/docker.sock
    # Elsewhere the engine's data is where the unit expects it.
    printf '[Service]\nReadWritePaths=%s\n' "$engine/data/containers" >etc/systemd/system/hostwatch.service.d/machine.conf
fi

target=multi-user.target
. "${0%/*}/systemd.sh"
