"""
Watches connections on which nothing has come yet.  There may be thousands, and whoever has
opened them can close them all at the same moment.  The reactor would call each of them in one
turn.  So, where the system has epoll, they are watched together: for the reactor they are one
descriptor, and in one turn a few of them are told that something has come.
"""

from __future__ import annotations

import select
from typing import Any, Protocol

from twisted.python.failure import Failure

from uotp.telemetry import Logger

MAX_TOLD = 64
"""So many are told in one turn, which takes one or two milliseconds."""


class Watched(Protocol):
    """
    Is a connection on which something may come.
    """

    def fileno(self) -> int:
        """
        @return: its descriptor.
        """

    def doRead(self) -> None:
        """
        Something has come, or it is at its end.
        """

    def connectionLost(self, reason: Failure) -> None:
        """
        The reactor stops.
        """


class Watch:
    """
    Watches connections together.
    """

    _log = Logger()

    def __init__(self, reactor: Any) -> None:
        """
        @param reactor: C{IReactorFDSet}.
        """
        self._reactor = reactor
        self._epoll = select.epoll()
        self._watched: dict[int, Watched] = {}
        reactor.addReader(self)

    def add(self, watched: Watched) -> None:
        """
        Watch one more.
        """
        self._epoll.register(watched.fileno(), select.EPOLLIN)
        self._watched[watched.fileno()] = watched

    def remove(self, watched: Watched) -> None:
        """
        Watch one no more.  Call this before its descriptor is closed; for one that is not
        watched nothing happens.
        """
        if self._watched.pop(watched.fileno(), None) is not None:
            self._epoll.unregister(watched.fileno())

    def close(self) -> None:
        """
        Watch none any more.
        """
        self._reactor.removeReader(self)
        self._watched.clear()
        self._epoll.close()

    # What the reactor calls.

    def fileno(self) -> int:
        """
        See C{IFileDescriptor}.
        """
        return -1 if self._epoll.closed else self._epoll.fileno()

    def logPrefix(self) -> str:
        """
        See C{ILoggingContext}.
        """
        return "Watch"

    def doRead(self) -> None:
        """
        Something has come on some of them.
        """
        for descriptor, _ in self._epoll.poll(0, MAX_TOLD):
            watched = self._watched.get(descriptor)
            if watched is not None:  # or what came on another has ended it
                try:
                    watched.doRead()
                except Exception:  # noqa: BLE001 - or the reactor would take us for lost, with all others
                    self._log.failure("a connection on which something has come failed")
                    self.remove(watched)

    def connectionLost(self, reason: Failure) -> None:
        """
        The reactor stops.
        """
        for watched in list(self._watched.values()):
            watched.connectionLost(reason)
        self.close()


class ReactorWatch:
    """
    Leaves it to the reactor to watch each, where the system has no epoll.
    """

    def __init__(self, reactor: Any) -> None:
        """
        @param reactor: C{IReactorFDSet}.
        """
        self.add = reactor.addReader
        self.remove = reactor.removeReader

    def close(self) -> None:
        """
        Do nothing: each is removed when it is gone.
        """


def newWatch(reactor: Any) -> Watch | ReactorWatch:
    """
    @return: the best that the system has.
    """
    return Watch(reactor) if hasattr(select, "epoll") else ReactorWatch(reactor)
