"""
A TCP relay between a client and a server, to see how many connections there are
and what they carry, and to have one of them stop, break, become slow, or lead
nowhere.  It does not look at what it relays.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

from bench.rig.ports import LOOPBACK, Address

CHUNK_BYTES = 65536

BUFFER_BYTES = 65536
"""Of each socket: a frozen connection is full soon."""

SLOW_CHUNK_BYTES = 16384
"""What is read at one go of a connection that delays."""

ETHERNET_SEGMENT_BYTES = 1448
"""What a segment of TCP carries on most paths."""

HEAD_BYTES = 16
"""Of each connection's first bytes that are kept: a session id, without TLS."""


KEPT_BYTES = 1 << 18
"""Of each way of a connection so much is kept, to be looked at."""


class Relayed:
    """
    One connection through the relay.

    @ivar head: the first bytes that the client has sent.
    @ivar sent: what the client has sent, as far as it is kept.
    @ivar answered: what the server has sent, as far as it is kept.
    @ivar carried: how many bytes the client has sent.
    @ivar brought: how many bytes the server has sent.
    @ivar delay: seconds that L{SLOW_CHUNK_BYTES} wait before they go on; what comes
        meanwhile waits behind them.
    """

    def __init__(self, near: socket.socket, far: socket.socket, delay: float = 0.0) -> None:
        """
        @param near: towards the client.
        @param far: towards the server.
        @param delay: see above.
        """
        self.head = b""
        self.sent = self.answered = b""
        self.carried = 0
        self.brought = 0
        self.delay = delay
        self._swallows = False
        self._sockets = (near, far)
        self._ended: list[socket.socket] = []
        self._flowing = threading.Event()
        self._flowing.set()
        for receiver, sender in ((near, far), (far, near)):
            threading.Thread(target=self._pump, args=(receiver, sender), daemon=True).start()

    def _pump(self, receiver: socket.socket, sender: socket.socket) -> None:
        try:
            while chunk := receiver.recv(SLOW_CHUNK_BYTES if self.delay else CHUNK_BYTES):
                self._flowing.wait()
                if receiver is self._sockets[0]:
                    self.head = (self.head + chunk[:HEAD_BYTES])[:HEAD_BYTES]
                    self.sent += chunk[: KEPT_BYTES - len(self.sent)]
                    self.carried += len(chunk)
                else:
                    self.answered += chunk[: KEPT_BYTES - len(self.answered)]
                    self.brought += len(chunk)
                if self.delay:
                    time.sleep(self.delay)
                if not self._swallows:
                    sender.sendall(chunk)
                self._flowing.wait()
            if not self._swallows:
                sender.shutdown(socket.SHUT_WR)  # what comes the other way may still say why
        except OSError:
            self.cut()
        else:
            self._ended.append(receiver)
            if len(self._ended) == len(self._sockets):
                self.cut()

    @property
    def isLeft(self) -> bool:
        """
        Whether the client has closed it, or it has been cut.
        """
        return self._sockets[0] in self._ended or self._sockets[0].fileno() < 0

    def freeze(self) -> None:
        """
        Relay no more, and read no more, but let the connection stand.
        """
        self._flowing.clear()

    def swallow(self) -> None:
        """
        Relay no more, but read on, so that the kernel acknowledges all that is sent.
        """
        self._swallows = True

    def cut(self) -> None:
        """
        Close both sides.
        """
        self._flowing.set()
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


class Relay:
    """
    Listens on loopback and relays to one server.

    @ivar address: where clients dial it.
    @ivar connections: all that there have been, the oldest first.
    """

    def __init__(self, server: Address, segment: int | None = None, port: int = 0, delay: float = 0.0) -> None:
        """
        @param server: who is called when somebody calls.
        @param port: where it listens, if not on one that nobody has.
        @param segment: the most bytes that either end may send in a segment; if not as
            on loopback, where there are few of them.
        @param delay: of each connection, from its beginning.
        """
        self._delay = delay
        self.connections: list[Relayed] = []
        self._server = server
        self._segment = segment
        self._socket = self._newSocket()
        self._socket.bind((LOOPBACK, port))
        self._socket.listen(128)
        self.address: Address = self._socket.getsockname()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _newSocket(self) -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        if self._segment is not None:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, self._segment)
        return made

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._socket.accept()
                far = self._newSocket()
                try:
                    far.connect(self._server)
                except OSError:
                    near.close()
                    far.close()
                    continue
                for one in (near, far):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connections.append(Relayed(near, far, self._delay))

    def slow(self, delay: float) -> None:
        """
        Delay from now on, on each connection, see L{Relayed}.
        """
        self._delay = delay
        for connection in self.connections:
            connection.delay = delay

    def refuse(self) -> None:
        """
        Let nobody call any more; those that have go on.
        """
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(1)

    def stop(self) -> None:
        """
        Close everything.
        """
        self.refuse()
        for connection in self.connections:
            connection.cut()
