"""
The pair of UNIX sockets between the process that has a TLS connection and the one that has its
session.  Nothing here knows what goes through it.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable

from twisted.python.failure import Failure

PIPE_SEND_BYTES = 32 * 1024
"""
SO_SNDBUF of a pipe's end.  Linux counts twice as much, and the memory in which something waits: 768 bytes for
a short piece, and 2304 for 1400.  So a pipe takes 64 to 80 KiB in long pieces and 40 in full datagrams, and more
as soon as a quarter is left.  A TCP connection takes about as much before it is full: a long train still goes
at one go, and the queue in front of a relay is no longer than one in front of the network.
"""


class PipeEnd:
    """
    Is a relay's end of the pipe, for the reactor.

    @ivar doRead: the pipe can be read.
    @ivar doWrite: it takes more.
    """

    __slots__ = ("_lost", "doRead", "doWrite", "fileno")

    def __init__(
        self,
        pipe: socket.socket,
        doRead: Callable[[], None],
        doWrite: Callable[[], None],
        lost: Callable[[], None],
    ) -> None:
        """
        @param lost: the reactor has found the pipe closed, and does not watch it any more.
        """
        self.fileno = pipe.fileno
        self.doRead = doRead
        self.doWrite = doWrite
        self._lost = lost

    def logPrefix(self) -> str:
        """
        See C{ILoggingContext}.
        """
        return "Relay"

    def connectionLost(self, reason: Failure) -> None:
        """
        See C{IReadDescriptor}.
        """
        self._lost()


def isHungUp(pipe: socket.socket) -> bool:
    """
    @return: whether the other end of a pipe is closed, though there may be something to read.
    """
    poll = select.poll()
    poll.register(pipe, 0)
    return bool(poll.poll(0))


def newPipe() -> tuple[socket.socket, socket.socket]:
    """
    @return: the two ends of a new pipe.
    @raise OSError: when the system has no descriptor left.
    """
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    for end in ends:
        end.setblocking(False)
    return ends
