"""
Real pipes under the reactor's twin: a turn tells it what the kernel says of them.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from tests.doubles.reactors import MemoryReactor
from uotp.boundaries import Security
from uotp.net.sockopts import TunnelSocketOptions
from uotp.transport.handshakes import HandshakeQueue
from uotp.transport.relayed import adopt

CLIENT = ("192.0.2.7", 4711)
"""Where the clients of these tests come from."""

MOST_TURNS = 2000


class PipeReactor(MemoryReactor):
    """
    Is told by a test to look at pipes, and treats them as a reactor of Twisted does.
    """

    def look(self, *pipes: Any) -> bool:
        """
        Let one turn pass.

        @param pipes: connections on real sockets.
        @return: whether anything has happened on one of them.
        """
        happened = False
        for pipe in pipes:
            read, write = pipe in self.readers, pipe in self.writers
            if pipe.fileno() < 0 or not (read or write):
                continue
            poll = select.poll()
            poll.register(pipe.fileno(), (select.POLLIN if read else 0) | (select.POLLOUT if write else 0))
            for _, event in poll.poll(0):
                happened = True
                if event & select.POLLHUP and not event & select.POLLIN:  # as Twisted's epoll does
                    self.readers.discard(pipe)
                    self.writers.discard(pipe)
                    pipe.connectionLost(Failure(ConnectionLost()))
                else:
                    self.happen(pipe, read=bool(event & select.POLLIN), write=bool(event & select.POLLOUT))
        self.advance(0)
        return happened

    def lookUntil(self, condition: Callable[[], object], *pipes: Any) -> None:
        """
        Let turns pass until something is so, or nothing happens any more.
        """
        idle = 0
        for _ in range(MOST_TURNS):
            if condition() or idle > 2:
                return
            idle = 0 if self.look(*pipes) else idle + 1


def relayedStream(
    reactor: Any,
    protocol: Any,
    pipe: socket.socket,
    path: Any = None,
    security: Security | None = None,
    begun: bytes = b"",
) -> Any:
    """
    @return: a stream over one end of a pipe, which has its protocol.
    """
    handshakes = HandshakeQueue(reactor)
    tuning = TunnelSocketOptions()
    return adopt(pipe, path, security, CLIENT, handshakes, tuning, protocol, reactor, begun=begun, tls="TLSv1.3 it")
