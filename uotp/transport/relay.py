"""
What stands between a client and the process that has its session, in the process that has the TLS
connection, or one that carries WebSocket.  The plain bytes go through a pair of UNIX sockets, the pipe.

A lone datagram leaves in the turn in which it came: what is read is written straight through.  Only
what the other side does not take is held, and then nothing more is read before that is gone.  So
there is at most one read either way:

 - from the client: up to READ_BYTES and a record, which the pipe does not take; nothing more is read
   of the stream meanwhile.
 - from the owner: up to a record, which the stream holds; nothing more is read of the pipe
   meanwhile.  The stream counts as full as soon as its kernel has as much unsent as it is to have,
   since what is held here nobody else can see, and it comes late.

The life of a relay is a table, L{uotp.transport.relaystates.RELAY_STATES}.  Whichever side ends
first, what has come from it is handed on to the other, within RELAY_CLOSE_SECONDS.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from uotp.boundaries import Allowance
from uotp.net import boundSendBuffer
from uotp.process import StateMachine
from uotp.transport.phases import CARRYING
from uotp.transport.pipe import PIPE_SEND_BYTES, PipeEnd, isHungUp
from uotp.transport.relaystates import LISTENING, RELAY_STATES, RelayEvent, RelayState
from uotp.transport.tcp import READ_BYTES, TcpStream
from uotp.transport.tls import RECORD_BYTES

RELAY_CLOSE_SECONDS = 1.0
"""So long the one side may take what has come from the other, once that has ended."""

HANGUP_SECONDS = 0.25
"""
So often a relay whose client takes nothing looks whether the owner has closed the pipe: it does not
read it, and so would not notice.
"""

UNIT_BYTES = 1400
"""A full datagram, and about so much is handed on for one unit of an allowance."""


@dataclass(frozen=True, slots=True)
class RelayStatistics:
    """
    Says what a relay has carried, and what it holds at one moment, in bytes.

    @ivar fromClient: read of the client.
    @ivar fromOwner: read of the owner.
    @ivar heldForOwner: what the pipe has not taken.
    @ivar heldForClient: what the stream has not sent.
    """

    fromClient: int
    fromOwner: int
    heldForOwner: int
    heldForClient: int


@implementer(IPushProducer)
class Relay(StateMachine[RelayState, RelayEvent]):
    """
    Takes an open stream over from its tunnel, and carries its bytes through a pipe to the
    process that has the session.
    """

    def __init__(
        self,
        stream: TcpStream,
        pipe: socket.socket,
        allowance: Allowance,
        reactor: Any,
        whenGone: Callable[[], object],
    ) -> None:
        """
        @param stream: an open stream.  Its protocol is told nothing any more.
        @param pipe: our end of a L{newPipe}; it is the relay's to close.
        @param allowance: what is read costs units of it, both ways.
        @param reactor: C{IReactorFDSet} and C{IReactorTime}.
        @param whenGone: called once when stream and pipe are closed.
        """
        assert stream.phase in CARRYING
        super().__init__(reactor, RELAY_STATES, RelayState.CARRYING)
        self._stream = stream
        self._pipe = pipe
        self._allowance = allowance
        self._reactor = reactor
        self._whenGone = whenGone
        self._held = b""  # for the owner
        self._room = allowance.streamRoom()  # in the memory of whom the connection is for
        self._isOwnerDeaf = self._isToClose = False
        self._endsBy: float | None = None
        self._fromClient = self._fromOwner = 0
        boundSendBuffer(pipe, PIPE_SEND_BYTES)
        self._end = PipeEnd(pipe, self._readPipe, self._writePipe, self._deafen)
        stream.unregisterProducer()
        stream.handTo(self)
        stream.allowance = allowance
        stream.admit()
        stream.registerProducer(self, True)
        stream.boundUnsent(isBounded=True)
        stream.producerPaused = self._isFull = stream.producerPaused or stream.queuedBytes() > 0
        if self._isFull:
            self.pauseProducing()
        else:
            reactor.addReader(self._end)

    # From the client to the owner.

    def dataReceived(self, data: bytes) -> None:
        """
        Hand on what has come from the client.
        """
        size = len(data)
        self._fromClient += size
        self._allowance.spend(-(-size // UNIT_BYTES))
        if self._isOwnerDeaf:
            return
        if not self._held:
            try:
                sent = self._pipe.send(data)
            except OSError:  # the next attempt will meet the error again
                sent = 0
            if sent == size:
                return
            data = data[sent:]
            self._reactor.addWriter(self._end)
        self._held += data
        self._room.hold(len(self._held), self.abort)
        self._stream.pauseProducing()

    def _writePipe(self) -> None:
        """
        The pipe takes more, or is closed.
        """
        try:
            sent = self._pipe.send(self._held)
        except BlockingIOError:
            return
        except OSError:
            self._deafen()
            return
        self._held = self._held[sent:]
        if not self._held:
            self._allHandedOn()

    def _allHandedOn(self) -> None:
        """
        Nothing is held for the owner any more: read on.
        """
        self._reactor.removeWriter(self._end)
        self._room.release()
        if self.state is RelayState.EMPTYING:
            self._finish()
        else:
            self._stream.resumeProducing()
            self._stream.startReading()  # also while it closes

    def _deafen(self) -> None:
        """
        The owner takes nothing any more, as a write shows, or the reactor; or the reactor stops.  What the owner
        has written before may still wait in the pipe; and what comes from the client is read and thrown away,
        so that its end is seen.
        """
        if self._isOwnerDeaf or self.state is RelayState.GONE:
            return
        self._isOwnerDeaf = True
        self._held = b""
        self._leave()
        self._allHandedOn()

    # From the owner to the client.

    def _readPipe(self) -> None:
        """
        Something has come from the owner: hand it on, record by record, until the stream is full.
        """
        allowance, size = self._allowance, 0
        while not self._isFull and size < READ_BYTES:
            if allowance.isSpent or allowance.owner.isExhausted:
                self._reactor.removeReader(self._end)
                allowance.readLater(self._readOn)
                return
            try:
                data = self._pipe.recv(RECORD_BYTES)
            except BlockingIOError:
                if self._isToClose:
                    self._close()
                return
            except OSError:  # the owner has gone without reading all
                data = b""
            if not data:
                self._close()
                return
            size += len(data)
            self._fromOwner += len(data)
            allowance.spend(-(-len(data) // UNIT_BYTES))
            self._stream.write(data)
            if len(data) < RECORD_BYTES and not self._isToClose:
                return  # this was all
        if self._isToClose and not self._isFull:  # the reactor tells nothing of a pipe that is empty
            self._reactor.callLater(0, self._readOn)

    def _readOn(self) -> None:
        if self.state not in LISTENING or self._isFull or self._pipe.fileno() < 0:
            return
        self._reactor.addReader(self._end)
        if self._isToClose:  # the reactor tells nothing of a pipe that is empty
            self._readPipe()

    def pauseProducing(self) -> None:
        """
        The stream is full.
        """
        self._isFull = True
        self._reactor.removeReader(self._end)
        if self._timer is None:
            self._setTimer(HANGUP_SECONDS, self._look)

    def resumeProducing(self) -> None:
        """
        The stream takes more.
        """
        self._isFull = False
        self._readOn()

    def stopProducing(self) -> None:
        """
        The stream is gone; C{connectionLost} says so too.
        """

    def _look(self) -> None:
        """
        Find out whether the owner has closed the pipe that is not read.
        """
        self._timer = None
        if not self._isFull:
            return
        if isHungUp(self._pipe):
            self._leave()
        else:
            self._setTimer(HANGUP_SECONDS, self._look)

    # The end.

    def close(self) -> None:
        """
        Send what has come from either side to the other, then close both; abort what takes too long.
        """
        self._isToClose = True
        self._leave()
        self._readOn()

    def abort(self) -> None:
        """
        Close now, and drop what is held.
        """
        self._held = b""
        if self.state is RelayState.EMPTYING:
            self._finish()
        elif self.state is not RelayState.GONE:
            self._isOwnerDeaf = True
            self._closePipe()
            self._stream.abort()

    def connectionLost(self, reason: Failure) -> None:
        """
        The stream is gone.
        """
        self._advance(RelayEvent.STREAM_LOST)
        self._hurry()
        self._reactor.removeReader(self._end)
        if not self._held:
            self._finish()

    def _leave(self) -> None:
        if self._advance(RelayEvent.LEFT):
            self._hurry()

    def _close(self) -> None:
        """
        All that the owner has written was read.
        """
        if self._advance(RelayEvent.READ_OUT):
            self._hurry()
            self._reactor.removeReader(self._end)
            self._stream.close()

    def _hurry(self) -> None:
        """
        Abort when all this takes too long, however many steps there are.
        """
        now = self._reactor.seconds()
        if self._endsBy is None:
            self._endsBy = now + RELAY_CLOSE_SECONDS
        self._setTimer(max(self._endsBy - now, 0), self.abort)

    def _finish(self) -> None:
        self._advance(RelayEvent.EMPTIED)
        self._room.release()
        self._closePipe()
        del self._end  # which knows its relay
        self._whenGone()

    def _closePipe(self) -> None:
        self._reactor.removeReader(self._end)
        self._reactor.removeWriter(self._end)
        self._pipe.close()

    def statistics(self) -> RelayStatistics:
        """
        @return: what it has carried, and holds now.
        """
        return RelayStatistics(self._fromClient, self._fromOwner, len(self._held), self._stream.queuedBytes())
