"""
What the kernel tells of a TCP connection, where it does.
"""

from __future__ import annotations

import socket
import struct
import sys

from uotp.path import LONGEST_ROUND_TRIP_SECONDS, TROUBLED, Flight, PathStats

try:  # now: later, in a chroot say, nothing can be loaded
    import fcntl
    import termios
except ImportError:  # Windows has neither
    HAS_IOCTL = False
else:
    HAS_IOCTL = True

TCP_INFO = getattr(socket, "TCP_INFO", None) if sys.platform == "linux" else None


TCP_INFO_BYTES = 160


NOTSENT_BYTES_AT = 144


MIN_RTT_AT = 148


PATH_STATS = struct.Struct("=xBBxB19xI24xII8xI8xI16xIQ8xQ16xII4xI")
"""
Places in Linux's struct tcp_info, as it is since Linux 4.6.  The state of congestion
control is the second byte, 0 when nothing is amiss; tcpi_retransmits is at 2,
tcpi_backoff at 4, tcpi_unacked at 24, tcpi_last_data_recv at 52, tcpi_last_ack_recv at 56,
tcpi_rtt at 68, tcpi_snd_cwnd at 80, tcpi_total_retrans at 100, tcpi_pacing_rate at 104, tcpi_bytes_acked at
120, tcpi_notsent_bytes at 144, tcpi_min_rtt at 148, tcpi_data_segs_out at 156.  Times are in microseconds, those
since something came in milliseconds, and the rate is in bytes a second.
"""


NEEDLESS_AT = 216
NEEDLESS_END = 220
"""
tcpi_dsack_dups, since Linux 5.4, and its end: how often the other kernel has said that it had a segment already
which ours has sent again.
"""

SEGMENT_SIZE_AT = 16
RECEIVED_AT = 128
OUT_OF_ORDER_AT = 224
ALL_INFO_BYTES = 228
"""Further places: tcpi_snd_mss, tcpi_bytes_received, and since Linux 5.4 tcpi_rcv_ooopack, with its end."""

BACKOFF_AT = 4
"""
Where tcpi_backoff is: how often in a row a timer has run out, and nothing came.  The kernel may never
have been able to send what waits, as when a firewall of this machine drops it; then nothing is lost,
and no congestion control knows of trouble.
"""

LOSS = 4
"""TCP_CA_Loss of Linux: the timer of the oldest segment has run out."""


def tcpCost(tunnelSocket: socket.socket) -> int:
    """
    @return: how many bytes of a connection the kernel has taken and not sent yet, and
        L{TROUBLED} more while the connection is in loss recovery; 0 where the system does
        not tell.
    """
    if TCP_INFO is None:
        return 0
    try:
        info = tunnelSocket.getsockopt(socket.IPPROTO_TCP, TCP_INFO, TCP_INFO_BYTES)
    except OSError:
        return TROUBLED
    unsent = int.from_bytes(info[NOTSENT_BYTES_AT:MIN_RTT_AT], sys.byteorder)
    return unsent + TROUBLED if info[1] or info[BACKOFF_AT] else unsent


def tcpPathStats(tunnelSocket: socket.socket) -> PathStats | None:
    """
    @return: how a connection is now, or L{None} where the system does not tell.
    """
    if TCP_INFO is None:
        return None
    try:
        info = tunnelSocket.getsockopt(socket.IPPROTO_TCP, TCP_INFO, NEEDLESS_END)
        told = PATH_STATS.unpack_from(info)
    except (OSError, struct.error):
        return None
    state, repeats, backoff, unacked, dataAgo, acknowledgedAgo, roundTrip, window, repeated = told[:9]
    pacingRate, acknowledged, unsent, leastRoundTrip, sent = told[9:]
    # Both are 0 again with every acknowledgement: repeats of the oldest segment, and timers that ran out in vain.
    isStill = (state == LOSS and repeats > 0) or backoff > 0
    heardAgo = min(dataAgo, acknowledgedAgo) / 1e3
    isWaiting = unacked > 0 or unsent > 0
    needless = int.from_bytes(info[NEEDLESS_AT:NEEDLESS_END], sys.byteorder)  # 0 where an older kernel says less
    smoothed, least = seconds(roundTrip), seconds(leastRoundTrip)
    return PathStats(
        sent, repeated, smoothed, least, isStill, acknowledged, heardAgo, isWaiting, window, needless, pacingRate
    )


def seconds(microseconds: int) -> float:
    """
    @return: a round trip as we believe it.
    """
    return microseconds / 1e6 if microseconds < LONGEST_ROUND_TRIP_SECONDS * 1e6 else LONGEST_ROUND_TRIP_SECONDS


def tcpFlight(tunnelSocket: socket.socket) -> Flight | None:
    """
    @return: what is under way on a connection now, or L{None} where the system does not tell.
    """
    unacknowledged = unacknowledgedBytes(tunnelSocket)
    if TCP_INFO is None or unacknowledged is None:
        return None
    try:
        info = tunnelSocket.getsockopt(socket.IPPROTO_TCP, TCP_INFO, ALL_INFO_BYTES)
    except OSError:
        return None

    def number(at: int, size: int = 4) -> int:
        return int.from_bytes(info[at : at + size], sys.byteorder)  # 0 where an older kernel says less

    outstanding = max(unacknowledged - number(NOTSENT_BYTES_AT), 0)
    repeats = info[2] if info[1] == LOSS else 0
    return Flight(number(SEGMENT_SIZE_AT), outstanding, repeats, number(OUT_OF_ORDER_AT), number(RECEIVED_AT, 8))


def unacknowledgedBytes(tunnelSocket: socket.socket) -> int | None:
    """
    @return: how many bytes of a connection our kernel has taken and the other kernel has
        not acknowledged, or L{None} where the system does not tell.
    """
    if not HAS_IOCTL:
        return None
    try:
        counted = fcntl.ioctl(tunnelSocket.fileno(), termios.TIOCOUTQ, bytes(4))
    except (OSError, ValueError):
        return None
    return int.from_bytes(counted, sys.byteorder)
