"""
A channel between two processes of ours: messages in both directions, in order, with
descriptors, over a UNIX stream socket.

Either end may be the worse one.  What comes has a bound, and so have what waits to be sent and
the work of one turn.  Whoever does what it may not do loses its channel.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IFileDescriptorReceiver
from twisted.internet.protocol import Factory, connectionDone
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.logger import LogLevel
from twisted.python.failure import Failure
from zope.interface import implementer

from uotp.errors import PeerError
from uotp.telemetry import Logger, RateLimit, logCounted
from uotp.workers.descriptors import DescriptorQueue, DescriptorsLost, closeAll, identityOf
from uotp.workers.limits import ChannelLimits
from uotp.workers.messages import Framed, MessageReader, MessageTable
from uotp.workers.outgoing import Outgoing
from uotp.workers.seams import ChannelOwner, MessageChannel

TURN_MESSAGES = 256
"""So many messages are handled in one turn of the reactor; each takes some 30 microseconds."""

DROPPABLE_BYTES = 1 << 18
"""Who may leave something out, such as a line of a log, leaves it out when more waits to be sent..."""

DROPPABLE_DESCRIPTORS = 128
"""...or when more descriptors wait."""

MOST_WAITING_DESCRIPTORS = 512
"""When so many descriptors wait to be sent, the other end does not read: the channel ends."""


@implementer(IFileDescriptorReceiver)
class Channel(TwistedProtocol):
    """
    Is one end of a channel, on a UNIX socket of Twisted's.
    """

    _log = Logger()

    def __init__(self, name: str, owner: ChannelOwner, table: MessageTable, clock: Any, limits: ChannelLimits) -> None:
        """
        @param name: who is at the other end, for the log.
        @param owner: is told what comes.
        @param table: the messages that may be sent and received.
        @param clock: C{IReactorTime}.
        @param limits: how much may be.
        """
        self._name = name
        self._owner = owner
        self._table = table
        self._clock = clock
        self._limits = limits
        self._reader = MessageReader(table, limits.receives)
        self._descriptors = DescriptorQueue()
        self._rateLimit = RateLimit(clock.seconds)
        self._nextTurn: IDelayedCall | None = None
        self._fault = ""
        self._isOver = False

    def connectionMade(self) -> None:
        """
        The transport is there.
        """
        self._outgoing = Outgoing(self.transport)

    # What is sent.

    @property
    def hasRoom(self) -> bool:
        """
        See L{MessageChannel.hasRoom}.
        """
        waiting = self._outgoing
        return waiting.waitingBytes <= DROPPABLE_BYTES and waiting.waitingDescriptors <= DROPPABLE_DESCRIPTORS

    def send(self, message: object, descriptors: Sequence[int] = ()) -> None:
        """
        See L{MessageChannel.send}.
        """
        data = self._table.encode(message, list(map(identityOf, descriptors)), self._limits.sends)
        if self._isOver:
            return
        self._outgoing.put(data, copied(descriptors))
        if (
            self._outgoing.waitingBytes > self._limits.waiting
            or self._outgoing.waitingDescriptors > MOST_WAITING_DESCRIPTORS
        ):
            self._refuse("it does not read what it is sent")

    def close(self) -> None:
        """
        See L{MessageChannel.close}.
        """
        if not self._isOver:
            self._outgoing.close()

    def abort(self) -> None:
        """
        See L{MessageChannel.abort}.
        """
        if not self._isOver:
            self._isOver = True
            self._outgoing.stopProducing()
            self._descriptors.close()
            self._unix.abortConnection()

    @property
    def _unix(self) -> Any:
        return self.transport

    # What comes.

    def fileDescriptorReceived(self, descriptor: int) -> None:
        """
        See L{IFileDescriptorReceiver}.  The bytes that it was sent with follow.
        """
        if self._isOver:
            os.close(descriptor)
            return
        try:
            self._descriptors.put(descriptor)
        except PeerError as error:
            self._refuse(str(error))

    def dataReceived(self, data: bytes) -> None:
        """
        Bytes have come.
        """
        self._reader.feed(data)
        self._handleSome()

    def _handleSome(self) -> None:
        """
        Handle messages, as many as one turn has room for.
        """
        for _ in range(TURN_MESSAGES):
            if self._isOver:
                return
            try:
                framed = self._reader.read()
                if framed is None:
                    return
                self._handle(framed)
            except PeerError as error:
                self._refuse(str(error))
        if not self._isOver:
            self._unix.pauseProducing()
            self._nextTurn = self._clock.callLater(0, self._goOn)

    def _goOn(self) -> None:
        self._nextTurn = None
        self._handleSome()
        if self._nextTurn is None and not self._isOver:
            self._unix.resumeProducing()

    def _handle(self, framed: Framed) -> None:
        descriptors = self._descriptors.claim(framed.identities)
        try:
            self._owner.messageReceived(framed.message, descriptors)
        except PeerError:
            raise
        except DescriptorsLost as lost:
            suppressed = self._rateLimit.suppressedBefore("lost")
            words = "a message of {name} is left out: {reason}; this process has as many as it may have"
            logCounted(self._log, LogLevel.error, suppressed, words, name=self._name, reason=str(lost))
        except Exception:  # noqa: BLE001 - a bad message costs a message
            self._log.failure("a message of {name} was not handled", name=self._name)
        finally:
            descriptors.close()

    def _refuse(self, reason: str) -> None:
        """
        The other end did what it may not do.
        """
        if not self._isOver:
            self._fault = reason
            self._log.error("the channel to {name} is closed: {reason}", name=self._name, reason=reason)
            self.abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        It is over.
        """
        self._isOver = True
        self._outgoing.stopProducing()
        self._descriptors.close()
        if self._nextTurn is not None:
            self._nextTurn.cancel()
            self._nextTurn = None
        self._owner.channelLost(self._fault or reason.getErrorMessage())


def copied(descriptors: Sequence[int]) -> tuple[int, ...]:
    """
    @return: copies, which are closed on exec.
    @raise OSError: when there is one that cannot be copied.
    """
    made: list[int] = []
    try:
        for descriptor in descriptors:
            made.append(os.dup(descriptor))  # noqa: PERF401 - those that were made are closed when one fails
    except OSError:
        closeAll(made)
        raise
    return tuple(made)


class _Once(Factory):
    noisy = False

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def buildProtocol(self, addr: object) -> Channel:
        return self._channel


def adoptChannel(reactor: Any, descriptor: int, channel: Channel) -> None:
    """
    Have a channel speak on a socket.

    @param reactor: C{IReactorSocket}.
    @param descriptor: of a connected UNIX stream socket.  It is closed here, in any case: the
        channel has a copy.
    @raise OSError: when it cannot be used.
    """
    try:
        os.set_inheritable(descriptor, False)
        os.set_blocking(descriptor, False)
        reactor.adoptStreamConnection(descriptor, socket.AF_UNIX, _Once(channel))
    finally:
        os.close(descriptor)


# A channel fits its seam.
_channel: type[MessageChannel] = Channel
