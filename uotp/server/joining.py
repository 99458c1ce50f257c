"""
How a connection that has said its hello comes to its session where several workers share one
server: a worker asks, and is told to let it in, to send it away, or to hand it over to the worker
that has the session.  There is no logic here.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from uotp.errors import Refusal
from uotp.server.registry import SessionWatcher
from uotp.server.strangers import Stranger

if TYPE_CHECKING:
    from uotp.tunnel import AcceptedTunnel


class Decision(Enum):
    """
    Names what becomes of a connection.
    """

    HERE = "here"
    ELSEWHERE = "elsewhere"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class JoinQuestion:
    """
    Says what a worker knows of a connection that has said its hello.

    @ivar connection: the worker's own number for it.
    @ivar sessionId: the session that it wants to carry for.
    @ivar key: what identifies the client's certificate; L{None} without one.
    @ivar owner: in whose share it counts: that key, or the address that it comes from.
    @ivar isRelayed: whether another worker has it, and counts it, and only relays what it carries.
    @ivar isMovable: whether it costs nothing to hand it over, so that a new session may begin where
        there are fewest.
    @ivar hops: how often it was handed over.
    """

    connection: int
    sessionId: bytes = field(repr=False)
    key: bytes | None
    owner: bytes | str
    isRelayed: bool
    isMovable: bool
    hops: int


@dataclass(frozen=True, slots=True)
class JoinAnswer:
    """
    Says what becomes of a connection.

    @ivar worker: who has its session, where that is somebody else.
    @ivar reason: why it is refused.
    @ivar kind: what kind of reason that is.
    """

    decision: Decision
    worker: int = 0
    reason: str = ""
    kind: Refusal = Refusal.NO_ROOM


class Handed(Stranger, Protocol):
    """
    Is a connection that another worker has handed over.
    """

    def become(self, tunnel: AcceptedTunnel) -> None:
        """
        Let a tunnel go on with it, and give it what has come so far.
        """


class Announced(Stranger, Protocol):
    """
    Is a connection of which a balancer has just said for whom it comes.
    """

    @property
    def port(self) -> int:
        """
        The port that it comes from, at its host.
        """

    def surrender(self) -> socket.socket:
        """
        Give it up without ending it.

        @return: the socket.
        """


class Coordinator(Protocol):
    """
    Is asked by a worker who may join, and told what became of it.
    """

    def passOn(self, newcomer: Announced) -> bool:
        """
        It is known for whom a connection comes, and nothing else was read of it.

        @return: whether another worker gets it.
        """

    def ask(self, question: JoinQuestion, answered: Callable[[JoinAnswer], None]) -> None:
        """
        A connection has said its hello.

        @param answered: called once; never when the parent is gone, which ends this worker.
        """

    def abandoned(self, sessionId: bytes) -> None:
        """
        A connection that was let in is gone before it was; if its session was to be new, there is none.
        """

    def gone(self, connection: int) -> None:
        """
        A connection that was let in is gone.
        """

    def handOver(self, tunnel: AcceptedTunnel, newcomer: Stranger, question: JoinQuestion, worker: int) -> None:
        """
        Hand a connection over.  Its tunnel is told nothing any more.

        @param worker: who gets it.
        """


class Coordination(Coordinator, SessionWatcher, Protocol):
    """
    Is what a worker knows of its parent: whom it asks, and whom it tells.
    """
