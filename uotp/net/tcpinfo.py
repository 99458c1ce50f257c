"""
What the kernel tells of a TCP connection, where it does.
"""

from __future__ import annotations

import socket
import struct
import sys

from uotp.path import TROUBLED, PathStats

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


PATH_STATS = struct.Struct("=xBB65xI28xI44xI4xI")
"""
Places in Linux's struct tcp_info, as it is since Linux 4.6.  The state of congestion
control is the second byte, 0 when nothing is amiss; tcpi_retransmits is at 2, tcpi_rtt at
68, tcpi_total_retrans at 100, tcpi_notsent_bytes at 144, tcpi_min_rtt at 148,
tcpi_data_segs_out at 156.  Times are in microseconds.
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
    return unsent + TROUBLED if info[1] else unsent


def tcpPathStats(tunnelSocket: socket.socket) -> PathStats | None:
    """
    @return: how a connection is now, or L{None} where the system does not tell.
    """
    if TCP_INFO is None:
        return None
    try:
        info = tunnelSocket.getsockopt(socket.IPPROTO_TCP, TCP_INFO, TCP_INFO_BYTES)
        state, repeats, roundTrip, repeated, leastRoundTrip, sent = PATH_STATS.unpack(info)
    except (OSError, struct.error):
        return None
    isStill = state == LOSS and repeats > 0  # repeats of the oldest segment: 0 again with every acknowledgement
    return PathStats(sent, repeated, roundTrip / 1e6, leastRoundTrip / 1e6, isStill)


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
