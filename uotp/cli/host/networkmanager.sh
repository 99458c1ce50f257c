#!/bin/sh
# /etc/NetworkManager/dispatcher.d/50-uotp, mode 0755: tells all clients when the network has changed, so that they
# look the server's name up again and dial again what does not answer.
set -eu

case "${2:-}" in
up | down | dhcp4-change | dhcp6-change | connectivity-change) ;;
*) exit 0 ;;
esac
exec systemctl --no-block try-reload-or-restart 'uotp-client@*.service'
