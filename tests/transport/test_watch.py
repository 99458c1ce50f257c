"""
Connections that are watched together.
"""

from __future__ import annotations

import errno
import os
import select
from typing import Any

from twisted.internet import main
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.reactors import MemoryReactor
from uotp.transport import watch
from uotp.transport.watch import MAX_TOLD, ReactorWatch, Watch, newWatch


class FakeEpoll:
    """
    Tells of what the test says is ready, the lowest descriptors first.

    @ivar registered: what it watches.
    @ivar ready: on what something has come.
    """

    def __init__(self) -> None:
        self.registered: set[int] = set()
        self.ready: set[int] = set()
        self.closed = False

    def register(self, descriptor: int, events: int) -> None:
        assert events == select.EPOLLIN
        if descriptor in self.registered:
            raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))
        self.registered.add(descriptor)

    def unregister(self, descriptor: int) -> None:
        self.registered.remove(descriptor)

    def poll(self, timeout: float, maxevents: int) -> list[tuple[int, int]]:
        assert not timeout
        return [(each, select.EPOLLIN) for each in sorted(self.registered & self.ready)[:maxevents]]

    def fileno(self) -> int:
        return 97

    def close(self) -> None:
        self.closed = True


class RecordingConnection:
    """
    Writes down what it is told.
    """

    def __init__(self, descriptor: int, journal: list[Any]) -> None:
        self._descriptor = descriptor
        self._journal = journal

    def fileno(self) -> int:
        return self._descriptor

    def doRead(self) -> None:
        self._journal.append(self._descriptor)

    def connectionLost(self, reason: Failure) -> None:
        self._journal.append(("lost", self._descriptor))


class WatchTests(SynchronousTestCase):
    """
    Watch many.
    """

    def setUp(self) -> None:
        """
        No real descriptor is watched.
        """
        self.epoll = FakeEpoll()
        self.patch(watch, "select", type("Select", (), {"epoll": lambda: self.epoll, "EPOLLIN": select.EPOLLIN}))
        self.reactor = MemoryReactor()
        self.watch = Watch(self.reactor)
        self.journal: list[Any] = []
        self.connections = [RecordingConnection(number, self.journal) for number in range(3 * MAX_TOLD)]

    def test_toTheReactorTheyAreOne(self) -> None:
        for connection in self.connections:
            self.watch.add(connection)
        self.assertEqual(self.reactor.readers, {self.watch})
        self.assertEqual((self.watch.fileno(), self.watch.logPrefix()), (97, "Watch"))

    def test_oneTurnTellsSoManyAtTheMost(self) -> None:
        """
        Though something has come on all of them at once; the others are told in the turns that follow.
        """
        for connection in self.connections:
            self.watch.add(connection)
        self.epoll.ready = set(range(3 * MAX_TOLD))
        for turn in range(3):
            self.journal.clear()
            self.reactor.happen(self.watch, read=True)
            told = list(range(turn * MAX_TOLD, (turn + 1) * MAX_TOLD))
            self.assertEqual(self.journal, told)
            for number in told:
                self.watch.remove(self.connections[number])

    def test_whoIsRemovedIsToldNothing(self) -> None:
        """
        Also where another that was told before is the reason.
        """
        first, second = self.connections[:2]
        for connection in (first, second):
            self.watch.add(connection)
        self.epoll.ready = {0, 1}
        first.doRead = lambda: self.watch.remove(second)  # type: ignore[method-assign]
        self.watch.doRead()
        self.assertEqual((self.journal, self.epoll.registered), ([], {0}))
        self.watch.remove(second)

    def test_errorOfOursCostsOneAndNotTheOthers(self) -> None:
        def fail() -> None:
            raise LookupError

        for connection in self.connections[:2]:
            self.watch.add(connection)
        self.epoll.ready = {0, 1}
        self.connections[0].doRead = fail  # type: ignore[method-assign]
        for _ in range(2):
            self.watch.doRead()
        self.assertEqual((self.journal, self.epoll.registered), ([1, 1], {1}))
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 1)

    def test_reactorThatStopsEndsAll(self) -> None:
        for connection in self.connections[:2]:
            self.watch.add(connection)
        self.watch.connectionLost(Failure(main.CONNECTION_LOST))
        self.assertEqual(self.journal, [("lost", 0), ("lost", 1)])
        self.assertEqual((self.reactor.readers, self.epoll.closed, self.watch.fileno()), (set(), True, -1))

    def test_withoutEpollTheReactorWatchesEach(self) -> None:
        self.assertIsInstance(newWatch(self.reactor), Watch)
        self.patch(watch, "select", object())
        found = newWatch(MemoryReactor())
        assert isinstance(found, ReactorWatch)
        reactor = MemoryReactor()
        each: Any = ReactorWatch(reactor)
        each.add(self.connections[0])
        self.assertEqual(reactor.readers, {self.connections[0]})
        each.remove(self.connections[0])
        each.close()
        self.assertEqual(reactor.readers, set())
