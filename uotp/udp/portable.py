"""
A UDP port for every system: it needs only Python's socket module, and a Twisted reactor that
watches descriptors.
"""

from __future__ import annotations

from typing import Any

from uotp.boundaries import Address
from uotp.train import Train, cut, gather
from uotp.udp.base import ERRORS_OF_DATAGRAMS, SocketPort

MAX_DATAGRAM_BYTES = 65535
"""No UDP datagram is longer, so none is cut."""

DATAGRAMS_PER_TURN = 64
"""
One port reads so many before others get their turn.  With 64 the cost of the turn hardly
counts, and the longest turn is still about a millisecond.
"""


class PortableDatagramPort(SocketPort):
    """
    Reads and sends one datagram at a time, and hands on in trains what one turn brings.
    """

    _wasFull = False

    def sendTrains(self, trains: list[Train], destination: Address) -> None:
        """
        See L{uotp.boundaries.DatagramPort}.
        """
        if self.connected:
            for train in trains:
                self._sendEach(cut(train), destination)

    def doRead(self) -> None:
        """
        Read what has come, no more than a bound, and hand it on in trains.
        """
        allowance = self._protocol.allowance
        if allowance.isSpent or allowance.owner.isExhausted:
            self._readLater()
            return
        receive = self._socket.recvfrom
        runs: list[tuple[Address, list[bytes]]] = []
        failed = self._wasFull = False
        for _ in range(DATAGRAMS_PER_TURN):
            try:
                datagram, sender = receive(MAX_DATAGRAM_BYTES)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                if error.errno is None or error.errno not in ERRORS_OF_DATAGRAMS:
                    failed = True
                elif self._connectedTo is not None:
                    self._protocol.refused(self._connectedTo, error.errno)
                self._log.debug("the UDP port had an error: {reason}", reason=error.strerror)
                continue
            if runs and runs[-1][0] == sender:
                runs[-1][1].append(datagram)
            else:
                runs.append((sender, [datagram]))
        else:
            self._wasFull = True
        if runs:
            self._uselessTurns = 0
            self._received(runs)
        elif failed:
            self._countUselessTurn()

    def _received(self, runs: list[tuple[Address, list[bytes]]]) -> None:
        intake = self._intake
        source = runs[0][0]
        if intake is not None and intake.wants(source, any(other != source for other, _ in runs), self._wasFull):
            for sender, datagrams in runs:
                intake.put(sender, gather(datagrams))
            if not intake.isReading:
                intake.readOn()
            return
        for sender, datagrams in runs:
            if self.connected:  # whoever got the trains before may have closed us
                self._protocol.allowance.spend(len(datagrams))
                self._protocol.trainsReceived(gather(datagrams), sender)

    def readMore(self) -> bool:
        """
        See L{uotp.udp.crowd.CrowdedPort}.
        """
        self._wasFull = False
        if self.connected:
            self.doRead()
        return self._wasFull

    def handOn(self, source: Any, trains: list[Train]) -> None:
        """
        See L{uotp.udp.crowd.CrowdedPort}.
        """
        if self.connected:
            self._protocol.trainsReceived(trains, source)
