"""
The operating system's network: options of sockets, what TCP tells of a connection, names
and addresses.  Nothing here knows what the connections are for.
"""

from __future__ import annotations

from uotp.net.given import GivenSockets, Transport, takeGivenSockets
from uotp.net.hosts import Host, ownerOf, parseDestination, shownHost
from uotp.net.listening import LOCALHOST, MAX_PORT, Listen, ListenPlace, bindTogether, pairsOf, placesOf, requireListen
from uotp.net.names import dnsName
from uotp.net.networks import Network, Networks, outOfReach, unmapped
from uotp.net.places import MAX_SERVERS, ServerPlace, anyCaseOf, parsePath, requireServers
from uotp.net.proxyplaces import ProxyKind, ProxyLogin, ProxyPlace, parseLogin, parseProxy, proxyInEnvironment
from uotp.net.resolver import (
    Addresses,
    NameLookup,
    Resolved,
    Semantics,
    SharedResolver,
    backgroundThread,
    literalAddress,
    systemLookup,
)
from uotp.net.routes import Routes, numericAddress
from uotp.net.sockopts import (
    MAX_BUFFER_BYTES,
    MAX_SEGMENT_BYTES,
    MIN_BUFFER_BYTES,
    MIN_SEGMENT_BYTES,
    MOST_UDP_BUFFER_BYTES,
    UDP_BUFFER_BYTES,
    UNSENT_LIMIT_BYTES,
    TunnelSocketOptions,
    allowSilence,
    boundSendBuffer,
    boundSendRate,
    checkCongestion,
    checkMark,
    enlargeUdpBuffers,
    isWritable,
    requireMarks,
    setMark,
    setSegmentSize,
    tuneTunnelSocket,
)
from uotp.net.steering import SocketGroup, datagramGroup, listenGroup, steer, steeringTrouble
from uotp.net.tcpinfo import BACKOFF_AT, TCP_INFO, tcpCost, tcpFlight, tcpPathStats, unacknowledgedBytes
from uotp.net.zones import OwnLink, bindable, hostAt, hostOf

__all__ = [
    "BACKOFF_AT",
    "LOCALHOST",
    "MAX_BUFFER_BYTES",
    "MAX_PORT",
    "MAX_SEGMENT_BYTES",
    "MAX_SERVERS",
    "MIN_BUFFER_BYTES",
    "MIN_SEGMENT_BYTES",
    "MOST_UDP_BUFFER_BYTES",
    "TCP_INFO",
    "UDP_BUFFER_BYTES",
    "UNSENT_LIMIT_BYTES",
    "Addresses",
    "GivenSockets",
    "Host",
    "Listen",
    "ListenPlace",
    "NameLookup",
    "Network",
    "Networks",
    "OwnLink",
    "ProxyKind",
    "ProxyLogin",
    "ProxyPlace",
    "Resolved",
    "Routes",
    "Semantics",
    "ServerPlace",
    "SharedResolver",
    "SocketGroup",
    "Transport",
    "TunnelSocketOptions",
    "allowSilence",
    "anyCaseOf",
    "backgroundThread",
    "bindTogether",
    "bindable",
    "boundSendBuffer",
    "boundSendRate",
    "checkCongestion",
    "checkMark",
    "datagramGroup",
    "dnsName",
    "enlargeUdpBuffers",
    "hostAt",
    "hostOf",
    "isWritable",
    "listenGroup",
    "literalAddress",
    "numericAddress",
    "outOfReach",
    "ownerOf",
    "pairsOf",
    "parseDestination",
    "parseLogin",
    "parsePath",
    "parseProxy",
    "placesOf",
    "proxyInEnvironment",
    "requireListen",
    "requireMarks",
    "requireServers",
    "setMark",
    "setSegmentSize",
    "shownHost",
    "steer",
    "steeringTrouble",
    "systemLookup",
    "takeGivenSockets",
    "tcpCost",
    "tcpFlight",
    "tcpPathStats",
    "tuneTunnelSocket",
    "unacknowledgedBytes",
    "unmapped",
]
