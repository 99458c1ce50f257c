"""
Connections that come in, and a port that they come to, without a socket.
"""

from __future__ import annotations

from typing import Any

from tests.doubles.reactors import ListeningPort, MemoryReactor
from tests.doubles.streams import MemoryStream
from uotp.net.hosts import ownerOf
from uotp.transport.handshakes import HandshakeQueue


class MemoryNewcomer:
    """
    Stands for a connection that was accepted.  Its stream is in memory.

    @ivar makeStream: what it was told to make its stream by.
    @ivar protocol: whom the stream calls, once it is a stream.
    @ivar stream: what it has become.
    @ivar aborted: whether it was aborted before that.
    @ivar hops: how often it was handed over.
    @ivar isRelayed: whether another worker has it.
    @ivar awaitsHeader: whether it has to say for whom it comes.
    @ivar hasWaited: whether it was called in, since nothing came on it.
    """

    hops = 0
    isAskedFor = False
    isRelayed = False
    port = 4711

    def __init__(
        self, host: str = "192.0.2.1", since: float = 0.0, *, secured: bool = False, awaitsHeader: bool = False
    ) -> None:
        """
        @param since: when it was accepted.
        @param secured: whether its stream is to pass for TLS.
        """
        self.host = host
        self.owner = ownerOf(host)
        self.since = since
        self.awaitsHeader = awaitsHeader
        self.makeStream: Any = None
        self.protocol: Any = None
        self.stream: MemoryStream | None = None
        self.aborted = self.hasWaited = False
        self._secured = secured

    def become(self, makeStream: Any, protocol: Any) -> None:
        """
        Become a stream.
        """
        self.makeStream, self.protocol = makeStream, protocol
        self.stream = MemoryStream(protocol, isServer=True, secured=self._secured)
        protocol.makeConnection(self.stream)

    def comeIn(self) -> None:
        """
        Note it; its turn is the test's.
        """
        self.hasWaited = True

    def abort(self) -> None:
        """
        Close it now.
        """
        if self.stream is None:
            self.aborted = True
        else:
            self.stream.abort()


class HandedNewcomer(MemoryNewcomer):
    """
    Stands for a connection that another worker has handed over.
    """

    def __init__(
        self,
        shown: bytes,
        *,
        hops: int = 1,
        isRelayed: bool = False,
        host: str = "192.0.2.1",
        secured: bool = False,
    ) -> None:
        """
        @param shown: what has come on it so far.
        @param secured: see L{MemoryNewcomer}.
        """
        super().__init__(host, secured=secured)
        self.hops = hops
        self.isRelayed = isRelayed
        self._shown = shown

    def become(self, tunnel: Any) -> None:  # type: ignore[override]
        """
        Let a tunnel go on with it.
        """
        super().become(None, tunnel)
        tunnel.dataReceived(self._shown)


class BareNewcomer(MemoryNewcomer):
    """
    Leaves it to the test to make a stream.
    """

    def become(self, makeStream: Any, protocol: Any) -> None:
        self.makeStream, self.protocol = makeStream, protocol


def listenInMemory(
    address: tuple[str, int],
    reception: Any,
    handshakes: HandshakeQueue,
    backlog: int,
    reactor: MemoryReactor,
    segmentSize: int | None = None,
) -> ListeningPort:
    """
    In place of L{uotp.transport.listener.listen}.
    """
    port = reactor.listenTCP(address[1], reception, backlog, address[0])
    port.handshakes = handshakes
    port.segmentSize = segmentSize
    return port
