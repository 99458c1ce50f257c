"""
Connections that one worker hands to another: what is said of them, and how they go on there.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from functools import partial
from typing import Any

from uotp.boundaries import Security
from uotp.net import TunnelSocketOptions, ownerOf
from uotp.server.joining import Handed, JoinQuestion
from uotp.server.strangers import Stranger
from uotp.server.workers.messages import HandOver, TakeOver
from uotp.transport import AcceptedTcpStream, HandshakeQueue, adopt
from uotp.tunnel import AcceptedTunnel
from uotp.workers import closeAll


def handOver(
    tunnel: AcceptedTunnel, newcomer: Stranger, question: JoinQuestion, worker: int, *, isRelayed: bool
) -> HandOver:
    """
    @param isRelayed: whether this worker keeps it, and carries its bytes.
    @return: the message that hands a connection over.
    """
    security = tunnel.security or Security()
    return HandOver(
        connection=question.connection,
        worker=worker,
        host=newcomer.host,
        port=tunnel.transport.getPeer().port,
        hops=newcomer.hops + 1,
        shown=tunnel.shown,
        isRelayed=isRelayed,
        tls=tunnel.transport.facts().tls,
        protocol=security.protocol,
        peerKey=security.peerKey,
        peerName=security.peerName,
        chain=tuple((issuer, key, f"{serial:x}") for issuer, key, serial in security.peerChain),
    )


class HandedConnection:
    """
    Is a connection that another worker has handed over.

    @ivar host: see L{Stranger}, as for the rest.
    """

    def __init__(
        self,
        facts: TakeOver,
        sockets: Sequence[socket.socket],
        handshakes: HandshakeQueue,
        tuning: TunnelSocketOptions,
        reactor: Any,
    ) -> None:
        """
        @param facts: what is known of it.
        @param sockets: the connection itself; or the pipe to whoever has it, and another descriptor
            of it.
        """
        self.host = facts.host
        self.owner = ownerOf(facts.host)
        self.since: float = reactor.seconds()
        self.hops = facts.hops
        self.isAskedFor = False
        self.awaitsHeader = False
        self.isRelayed = facts.isRelayed
        self._facts: TakeOver | None = facts  # until it has become a stream: what has come so far may be much
        self._sockets = list(sockets)
        self._adopt = partial(adopt, handshakes=handshakes, tuning=tuning, reactor=reactor)
        self._stream: AcceptedTcpStream | None = None

    def become(self, tunnel: AcceptedTunnel) -> None:
        """
        See L{Handed}.
        """
        facts, self._facts = self._facts, None
        assert facts is not None
        security = securityOf(facts)
        given, *others = self._sockets
        self._sockets.clear()
        address = (facts.host, facts.port, 0, 0) if ":" in facts.host else (facts.host, facts.port)
        self._stream = self._adopt(
            given=given,
            path=others[0] if others else None,
            security=security,
            client=address,
            protocol=tunnel,
            begun=facts.shown,
            tls=facts.tls,
        )

    def abort(self) -> None:
        """
        See L{Stranger}.
        """
        if self._stream is not None:
            self._stream.abort()
        for each in self._sockets:
            each.close()
        self._sockets.clear()


def socketsOf(descriptors: Sequence[int]) -> list[socket.socket]:
    """
    @param descriptors: ours.
    @return: the sockets, which do not block, and own these.
    @raise OSError: when one is none; all are closed then.
    """
    made: list[socket.socket] = []
    try:
        for descriptor in descriptors:
            made.append(socket.socket(fileno=descriptor))
            made[-1].setblocking(False)
    except OSError:
        for each in made:
            each.detach()
        closeAll(descriptors)
        raise
    return made


def securityOf(facts: TakeOver) -> Security | None:
    """
    @return: what TLS has found out of a connection; L{None} without TLS.
    """
    if facts.tls is None:
        return None
    chain = tuple((issuer, key, int(serial, 16)) for issuer, key, serial in facts.chain)
    return Security(facts.protocol, facts.peerKey, None, facts.peerName, chain)


# It fits its seam.
_handed: type[Handed] = HandedConnection
