"""
Runs our programs with idle tunnels that are asked soon, for tests that wait for that.
"""

from __future__ import annotations

import sys

from uotp.cli.main import main
from uotp.tunnel.accepted import AcceptedTunnel
from uotp.tunnel.dialled import DialledTunnel

IDLE_SECONDS, ACCEPTED_IDLE_SECONDS = 8.0, 9.0
"""In place of L{uotp.tunnel.heartbeat.IDLE_SECONDS} and L{uotp.tunnel.heartbeat.ACCEPTED_IDLE_SECONDS}."""

if __name__ == "__main__":
    DialledTunnel.idleSeconds, AcceptedTunnel.idleSeconds = IDLE_SECONDS, ACCEPTED_IDLE_SECONDS
    sys.exit(main())
