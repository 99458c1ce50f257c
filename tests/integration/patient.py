"""
Runs our programs with tunnels that are given longer to answer, for tests in which a machine that stands still for a
moment must not look like a peer that does not answer.
"""

from __future__ import annotations

import sys

from uotp.cli.main import main
from uotp.tunnel import heartbeat
from uotp.tunnel.accepted import AcceptedTunnel
from uotp.tunnel.dialled import DialledTunnel

PATIENCE_SECONDS = 5.0
"""In place of all that L{uotp.tunnel.heartbeat} has."""

IDLE_SECONDS = 3600.0
"""A tunnel that carries nothing is not asked in any test, unless it has to prove itself."""

if __name__ == "__main__":
    heartbeat.LEAST_PATIENCE_SECONDS = heartbeat.FIRST_PATIENCE_SECONDS = PATIENCE_SECONDS
    heartbeat.MOST_PATIENCE_SECONDS = PATIENCE_SECONDS
    DialledTunnel.idleSeconds = AcceptedTunnel.idleSeconds = IDLE_SECONDS
    sys.exit(main())
