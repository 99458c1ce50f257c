"""
The wire format 1 by hand, on plain sockets: peers that do just what a test tells
them, and no more.  Nothing of our package is used, so that an error there does not
hide here.
"""

from __future__ import annotations

import socket
import struct
import time

from bench.rig.ports import LOOPBACK, Address
from bench.rig.programs import HANG_SECONDS

ID_BYTES = 16
ONE_ID = bytes.fromhex("000102030405460788090a0b0c0d0e0f")
OTHER_ID = bytes.fromhex("f0f1f2f3f4f547f889f9fafbfcfdfeff")
"""Ids of sessions: UUIDs of version 4, or a server takes neither."""


def frame(datagram: bytes) -> bytes:
    """
    @return: how a datagram stands on a tunnel.
    """
    return struct.pack(">H", len(datagram)) + datagram


class RawTunnel:
    """
    One TCP connection, seen from either end.

    @ivar socket: the connection itself.
    """

    def __init__(self, connection: socket.socket) -> None:
        """
        @param connection: connected.
        """
        self.socket = connection

    def send(self, datagram: bytes) -> None:
        """
        Send one frame.
        """
        self.socket.settimeout(HANG_SECONDS)
        self.socket.sendall(frame(datagram))

    def receive(self, seconds: float = HANG_SECONDS) -> bytes:
        """
        @return: the datagram of the next frame.
        @raise AssertionError: when none comes in time, or the connection is closed.
        """
        (length,) = struct.unpack(">H", self.read(2, seconds))
        return self.read(length, seconds)

    def read(self, count: int, seconds: float = HANG_SECONDS) -> bytes:
        """
        @return: the next C{count} bytes.
        @raise AssertionError: when they do not come in time.
        """
        deadline = time.monotonic() + seconds
        held = b""
        while len(held) < count:
            self.socket.settimeout(max(deadline - time.monotonic(), 1e-6))
            try:
                more = self.socket.recv(count - len(held))
            except OSError as error:
                reason = f"{len(held)} of {count} bytes came: {error!r}"
                raise AssertionError(reason) from error
            if not more:
                reason = f"{len(held)} of {count} bytes came, and then the end"
                raise AssertionError(reason)
            held += more
        return held

    def waitUntilClosed(self) -> None:
        """
        Wait until the other end has closed or reset the connection; what it sends is
        passed over.

        @raise AssertionError: when it has not, at the deadline.
        """
        deadline = time.monotonic() + HANG_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                if not self.socket.recv(65536):
                    return
            except TimeoutError:
                continue
            except OSError:
                return
        reason = f"the connection is still open after {HANG_SECONDS} s"
        raise AssertionError(reason)

    def reset(self) -> None:
        """
        Close without a good-bye, as a machine that has crashed and come back does.
        """
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self) -> None:
        """
        Close the connection.
        """
        self.socket.close()


def rawClient(server: Address, greeting: bytes = b"") -> RawTunnel:
    """
    @param greeting: what is sent first, a session id or less.
    @return: a connection to a plain server.
    """
    tunnel = RawTunnel(socket.create_connection(server, HANG_SECONDS))
    tunnel.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    tunnel.socket.sendall(greeting)
    return tunnel


class RawServer:
    """
    Listens, and takes a connection when it is told to; the kernel lets them come in
    before.

    @ivar address: where.
    """

    def __init__(self, backlog: int = 128, receiveBuffer: int | None = None) -> None:
        """
        @param backlog: how many connections the kernel takes by itself.
        @param receiveBuffer: bytes that the kernel holds of each, if not as usual.
        """
        self._socket = socket.create_server((LOOPBACK, 0), backlog=backlog)
        if receiveBuffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receiveBuffer)
        self.address: Address = self._socket.getsockname()
        self._taken: list[RawTunnel] = []

    def accept(self, seconds: float = HANG_SECONDS) -> RawTunnel | None:
        """
        @return: the next connection, or L{None} at the deadline.
        """
        self._socket.settimeout(seconds)
        try:
            connection, _ = self._socket.accept()
        except TimeoutError:
            return None
        self._taken.append(RawTunnel(connection))
        return self._taken[-1]

    def mustAccept(self) -> tuple[RawTunnel, bytes]:
        """
        @return: the next connection, and the session id that it shows.
        @raise AssertionError: when there is none in time.
        """
        tunnel = self.accept()
        assert tunnel is not None, "no connection came"
        return tunnel, tunnel.read(ID_BYTES)

    def close(self) -> None:
        """
        Close all.
        """
        for tunnel in self._taken:
            tunnel.close()
        self._socket.close()
