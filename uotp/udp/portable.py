"""
A UDP port for every system: it needs only Python's socket module, and a Twisted reactor that
watches descriptors.
"""

from __future__ import annotations

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
        if self._protocol.allowance.isSpent:
            return
        receive = self._socket.recvfrom
        run: list[bytes] = []
        source: Address = ()
        failed = False
        for _ in range(DATAGRAMS_PER_TURN):
            try:
                datagram, sender = receive(MAX_DATAGRAM_BYTES)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                failed = failed or error.errno not in ERRORS_OF_DATAGRAMS
                self._log.debug("the UDP port had an error: {reason}", reason=error.strerror)
                continue
            if sender != source:
                self._handOn(run, source)
                run = []
                source = sender
            run.append(datagram)
        if source:
            self._uselessTurns = 0
            self._handOn(run, source)
        elif failed:
            self._countUselessTurn()

    def _handOn(self, datagrams: list[bytes], source: Address) -> None:
        if self.connected and datagrams:  # whoever got the trains before may have closed us
            self._protocol.allowance.spend(len(datagrams))
            self._protocol.trainsReceived(gather(datagrams), source)
