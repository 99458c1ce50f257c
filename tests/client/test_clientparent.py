"""
The parent of a client's workers: whose sockets are whose, and what all have in common.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.reactors import MemoryReactor
from tests.doubles.workers import MemoryLauncher, MemoryProcess
from uotp.client import front as clientfront
from uotp.client.settings import ClientSettings
from uotp.client.sources.ports import REOPEN_SECONDS
from uotp.client.sources.sessions import MAX_CLIENT_SESSIONS
from uotp.client.workers import clientparent
from uotp.client.workers.clientparent import ClientParent
from uotp.client.workers.messages import FollowPath, LearnGoodHosts, TellGoodHosts, TellPortLost, TellServerFound
from uotp.errors import ConfigurationError, PeerError, StartError
from uotp.net import ServerPlace, SocketGroup
from uotp.telemetry.drops import Drop
from uotp.workers.controls import StopWorker
from uotp.workers.groups import ListenNoMore, ListenOn
from uotp.workers.work import (
    AdoptFiles,
    BeginWork,
    FilesPrepared,
    PrepareFiles,
    SetPart,
    TellStatistics,
    TellUse,
)

SERVER = ("vpn.test", 8443)
LISTEN = ("127.0.0.1", 8911)
WORKERS = 2


class FakeGroups:
    """
    Binds groups of sockets that are none.

    @ivar groups: those that were bound, each with its address.
    @ivar refusal: raised instead, if it is set.
    @ivar udpBuffer: what was asked for.
    """

    def __init__(self) -> None:
        self.groups: list[tuple[tuple[str, int], SocketGroup]] = []
        self.refusal: OSError | None = None
        self.udpBuffer = 0

    def opener(self, _: object, __: object, udpBuffer: int) -> Any:
        """
        In place of L{uotp.udp.datagramGroupOpener}.
        """
        self.udpBuffer = udpBuffer
        return self.open

    def open(self, bindAddress: tuple[str, int], count: int) -> SocketGroup:
        if self.refusal is not None:
            raise self.refusal
        first = 100 * (len(self.groups) + 1)
        sockets: list[Any] = [FakeMember(first + number, bindAddress) for number in range(count)]
        self.groups.append((bindAddress, SocketGroup(sockets)))
        return self.groups[-1][1]


class FakeMember:
    """
    Is a socket that is none.
    """

    def __init__(self, descriptor: int, name: tuple[str, int]) -> None:
        self._descriptor = descriptor
        self._name = name
        self.closed = False

    def fileno(self) -> int:
        return self._descriptor

    def getsockname(self) -> tuple[str, int]:
        return self._name

    def close(self) -> None:
        self.closed = True


class FakeCredentials:
    """
    Has files that can be used, or not.

    @ivar trouble: why not.
    @ivar adopted: what is in use.
    """

    ownPin = None
    isPlain = False

    def __init__(self) -> None:
        self.trouble: str | None = None
        self.adopted = "old"
        self.contents: Mapping[str, bytes] = {"key.pem": b"old"}

    def prepare(self, contents: None = None, pause: object = None) -> Any:
        if self.trouble is not None:
            raise ConfigurationError(self.trouble)
        return SimpleNamespace(contents={"key.pem": b"new"}, isInUse=False)

    def stamp(self) -> object:
        """
        Nothing changes.
        """

    stampRead = None

    def adopt(self, prepared: Any) -> None:
        self.adopted = prepared.contents["key.pem"].decode("ascii")

    def warnOfDates(self) -> None:
        """
        Nothing is out of date.
        """

    def expiring(self) -> tuple[()]:
        """
        Nothing ends some day.
        """
        return ()


class ClientParentTests(SynchronousTestCase):
    """
    Let a parent have two workers, which say what a test wants.
    """

    def setUp(self) -> None:
        self.reactor = MemoryReactor()
        self.launcher = MemoryLauncher()
        self.groups = FakeGroups()
        self.patch(clientparent, "datagramGroupOpener", self.groups.opener)
        self.patch(clientfront, "descriptorLimit", lambda: None)
        capture = capturedLogs()
        self.events: Sequence[dict[str, Any]] = capture.__enter__()
        self.addCleanup(capture.__exit__, None, None, None)

    def parent(self, credentials: FakeCredentials | None = None, **choices: Any) -> ClientParent:
        """
        @return: a parent, started, whose workers have begun.
        """
        settings = ClientSettings(**{"servers": (ServerPlace(*SERVER),), "listen": LISTEN, **choices})
        given: Any = credentials
        parent = ClientParent(settings, None, given, self.reactor, WORKERS, self.launcher.launch)
        parent.startService()
        self.reactor.run()
        return parent

    def process(self, worker: int) -> MemoryProcess:
        return self.launcher.of(worker)

    def heard(self, worker: int, *kinds: type) -> list[Any]:
        """
        @return: what a worker was told, of some kinds.
        """
        return [message for message in self.process(worker).channel.messages() if isinstance(message, kinds)]

    def sockets(self, worker: int) -> list[tuple[int, tuple[int, ...]]]:
        """
        @return: the numbers of the groups that a worker was told of, each with the descriptors.
        """
        sent = self.process(worker).channel.sent
        return [(message.group, given) for message, given in sent if isinstance(message, ListenOn)]

    def lines(self, level: Any = LogLevel.warn) -> list[str]:
        return [formatEvent(event) for event in self.events if event["log_level"] >= level]

    def test_eachWorkerGetsItsOwnSockets(self) -> None:
        """
        At each address, after it was told what to work at; the buffers were asked for.
        """
        parent = self.parent(listen=(LISTEN, ("192.0.2.1", 8911)), udpBuffer=1 << 20)
        self.assertEqual(self.groups.udpBuffer, 1 << 20)
        self.assertEqual(self.sockets(1), [(1, (100,)), (2, (200,))])
        self.assertEqual(self.sockets(2), [(1, (101,)), (2, (201,))])
        first = self.process(2).channel.messages()[0]
        assert isinstance(first, BeginWork)
        self.assertEqual((first.number, first.workers), (2, WORKERS))
        self.assertEqual(first.parts, {"memory": 128 << 20, "sessions": MAX_CLIENT_SESSIONS // 2})
        self.assertEqual(parent.listeningAll, (LISTEN, ("192.0.2.1", 8911)))

    def test_oneThatIsStartedAgainGetsTheSame(self) -> None:
        """
        In which waits what has come meanwhile.
        """
        self.parent()
        self.process(1).die("by SIGKILL")
        self.reactor.advance(0)
        self.assertEqual(len(self.launcher.started), 3)
        self.assertEqual(self.sockets(1), [(1, (100,))])

    def test_addressThatCannotBeHad(self) -> None:
        self.groups.refusal = OSError(98, os.strerror(98))
        self.assertRaises(StartError, self.parent)
        self.assertEqual(self.launcher.started, [])

    def test_socketThatIsLostIsBoundAgainForAll(self) -> None:
        """
        After a second, though two workers say so; one that begins meanwhile gets it then.
        """
        self.parent()
        for worker in (1, 2):
            self.process(worker).say(TellPortLost(1, "it is broken"))
        self.assertTrue(all(one.closed for one in self.groups.groups[0][1].sockets))  # type: ignore[attr-defined]
        self.assertEqual([self.heard(worker, ListenNoMore) for worker in (1, 2)], [[ListenNoMore(1)]] * 2)
        self.assertEqual(self.lines()[1:], ["UDP port 8911 of 127.0.0.1 is lost: it is broken"])
        self.process(1).die("by SIGKILL")
        self.reactor.advance(0)
        self.assertEqual(self.sockets(1), [])
        self.groups.refusal = OSError(98, os.strerror(98))
        self.reactor.advance(REOPEN_SECONDS)
        self.groups.refusal = None
        self.reactor.advance(REOPEN_SECONDS)
        self.assertEqual(self.sockets(1), [(1, (200,))])
        self.assertEqual(self.sockets(2), [(1, (101,)), (1, (201,))])

    def test_whyASocketIsLostIsOneLine(self) -> None:
        """
        Whatever a worker says.
        """
        self.parent()
        self.process(1).say(TellPortLost(1, "no\n2026-01-01 [-] more\x1b[2J" + "x" * 100000))
        (line,) = self.lines()[1:]
        self.assertTrue(line.startswith("UDP port 8911 of 127.0.0.1 is lost: no?2026-01-01 [-] more?[2Jxxx"), line)
        self.assertLess(len(line), 600)

    def test_interfaceThatWasMadeAnew(self) -> None:
        """
        All sockets of that address are bound again.
        """
        parent = self.parent()
        self.patch(parent.ports._ports[0], "link", SimpleNamespace(isAnew=True))
        self.reactor.advance(clientfront.LINK_CHECK_SECONDS)
        self.reactor.advance(REOPEN_SECONDS)
        self.assertEqual(self.sockets(2), [(1, (101,)), (1, (201,))])

    def test_whatNoWorkerSays(self) -> None:
        self.parent()
        for worker, message in (
            (1, TellPortLost(7, "there is none")),
            (1, TellGoodHosts(0, ("192.0.2.1",))),
            (2, ListenOn(1)),
            (2, TellUse("connections", 1, 1)),
        ):
            self.assertRaises(PeerError, self.process(worker).say, message)

    def test_itIsReadyWhenAllHaveBegunAndOneKnowsWhereToDial(self) -> None:
        parent = self.parent()
        ready = parent.whenReady()
        self.process(1).ready()
        self.process(2).say(TellServerFound())
        self.assertNoResult(ready)
        self.process(2).ready()
        self.successResultOf(ready)
        self.successResultOf(parent.whenReady())

    def test_goodAddressesWaitForTheWorkerThatWrites(self) -> None:
        """
        It may be gone when they are told.
        """
        self.parent()
        for worker in (1, 2):
            self.process(worker).ready()
        self.assertEqual(self.heard(1, LearnGoodHosts), [])
        self.process(1).die()
        self.process(2).say(TellGoodHosts(0, ("192.0.2.7",)))
        self.reactor.advance(0)
        self.process(1).ready()
        self.assertEqual(self.heard(1, LearnGoodHosts), [LearnGoodHosts(0, ("192.0.2.7",))])
        self.process(1).die()
        self.reactor.advance(1)
        self.process(1).ready()
        self.assertEqual(self.heard(1, LearnGoodHosts), [], "it knows them already")

    def test_afterAStopTheServerHasToBeFoundAgain(self) -> None:
        parent = self.parent()
        for _ in range(2):
            ready = parent.whenReady()
            for worker in (1, 2):
                self.process(worker).ready()
            self.assertNoResult(ready)
            self.process(2).say(TellServerFound())
            self.successResultOf(ready)
            stopped = parent.stopService()
            for worker in (1, 2):
                self.process(worker).die()
            self.successResultOf(stopped)
            parent.startService()
            self.reactor.advance(0)

    def test_goodAddressesAreWrittenByOneWorker(self) -> None:
        """
        Whichever has found them: two that write one file would spoil it.
        """
        self.parent()
        self.process(2).say(TellGoodHosts(0, ("192.0.2.1", "192.0.2.2")))
        self.assertEqual(self.heard(1, LearnGoodHosts), [LearnGoodHosts(0, ("192.0.2.1", "192.0.2.2"))])
        self.assertEqual(self.heard(2, LearnGoodHosts), [])

    def test_stateDirectoryIsTheSameForAll(self) -> None:
        """
        Wherever a worker is started.
        """
        self.parent(stateDirectory="state")
        settings, _ = pickle.loads(self.heard(1, BeginWork)[0].settings)  # noqa: S301 - it is ours
        self.assertEqual(settings.stateDirectory, str(Path("state").absolute()))

    def reload(self, parent: ClientParent) -> list[Any]:
        """
        @return: gets what has become of a reload.
        """
        outcome: list[Any] = []
        parent.reload().addBoth(outcome.append)
        return outcome

    def test_reloadIsForAll(self) -> None:
        """
        All use new files, or none.
        """
        credentials = FakeCredentials()
        parent = self.parent(credentials)
        outcome = self.reload(parent)
        for worker in (1, 2):
            self.assertEqual(self.heard(worker, PrepareFiles), [PrepareFiles(1, {"key.pem": b"new"})])
            self.assertEqual((outcome, credentials.adopted), ([], "old"))
            self.process(worker).say(FilesPrepared(1, ""))
        self.assertEqual((outcome, credentials.adopted), ([None], "new"))
        for worker in (1, 2):
            self.assertEqual(self.heard(worker, AdoptFiles, FollowPath), [AdoptFiles(1)])

    def test_filesThatCannotBeUsed(self) -> None:
        """
        Neither here nor in one worker: still all find out what has become of the path.
        """
        credentials = FakeCredentials()
        parent = self.parent(credentials)
        credentials.trouble = "no key"
        (failure,) = self.reload(parent)
        self.assertEqual(str(failure.value), "no key")
        credentials.trouble = None
        outcome = self.reload(parent)
        self.process(2).say(FilesPrepared(1, "not here"))
        self.assertEqual(str(outcome[0].value), "worker 2: not here")
        self.assertEqual(credentials.adopted, "old")
        for worker in (1, 2):
            self.assertEqual(self.heard(worker, FollowPath, AdoptFiles), [FollowPath()] * 2)

    def test_reloadWithoutFiles(self) -> None:
        """
        All find out what has become of the path.
        """
        parent = self.parent()
        self.assertEqual(self.reload(parent), [None])
        self.assertEqual([self.heard(worker, FollowPath) for worker in (1, 2)], [[FollowPath()]] * 2)

    def test_allFollowThePath(self) -> None:
        """
        The configuration file was bad, so nothing else was read again.
        """
        self.parent(FakeCredentials()).followPath()
        self.assertEqual([self.heard(worker, FollowPath, PrepareFiles) for worker in (1, 2)], [[FollowPath()]] * 2)

    def test_stopLetsAllStop(self) -> None:
        """
        They keep their sockets until then, since answers may be under way.  What is lost meanwhile is not bound again.
        """
        parent = self.parent()
        stopped = parent.stopService()
        for worker in (1, 2):
            self.assertEqual(self.heard(worker, StopWorker, ListenNoMore), [StopWorker()])
        self.process(1).say(TellPortLost(1, "it is broken"))
        self.process(1).die()
        self.assertNoResult(stopped)
        self.process(2).die()
        self.successResultOf(stopped)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertTrue(all(one.closed for one in self.groups.groups[0][1].sockets))  # type: ignore[attr-defined]

    def test_itStartsAgainAfterAStop(self) -> None:
        parent = self.parent()
        stopped: Deferred[Any] = parent.stopService()
        for worker in (1, 2):
            self.process(worker).die()
        self.successResultOf(stopped)
        parent.startService()
        self.assertEqual(len(self.launcher.started), 2 * WORKERS)
        self.assertEqual(self.sockets(1), [(2, (200,))])

    def test_stoppedBeforeItRunsStartsNone(self) -> None:
        settings = ClientSettings(servers=(ServerPlace(*SERVER),), listen=LISTEN)
        parent = ClientParent(settings, None, None, self.reactor, WORKERS, self.launcher.launch)
        parent.startService()
        self.successResultOf(parent.stopService())
        self.reactor.run()
        self.assertEqual(self.launcher.started, [])

    def test_reportTellsWhetherThereIsTls(self) -> None:
        """
        Also where there are credentials for a proxy alone.
        """
        servers = (ServerPlace(*SERVER, "/a"),)
        forProxy = FakeCredentials()
        forProxy.isPlain = True
        self.assertEqual(self.parent(forProxy, servers=servers).commonReport().remote, "ws://vpn.test:8443/...")
        self.assertEqual(self.parent(servers=servers).commonReport().remote, "ws://vpn.test:8443/...")
        self.assertEqual(
            self.parent(FakeCredentials(), servers=servers).commonReport().remote, "wss://vpn.test:8443/..."
        )

    def test_whatThereIsIsSharedOut(self) -> None:
        """
        Who uses more gets more.
        """
        self.parent()
        most = MAX_CLIENT_SESSIONS
        parts = [most // 2] * WORKERS
        for _ in range(10):
            for worker, uses in ((1, 10), (2, 400)):
                self.process(worker).say(TellUse("sessions", uses, parts[worker - 1]))
                parts[worker - 1] = [parts[worker - 1], *(part.amount for part in self.heard(worker, SetPart))][-1]
        self.assertGreater(parts[1], 2 * parts[0])
        self.assertLessEqual(sum(parts), most)

    def test_statisticsAreThoseOfAll(self) -> None:
        """
        What is now goes with a worker, and what was stays.
        """
        parent = self.parent()
        for worker, sessions in ((1, 3), (2, 4)):
            self.process(worker).say(
                TellStatistics({"sessions.sessions": sessions, "sessions.bytesIn": 100, "drops.TOO_LONG": 2})
            )
        self.assertEqual(parent.statistics().sessions.sessions, 7)
        self.assertEqual(parent.drops.totals[Drop.TOO_LONG], 4)
        self.process(1).die("by SIGKILL")
        statistics = parent.statistics()
        self.assertEqual((statistics.sessions.sessions, statistics.sessions.bytesIn), (4, 200))
        self.assertEqual([one.number for one in parent.workerStatistics()], [1, 2])

    def test_descriptorsOfAllWorkersCount(self) -> None:
        """
        Each has as many as one process.
        """
        for limit, isSaid in ((127, True), (128, False)):
            self.patch(clientfront, "descriptorLimit", lambda limit=limit: limit)
            self.parent(poolSize=2)
            said = [line for line in self.lines() if "descriptors" in line]
            self.assertEqual(len(said), isSaid)
            self.events.clear()  # type: ignore[attr-defined]

    def test_whoLooksUpAheadDoesNotDoItHere(self) -> None:
        """
        Each worker does, in a process of its own.
        """
        self.parent().lookUpAhead()
        self.assertEqual(self.lines()[1:], [])
