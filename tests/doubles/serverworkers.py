"""
A server with two workers in memory: the real parent and the real workers, each on a reactor of its own.
"""

from __future__ import annotations

import contextlib  # trial takes a module's `suppress` for its own
import gc
import os
import socket
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from OpenSSL import SSL
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs, formatEvent

from tests.doubles.certificates import CLIENT
from tests.doubles.livingworkers import LivingLauncher, LivingProcess, ProcessReactor
from tests.doubles.tlspairs import GOOD, TRUSTED, TlsTestCase
from tests.doubles.udp import MemoryUdp, Receiver, localTo
from uotp.net.routes import Routes
from uotp.net.steering import SocketGroup
from uotp.server import front as serverfront
from uotp.server import service as serverservice
from uotp.server.credentials import serverCredentials
from uotp.server.settings import ServerSettings
from uotp.server.workers import serverparent, serverworker
from uotp.server.workers.messages import MESSAGES
from uotp.server.workers.serverparent import ServerParent
from uotp.server.workers.serverworker import serverWorker
from uotp.tls.credentials import ClientCredentials, ClientTls, ServerTls
from uotp.train import Train
from uotp.transport import accepted, relayed
from uotp.transport import tcp as tcpstreams
from uotp.transport.listener import Newcomer
from uotp.transport.watch import ReactorWatch
from uotp.workers.work import WORK

TARGET = ("127.0.0.1", 51820)
PING = b"\0\4ping"


def newId() -> bytes:
    """
    @return: the id of a new session.
    """
    return uuid.uuid4().bytes


def descriptors() -> set[str]:
    """
    @return: the sockets that this process has.
    """
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the folder's own
            found.add(os.readlink(f"/proc/self/fd/{name}"))
    return {each for each in found if each.startswith("socket:")}


class PipeGroup(SocketGroup):
    """
    Holds sockets that stand for those that listen.
    """

    @property
    def pair(self) -> tuple[str, int]:
        return ("192.0.2.100", 8443)


class MemoryListener:
    """
    Stands for a port of a worker.
    """

    _realPortNumber = 8443

    def __init__(self, given: socket.socket, reception: Any, handshakes: Any, reactor: Any) -> None:
        self.given = given
        self.reception = reception
        self.handshakes = handshakes
        self.reactor = reactor
        self.watch = ReactorWatch(reactor)
        self.sessionno = 0

    def stopListening(self) -> None:
        self.given.close()

    def receive(self, given: socket.socket, host: str, port: int) -> None:
        """
        Another worker has accepted it.
        """
        given.setblocking(False)
        self.reception.arrived(Newcomer(self, given, (host, port)))  # type: ignore[arg-type]


class Client:
    """
    Is a client's end of a connection.

    @ivar socket: by which it speaks.
    """

    def __init__(self, ours: socket.socket) -> None:
        ours.setblocking(False)
        self.socket = ours

    def say(self, data: bytes) -> None:
        self.socket.send(data)

    def hear(self) -> bytes | None:
        """
        @return: what has come, or L{None} when the connection has ended.
        """
        try:
            return self.socket.recv(1 << 20) or None
        except BlockingIOError:
            return b""
        except ConnectionError:
            return None

    @property
    def isClosed(self) -> bool:
        """
        Whether the server has ended it.
        """
        heard: bytes | None = b"something"
        while heard:
            heard = self.hear()
        return heard is None


class TlsClient(Client):
    """
    Is a client's end of a connection with TLS.
    """

    def __init__(self, ours: socket.socket, tls: Any) -> None:
        """
        @param tls: OpenSSL's connection on it.
        """
        super().__init__(ours)
        self._tls = tls
        tls.set_connect_state()

    def isSecured(self) -> bool:
        """
        Go on with the handshake.

        @return: whether it is done.
        """
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            return False
        return True

    def say(self, data: bytes) -> None:
        self._tls.send(data)

    def close(self) -> None:
        """
        Say goodbye.
        """
        self._tls.shutdown()

    def hear(self) -> bytes | None:
        for _ in range(4):  # each ticket of the server's ends a read
            try:
                return self._tls.recv(1 << 16)  # type: ignore[no-any-return]
            except SSL.WantReadError:
                continue
            except SSL.Error:
                return None
        return b""


class WorkersTestCase(TlsTestCase):
    """
    Starts a parent with two workers.
    """

    def setUp(self) -> None:
        super().setUp()
        self.network = MemoryUdp()
        self.target = Receiver()
        self.targetPort = self.network.open(TARGET, self.target)
        self.listeners: list[MemoryListener] = []
        for module in (serverfront,):
            self.patch(module, "descriptorLimit", lambda: None)
        self.patch(serverparent, "listenGroup", self.listenGroup)
        self.patch(serverworker, "listenOn", self.listenOn)
        self.patch(serverservice, "datagramPortOpener", lambda *_: self.network.open)
        self.patch(serverservice, "backgroundThread", lambda _: self.inBackground)
        self.patch(serverservice, "Routes", lambda seconds: Routes(seconds, localTo))
        for streams in (accepted, tcpstreams, relayed):
            self.patch(streams, "addressWords", lambda _: "somewhere:1")
        capture = capturedLogs()
        self.events: Sequence[dict[str, Any]] = capture.__enter__()
        self.addCleanup(capture.__exit__, None, None, None)
        gc.collect()
        self.before = descriptors()
        self.clients: list[Client] = []
        self.parent: Any = None
        self.addCleanup(self.end)

    @staticmethod
    def inBackground(_: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """
        In place of a thread.
        """
        done([IPv4Address("UDP", *TARGET)])

    def listenGroup(self, address: tuple[str, int], count: int, backlog: int, **_: Any) -> PipeGroup:
        """
        In place of the real one.
        """
        return PipeGroup([socket.socket(socket.AF_UNIX) for _ in range(count)])

    def listenOn(self, given: socket.socket, reception: Any, handshakes: Any, reactor: Any) -> MemoryListener:
        """
        In place of the real one.
        """
        self.listeners.append(MemoryListener(given, reception, handshakes, reactor))
        return self.listeners[-1]

    def start(self, tls: ServerTls | None = None, **choices: Any) -> None:
        """
        Start a parent and its workers, and wait until they work.
        """
        self.make(tls, **choices)
        self.parent.startService()
        self.launcher.settle()

    def make(self, tls: ServerTls | None = None, *, workers: int = 2, **choices: Any) -> None:
        """
        Make a parent.
        """
        self.reactor = ProcessReactor()
        self.reactor.advance(1000.0)
        self.reactor.running = False
        self.launcher = LivingLauncher(self.reactor, (*WORK, *MESSAGES), serverWorker)
        settings = ServerSettings(target=TARGET, listen=("127.0.0.1", 8443), **choices)
        credentials = serverCredentials(tls, settings, keepsContents=True)
        self.parent = ServerParent(settings, tls, credentials, self.reactor, workers, self.launcher.launch)
        self.patch(self.reactor, "callWhenRunning", lambda call: call())

    def end(self) -> None:
        """
        Stop all: no timer, descriptor or process is left.
        """
        if self.parent is not None and self.parent.running:
            self.stopAll()
        for client in self.clients:
            client.socket.close()
        for listener in self.listeners:
            listener.given.close()  # as the system does for a process that was killed
        self.clients.clear()
        self.listeners.clear()
        if self.parent is not None:
            self.assertEqual([str(call) for call in self.reactor.getDelayedCalls()], [])
            self.assertEqual([each.number for each in self.launcher.processes if each.lives], [])
            self.launcher.processes.clear()
            self.parent = None
        gc.collect()
        self.assertEqual(descriptors() - self.before, set())

    def stopAll(self) -> None:
        """
        Stop, and wait for the end.
        """
        stopped: Deferred[Any] = self.parent.stopService()
        for _ in range(40):
            self.launcher.advance(0.25)
        self.successResultOf(stopped)

    # What a test does.

    def worker(self, number: int) -> LivingProcess:
        return self.launcher.of(number)

    def settle(self) -> None:
        """
        Let everything arrive.
        """
        for _ in range(3):
            self.launcher.settle()
            self.network.settle()

    def advance(self, seconds: float) -> None:
        self.launcher.advance(seconds)
        self.settle()

    def connect(self, number: int, host: str = "192.0.2.1", *, settle: bool = True) -> Client:
        """
        @return: a client whose connection has come to a worker.
        """
        listener = next(each for each in reversed(self.listeners) if each.reactor is self.worker(number).reactor)
        ours, theirs = socket.socketpair(socket.AF_UNIX)
        client = Client(ours)
        self.clients.append(client)
        awaitsHeader = listener.reception.mustAnnounce(host)
        newcomer = Newcomer(listener, theirs, (host, 4711), awaitsHeader=awaitsHeader)  # type: ignore[arg-type]
        listener.reception.arrived(newcomer)
        if settle:
            self.settle()
        return client

    def certificates(self) -> tuple[ServerTls, ClientTls]:
        """
        @return: the files of a server that verifies its clients, and of such a client.
        """
        cert = self.path(GOOD.certificatePem() + GOOD.keyPem())
        shown = TRUSTED.issue(usages=CLIENT)
        mine = self.path(shown.certificatePem() + shown.keyPem())
        return ServerTls(cert, cafile=self.cafile(TRUSTED)), ClientTls(self.cafile(TRUSTED), mine)

    def secure(self, number: int, tls: ClientTls, host: str = "192.0.2.1") -> TlsClient:
        """
        @return: a client with TLS whose connection has come to a worker.
        """
        return self.securedOn(self.connect(number, host, settle=False), tls)

    def securedOn(self, plain: Client, tls: ClientTls) -> TlsClient:
        """
        @param plain: a client whose connection has come to a worker.
        @return: the same with TLS.
        """
        client = TlsClient(plain.socket, ClientCredentials(tls).creatorFor("good.test")(plain.socket))
        for _ in range(20):
            if client.isSecured():
                break
            self.settle()
        self.settle()
        return client

    def dialSecurely(self, number: int, tls: ClientTls, sessionId: bytes, host: str = "192.0.2.1") -> TlsClient:
        """
        @return: the same, that has shown a session id, and has sent something.
        """
        client = self.secure(number, tls, host)
        client.say(sessionId + PING)
        self.settle()
        return client

    def dial(self, number: int, sessionId: bytes, host: str = "192.0.2.1", rest: bytes = PING) -> Client:
        """
        @return: a client that has shown a session id, and has sent something.
        """
        client = self.connect(number, host)
        client.say(sessionId + rest)
        self.settle()
        return client

    def hello(self, number: int, sessionId: bytes, host: str = "192.0.2.1") -> Client:
        """
        Let a worker read a hello, and its parent not yet.

        @return: the client.
        """
        client = self.connect(number, host)
        client.say(sessionId)
        process = self.worker(number)
        for _ in range(4):
            process.reactor.lookAtAll()
        return client

    def answer(self, datagram: bytes) -> None:
        """
        Let the target answer whoever has sent last.
        """
        self.targetPort.sendTrains([Train(len(datagram), datagram)], self.target.trains[-1][1])
        self.settle()

    def sources(self) -> set[Any]:
        """
        @return: where the target was sent from.
        """
        return {source for _, source in self.target.trains}

    def sessions(self) -> list[int]:
        """
        @return: how many each worker has.
        """
        return [len(self.worker(number).service.registry) for number in (1, 2)]

    def table(self) -> tuple[int, int]:
        """
        @return: how many sessions and connections the parent knows.
        """
        statistics = self.parent.tableStatistics()
        self.parent._table.checkInvariant()
        return statistics.sessions, statistics.connections

    def lines(self, level: Any = LogLevel.warn) -> list[str]:
        """
        @return: what the log says from a level up.
        """
        return [str(formatEvent(event)) for event in self.events if event["log_level"] >= level]
