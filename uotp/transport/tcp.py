"""
The connection under a tunnel, on either end: Twisted's own over TCP, but that what is
written goes to the kernel at once, as far as the kernel takes it, and only the rest
waits for the reactor.  So a lone datagram is on its way without another turn, and a
connection that holds anything is one that the kernel takes no more from:
C{pauseProducing} comes with the first byte that has to wait.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import main, tcp

from uotp.net import (
    TunnelSocketOptions,
    setMark,
    tcpCost,
    tcpPathStats,
    tuneTunnelSocket,
    unacknowledgedBytes,
    unsentBytes,
)
from uotp.path import TROUBLED, PathStats

READ_BYTES = 64 * 1024
"""What a connection reads before others get their turn, and then decodes at one go."""


class PlainConnection(tcp.Connection):
    """
    What is the same for the connections of both ends.
    """

    bufferSize = 0  # so that a producer is paused as soon as anything waits
    protocol: Any

    def write(self, data: bytes) -> None:
        """
        Send at once what can be sent, and the rest later.
        """
        if self.connected and not self.dataBuffer and not self._tempDataLen:
            sent = self.writeSomeData(data)
            if sent == len(data):
                return
            if not isinstance(sent, Exception):  # the reactor meets it again, and can end the connection
                data = data[sent:]
        super().write(data)

    def doRead(self) -> Any:
        """
        Read what has come, bounded.
        """
        try:
            data = self.socket.recv(READ_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return main.CONNECTION_LOST
        if not data:
            return main.CONNECTION_DONE
        self.protocol.dataReceived(data)
        return None

    def cost(self) -> int:
        """
        @return: what stands before the next byte that is written, in bytes; see
            L{uotp.boundaries.Stream.cost}.
        """
        return tcpCost(self.socket) + unsentBytes(self)

    def pathStats(self) -> PathStats | None:
        """
        @return: how the connection stands; see L{uotp.boundaries.Stream.pathStats}.
        """
        return tcpPathStats(self.socket)

    def isTroubled(self) -> bool:
        """
        @return: whether the kernel is repairing a loss on the connection.
        """
        return tcpCost(self.socket) >= TROUBLED

    def unacknowledged(self) -> int | None:
        """
        @return: how much of what was written the other kernel has not acknowledged, as it
            is on the wire, in bytes; L{None} where the system does not tell.
        """
        inKernel = unacknowledgedBytes(self.socket)
        return None if inKernel is None else inKernel + unsentBytes(self)


class DialledConnection(PlainConnection, tcp.Client):
    """
    A connection that we have opened.

    @cvar tuning: how its socket is set up.
    @cvar mark: its firewall mark, from before the first packet, or L{None}.
    """

    tuning = TunnelSocketOptions()
    mark: int | None = None

    def createInternetSocket(self) -> Any:
        """
        @return: the socket, marked and tuned.
        @raise OSError: without the privilege for the mark.
        """
        made = super().createInternetSocket()
        try:
            if self.mark is not None:
                setMark(made, self.mark)
        except OSError:
            made.close()
            raise
        tuneTunnelSocket(made, self.tuning)
        return made


class AcceptedConnection(PlainConnection, tcp.Server):
    """
    A connection that we have accepted.
    """

    def __init__(self, tuning: TunnelSocketOptions, accepted: Any, *rest: Any) -> None:
        """
        @param tuning: how its socket is set up.
        @param accepted: the socket.
        @param rest: see C{tcp.Server}.
        """
        tuneTunnelSocket(accepted, tuning)
        super().__init__(accepted, *rest)
