"""
What the parent of a server's workers and its workers say to each other, besides what leads workers
of any kind (L{uotp.workers}).  The names tell who speaks: a worker asks and tells, its parent
answers and orders.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from uotp.errors import Refusal
from uotp.net import MAX_PORT, Host
from uotp.server.joining import JoinQuestion
from uotp.wire import SESSION_ID_BYTES

MOST_OWNER_LENGTH = 128
"""So long what identifies an owner may be: the SHA-256 of a key, or an address with its zone."""


MOST_CERTIFICATES = 12
"""So many certificates a chain may have: L{uotp.tls.contexts.MAX_ISSUERS}, and one at either end."""

MOST_NUMBER_DIGITS = 1 << 17
"""
So many hexadecimal digits a serial number may have.  RFC 5280 allows 40.  Longer ones are refused nowhere else, and
no more than this fit into a handshake (L{uotp.tls.records.MAX_HANDSHAKE_BYTES}).
"""


def requireIdentity(sessionId: bytes, key: bytes | None, owner: bytes | str) -> None:
    """
    The parent keeps these for as long as a session lives, so they have a bound.

    @raise ValueError: when they cannot belong to a session.
    """
    isHeld = isinstance(owner, str) if key is None else owner == key
    if len(sessionId) != SESSION_ID_BYTES or not isHeld or len(owner) > MOST_OWNER_LENGTH:
        reason = "no session has such an owner, or such an id"
        raise ValueError(reason)


@dataclass(frozen=True, slots=True)
class AskToJoin(JoinQuestion):
    """
    Asks where a connection belongs.

    @ivar question: the worker's number for this question.
    """

    question: int

    def __post_init__(self) -> None:
        """
        Refuse what no worker asks.

        @raise ValueError: see L{requireIdentity}.
        """
        requireIdentity(self.sessionId, self.key, self.owner)


@dataclass(frozen=True, slots=True)
class AnswerToJoin:
    """
    Answers that; see L{uotp.server.joining.JoinAnswer}.

    @ivar decision: the value of a L{uotp.server.joining.Decision}.
    @ivar kind: the name of a L{uotp.errors.Refusal}.
    """

    question: int
    decision: str
    worker: int
    reason: str
    kind: str = Refusal.NO_ROOM.name


@dataclass(frozen=True, slots=True)
class TellGone:
    """
    Tells that a connection is gone that was let in.
    """

    connection: int


@dataclass(frozen=True, slots=True)
class TellSessionOpened:
    """
    Tells that a session has begun.
    """

    sessionId: bytes = field(repr=False)
    key: bytes | None
    owner: bytes | str

    def __post_init__(self) -> None:
        """
        Refuse what no worker tells.

        @raise ValueError: see L{requireIdentity}.
        """
        requireIdentity(self.sessionId, self.key, self.owner)


@dataclass(frozen=True, slots=True)
class TellSessionEnded:
    """
    Tells that a session is over, or has not begun.
    """

    sessionId: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class TellSessionLingers:
    """
    Tells that a session has no tunnel any more.
    """

    sessionId: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class TellSessionsActive:
    """
    Tells which sessions have carried something, or have tunnels again.

    @ivar sessions: the id of each, and when that was, in monotonic seconds.
    """

    sessions: tuple[tuple[bytes, float], ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class OrderSessionEnd:
    """
    Orders that a session makes room; see L{uotp.server.sessionshares.Surplus}.

    @ivar shortage: the name of a L{uotp.server.sessionshares.Shortage}.
    """

    sessionId: bytes = field(repr=False)
    shortage: str
    sessions: int
    most: int


@dataclass(frozen=True, slots=True)
class OrderDoubleEnd:
    """
    Orders that a session ends that another worker has too: its tunnels come to that one when they are
    dialled again.
    """

    sessionId: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class OrderConnectionEnd:
    """
    Orders that a connection makes room.
    """

    connection: int
    reason: str


@dataclass(frozen=True, slots=True)
class ConnectionFacts:
    """
    Says of a connection what the worker has to know that is to have it.

    @ivar host: the address that it comes from, with its zone.
    @ivar port: the port there.
    @ivar hops: how often it was handed over, this time too.
    @ivar shown: what has come on it so far.
    @ivar isRelayed: whether the sender keeps the connection, since there is more of it than its socket, and carries
        its bytes through a pipe.
    @ivar tls: the version of TLS and the cipher; L{None} without TLS, as for the rest.
    @ivar protocol: what both ends have agreed on by ALPN.
    @ivar peerKey: what identifies the client's certificate.
    @ivar peerName: what the log calls it.
    @ivar chain: that and those above it, by which they may be revoked, see L{uotp.boundaries.Chain}; each serial
        number is hexadecimal.
    """

    host: str
    port: int
    hops: int
    shown: bytes = field(repr=False)
    isRelayed: bool
    tls: str | None
    protocol: bytes | None
    peerKey: bytes | None
    peerName: str | None
    chain: tuple[tuple[bytes, bytes, str], ...]

    def __post_init__(self) -> None:
        """
        Refuse what no worker hands over.

        @raise ValueError: for a host, a chain or a name in it that is too long, a serial number that is none, or
            TLS that is not relayed.
        """
        if self.tls is not None and not self.isRelayed:
            reason = "what OpenSSL knows of a connection cannot be handed over"
            raise ValueError(reason)
        if len(self.host) > MOST_OWNER_LENGTH:
            reason = "no address is so long"
            raise ValueError(reason)
        if len(self.chain) > MOST_CERTIFICATES:
            reason = "no chain is so long"
            raise ValueError(reason)
        for issuer, key, serial in self.chain:
            if max(len(issuer), len(key)) > MOST_OWNER_LENGTH or len(serial) > MOST_NUMBER_DIGITS:
                reason = "no certificate has such an issuer, key or number"
                raise ValueError(reason)
            int(serial, 16)


@dataclass(frozen=True, slots=True)
class HandOver(ConnectionFacts):
    """
    Hands a connection to another worker.  The descriptor of its socket comes with it; where it is relayed, that of a
    pipe to the worker that keeps it, and another one of its socket.

    @ivar connection: the sender's number for it.
    @ivar worker: who is to get it.
    """

    connection: int
    worker: int


@dataclass(frozen=True, slots=True)
class TakeOver(ConnectionFacts):
    """
    Hands that on to its worker, with the descriptors.
    """


@dataclass(frozen=True, slots=True)
class PassOn:
    """
    Hands a connection on of which a balancer has said for whom it comes, and nothing more was read.  The descriptor of
    its socket comes with it.

    @ivar worker: who is to get it.
    @ivar host: the address of the client, with its zone.
    @ivar port: the port there.
    """

    worker: int
    host: str
    port: int

    def __post_init__(self) -> None:
        """
        Refuse what no worker hands on, and no parent.

        @raise ValueError: for what is no address, or no port.
        """
        if Host.parse(self.host).address is None or not 0 <= self.port <= MAX_PORT:
            reason = "no client comes from there"
            raise ValueError(reason)


def valuesOf(message: Any, kind: Any) -> dict[str, Any]:
    """
    @param kind: the dataclass whose fields are wanted; the message has them, too.
    @return: their values in the message, by name.
    """
    return {each.name: getattr(message, each.name) for each in fields(kind)}


MESSAGES = (
    AskToJoin,
    AnswerToJoin,
    TellGone,
    TellSessionOpened,
    TellSessionEnded,
    TellSessionLingers,
    TellSessionsActive,
    OrderSessionEnd,
    OrderDoubleEnd,
    OrderConnectionEnd,
    HandOver,
    TakeOver,
    PassOn,
)
"""All of them."""
