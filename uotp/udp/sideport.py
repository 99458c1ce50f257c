"""
Sockets beside the one of a UDP port, each for one source that sends very much.

What comes for a port waits in the kernel in one queue, and while the process does something
else a heavy source fills that, so that the kernel drops what everybody sends.  A second
socket that is bound to the same address and connected to the heavy source gets what that
sends, and the first one is left to all others.  The first one is always read first.

Several sockets may be bound to one port only while all allow it.  They do so for that moment,
and with C{SO_REUSEPORT}, which lets in nobody but our own user.  After that nobody may again.

Where the port is one of a group, one for each of several processes (L{uotp.net.steering}), all of the group
allow it all the time.  Were that forbidden again on one of them, the kernel would take it for a socket that
stands alone: if it is the one that is looked at first, it gets all that comes, whosever it is.  The group's
program chooses only among those that were bound first, so a socket that comes later changes nothing for
anybody, and gets nothing before it is connected.

Once it is connected, it has to forbid it.  A kernel from 6.13 on takes it out of the group then, and the next
socket that is bound there, of whichever process, could be put into a new group with it, which has no program:
then that one gets all that comes.  A socket that forbids sharing is not joined; and so that it does not keep
others from being bound either, all that come later allow C{SO_REUSEADDR} among each other.  Those of the group do
not, so this lets in nobody else.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import LogLevel
from zope.interface import implementer

from uotp.boundaries import Address, DatagramReceiver
from uotp.telemetry import Drop
from uotp.train import countOf
from uotp.udp.abi import UDP_GRO
from uotp.udp.base import ERRORS_OF_DATAGRAMS, PortContext, isFailureOf
from uotp.udp.buffers import BYTES_PER_TURN, FIRST_MESSAGES, FIRST_SLOT_BYTES, messagesAfter
from uotp.udp.crowd import HAND_ON_BYTES, MAX_READS, Intake
from uotp.udp.ownaddress import ownAddress, withoutOwn
from uotp.udp.recvmmsg import Batch
from uotp.udp.statistics import portStatistics

MAX_SIDE_PORTS = 4
"""So many sources of one port have a socket of their own: each takes a descriptor and a large buffer."""

SIDE_READS = 4
"""So often a side socket is read in one turn, which is as much as is handed on in one turn."""

MAX_TURNS_BEHIND = 16
"""
A new side socket is not read before the first one was found empty, where older datagrams of
the source wait.  After so many turns it is read in any case: that is more than the kernel keeps.
"""

QUIET_LOOK_SECONDS = 1.0
"""So often it is looked which source is still heavy."""

HEAVY_DATAGRAMS = 5000
"""A source that sends so many in L{QUIET_LOOK_SECONDS} is heavy.  Fewer never fill a large buffer in half a second."""

MAX_QUIET_LOOKS = 5
"""A side socket is closed when its source was not heavy so many times, one after the other."""

OPEN_AGAIN_SECONDS = 5.0
"""After a socket could not be opened, none is tried for so long."""

MAX_STRAYS = 64
"""So many datagrams may come to a socket between two system calls, if three million come in a second."""

Receive = Callable[[int, int, int], Batch]
"""See L{uotp.udp.recvmmsg.BatchReceiver.receive}."""


def openBeside(
    context: PortContext, first: socket.socket, others: Sequence[socket.socket], source: Address
) -> socket.socket:
    """
    @param first: the socket of the port.
    @param others: those beside it that are there already.
    @param source: with the address of ours to which it sends, if the port tells that.
    @return: another one at the same port, that gets what this source sends.  Before it was
        connected it may have got a few datagrams of others too.
    @raise OSError: when that cannot be had.
    """
    if context.grouped:
        return openInGroup(context, first, source)
    side = socket.socket(first.family, socket.SOCK_DGRAM)
    try:
        prepareSide(context, side)
        ours = (first, *others, side)
        try:
            for one in ours:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            bound = first.getsockname()
            side.bind(ownAddress(source, bound[1]) or bound)
        finally:
            for one in ours:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 0)
        side.connect(withoutOwn(source)[0])
    except OSError:
        side.close()
        raise
    return side


def openInGroup(context: PortContext, first: socket.socket, source: Address) -> socket.socket:
    """
    Open one beside a socket that is one of a group; see L{openBeside}.  What others send must not come
    here for a moment, since those may be another process's sources.  So it is bound as the group is,
    which brings it nothing, and is connected then.  Where the group is bound to no address, the kernel chooses
    one now.  If that is not the one to which the source sends, the socket is bound to this in the first
    place, and what has come to it before it was connected is lost.

    @raise OSError: when that cannot be had.
    """
    bound = first.getsockname()
    own = ownAddress(source, bound[1])
    side = boundInGroup(context, first.family, bound, source)
    if own is None or side.getsockname()[0] == own[0]:
        return side
    side.close()
    side = boundInGroup(context, first.family, own, source)
    with suppress(OSError):  # nothing waits any more
        for _ in range(MAX_STRAYS):
            side.recv(1)
    return side


def boundInGroup(context: PortContext, family: int, bound: Address, source: Address) -> socket.socket:
    """
    @return: a socket that is bound there, though others are, and connected to the source.
    @raise OSError: when that cannot be had.
    """
    side = socket.socket(family, socket.SOCK_DGRAM)
    try:
        prepareSide(context, side)
        side.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        side.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        side.bind(bound)
        side.connect(withoutOwn(source)[0])
        side.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 0)
    except OSError:
        side.close()
        raise
    return side


def prepareSide(context: PortContext, side: socket.socket) -> None:
    """
    Set what is to be set before it is bound.
    """
    side.setblocking(False)
    context.enlarge(side)
    with suppress(OSError):  # the kernel then gives us each datagram alone
        side.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 1)


@implementer(IReadDescriptor)
class SidePort:
    """
    Reads the socket of one source.

    @ivar source: the source as the port tells it: its raw name, and behind it maybe the address
        of ours to which it sends, which is the same for all that comes here.
    @ivar fileno: returns the descriptor, or -1 when it is closed.
    @ivar logPrefix: returns the name in Twisted's log.
    @ivar socket: connected to the source.
    """

    def __init__(self, sides: SidePorts, sideSocket: socket.socket, source: bytes) -> None:
        """
        @param sides: those of the port.
        @param sideSocket: connected to the source.
        """
        self.source = source
        self.fileno = sideSocket.fileno
        self.logPrefix: Callable[[], str] = partial(str, "uotp UDP of one source")
        self._sides = sides
        self.socket = sideSocket
        self._expected = FIRST_SLOT_BYTES
        self._most = FIRST_MESSAGES
        self._turnsBehind = MAX_TURNS_BEHIND
        self._datagrams = self._quietLooks = 0

    def doRead(self) -> None:
        """
        Read the port's own socket and then this one, no more than a bound.
        """
        sides = self._sides
        if not sides.receiver.allowance.isSpent:
            sides.intake.readOn(self._readBehind)

    def _readBehind(self, isEmpty: bool) -> None:  # noqa: FBT001 - what a read has found
        """
        @param isEmpty: whether nothing waits in the port's own socket.
        """
        self._turnsBehind = 0 if isEmpty else max(self._turnsBehind - 1, 0)
        if self._turnsBehind:
            return
        for _ in range(SIDE_READS):
            if self._sides.intake.costOf(self.source) >= HAND_ON_BYTES:
                self._quietLooks = 0  # the kernel keeps the rest, and drops what is too much
                return
            if not self._readMore():
                return

    def readRest(self) -> None:
        """
        Let nothing come here any more, which now comes to the port's own socket, and read
        what is left.
        """
        with suppress(OSError):
            self.socket.connect(self.socket.getsockname())  # from where nobody sends
        for _ in range(MAX_READS):
            if not self._readMore():
                break

    def _readMore(self) -> bool:
        """
        @return: whether there may be more.
        """
        sides, most = self._sides, self._most
        descriptor = self.fileno()
        if descriptor < 0:  # whoever got what came before has closed the port
            return False
        try:
            count, longest, cutOff, parcels = sides.receive(descriptor, self._expected, most)
        except OSError as error:
            if error.errno not in {errno.EAGAIN, errno.EINTR, *ERRORS_OF_DATAGRAMS}:
                sides.close(self)
            return False
        full = count == most
        self._expected = longest or self._expected
        if full or longest * most > BYTES_PER_TURN:
            self._most = messagesAfter(most, longest)
        if cutOff:
            sides.context.drops.count(Drop.CUT_OFF, cutOff)
        sides.receiver.allowance.spend(sum(len(trains) for _, trains in parcels))
        for name, trains in parcels:
            self._datagrams += countOf(trains)
            sides.intake.putAside(name + self.source[len(name) :], trains)
        return full

    def isStillHeavy(self) -> bool:
        """
        @return: whether its source was heavy lately.  This is asked each L{QUIET_LOOK_SECONDS}.
        """
        self._quietLooks = 0 if self._datagrams >= HEAVY_DATAGRAMS else self._quietLooks + 1
        self._datagrams = 0
        return self._quietLooks < MAX_QUIET_LOOKS

    def kernelDrops(self) -> int:
        """
        @return: how many datagrams the kernel has dropped here.
        """
        return portStatistics(self.socket, self._sides.host).kernelDrops or 0

    def closeSocket(self) -> None:
        """
        Give the descriptor back.
        """
        self.socket.close()

    def connectionLost(self, reason: Any) -> None:
        """
        The reactor stops; or there is nothing but an error to be read, the answer to a
        datagram that nobody has taken.
        """
        if isFailureOf(reason, ConnectionDone) and self.fileno() >= 0:
            self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # which takes the error
            self._sides.context.reactor.addReader(self)
            return
        self._sides.close(self)


class SidePorts:
    """
    Keeps the side sockets of one port.

    @ivar context: of the port.
    @ivar receiver: whom the port is for.
    @ivar intake: takes what is read.
    @ivar receive: receives a batch, without the addresses that its messages were sent to.
    @ivar host: where the port is bound.
    """

    def __init__(
        self,
        context: PortContext,
        receiver: DatagramReceiver,
        intake: Intake,
        receive: Receive,
        host: Any,
        addressOf: Callable[[bytes], Address],
    ) -> None:
        """
        @param addressOf: reads a source as the port tells it.
        """
        self._addressOf = addressOf
        self.context = context
        self.receiver = receiver
        self.intake = intake
        self.receive = receive
        self.host = host
        self._bySource: dict[bytes, SidePort] = {}
        self._closedDrops = 0
        self._notBefore = 0.0
        self._call: Any = None

    def give(self, first: socket.socket, source: bytes) -> None:
        """
        Give a source a socket of its own, if that can be done.

        @param first: the socket of the port.
        @param source: as the port tells it.
        """
        reactor = self.context.reactor
        now = reactor.seconds()
        if source in self._bySource or len(self._bySource) >= MAX_SIDE_PORTS or now < self._notBefore:
            return
        address = self._addressOf(source)
        if not address[1]:  # a forged port, which connects a socket to all ports of a host
            return
        try:
            others = [one.socket for one in self._bySource.values()]
            sideSocket = openBeside(self.context, first, others, address)
        except OSError as error:
            self._notBefore = now + OPEN_AGAIN_SECONDS
            self.context.sayOnce(
                LogLevel.debug,
                "a source that sends very much gets no socket of its own: {reason}",
                reason=error.strerror,
            )
            return
        self._bySource[source] = side = SidePort(self, sideSocket, source)
        reactor.addReader(side)
        if self._call is None:
            self._call = reactor.callLater(QUIET_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """
        Close the sockets of those that are not heavy any more.
        """
        self._call = None
        for side in list(self._bySource.values()):
            if not side.isStillHeavy():
                side.readRest()
                self.close(side)
                self.intake.readOn()  # behind the rest comes what has come to the port since
        if self._bySource:
            self._call = self.context.reactor.callLater(QUIET_LOOK_SECONDS, self._look)

    def kernelDrops(self) -> int:
        """
        @return: how many datagrams the kernel has dropped at side sockets, open ones and closed ones.
        """
        return self._closedDrops + sum(side.kernelDrops() for side in self._bySource.values())

    def close(self, side: SidePort) -> None:
        """
        Close one.
        """
        if self._bySource.pop(side.source, None) is None:
            return
        self._closedDrops += side.kernelDrops()
        self.context.reactor.removeReader(side)
        side.closeSocket()
        if not self._bySource and self._call is not None:
            self._call.cancel()
            self._call = None

    def stop(self) -> None:
        """
        The port is closed.
        """
        for side in list(self._bySource.values()):
            self.close(side)
