#!/bin/sh
# Runs chromedriver, and the Chromium that it starts, in a root of unpacked packages: $CHROMIUM_ROOT. The network is this
# machine's, for its loopback. The process namespace ends all of them together.
# A directory $CHROMIUM_SHOWN, if given, is its /tmp/shown.
# Run by browser.py as: chromium.sh ARGUMENTS OF CHROMEDRIVER
set -eu
if [ $$ != 1 ]; then
    exec unshare --mount --propagation=private --pid --fork --kill-child "$0" "$@"
fi
mount --rbind /dev "$CHROMIUM_ROOT/dev"
mount -t proc proc "$CHROMIUM_ROOT/proc"
mount -t tmpfs tmp "$CHROMIUM_ROOT/tmp"
if [ -n "${CHROMIUM_SHOWN:-}" ]; then
    mkdir "$CHROMIUM_ROOT/tmp/shown"
    mount --bind "$CHROMIUM_SHOWN" "$CHROMIUM_ROOT/tmp/shown"
fi
exec env -i HOME=/tmp TZ=UTC LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin chroot "$CHROMIUM_ROOT" /usr/bin/chromedriver "$@"
