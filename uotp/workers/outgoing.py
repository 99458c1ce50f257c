"""
What waits until the kernel takes it.

Twisted sends descriptors and bytes in queues of their own, some time after it was asked to, and
tells when all has been sent.  So it gets one portion at a time: as many messages as fit, and
only the first of them may have descriptors.  When the portion has been sent, its descriptors
have been too, and are closed here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from twisted.internet.interfaces import IPullProducer
from zope.interface import implementer

from uotp.workers.descriptors import closeAll

PORTION_BYTES = 1 << 16
"""A portion ends with the message that reaches this, about what the kernel takes at once."""


@implementer(IPullProducer)
class Outgoing:
    """
    Hands messages to a transport, and owns their descriptors.

    @ivar waitingBytes: what waits behind the portion that is being sent...
    @ivar waitingDescriptors: ...and so many descriptors with it.
    """

    def __init__(self, transport: Any) -> None:
        """
        @param transport: C{IUNIXTransport}, which has no producer.
        """
        self._transport = transport
        self._waiting: deque[tuple[bytes, Sequence[int]]] = deque()
        self.waitingBytes = self.waitingDescriptors = 0
        self._handed: Sequence[int] = ()  # descriptors of the portion that is being sent
        self._isSending = self._isClosing = self._isOver = False
        transport.registerProducer(self, False)

    def put(self, message: bytes, descriptors: Sequence[int]) -> None:
        """
        Send a message, now or after those that wait.

        @param message: as it is on the wire.
        @param descriptors: from now on they are not the caller's.
        """
        if self._isClosing or self._isOver:
            closeAll(descriptors)
            return
        self._waiting.append((message, descriptors))
        self.waitingBytes += len(message)
        self.waitingDescriptors += len(descriptors)
        if not self._isSending:
            self._sendPortion()

    def resumeProducing(self) -> None:
        """
        All has been sent that was handed to the transport.
        """
        closeAll(self._handed)
        self._handed = ()
        self._isSending = False
        self._sendPortion()

    def _sendPortion(self) -> None:
        if not self._waiting:
            if self._isClosing and not self._isOver:
                self._isOver = True
                self._transport.unregisterProducer()
                self._transport.loseConnection()
            return
        self._isSending = True
        portion: list[bytes] = []
        size = 0
        self._handed = self._waiting[0][1]
        while self._waiting and size < PORTION_BYTES and not (portion and self._waiting[0][1]):
            message, _ = self._waiting.popleft()
            portion.append(message)
            size += len(message)
        self.waitingBytes -= size
        self.waitingDescriptors -= len(self._handed)
        for descriptor in self._handed:
            self._transport.sendFileDescriptor(descriptor)
        self._transport.write(b"".join(portion))

    def close(self) -> None:
        """
        Close the connection as soon as all has been sent.
        """
        if not self._isClosing:
            self._isClosing = True
            if not self._isSending:
                self._sendPortion()

    def stopProducing(self) -> None:
        """
        The connection is over: nothing more is sent.
        """
        self._isOver = True
        closeAll(self._handed)
        self._handed = ()
        while self._waiting:
            closeAll(self._waiting.popleft()[1])
        self.waitingBytes = self.waitingDescriptors = 0
