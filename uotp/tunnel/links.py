"""
What is spoken on an open tunnel in format 1, and what in format 2.
"""

from __future__ import annotations

from typing import Any

from uotp.boundaries import TrainsOfTunnel
from uotp.tunnel.link import Link, Speaker
from uotp.tunnel.link1 import Format1Link
from uotp.tunnel.link2 import Format2Link
from uotp.tunnel.readiness import Readiness
from uotp.wire import WireFormat


def makeLink(
    wireFormat: WireFormat,
    clock: Any,
    speaker: Speaker,
    session: TrainsOfTunnel,
    readiness: Readiness,
) -> Link:
    """
    @return: what is spoken in a format.
    """
    if wireFormat is WireFormat.ONE:
        return Format1Link(speaker, session, readiness)
    return Format2Link(speaker, session, readiness, clock)
