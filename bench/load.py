"""
A source and a sink of datagrams that cost next to nothing themselves: on Linux
many datagrams go and come with each system call.

    python -m bench.load source ADDRESS PORT BYTES SECONDS
    python -m bench.load sink ADDRESS PORT SECONDS

Each prints one line of JSON at its end.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import time

from uotp.sockets import SO_RCVBUFFORCE

UDP_SEGMENT = 103
UDP_GRO = 104
"""Numbers of Linux (udp.h) that Python's socket module does not name."""

MOST_BYTES = 64000
MOST_SEGMENTS = 64
"""What one send may hold, in bytes and in datagrams (UDP_MAX_SEGMENTS in older kernels)."""

BUFFER_BYTES = 8 * 1024 * 1024


def source(address: str, port: int, size: int, seconds: float) -> dict[str, float]:
    """
    Send datagrams of one size as fast as can be.

    @return: how many, and in what time.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.connect((address, port))
        batch = min(MOST_SEGMENTS, MOST_BYTES // size)
        train = bytes(size) * batch
        segment = [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("H", size))]
        sent = 0
        begin = time.monotonic()
        end = begin + seconds
        while time.monotonic() < end:
            try:
                udp.sendmsg([train], segment)
            except (BlockingIOError, ConnectionRefusedError):
                continue
            sent += batch
        return {"sent": sent, "seconds": time.monotonic() - begin}


def sink(address: str, port: int, seconds: float) -> dict[str, float]:
    """
    Count the datagrams that come, from the first one on.

    @return: how many, and the time from the first to the last.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
        udp.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 1)
        udp.bind((address, port))
        print(json.dumps({"port": udp.getsockname()[1]}), flush=True)
        udp.settimeout(0.2)
        received = octets = 0
        first = last = 0.0
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            try:
                data, control, _, _ = udp.recvmsg(65535, 64)
            except TimeoutError:
                continue
            if not first:
                first = now
            last = now
            segment = struct.unpack("i", control[0][2])[0] if control else len(data)
            received += -(-len(data) // segment) if segment else 1
            octets += len(data)
        return {"received": received, "bytes": octets, "seconds": last - first}


if __name__ == "__main__":
    kind, address, port, *rest = sys.argv[1:]
    if kind == "source":
        print(json.dumps(source(address, int(port), int(rest[0]), float(rest[1]))))
    else:
        print(json.dumps(sink(address, int(port), float(rest[0]))))
