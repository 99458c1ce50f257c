"""
Options of sockets, each only where the system has it.  What lies behind an
option and is missing on some system is asked for here and nowhere else.
"""

from __future__ import annotations

import errno
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from uotp.errors import ConfigurationError, StartError
from uotp.telemetry import spelled

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

UNSENT_LIMIT_BYTES = 16 * 1024
"""
TCP_NOTSENT_LOWAT: what may wait in the kernel behind what is in flight, which it does
not limit.  Without it a connection that stands still swallows megabytes, and what it
holds is late for everybody.
"""

MIN_BUFFER_BYTES = 1024
MAX_BUFFER_BYTES = 1 << 30
"""What a size of a buffer may be: a datagram or so, and half of what the kernel's number can say."""

TCP_CONGESTION = getattr(socket, "TCP_CONGESTION", None)


SO_MARK = getattr(socket, "SO_MARK", 36 if sys.platform == "linux" else None)
SO_RCVBUFFORCE = 33
SO_SNDBUFFORCE = 32
"""Numbers of Linux (asm-generic/socket.h) that Python's socket module does not name everywhere."""


@dataclass(frozen=True, slots=True)
class TunnelSocketOptions:
    """
    How the sockets of tunnels are set up, beyond what they always are.

    @ivar unsentLimit: bytes that the kernel takes of a connection beyond what it has
        sent.
    @ivar congestion: the kernel's name of a congestion control, or L{None} for
        the system's choice.
    """

    unsentLimit: int = UNSENT_LIMIT_BYTES
    congestion: str | None = None


def tuneTunnelSocket(tunnelSocket: socket.socket, tuning: TunnelSocketOptions) -> None:
    """
    Send at once, hold little back, and find out about a dead peer.

    @param tunnelSocket: connected or not.
    """
    options = [
        (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
        (socket.IPPROTO_TCP, "TCP_NODELAY", 1),
        (socket.IPPROTO_TCP, "TCP_KEEPIDLE", KEEPALIVE_IDLE_SECONDS),
        (socket.IPPROTO_TCP, "TCP_KEEPALIVE", KEEPALIVE_IDLE_SECONDS),  # macOS's name for the one before
        (socket.IPPROTO_TCP, "TCP_KEEPINTVL", KEEPALIVE_INTERVAL_SECONDS),
        (socket.IPPROTO_TCP, "TCP_KEEPCNT", KEEPALIVE_PROBES),
        (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", USER_TIMEOUT_MILLISECONDS),
        (socket.IPPROTO_TCP, "TCP_NOTSENT_LOWAT", tuning.unsentLimit),
    ]
    for level, name, value in options:
        option = getattr(socket, name, None)
        if option is not None:
            with suppress(OSError):  # a sandbox may refuse; the tunnel works without
                tunnelSocket.setsockopt(level, option, value)
    if tuning.congestion is not None and TCP_CONGESTION is not None:
        with suppress(OSError):  # whoever started us has asked with checkCongestion
            tunnelSocket.setsockopt(socket.IPPROTO_TCP, TCP_CONGESTION, tuning.congestion.encode())


def checkCongestion(name: str) -> None:
    """
    Find out before the first connection whether we may choose a congestion control.

    @raise ConfigurationError: when this system, or its kernel, does not have it or
        does not let us.
    """
    if TCP_CONGESTION is None:
        reason = f"{spelled('congestion')} {name}: this system does not let a program choose"
        raise ConfigurationError(reason)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.setsockopt(socket.IPPROTO_TCP, TCP_CONGESTION, name.encode())
        except OSError as error:
            reason = f"{spelled('congestion')} {name}: {congestionTrouble(error)}"
            raise ConfigurationError(reason) from error


def congestionTrouble(error: OSError) -> str:
    """
    @return: why a congestion control cannot be had, and which can.
    """
    words = {
        errno.ENOENT: "the kernel does not have it; perhaps `modprobe tcp_NAME` as root brings it",
        errno.EPERM: "the kernel lets root alone choose it; see sysctl net.ipv4.tcp_allowed_congestion_control",
    }.get(error.errno or 0, error.strerror or "it cannot be had")
    with suppress(OSError):
        available = Path("/proc/sys/net/ipv4/tcp_available_congestion_control").read_text(encoding="ascii")
        return f"{words} (it has: {', '.join(available.split())})"
    return words


def enlargeUdpBuffers(udpSocket: socket.socket, wanted: int = UDP_BUFFER_BYTES) -> int:
    """
    Ask for large buffers both ways, past the system's limit where we may.

    @param wanted: bytes for each.
    @return: bytes that the system gives for receiving, of which C{wanted} is enough.
    """
    for plain, forced in ((socket.SO_RCVBUF, SO_RCVBUFFORCE), (socket.SO_SNDBUF, SO_SNDBUFFORCE)):
        if sys.platform == "linux":
            with suppress(OSError):  # needs CAP_NET_ADMIN
                udpSocket.setsockopt(socket.SOL_SOCKET, forced, wanted)
                continue
        with suppress(OSError):  # macOS refuses what is above its limit instead of giving less
            udpSocket.setsockopt(socket.SOL_SOCKET, plain, wanted)
    given = udpSocket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    return given // 2 if sys.platform == "linux" else given  # Linux doubles it, for its own needs


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
        reason = f"{spelled('mark')}: only Linux has firewall marks"
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
            reason = f"{spelled('mark')} {mark:#x}: {error.strerror}; it needs root or CAP_NET_ADMIN"
            raise StartError(reason) from error
