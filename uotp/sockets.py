"""
Options of sockets, each only where the system has it.  What lies behind an
option and is missing on some system is asked for here and nowhere else.
"""

from __future__ import annotations

import socket
import sys
from contextlib import suppress
from typing import Any

from uotp.errors import ConfigurationError, StartError

KEEPALIVE_IDLE_SECONDS = 5
KEEPALIVE_INTERVAL_SECONDS = 1
KEEPALIVE_PROBES = 5
"""An idle tunnel to a dead peer is found after 10 s by these, and after 5.3 s on Linux with the next."""

USER_TIMEOUT_MILLISECONDS = 8000
"""
A busy tunnel is given up when nothing was acknowledged for so long; keep-alive
alone never finds a busy one.
"""

UDP_BUFFER_BYTES = 4 * 1024 * 1024
"""
Asked for on each UDP socket.  Linux gives 208 KiB on its own, which holds some 92
full datagrams: less than one burst.
"""

MAX_DESCRIPTORS = 65536
"""Enough for all the tunnels and sessions that the server's own limits allow."""

SO_MARK = getattr(socket, "SO_MARK", 36 if sys.platform == "linux" else None)
SO_RCVBUFFORCE = 33
SO_SNDBUFFORCE = 32
"""Numbers of Linux (asm-generic/socket.h) that Python's socket module does not name everywhere."""


def connectionUnder(transport: Any) -> Any:
    """
    @param transport: of a tunnel, TCP or TLS over it.
    @return: the TCP connection.
    """
    while hasattr(transport, "transport"):
        transport = transport.transport
    return transport


def tuneTunnelSocket(transport: Any) -> None:
    """
    Send at once, and find out about a dead peer.

    @param transport: of a tunnel, TCP or TLS over it; one without a socket is
        left alone.
    """
    transport = connectionUnder(transport)
    if not hasattr(transport, "setTcpNoDelay"):
        return
    transport.setTcpNoDelay(True)
    transport.setTcpKeepAlive(True)
    handle = transport.getHandle()
    for name, value in (
        ("TCP_KEEPIDLE", KEEPALIVE_IDLE_SECONDS),
        ("TCP_KEEPALIVE", KEEPALIVE_IDLE_SECONDS),  # macOS's name for the one before
        ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL_SECONDS),
        ("TCP_KEEPCNT", KEEPALIVE_PROBES),
        ("TCP_USER_TIMEOUT", USER_TIMEOUT_MILLISECONDS),
    ):
        option = getattr(socket, name, None)
        if option is not None:
            with suppress(OSError):  # a sandbox may refuse; the tunnel works without
                handle.setsockopt(socket.IPPROTO_TCP, option, value)


def unsentBytes(transport: Any) -> int:
    """
    @param transport: of a tunnel, TCP or TLS over it.
    @return: what its connection holds and has not given to the kernel, as far as it
        can be told.  This is not what the tunnel has written: TLS answers a peer's
        demands for new keys by itself.
    """
    transport = connectionUnder(transport)
    waiting = len(getattr(transport, "dataBuffer", b"")) + getattr(transport, "_tempDataLen", 0)
    return int(waiting - getattr(transport, "offset", 0))


def enlargeUdpBuffers(udpSocket: socket.socket) -> None:
    """
    Ask for L{UDP_BUFFER_BYTES} both ways, past the system's limit where we may.
    """
    for plain, forced in ((socket.SO_RCVBUF, SO_RCVBUFFORCE), (socket.SO_SNDBUF, SO_SNDBUFFORCE)):
        if sys.platform == "linux":
            with suppress(OSError):  # needs CAP_NET_ADMIN
                udpSocket.setsockopt(socket.SOL_SOCKET, forced, UDP_BUFFER_BYTES)
                continue
        with suppress(OSError):  # macOS refuses what is above its limit instead of giving less
            udpSocket.setsockopt(socket.SOL_SOCKET, plain, UDP_BUFFER_BYTES)


def setMark(anySocket: socket.socket, mark: int) -> None:
    """
    Give a socket a firewall mark, for policy routing.

    @raise OSError: without the privilege.
    """
    assert SO_MARK is not None
    anySocket.setsockopt(socket.SOL_SOCKET, SO_MARK, mark)


def requireMarks() -> None:
    """
    @raise ConfigurationError: when this system has no firewall marks.
    """
    if SO_MARK is None:
        reason = "--mark: only Linux has firewall marks"
        raise ConfigurationError(reason)


def checkMark(mark: int) -> None:
    """
    Find out before the first connection whether we may set a mark.

    @raise ConfigurationError: when this system has no marks.
    @raise StartError: when we lack the privilege.
    """
    requireMarks()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            setMark(probe, mark)
        except OSError as error:
            reason = f"--mark {mark:#x}: {error.strerror}; it needs root or CAP_NET_ADMIN"
            raise StartError(reason) from error


def raiseDescriptorLimit() -> None:
    """
    Let this process have as many descriptors as the system allows it: each tunnel
    takes one, and the usual soft limit of 1024 is a hundred clients' worth.
    """
    with suppress(ImportError, OSError, ValueError):  # Windows has no such limit
        import resource  # noqa: PLC0415

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
