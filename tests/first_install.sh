# Makes a Debian of packages that are unpacked: dpkg installs them once more, with their maintainer scripts.
# Run by debian.py as: unshare --mount --pid --fork sh first_install.sh ROOT PACKAGE...
set -eu
root=$1
shift
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 dev "$root/dev"
for name in null zero full random urandom; do
    touch "$root/dev/$name"
    mount --bind "/dev/$name" "$root/dev/$name"
done
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" # no service is started
chmod 755 "$root/usr/sbin/policy-rc.d"
inside="chroot $root env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive"
$inside dpkg --install --force-depends "$@"
$inside apt-get -q update
rm "$root/usr/sbin/policy-rc.d"
