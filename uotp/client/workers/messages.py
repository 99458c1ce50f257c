"""
What the parent of a client's workers and its workers say to each other, besides what leads workers
of any kind (L{uotp.workers}).  The names tell who speaks: a worker tells, its parent orders.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TellServerFound:
    """
    Tells that a worker knows where to dial.
    """


@dataclass(frozen=True, slots=True)
class TellPortLost:
    """
    Tells that a socket cannot be read any more.

    @ivar group: the number of all sockets at that address and port.
    @ivar reason: in words.
    """

    group: int
    reason: str


@dataclass(frozen=True, slots=True)
class TellGoodHosts:
    """
    Tells which addresses of the server are good, for the worker that writes them down.

    @ivar server: its rank among all servers.
    @ivar hosts: the last one that was good first.
    """

    server: int
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LearnGoodHosts:
    """
    Orders a worker to write them down.

    @ivar server: its rank among all servers.
    @ivar hosts: the last one that was good first.
    """

    server: int
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FollowPath:
    """
    Orders a worker to find out what has become of the path to the server, which may have changed.
    """


CLIENT_MESSAGES = (
    TellServerFound,
    TellPortLost,
    TellGoodHosts,
    LearnGoodHosts,
    FollowPath,
)
"""All of them."""
