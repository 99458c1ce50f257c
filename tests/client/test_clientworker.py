"""
A client in a worker: it reads the sockets that it is given, keeps to its parts, and tells its parent.
"""

from __future__ import annotations

import os
import pickle
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IListeningPort
from twisted.logger import capturedLogs, formatEvent

from tests.doubles.channels import RecordingChannel
from tests.doubles.dialling import MemoryConnect
from tests.doubles.reactors import MemoryReactor
from tests.doubles.tlspairs import STRANGER, TRUSTED, TlsTestCase
from tests.doubles.udp import MemoryUdp, Receiver
from uotp.boundaries import DatagramReceiver
from uotp.client import service as clientservice
from uotp.client.settings import ClientSettings
from uotp.client.sources.admission import AdmissionLimits
from uotp.client.sources.sessions import SessionsBySource
from uotp.client.workers import clientworker
from uotp.client.workers.clientworker import ClientWorker
from uotp.client.workers.messages import FollowPath, LearnGoodHosts, TellGoodHosts, TellPortLost, TellServerFound
from uotp.errors import PeerError
from uotp.net import ServerPlace
from uotp.net.resolver import InBackground, Resolved
from uotp.tls.credentials import ClientCredentials, ClientTls
from uotp.train import Train
from uotp.transport import dialer
from uotp.udp import MAX_INTAKE_BYTES
from uotp.workers.descriptors import Descriptors
from uotp.workers.groups import ListenNoMore, ListenOn
from uotp.workers.work import AdoptFiles, BeginWork

SERVER = ("good.test", 8443)
CLIENT_PORT = ("127.0.0.1", 8911)
SOURCE = ("127.0.0.1", 40000)
PING = Train(4, b"ping")


class ClientWorkerTests(TlsTestCase):
    """
    Let a test be the parent of one.
    """

    def setUp(self) -> None:
        super().setUp()
        self.reactor = MemoryReactor()
        self.network = MemoryUdp()
        self.parent = RecordingChannel()
        self.taken: list[socket.socket] = []
        self.refusal: OSError | None = None
        self.lookups = 0
        self.patch(dialer, "connectTunnel", MemoryConnect())
        self.patch(clientworker, "groupMemberOpener", self.opener)
        self.patch(clientservice, "backgroundThread", lambda _: self.inBackground())
        capture = capturedLogs()
        self.events: Sequence[dict[str, Any]] = capture.__enter__()
        self.addCleanup(capture.__exit__, None, None, None)
        self.workers: list[ClientWorker] = []
        self.addCleanup(self.stopAll)
        self.source = Receiver()
        self.sourcePort = self.network.open(SOURCE, self.source)

    def opener(self, *_: object) -> Callable[[socket.socket, DatagramReceiver], IListeningPort]:
        """
        In place of what opens ports on sockets.
        """

        def openOn(given: socket.socket, protocol: DatagramReceiver) -> IListeningPort:
            self.taken.append(given)
            self.addCleanup(given.close)
            return self.network.open(CLIENT_PORT, protocol)

        return openOn

    def inBackground(self) -> InBackground:
        """
        In place of a thread.
        """

        def run(_: Callable[[], Resolved], done: Callable[[Resolved], None]) -> None:
            self.lookups += 1
            done([IPv4Address("TCP", "192.0.2.1", 8443)])

        return run

    def worker(self, number: int = 1, tls: ClientTls | None = None, *, start: bool = True, **choices: Any) -> Any:
        """
        @return: one of two, that has begun.
        """
        settings = ClientSettings(servers=(ServerPlace(*SERVER),), listen=CLIENT_PORT, **choices)
        credentials = None if tls is None else ClientCredentials(tls, keepsContents=True)
        worker = ClientWorker(settings, credentials, self.reactor, self.parent, number, 2)
        if start:
            worker.startService()
        self.workers.append(worker)
        return worker

    def stopAll(self) -> None:
        """
        Stop those that run: nothing is left then.
        """
        for worker in self.workers:
            if worker.running:
                stopped = worker.stopService()
                self.reactor.pump([0, 1, 5, 1])
                self.successResultOf(stopped)
        self.assertEqual([str(call) for call in self.reactor.getDelayedCalls()], [])
        self.assertEqual(list(self.network.ports), [SOURCE])

    def hand(self, worker: ClientWorker, group: int = 1) -> None:
        """
        Hand a socket in.
        """
        ours, theirs = socket.socketpair()
        ours.close()
        worker.orderReceived(ListenOn(group), Descriptors([theirs.detach()]))

    def send(self, train: Train = PING) -> None:
        self.sourcePort.sendTrains([train], CLIENT_PORT)
        self.network.settle()

    def told(self, *kinds: type) -> list[Any]:
        """
        @return: what the parent was told, of some kinds.
        """
        return [message for message in self.parent.messages() if isinstance(message, kinds)]

    def test_whoSendsToASocketThatWasHandedInGetsASession(self) -> None:
        """
        And before one is there, nothing listens anywhere.
        """
        worker = self.worker()
        self.assertEqual(list(self.network.ports), [SOURCE])
        self.assertIsNone(worker.listening)
        self.hand(worker)
        self.send()
        self.assertEqual(worker.statistics().sessions.sessions, 1)
        self.assertEqual(len(self.reactor.tcpClients), 1)
        self.assertEqual(worker.uses()["sessions"], 1)

    def test_itTellsWhenItKnowsWhereToDial(self) -> None:
        worker = self.worker(start=False)
        self.assertEqual(self.told(TellServerFound), [])
        worker.startService()
        self.assertEqual(self.told(TellServerFound), [TellServerFound()])

    def test_sessionsOutliveTheirSocket(self) -> None:
        """
        They go on with the next one, also when it comes before the last is closed.
        """
        worker = self.worker()
        self.hand(worker)
        self.send()
        worker.orderReceived(ListenNoMore(1), Descriptors())
        worker.orderReceived(ListenNoMore(9), Descriptors())  # which it never had
        self.assertEqual(list(self.network.ports), [SOURCE])
        for _ in range(2):
            self.hand(worker)
            self.send()
            self.assertEqual(worker.statistics().sessions.sessions, 1)
        self.assertEqual(len(self.taken), 3)

    def test_socketThatCannotBeReadIsTold(self) -> None:
        worker = self.worker()
        self.hand(worker)
        self.network.ports[CLIENT_PORT].lose("it is broken")
        self.assertEqual(self.told(TellPortLost), [TellPortLost(1, "it is broken")])

    def test_itKeepsToItsParts(self) -> None:
        worker = self.worker()
        worker.setPart("memory", 1 << 26)
        worker.setPart("sessions", 1)
        worker.setPart("something else", 5)
        self.assertEqual(worker.turns.memory.bytes, 1 << 26)
        self.hand(worker)
        for number in (1, 2):
            port = self.network.open(("127.0.0.1", number), Receiver())
            port.sendTrains([PING], CLIENT_PORT)
            self.network.settle()
            port.stopListening()
        self.assertEqual(worker.uses()["sessions"], 1)

    def test_whatIsDividedFromTheStart(self) -> None:
        """
        What is read while it is crowded, and how many new sources are taken on.
        """
        admissions: list[Any] = []
        begin = SessionsBySource.__init__

        def spy(*given: Any, **named: Any) -> None:
            admissions.append(named["admission"])
            begin(*given, **named)

        self.patch(SessionsBySource, "__init__", spy)
        worker = self.worker(memory=16 << 20)
        self.assertEqual(worker.intakeBytes, 2 << 20)
        self.assertEqual(worker.turns.memory.used, 2 << 20)
        self.assertLess(worker.intakeBytes, MAX_INTAKE_BYTES)
        self.assertEqual(admissions, [AdmissionLimits.of(2)])

    def test_pathThatMayHaveChanged(self) -> None:
        """
        It is looked up again, what was learned of it is forgotten, and tunnels have to show that they are good.
        """
        worker = self.worker(resolveOnce=True)
        proved: list[bool] = []
        self.patch(worker._sessions, "prove", lambda: proved.append(True))
        worker.servers.all[0].context.segments.smallerPassed(1200, 0.0, 3.0, sawLoss=True)
        worker.orderReceived(FollowPath(), Descriptors())
        self.assertEqual((self.lookups, proved), (2, [True]))
        self.assertIsNone(worker.servers.all[0].context.segments.forDial())

    def test_newFilesAreUsed(self) -> None:
        """
        And the path is followed too: as with another key, if that has changed.
        """
        shown = TRUSTED.issue()
        tls = ClientTls(self.cafile(TRUSTED), self.path(shown.certificatePem() + shown.keyPem()))
        worker = self.worker(tls=tls)
        done: list[str] = []
        self.patch(worker._sessions, "prove", lambda: done.append("prove"))
        self.patch(worker._sessions, "keyChanged", lambda: done.append("key changed"))
        worker.renew(worker.prepare())
        other = STRANGER.issue()
        assert tls.cert is not None
        contents = {
            str(tls.cafile): Path(str(tls.cafile)).read_bytes(),
            tls.cert: other.certificatePem() + other.keyPem(),
        }
        worker.renew(worker.prepare(contents))
        self.assertEqual((done, self.lookups), (["prove", "key changed"], 3))

    def test_firstWorkerWritesDownWhatOthersFind(self) -> None:
        """
        They read the same file at their start.
        """
        directory = self.mktemp()
        first, second = (self.worker(number, stateDirectory=directory) for number in (1, 2))
        second._ways[0].lookup.opened(IPv4Address("TCP", "192.0.2.7", 8443))
        self.assertEqual(os.listdir(directory), [])
        self.assertEqual(self.told(TellGoodHosts), [TellGoodHosts(0, ("192.0.2.7",))])
        first.orderReceived(LearnGoodHosts(0, ("192.0.2.7", "no address")), Descriptors())
        self.assertEqual(len(os.listdir(directory)), 1)
        third = self.worker(2, stateDirectory=directory)
        self.assertEqual(third._ways[0].lastGood.hosts, ("192.0.2.7",))

    def test_itSaysNothingThatItsParentSays(self) -> None:
        self.worker(poolSize=1)
        self.assertEqual([formatEvent(event) for event in self.events if event["log_level"].name != "debug"], [])

    def test_stopTakesNothingMore(self) -> None:
        """
        No socket either.
        """
        worker = self.worker()
        self.hand(worker)
        self.send()
        stopped = worker.stopService()
        self.hand(worker, 2)
        self.send()
        self.assertEqual(len(self.taken), 1)
        self.reactor.pump([0, 1, 5, 1])
        self.successResultOf(stopped)

    def test_whatNoParentSays(self) -> None:
        worker = self.worker()
        self.assertRaises(PeerError, worker.orderReceived, AdoptFiles(1), Descriptors())
        self.assertRaises(PeerError, worker.orderReceived, ListenOn(1), Descriptors())

    def test_itIsMadeOfWhatItsParentSays(self) -> None:
        """
        Files are not read here: this process may not be allowed to.
        """
        tls = ClientTls("/nowhere/ca.pem")
        settings = ClientSettings(servers=(ServerPlace(*SERVER),), listen=CLIENT_PORT)
        contents = {"/nowhere/ca.pem": Path(self.cafile(TRUSTED)).read_bytes()}
        for given, files in ((tls, contents), (None, {})):
            message = BeginWork(2, 4, "info", {}, pickle.dumps((settings, given)), files, {})
            worker = clientworker.clientWorker(message, self.parent, self.reactor)
            self.assertEqual(worker.settings, settings)
            self.assertEqual(worker.intakeBytes, MAX_INTAKE_BYTES)
