#!/bin/sh
# Starts avahi-daemon on this host, and then runs a program of Avahi. Needs a mount namespace and a process namespace of its
# own, whose end stops the daemons.
#
# usage: host.sh LAUNCHER REFLECTOR PROGRAM ARGUMENTS...
#   LAUNCHER   the program that `cargo xtask avahi` prints
#   REFLECTOR  yes or no: whether packets are repeated between the interfaces
set -e
launcher=$1
reflector=$2
shift 2

# The daemons use directories and a user that may not exist here.
mount -t tmpfs none /run
mkdir -p /run/dbus /run/avahi-daemon
{ cat /etc/passwd; echo "avahi:x:0:0::/:/bin/false"; } >/run/passwd
{ cat /etc/group; echo "avahi:x:0:"; } >/run/group
mount --bind /run/passwd /etc/passwd
mount --bind /run/group /etc/group

cat >/run/dbus.conf <<END
<busconfig>
<type>system</type>
<listen>unix:path=/run/dbus/system_bus_socket</listen>
<auth>EXTERNAL</auth>
<policy context="default">
<allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/>
</policy>
</busconfig>
END
cat >/run/avahi.conf <<END
[server]
host-name=friend
use-ipv6=no
deny-interfaces=lo
[wide-area]
enable-wide-area=no
[publish]
publish-workstation=no
[reflector]
enable-reflector=$reflector
END
"$launcher" dbus-daemon --config-file=/run/dbus.conf --nofork --nopidfile &
until [ -S /run/dbus/system_bus_socket ]; do sleep 0.05; done
"$launcher" avahi-daemon -f /run/avahi.conf --no-drop-root --no-chroot --no-rlimits &
version() {
    "$launcher" dbus-send --system --print-reply --dest=org.freedesktop.Avahi / org.freedesktop.Avahi.Server.GetVersionString
}
until version >/dev/null 2>&1; do sleep 0.05; done
echo ready
exec "$launcher" "$@"
