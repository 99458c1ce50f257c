"""
The operating system's network: options of sockets, what TCP tells of a connection, names
and addresses.  Nothing here knows what the connections are for.
"""

from __future__ import annotations

from uotp.net.hosts import Host, ownerOf, parseDestination
from uotp.net.listening import LOCALHOST, MAX_PORT, Listen, ListenPlace, bindTogether, pairsOf, placesOf, requireListen
from uotp.net.resolver import Addresses, Semantics, SharedResolver, backgroundThread
from uotp.net.routes import Routes, numericAddress
from uotp.net.sockopts import (
    MAX_BUFFER_BYTES,
    MIN_BUFFER_BYTES,
    UDP_BUFFER_BYTES,
    UNSENT_LIMIT_BYTES,
    TunnelSocketOptions,
    checkCongestion,
    checkMark,
    enlargeUdpBuffers,
    requireMarks,
    setMark,
    tuneTunnelSocket,
)
from uotp.net.tcpinfo import TCP_INFO, tcpCost, tcpPathStats, unacknowledgedBytes

__all__ = [
    "LOCALHOST",
    "MAX_BUFFER_BYTES",
    "MAX_PORT",
    "MIN_BUFFER_BYTES",
    "TCP_INFO",
    "UDP_BUFFER_BYTES",
    "UNSENT_LIMIT_BYTES",
    "Addresses",
    "Host",
    "Listen",
    "ListenPlace",
    "Routes",
    "Semantics",
    "SharedResolver",
    "TunnelSocketOptions",
    "backgroundThread",
    "bindTogether",
    "checkCongestion",
    "checkMark",
    "enlargeUdpBuffers",
    "numericAddress",
    "ownerOf",
    "pairsOf",
    "parseDestination",
    "placesOf",
    "requireListen",
    "requireMarks",
    "setMark",
    "tcpCost",
    "tcpPathStats",
    "tuneTunnelSocket",
    "unacknowledgedBytes",
]
