"""
Options of sockets, each set only where the system has it.  No other module asks whether
the system has an option.
"""

from __future__ import annotations

import errno
import select
import socket
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from uotp.errors import ConfigurationError, StartError
from uotp.telemetry import spelled

KEEPALIVE_IDLE_SECONDS = 5
KEEPALIVE_INTERVAL_SECONDS = 1
KEEPALIVE_PROBES = 5
"""
They find a dead peer of an idle tunnel after 10 s, and after 5.3 s on Linux, where
L{USER_TIMEOUT_MILLISECONDS} helps.
"""

USER_TIMEOUT_MILLISECONDS = 8000
"""
The kernel gives a busy connection up when nothing was acknowledged for so long.  Keep-alive
finds a dead peer on idle connections only.
"""

OPENING_MILLISECONDS = 30_000
"""
The same while a tunnel is being opened.  Nobody knows its path then; and whoever opens it, or has accepted
it, says how long that may take.
"""

SILENT_ROUND_TRIPS = 3
"""
On a path with a long round trip the kernel waits for so many of them on top of
L{KEEPALIVE_IDLE_SECONDS}, if that is longer than L{USER_TIMEOUT_MILLISECONDS}.
"""

MOST_UDP_BUFFER_BYTES = (1 << 30) - 1
"""Linux gives no more, whatever its limits are: it doubles what was asked for, and that has to fit in 31 bits."""

UDP_BUFFER_BYTES = 4 * 1024 * 1024
"""
Each UDP socket asks for so large a buffer.  Linux gives 208 KiB on its own, which holds
some 92 full datagrams: less than one burst.
"""

UNSENT_LIMIT_BYTES = 16 * 1024
"""
TCP_NOTSENT_LOWAT: how much may wait in the kernel that it has not sent yet; what is in
flight does not count.  Without this limit a connection that stands still takes megabytes,
and all of that comes late.
"""

FREE_SEND_BUFFER_BYTES = 208 * 1024
"""A connection that is not bounded any more has at least so much; Linux lets it grow from there."""

SO_BUF_LOCK = 72
"""
A number of Linux 5.14 (asm-generic/socket.h): which buffers of a socket a program has set, so that
they do not grow with the path any more.  0 lets them grow again.
"""

SO_MAX_PACING_RATE = 47
"""A number of Linux 3.13 (asm-generic/socket.h): how many bytes a connection may send in a second."""

MAX_RATE = 0xFFFFFFFF
"""In bytes a second.  For Linux this is as fast as it likes."""

MIN_BUFFER_BYTES = 1024
MAX_BUFFER_BYTES = 1 << 30
"""Bounds for the size of a buffer: about a datagram, and half of what the kernel's int can hold."""

MIN_SEGMENT_BYTES = 256
MAX_SEGMENT_BYTES = 32767
"""Bounds for TCP_MAXSEG.  Linux knows no larger one; below the least, headers would be much of each packet."""

TCP_CONGESTION = getattr(socket, "TCP_CONGESTION", None)


SO_MARK = getattr(socket, "SO_MARK", 36 if sys.platform == "linux" else None)
SO_RCVBUFFORCE = 33
SO_SNDBUFFORCE = 32
"""Numbers of Linux (asm-generic/socket.h) that Python's socket module does not name everywhere."""


@dataclass(frozen=True, slots=True)
class TunnelSocketOptions:
    """
    Says how the sockets of tunnels are set up, apart from what is the same for all.

    @ivar unsentLimit: how many bytes of a connection the kernel takes that it has not sent
        yet.
    @ivar congestion: the kernel's name of a congestion control, or L{None} for
        the system's choice.
    """

    unsentLimit: int = UNSENT_LIMIT_BYTES
    congestion: str | None = None


def tuneTunnelSocket(tunnelSocket: socket.socket, tuning: TunnelSocketOptions) -> None:
    """
    Let a socket send at once, hold little back, and find out about a dead peer.  How soon is said by
    L{allowSilence} when the tunnel is open.

    @param tunnelSocket: connected or not.
    """
    options = [
        (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
        (socket.IPPROTO_TCP, "TCP_NODELAY", 1),
        (socket.IPPROTO_TCP, "TCP_KEEPIDLE", KEEPALIVE_IDLE_SECONDS),
        (socket.IPPROTO_TCP, "TCP_KEEPALIVE", KEEPALIVE_IDLE_SECONDS),  # macOS's name for the one before
        (socket.IPPROTO_TCP, "TCP_KEEPINTVL", KEEPALIVE_INTERVAL_SECONDS),
        (socket.IPPROTO_TCP, "TCP_KEEPCNT", KEEPALIVE_PROBES),
        (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", OPENING_MILLISECONDS),
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


def boundSendBuffer(tunnelSocket: socket.socket, size: int | None) -> None:
    """
    Say how much of a connection the kernel may hold: what is in flight, and what it has not
    sent.  Linux holds up to twice as much, and uses a part of that for its own needs.

    @param size: in bytes; L{None} for as much as the system thinks right.
    """
    with suppress(OSError):  # the connection works without
        tunnelSocket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, FREE_SEND_BUFFER_BYTES if size is None else size)
        if size is None and sys.platform == "linux":
            tunnelSocket.setsockopt(socket.SOL_SOCKET, SO_BUF_LOCK, 0)


def boundSendRate(tunnelSocket: socket.socket, rate: int | None) -> None:
    """
    Say how fast the kernel may send what a connection is given.  Only Linux can be told so.

    @param rate: in bytes a second; L{None} for as fast as the system thinks right.
    """
    if sys.platform == "linux":
        with suppress(OSError):  # the connection works without
            tunnelSocket.setsockopt(
                socket.SOL_SOCKET,
                SO_MAX_PACING_RATE,
                struct.pack("=I", min(MAX_RATE if rate is None else rate, MAX_RATE)),
            )


def isWritable(anySocket: socket.socket) -> bool:
    """
    @return: whether the kernel would take more of a connection, and say so to who waits for that.
    """
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select((), (anySocket,), (), 0)[1])
    poll = select.poll()  # select knows no more than 1024 descriptors
    poll.register(anySocket, select.POLLOUT)
    return bool(poll.poll(0))


def allowSilence(tunnelSocket: socket.socket, roundTrip: float) -> None:
    """
    Let the kernel wait for acknowledgements as long as a path needs that has such a round
    trip: on an idle connection it asks after L{KEEPALIVE_IDLE_SECONDS}, and the answer may be
    lost once.

    @param roundTrip: in seconds.
    """
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None:
        needed = int((KEEPALIVE_IDLE_SECONDS + SILENT_ROUND_TRIPS * roundTrip) * 1000)
        with suppress(OSError):
            tunnelSocket.setsockopt(socket.IPPROTO_TCP, option, max(needed, USER_TIMEOUT_MILLISECONDS))


def checkCongestion(name: str) -> None:
    """
    Find out before the first connection whether we may choose a congestion control.

    @raise ConfigurationError: when this system has no such choice, when its kernel does not
        know the name, or when it does not let us.
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
    Ask for large buffers both ways, beyond the system's limit where that is allowed.

    @param wanted: bytes for each way.
    @return: how many bytes the system gives for receiving.
    """
    for plain, forced in ((socket.SO_RCVBUF, SO_RCVBUFFORCE), (socket.SO_SNDBUF, SO_SNDBUFFORCE)):
        if sys.platform == "linux":
            with suppress(OSError):  # needs CAP_NET_ADMIN
                udpSocket.setsockopt(socket.SOL_SOCKET, forced, wanted)
                continue
            if udpSocket.getsockopt(socket.SOL_SOCKET, plain) // 2 >= wanted:
                continue  # somebody who may has given it so much, and asking would make it less
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


def setSegmentSize(anySocket: socket.socket, size: int) -> None:
    """
    Let no TCP segment of a connection be larger, both ways: the other end is told when it is
    connected.  Where the system does not let us, its own size stays.

    @param anySocket: not connected yet, or listening, for those that will be accepted.
    @param size: bytes of data and of TCP's options.
    """
    with suppress(OSError, AttributeError):
        anySocket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, size)


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
