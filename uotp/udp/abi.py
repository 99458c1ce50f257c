"""
The structures of Linux that C{recvmmsg} takes and fills.  It is called through cffi in ABI
mode, so that no compiler is needed to install this program.
"""

from __future__ import annotations

import functools
import socket
import sys
from collections.abc import Callable
from typing import Any

from cffi import FFI  # type: ignore[import-untyped]

from uotp.boundaries import Address

UDP_GRO = 104
"""An option (linux/udp.h), and the control message that tells the length of datagrams that came as one."""

CUT_OFF = int(socket.MSG_TRUNC | socket.MSG_CTRUNC)  # an IntFlag would cost a microsecond for each message
"""Flags of a message of which the kernel has cut off data, or the control message that tells how to cut it."""

WITHOUT_WAITING = int(socket.MSG_DONTWAIT)

MAX_ADDRESSES = 4096
"""So many sources are remembered by their raw names.  Whoever forges more only makes us read names again."""

ffi: Any = FFI()
ffi.cdef("""
    struct iovec { void *iov_base; size_t iov_len; };
    struct msghdr {
        void *msg_name; unsigned int msg_namelen;
        struct iovec *msg_iov; size_t msg_iovlen;
        void *msg_control; size_t msg_controllen;
        int msg_flags;
    };
    struct mmsghdr { struct msghdr msg_hdr; unsigned int msg_len; };
    struct control { size_t cmsg_len; int cmsg_level; int cmsg_type; int segment; };
    int recvmmsg(int, struct mmsghdr *, unsigned int, int, void *);
""")

Recvmmsg = Callable[[int, Any, int, int, Any], int]
recvmmsg: Recvmmsg = ffi.dlopen(None).recvmmsg  # raises AttributeError where there is none

WORD_BYTES = ffi.sizeof("size_t")
INT_BYTES = ffi.sizeof("int")
MMSGHDR_BYTES = ffi.sizeof("struct mmsghdr")
VECTOR_BYTES = ffi.sizeof("struct iovec")
CONTROL_BYTES = socket.CMSG_SPACE(INT_BYTES)
NAME_BYTES: dict[int, int] = {socket.AF_INET: 16, socket.AF_INET6: 28}
"""Lengths of struct sockaddr_in and sockaddr_in6."""


def ints(data: Any, offset: int, stride: int) -> memoryview:
    """
    @return: one int of each structure in an array of them.
    """
    return memoryview(data).cast("i")[offset // INT_BYTES :: stride // INT_BYTES]


def words(data: Any, offset: int, stride: int) -> memoryview:
    """
    @return: one size_t or pointer of each structure in an array of them.
    """
    return memoryview(data).cast("L")[offset // WORD_BYTES :: stride // WORD_BYTES]


@functools.lru_cache(maxsize=MAX_ADDRESSES)
def addressOf(name: bytes) -> Address:
    """
    @param name: a struct sockaddr_in or sockaddr_in6.
    @return: the same address as C{socket.recvfrom} gives it.
    """
    port = int.from_bytes(name[2:4], "big")
    if len(name) == NAME_BYTES[socket.AF_INET]:
        return socket.inet_ntoa(name[4:8]), port
    host = socket.inet_ntop(socket.AF_INET6, name[8:24])
    return host, port, int.from_bytes(name[4:8], "big"), int.from_bytes(name[24:28], sys.byteorder)
