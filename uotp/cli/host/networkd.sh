#!/bin/sh
# /etc/networkd-dispatcher/routable.d/50-uotp and off.d/50-uotp, mode 0755: tells all clients when the network has
# changed, so that they look the server's name up again and dial again what does not answer.
set -eu

[ "${IFACE:-}" != lo ] || exit 0
exec systemctl --no-block try-reload-or-restart 'uotp-client@*.service'
