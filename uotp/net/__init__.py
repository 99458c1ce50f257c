"""
The operating system's network: options of sockets, what TCP tells of a connection, names
and addresses.  Nothing here knows what the connections are for.
"""

from __future__ import annotations

from uotp.net.hosts import Host, ownerOf, parseDestination
from uotp.net.resolver import Addresses, SharedResolver, backgroundThread
from uotp.net.routes import Routes
from uotp.net.sockopts import (
    MAX_BUFFER_BYTES,
    MIN_BUFFER_BYTES,
    UDP_BUFFER_BYTES,
    UNSENT_LIMIT_BYTES,
    TunnelSocketOptions,
    allowSilence,
    boundSendBuffer,
    checkCongestion,
    checkMark,
    enlargeUdpBuffers,
    isWritable,
    requireMarks,
    setMark,
    tuneTunnelSocket,
)
from uotp.net.tcpinfo import BACKOFF_AT, TCP_INFO, tcpCost, tcpPathStats, unacknowledgedBytes

__all__ = [
    "BACKOFF_AT",
    "MAX_BUFFER_BYTES",
    "MIN_BUFFER_BYTES",
    "TCP_INFO",
    "UDP_BUFFER_BYTES",
    "UNSENT_LIMIT_BYTES",
    "Addresses",
    "Host",
    "Routes",
    "SharedResolver",
    "TunnelSocketOptions",
    "allowSilence",
    "backgroundThread",
    "boundSendBuffer",
    "checkCongestion",
    "checkMark",
    "enlargeUdpBuffers",
    "isWritable",
    "ownerOf",
    "parseDestination",
    "requireMarks",
    "setMark",
    "tcpCost",
    "tcpPathStats",
    "tuneTunnelSocket",
    "unacknowledgedBytes",
]
