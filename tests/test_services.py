"""
The embedding interface: both services, alone and against each other, with every socket in memory.
"""

from __future__ import annotations

import base64
import errno
import gc
import os
import re
import socket
import uuid
from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields, replace
from functools import partial
from inspect import signature
from ipaddress import ip_network
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate
from twisted.application.service import IService, MultiService
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.test.iosim import IOPump, connect

from tests.doubles.certificates import CLIENT, Authority, pem
from tests.doubles.dialling import MemoryConnect
from tests.doubles.newcomers import BareNewcomer, MemoryNewcomer, listenInMemory
from tests.doubles.reactors import MemoryReactor
from tests.doubles.streams import MemoryStream, wrapInTls
from tests.doubles.tlspairs import GOOD, STRANGER, TRUSTED, TlsTestCase
from tests.doubles.udp import MemoryUdp, Receiver, localTo
from uotp import services
from uotp import workers as workerspackage
from uotp.client import front as clientfront
from uotp.client import service as clientservice
from uotp.client.lookup.lastgood import WRITE_SECONDS, LastGood
from uotp.client.service import ClientService
from uotp.client.settings import ClientSettings
from uotp.client.slot import PROVED_SECONDS
from uotp.client.sources.proof import MOMENT_SECONDS, TUNNEL_BYTES
from uotp.client.sources.sessions import UNPROVED_SECONDS
from uotp.client.workers import ClientParent
from uotp.duplicate import Duplicate
from uotp.errors import ConfigurationError, LookupFailed, StartError
from uotp.monitoring import ControlPlace
from uotp.net import ServerPlace, parseProxy
from uotp.net.resolver import InBackground, Resolved, SharedResolver
from uotp.net.routes import Routes
from uotp.net.sockopts import UDP_BUFFER_BYTES, TunnelSocketOptions
from uotp.order import Order, OrderMode
from uotp.path import Flight
from uotp.process import LEAST_MEMORY_BYTES
from uotp.process.clock import SleepClocks
from uotp.server import front as serverfront
from uotp.server import service as serverservice
from uotp.server.front import ServerFront
from uotp.server.service import ServerService
from uotp.server.settings import ServerSettings
from uotp.server.workers import ServerParent
from uotp.services import clientService, serverService
from uotp.telemetry.drops import Drop
from uotp.tls.credentials import ClientCredentials, ClientTls, ServerTls
from uotp.tls.pins import publicKeyPin
from uotp.train import Train
from uotp.transport import dialer
from uotp.transport.accepted import AcceptedTcpStream, AcceptedTlsStream
from uotp.tunnel import MAX_WORKERS, settings
from uotp.tunnel import service as tunnelservice
from uotp.tunnel.tunnel import Tunnel
from uotp.udp import MAX_INTAKE_BYTES
from uotp.wire.negotiation import WireChoice
from uotp.workers import launching

SERVER = ("good.test", 8443)
TARGET = ("127.0.0.1", 51820)
SOURCE = ("127.0.0.1", 40000)
CLIENT_PORT = ("127.0.0.1", 8911)
CLIENT_PORT_6 = ("::1", 8911, 0, 0)
PING = Train(4, b"ping")


WARNINGS_AT_START = (
    "plain TCP: everybody on the way can read and change what is carried",
    "whoever reaches this port can reach the target: there is no certificate in plain TCP, and no tokenFile",
    "whoever reaches this port can reach the target: no cafile, clients or tokenFile says who may",
)
"""Of most of the services here, and no matter of theirs."""


class _ServicesTestCase(TlsTestCase):
    """
    Has a reactor, a network and name servers in memory.
    """

    def setUp(self) -> None:
        super().setUp()
        self.reactor = MemoryReactor()
        self.connecting = MemoryConnect()
        self.patch(dialer, "connectTunnel", self.connecting)
        self.network = MemoryUdp()
        self.udpBuffers: list[int] = []
        self.found: Resolved = [IPv4Address("TCP", "192.0.2.1", 8443)]
        self.lookups = 0
        self.accepted: Any = None
        self.patch(serverservice, "listen", listenInMemory)
        for module in (clientfront, serverfront):
            self.patch(module, "descriptorLimit", lambda: None)
        for module in (clientservice, serverservice):
            self.patch(module, "datagramPortOpener", self.opener)
            self.patch(module, "backgroundThread", lambda _: self.inBackground())
        self.patch(serverservice, "Routes", lambda seconds: Routes(seconds, localTo))
        self.pumps: list[IOPump] = []
        self.transports: list[MemoryStream] = []
        capture = capturedLogs()
        self.events: Sequence[dict[str, Any]] = capture.__enter__()
        self.addCleanup(capture.__exit__, None, None, None)
        self.services: list[ClientService | ServerService] = []
        self.addCleanup(self.stopAll)

    def opener(self, reactor: object, drops: Any, udpBuffer: int, *, shared: bool = False, intakeBytes: int = 0) -> Any:
        """
        In place of the real one.
        """
        self.network.drops = drops
        self.udpBuffers.append(udpBuffer)
        return self.network.open

    def inBackground(self) -> InBackground:
        """
        In place of a thread.
        """

        def run(_: Callable[[], Resolved], done: Callable[[Resolved], None]) -> None:
            self.lookups += 1
            done(self.found)

        return run

    def stopAll(self) -> None:
        """
        Stop every service; no timer and no port is left then.
        """
        for service in self.services:
            if service.running:
                stopped = service.stopService()
                self.flush()
                self.successResultOf(stopped)
        self.assertEqual([str(call) for call in self.reactor.getDelayedCalls()], [])
        self.assertEqual([name for name in self.network.ports if name not in (TARGET, SOURCE)], [])

    def client(self, tls: ClientTls | None = None, *, start: bool = True, **choices: Any) -> ClientService:  # type: ignore[override]
        """
        @return: a client that runs.
        """
        service = clientService(SERVER, tls=tls, reactor=self.reactor, **choices)
        assert isinstance(service, ClientService)
        self.services.append(service)
        if start:
            service.startService()
        return service

    def server(self, tls: ServerTls | None = None, *, start: bool = True, **choices: Any) -> ServerService:  # type: ignore[override]
        """
        @return: a server that runs.
        """
        service = serverService(TARGET, tls=tls, reactor=self.reactor, **choices)
        assert isinstance(service, ServerService)
        self.services.append(service)
        if start:
            service.startService()
        return service

    def flush(self) -> None:
        """
        Let everything that is under way arrive.
        """
        while True:
            moved = self.bridge()
            for pump in self.pumps:
                moved = bool(pump.flush()) or moved
            waiting = any(port.waiting for port in self.network.ports.values())
            self.network.settle()
            if not (moved or waiting):
                return

    def bridge(self) -> bool:
        """
        Connect the clients that dial to the newest server.

        @return: whether any did.
        """
        if not self.reactor.tcpServers:
            return False
        clients, self.reactor.tcpClients[:] = list(self.reactor.tcpClients), []
        for _, _, factory, _, _ in clients:
            built = factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 8443))
            inner = self.connecting.wrap(factory, built, self.reactor)
            newcomer = self.arrive(BareNewcomer("192.0.2.2"))
            self.accepted, outer = newcomer.makeStream, newcomer.protocol
            if self.accepted.func is AcceptedTlsStream:
                outer = wrapInTls(self.accepted.args[0], outer, self.reactor)
            ends = MemoryStream(outer, isServer=True), MemoryStream(inner)
            newcomer.stream = ends[0]
            self.transports += ends
            self.pumps.append(connect(outer, ends[0], inner, ends[1], clock=self.reactor, greet=False))
        return bool(clients)

    def arrive(self, newcomer: MemoryNewcomer) -> MemoryNewcomer:
        """
        Let a connection come in to the newest server, and have its turn.
        """
        newcomer.since = self.reactor.seconds()
        reception: Any = self.reactor.tcpServers[-1][1]
        reception.arrived(newcomer)
        reception.begin(newcomer)
        return newcomer

    def pass_(self, seconds: int) -> None:
        for _ in range(seconds):
            self.reactor.advance(1)
            self.flush()

    def lines(self, level: Any = LogLevel.info) -> list[str]:
        """
        @return: what the log says from this level up.
        """
        lines = [formatEvent(event) for event in self.events if event["log_level"] >= level]
        return [line for line in lines if line not in WARNINGS_AT_START]

    def certificates(self) -> tuple[ServerTls, ClientTls]:
        cert = self.path(GOOD.certificatePem() + GOOD.keyPem())
        shown = TRUSTED.issue(usages=CLIENT)
        return (
            ServerTls(cert, cafile=self.cafile(TRUSTED)),
            ClientTls(self.cafile(TRUSTED), self.path(shown.certificatePem() + shown.keyPem())),
        )


class ValuesTests(_ServicesTestCase):
    """
    What cannot be used is refused at once, in one line that says what it is.
    """

    def test_argumentsAreTheSettings(self) -> None:
        for make, kind in ((clientService, ClientSettings), (serverService, ServerSettings)):
            arguments = {
                name: MISSING if one.default is one.empty else one.default
                for name, one in signature(make).parameters.items()
                if name not in {"tls", "control", "files", "reactor"}
            }
            of = {"servers": "server"}
            self.assertEqual(arguments, {of.get(one.name, one.name): one.default for one in fields(kind)})

    def test_serversAreNamedInAnyWay(self) -> None:
        """
        By a pair, as ever, by a place with the path of a WebSocket, or by several of both.
        """
        pair, place = ("a.test", 1), ServerPlace("b.test", 2, "/x")
        cases: list[tuple[Any, tuple[ServerPlace, ...]]] = [
            (pair, (ServerPlace("a.test", 1),)),
            (place, (place,)),
            ([pair, place], (ServerPlace("a.test", 1), place)),
        ]
        for named, places in cases:
            service = clientService(named, tls=None, reactor=self.reactor)
            self.assertEqual(service.settings.servers, places)
        several: list[Any] = [[], [pair, pair], [ServerPlace("b.test", 2, "x")], [pair] * 17]
        for refused in several:
            self.assertRaises(ConfigurationError, clientService, refused, tls=None, reactor=self.reactor)

    def test_argumentsReachTheSettings(self) -> None:
        self.patch(settings, "checkCongestion", lambda _: None)
        common: dict[str, Any] = {
            "listen": ("127.0.0.1", 1),
            "unsentLimit": 4096,
            "congestion": "bbr",
            "mss": 1200,
            "udpBuffer": 8192,
            "wire": WireChoice.TWO,
            "alpn": ("http/1.1", "other"),
            "pad": True,
            "reorder": Order.within(0.5),
            "duplicate": Duplicate.OFF,
        }
        forClient: dict[str, Any] = {
            **common,
            "poolSize": 2,
            "minPool": 2,
            "expire": 3.0,
            "backoff": 4.5,
            "timeout": 6.0,
            "resolveOnce": True,
            "stateDirectory": self.mktemp(),
            "mark": 7,
            "maxAge": 8.0,
            "maxBytes": 90000,
        }
        client = self.client(start=False, **forClient)
        self.assertEqual(client.settings, ClientSettings(servers=(ServerPlace(*SERVER),), **forClient))
        forServer: dict[str, Any] = {
            **common,
            "linger": 2.0,
            "maxSessions": 5,
            "maxConnections": 100,
            "ownerShare": 40,
        }
        server = self.server(start=False, **forServer)
        self.assertEqual(server.settings, ServerSettings(target=TARGET, **forServer))

    def test_settingsThatCannotBeUsedAreRefusedAtOnce(self) -> None:
        for make, peer in ((clientService, ("no name", 9)), (serverService, ("no name", 9))):
            self.assertRaises(ConfigurationError, make, peer, tls=None, reactor=self.reactor)
        self.assertRaises(ConfigurationError, clientService, SERVER, tls=None, reactor=self.reactor, poolSize=0)

    def test_unusableFiles(self) -> None:
        missing = self.mktemp()
        for make, tls in (
            (lambda tls: serverService(TARGET, tls=tls, reactor=self.reactor), ServerTls(missing)),
            (lambda tls: clientService(SERVER, tls=tls, reactor=self.reactor), ClientTls(cafile=missing)),
        ):
            error = self.assertRaises(ConfigurationError, make, tls)
            self.assertIn(missing, str(error))
            self.assertNotIn("\n", str(error))

    def test_serverNameThatNoCertificateCouldHave(self) -> None:
        """
        Found out at once, and not when the first source sends.
        """
        error = self.assertRaises(
            ConfigurationError, clientService, ("no name", 1), tls=ClientTls(), reactor=self.reactor
        )
        self.assertIn("no name", str(error))

    def test_bothAreServices(self) -> None:
        parent = MultiService()
        for service in (self.client(start=False), self.server(start=False)):
            self.assertTrue(IService.providedBy(service))
            service.setServiceParent(parent)
        parent.privilegedStartService()
        parent.startService()
        self.assertTrue(all(service.running for service in self.services))
        parent.stopService()
        self.assertFalse(any(service.running for service in self.services))


class ServersWorkersTests(_ServicesTestCase):
    """
    A server may have workers, where the system can share connections out among them.
    """

    def setUp(self) -> None:
        super().setUp()
        self.trouble: str | None = None
        self.asked = 0
        self.patch(services, "steeringTrouble", self.steeringTrouble)
        self.patch(services, "usableProcessors", lambda: 3)

    def steeringTrouble(self) -> str | None:
        self.asked += 1
        return self.trouble

    def make(self, **choices: Any) -> ServerFront:
        return serverService(TARGET, tls=None, reactor=self.reactor, **choices)

    def test_oneWorkerIsThisProcess(self) -> None:
        """
        Nothing is asked of the system.
        """
        self.assertIsInstance(self.make(workers=1), ServerService)
        self.assertEqual(self.asked, 0)

    def test_severalAreProcessesOfTheirOwn(self) -> None:
        """
        As many as there are processors, where nobody says another number.
        """
        for choices, count in (({"workers": 2}, 2), ({"workers": None}, 3)):
            made = self.make(**choices)
            assert isinstance(made, ServerParent)
            self.assertEqual(len(made.workerStatistics()), count)

    def test_onOneProcessorThereIsOne(self) -> None:
        self.patch(services, "usableProcessors", lambda: 1)
        self.assertIsInstance(self.make(workers=None), ServerService)

    def test_onVeryManyProcessorsThereAreNoMoreThanMayBeAskedFor(self) -> None:
        self.patch(services, "usableProcessors", lambda: 192)
        made = self.make(workers=None)
        assert isinstance(made, ServerParent)
        self.assertEqual(len(made.workerStatistics()), MAX_WORKERS)

    def test_whereTheSystemCannotOneProcessServesAndSaysSo(self) -> None:
        """
        At each start, and not before.
        """
        self.trouble = "only Linux can"
        made = self.make(workers=4)
        assert isinstance(made, ServerService)
        self.services.append(made)
        self.assertEqual(self.lines(), [])
        for _ in range(2):
            made.startService()
            self.assertEqual(self.lines(LogLevel.warn), ["one process serves, and not 4: only Linux can"])
            self.successResultOf(made.stopService())
            self.flush()
            self.events.clear()  # type: ignore[attr-defined]

    def test_workersNeedAPython(self) -> None:
        launcher = partial(launching.ProcessLauncher, program="")
        self.patch(workerspackage, "ProcessLauncher", launcher)
        self.assertRaises(StartError, self.make, workers=2)


class ControlTests(_ServicesTestCase):
    """
    Both ends may have a control socket, where who embeds them says so.
    """

    def setUp(self) -> None:
        super().setUp()
        folder = TemporaryDirectory(prefix="uotp-")
        self.addCleanup(folder.cleanup)
        self.place = f"{folder.name}/control.sock"

    def test_itIsThereWhileTheyRun(self) -> None:
        for make in (self.client, self.server):
            service = make(control=self.place)
            self.assertTrue(os.path.exists(self.place))
            stopped = service.stopService()
            self.flush()
            self.successResultOf(stopped)
            self.assertFalse(os.path.exists(self.place))

    def test_withoutItThereIsNone(self) -> None:
        """
        Nor is anything opened.
        """
        for make in (self.client, self.server):
            make()
        self.assertEqual(os.listdir(os.path.dirname(self.place)), [])

    def test_inADirectoryItIsNamedAfterThePort(self) -> None:
        directory = os.path.dirname(self.place)
        self.client(control=ControlPlace(directory=directory))
        self.server(control=ControlPlace(directory=directory))
        self.assertEqual(sorted(os.listdir(directory)), ["client-8911.sock", "server-8443.sock"])

    def test_aPathThatCannotBeHadIsOneLine(self) -> None:
        missing = f"{self.place}/missing"
        error = self.assertRaises(StartError, self.server(start=False, control=missing).privilegedStartService)
        self.assertEqual(str(error), f"control {missing}: No such file or directory")


class MemoryTests(_ServicesTestCase):
    """
    See what of the memory is kept free.
    """

    def test_clientKeepsRoomForWhatItsPortReads(self) -> None:
        """
        That is nobody's until it is known whose it is; and it stays within the budget.
        """
        memory = self.client(start=False, memory=LEAST_MEMORY_BYTES).turns.memory
        self.assertEqual((memory.bytes, memory.used), (LEAST_MEMORY_BYTES, MAX_INTAKE_BYTES))
        memory = self.client(start=False).turns.memory
        self.assertEqual(memory.used, 2 * MAX_INTAKE_BYTES)
        pairs = tuple((f"192.0.2.{number}", 8911) for number in range(32))
        memory = self.client(start=False, listen=pairs, memory=LEAST_MEMORY_BYTES).turns.memory
        self.assertEqual(memory.used, MAX_INTAKE_BYTES)


class ListeningTests(_ServicesTestCase):
    """
    Bind the ports of both ends, on a machine that has one network interface.
    """

    def setUp(self) -> None:
        super().setUp()
        self.interfaces = {"home": 7}
        self.patch(socket, "if_nametoindex", self.interfaces.__getitem__)

    def test_clientTellsWhereItListens(self) -> None:
        self.assertIsNone(self.client(start=False).listening)
        self.assertEqual(self.client().listening, CLIENT_PORT)
        listening = self.client(listen=("::1", 0)).listening
        assert listening is not None
        self.assertEqual(listening[0], "::1")
        self.assertEqual(
            self.lines(),
            [
                "uotp-client listening on 127.0.0.1:8911 (UDP)",
                "uotp-client listening on [::1]:8911 (UDP)",
                f"uotp-client listening on [::1]:{listening[1]} (UDP)",
            ],
        )

    def test_serverTellsWhereItListens(self) -> None:
        self.assertIsNone(self.server(start=False).listening)
        self.assertEqual(self.server().listening, ("0.0.0.0", 8443))  # noqa: S104
        self.assertEqual(self.server(listen=("::1", 0)).listening, ("::1", 60000))
        self.assertEqual(
            self.lines(), ["uotp-server listening on 0.0.0.0:8443 (TCP)", "uotp-server listening on [::1]:60000 (TCP)"]
        )
        self.assertGreaterEqual(self.reactor.tcpServers[0][2], 128)

    def test_portsAreBoundBeforePrivilegesAreDropped(self) -> None:
        for service in (self.client(start=False), self.server(start=False)):
            service.privilegedStartService()
            self.assertIsNotNone(service.listening)
            service.startService()
        self.assertEqual((len(self.network.ports), len(self.reactor.tcpServers)), (2, 1))

    def test_serverSaysWhereDescriptorsAreShort(self) -> None:
        """
        Half of them are for its connections.  It is said where that is few, or fewer than somebody has asked for.
        """
        for limit, chosen, connections, isSaid in (
            (1024, {}, 512, True),
            (20000, {}, 10000, False),
            (65536, {}, 32768, False),
            (None, {}, 32768, False),
            (1024, {"maxConnections": 512}, 512, False),
            (20000, {"maxConnections": 16384}, 10000, True),
        ):
            self.patch(serverfront, "descriptorLimit", lambda limit=limit: limit)
            arguments: dict[str, Any] = dict(chosen)
            server = self.server(**arguments)
            said = [line for line in self.lines(LogLevel.warn) if "connections" in line]
            self.events.clear()  # type: ignore[attr-defined]
            asked = server.settings.maxConnections
            expected = (
                f"there may be {connections} connections and not {asked}, since this process may have {limit} "
                "descriptors, of which they get half: raise that limit (ulimit -n, or LimitNOFILE of systemd)"
            )
            self.assertEqual((server.mostConnections, said), (connections, [expected] if isSaid else []))

    def test_serversSessionsSendTwiceAsItsUserWants(self) -> None:
        for choice in Duplicate:
            self.assertIs(self.server(duplicate=choice).registry._duplicate, choice)

    def test_sessionsLeaveDescriptorsForEverythingElse(self) -> None:
        """
        Each has a socket, so that one client with its share of them does not shut the others out.
        """
        for limit, chosen, sessions, isSaid in (
            (256, {}, 96, True),
            (4096, {"maxSessions": 1536}, 1536, False),
            (20000, {}, 4096, False),
            (65536, {"maxSessions": 65536}, 24576, True),
            (None, {"maxSessions": 65536}, 65536, False),
        ):
            self.patch(serverfront, "descriptorLimit", lambda limit=limit: limit)
            arguments: dict[str, Any] = {"maxConnections": 64, **chosen}
            server = self.server(**arguments)
            said = [line for line in self.lines(LogLevel.warn) if "sessions" in line]
            self.events.clear()  # type: ignore[attr-defined]
            expected = (
                f"there may be {sessions} sessions and not {server.settings.maxSessions}, since this process may have "
                f"{limit} descriptors, of which they get three eighths: raise that limit (ulimit -n, or LimitNOFILE of "
                "systemd)"
            )
            self.assertEqual((server.registry._shares.most, said), (sessions, [expected] if isSaid else []))

    def test_portInUseIsOneLine(self) -> None:
        self.client()
        error = self.assertRaises(StartError, self.client(start=False).privilegedStartService)
        self.assertEqual(str(error), "cannot listen on 127.0.0.1 port 8911 (UDP): Address already in use")
        self.reactor.refusal = OSError(errno.EADDRINUSE, "Address already in use")
        error = self.assertRaises(StartError, self.server(start=False).privilegedStartService)
        self.assertEqual(str(error), "cannot listen on 0.0.0.0 port 8443 (TCP): Address already in use")

    def test_chrootWithoutADeviceIsOneLine(self) -> None:
        """
        Twisted opens it for each port that it listens on.
        """

        def missing(*_: object) -> None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "/dev/null")

        self.patch(serverservice, "listen", missing)
        error = self.assertRaises(StartError, self.server(start=False).privilegedStartService)
        self.assertEqual(
            str(error),
            "cannot listen on 0.0.0.0 port 8443 (TCP): /dev/null cannot be opened: No such file or directory "
            "(a chroot needs it: mknod -m 666 dev/null c 1 3)",
        )

    def test_namesAreLookedUpAheadWhenAsked(self) -> None:
        """
        At either end; what is not found is said.
        """
        asked: list[tuple[str, int, str]] = []

        def lookUpAhead(_: object, host: str, port: int, semantics: str) -> LookupFailed:
            asked.append((host, port, semantics))
            return LookupFailed("host name not found")

        self.patch(SharedResolver, "lookUpAhead", lookUpAhead)
        for service in (self.client(start=False), self.server(start=False)):
            service.lookUpAhead()
        self.assertEqual(asked, [(*SERVER, "TCP"), (*TARGET, "UDP")])
        self.assertEqual(
            [formatEvent(event) for event in self.events],
            [
                f"{host} could not be looked up before the chroot, and cannot be in it without the files of the "
                "system's resolver (etc/resolv.conf, etc/hosts): host name not found"
                for host, _, _ in asked
            ],
        )

    def test_serviceThatCouldNotStartCanBeStopped(self) -> None:
        """
        Whoever embeds it stops all that it has.
        """
        self.reactor.refusal = OSError(errno.EADDRINUSE, "Address already in use")
        self.network.refusal = OSError(errno.EACCES, os.strerror(errno.EACCES))
        for service in (self.client(start=False), self.server(start=False)):
            self.assertRaises(StartError, service.startService)
            self.successResultOf(service.stopService())

    def test_congestionControlIsAskedForAgainAfterPrivilegesWereDropped(self) -> None:
        """
        Root may choose what others may not, and each connection would go without it
        in silence.  The ports are bound before, and given back.
        """
        asked: list[str] = []

        def refuse(name: str) -> None:
            asked.append(name)
            reason = f"congestion {name}: the kernel lets root alone choose it"
            raise ConfigurationError(reason)

        self.patch(settings, "checkCongestion", lambda _: None)
        self.patch(tunnelservice, "checkCongestion", refuse)
        for each in (self.client(start=False, congestion="bbr"), self.server(start=False, congestion="bbr")):
            each.privilegedStartService()
            self.assertEqual(asked, [])
            error = self.assertRaises(StartError, each.startService)
            self.assertEqual(str(error), "congestion bbr: the kernel lets root alone choose it")
            self.assertEqual(asked, ["bbr"])
            asked.clear()
            self.successResultOf(each.stopService())
        for each in (self.client(), self.server()):
            self.assertTrue(each.running)
        self.assertEqual(asked, [])

    def test_markThatMayNotBeSetStopsTheStart(self) -> None:
        def refuse(mark: int) -> None:
            reason = f"mark {mark:#x}: Operation not permitted"
            raise StartError(reason)

        self.patch(clientfront, "checkMark", refuse)
        service = self.client(start=False, mark=0xCA6C)
        error = self.assertRaises(StartError, service.privilegedStartService)
        self.assertIn("0xca6c", str(error))
        self.assertEqual(len(self.network.ports), 0)

    def test_serviceCanBeStartedAgain(self) -> None:
        for service in (self.client(), self.server()):
            self.successResultOf(service.stopService())
            service.startService()
            self.assertTrue(service.running)
        source = self.network.open(SOURCE, Receiver())
        source.sendTrains([PING], CLIENT_PORT)
        self.flush()
        self.assertIn("opened from 192.0.2.2, 1 in all", " ".join(self.lines()))
        source.stopListening()

    def test_clientListensOnBothLoopbackAddresses(self) -> None:
        """
        So that who sends to C{localhost} is heard, whichever of both that is for him.
        """
        client = self.client()
        self.assertEqual(client.listeningAll, (CLIENT_PORT, ("::1", 8911)))
        receiver = Receiver()
        source = self.network.open(("::1", 40000), receiver)
        source.sendTrains([PING], ("::1", 8911, 0, 0))
        self.flush()
        self.assertIn("for ::1 port 40000 opened", " ".join(self.lines()))
        source.stopListening()

    def test_clientWithoutIPv6ListensOnTheOtherAlone(self) -> None:
        """
        That is no matter for its user, unless he has asked for it.
        """
        self.network.hasIPv6 = False
        for listen in (("localhost", 8911), (("127.0.0.1", 8912), ("127.0.0.2", 8912))):
            service = self.client(listen=listen)
            self.assertNotIn("::1", [host for host, _ in service.listeningAll])
        self.assertEqual(self.lines(LogLevel.warn), [])
        service = self.client(start=False, listen=(("127.0.0.3", 8911), ("::1", 8911)))
        error = self.assertRaises(StartError, service.startService)
        reason = "Cannot assign requested address: this machine does not have that address now"
        self.assertEqual(str(error), f"cannot listen on ::1 port 8911 (UDP): {reason}")
        self.assertNotIn(("127.0.0.3", 8911), self.network.ports)

    def test_oneNumberIsChosenForAllAddresses(self) -> None:
        """
        One that is free at all of them.
        """
        taken = [self.network.open(("::1", number), Receiver()) for number in (50001, 50002)]
        client = self.client(listen=(("127.0.0.1", 0), ("::1", 0), ("192.0.2.7", 0)), allow=(ip_network("::1"),))
        self.assertEqual(client.listeningAll, (("127.0.0.1", 50003), ("::1", 50003), ("192.0.2.7", 50003)))
        for port in taken:
            port.stopListening()
        self.assertEqual(len(self.network.ports), 3)

    def test_serverListensOnSeveralAddresses(self) -> None:
        """
        One acceptor gets what comes to all of them.
        """
        server = self.server(listen=(("192.0.2.7", 8443), ("::1", 8443)))
        self.assertEqual(server.listeningAll, (("192.0.2.7", 8443), ("::1", 8443)))
        self.assertEqual([one[3] for one in self.reactor.tcpServers], ["192.0.2.7", "::1"])
        self.assertEqual(len({id(one[1]) for one in self.reactor.tcpServers}), 1)

    def test_whereNobodyCanListenIsRefused(self) -> None:
        for listen, words in (
            ((), "listen has no address"),
            ((("::1", 0),) * 33, "listen has more than 32 addresses: 0.0.0.0 and :: stand for all"),
            (("server.test", 1), "listen server.test: an IPv4 or IPv6 address is needed, or localhost"),
            ((("::1", 1), ("0.0.0.0", 65536)), "listen 0.0.0.0: a port from 0 to 65535 is needed"),  # noqa: S104
        ):
            for make in (clientService, serverService):
                untyped: Any = make
                error = self.assertRaises(
                    ConfigurationError, untyped, SERVER, tls=None, reactor=self.reactor, listen=listen
                )
                self.assertEqual(str(error), words)

    def test_clientsPortThatIsLostIsBoundAgain(self) -> None:
        """
        Each on its own.
        """
        service = self.client()
        self.network.ports[CLIENT_PORT].lose("it broke")
        self.assertEqual(list(self.network.ports), [CLIENT_PORT_6])
        self.network.refusal = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        self.pass_(5)
        self.network.refusal = None
        self.pass_(1)
        self.assertEqual(set(self.network.ports), {CLIENT_PORT, CLIENT_PORT_6})
        self.assertEqual(
            self.lines(LogLevel.warn),
            [
                "UDP port 8911 of 127.0.0.1 is lost: it broke",
                "UDP port 8911 of 127.0.0.1 is lost: Too many open files",
            ],
        )
        self.network.ports[CLIENT_PORT].lose("it broke")
        self.successResultOf(service.stopService())
        self.pass_(2)
        self.assertEqual(len(self.network.ports), 0)

    def test_clientListensAgainOnAnInterfaceThatWasMadeAnew(self) -> None:
        service = self.client(listen=("fe80::1%home", 8911))
        port = self.network.ports["fe80::1%home", 8911, 0, 0]
        self.pass_(3)
        self.assertIs(self.network.ports["fe80::1%home", 8911, 0, 0], port)
        self.interfaces["home"] = 9
        self.network.refusal = OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
        self.pass_(3)
        self.assertEqual(list(self.network.ports), [])
        self.network.refusal = None
        self.pass_(2)
        self.assertIsNot(self.network.ports["fe80::1%home", 8911, 0, 0], port)
        self.pass_(9)
        self.assertEqual(
            self.lines()[-3:],
            [
                "UDP port 8911 of fe80::1%home is lost: its network interface was made anew",
                "UDP port 8911 of fe80::1%home is lost: Cannot assign requested address",
                "uotp-client listening on [fe80::1%home]:8911 (UDP)",
            ],
        )
        self.successResultOf(service.stopService())

    def test_serverListensAgainOnAnInterfaceThatWasMadeAnew(self) -> None:
        """
        As soon as it can.
        """
        self.server(listen=(("fe80::1%home", 8443), ("::1", 8443)))
        self.pass_(3)
        self.assertEqual(len(self.reactor.tcpServers), 2)
        self.interfaces["home"] = 9
        refusal = CannotListenError("fe80::1%home", 8443, OSError(errno.EADDRNOTAVAIL, "not yet"))

        def refuse(*_: Any) -> None:
            raise refusal

        with patch.object(serverservice, "listen", refuse):
            self.pass_(3)
        self.assertEqual(len(self.reactor.tcpServers), 2)
        self.pass_(3)
        self.assertEqual([one[3] for one in self.reactor.tcpServers[2:]], ["fe80::1%home"])
        self.assertEqual(
            self.lines()[-2:],
            [
                "the network interface of fe80::1%home was made anew, and its port 8443 cannot be had yet: not yet",
                "uotp-server listening on [fe80::1%home]:8443 (TCP)",
            ],
        )

    def test_portThatIsLostAfterTheStopIsNotBoundAgain(self) -> None:
        """
        The reactor may say so when it stops itself.
        """
        service = self.client()
        protocol: Any = self.network.ports[CLIENT_PORT]._receiver
        self.successResultOf(service.stopService())
        protocol.portLost("the reactor has closed it")
        self.pass_(2)
        self.assertEqual((len(self.network.ports), service.running), (0, 0))


class NamesTests(_ServicesTestCase):
    """
    Look the server's name up, when it is time.
    """

    def use(self, number: int) -> None:
        """
        Let a new source send.
        """
        port = self.network.open(("127.0.0.1", number), Receiver())
        port.sendTrains([PING], CLIENT_PORT)
        self.network.settle()
        port.stopListening()

    def test_nameIsLookedUpForEachAttempt(self) -> None:
        self.client()
        self.assertEqual(self.lookups, 1)  # at the start
        self.use(1)
        self.use(2)
        self.assertEqual((self.lookups, len(self.reactor.tcpClients)), (3, 2))

    def test_resolveOnceLooksItUpAtTheStartOnly(self) -> None:
        """
        Before a VPN that needs the tunnel has taken the name server away.
        """
        self.client(resolveOnce=True)
        self.assertEqual(self.lookups, 1)
        self.found = LookupFailed("host name not found")
        self.use(1)
        self.use(2)
        self.assertEqual(self.lookups, 1)
        self.assertEqual([client[0] for client in self.reactor.tcpClients], ["192.0.2.1"] * 2)

    def test_whereTheLastTunnelHasOpenedIsWrittenInTime(self) -> None:
        state = self.mktemp()
        client = self.client(stateDirectory=state)
        for host in ("192.0.2.1", "192.0.2.2"):
            client._ways[0].lookup.opened(IPv4Address("TCP", host, SERVER[1]))
        self.pass_(int(2 * WRITE_SECONDS))
        again = LastGood(SERVER, state, self.reactor.seconds)
        self.assertEqual(again.hosts, ("192.0.2.2", "192.0.2.1"))
        again.close()

    def test_whereATunnelHasOpenedIsDialledAfterARestartWithoutNameServers(self) -> None:
        server, state = self.server(), self.mktemp()
        client = self.client(stateDirectory=state)
        self.use(1)
        self.flush()
        stopped = client.stopService()
        self.flush()
        self.successResultOf(stopped)
        self.found = LookupFailed("host name not found")
        again = self.client(stateDirectory=state)
        self.use(2)
        self.assertNoResult(again.whenReady())
        self.assertEqual([client[0] for client in self.reactor.tcpClients], ["192.0.2.1"])
        lines = [line for line in self.lines(LogLevel.warn) if "good before" in line]
        self.assertEqual(lines, ["good.test: host name not found; what was good before is dialled: 192.0.2.1"])
        self.assertTrue(server.running)

    def test_clientIsReadyWhenItsNameIsFound(self) -> None:
        self.found = LookupFailed("host name not found")
        ready = self.client(backoff=5.0).whenReady()
        self.assertNoResult(ready)
        self.found = [IPv4Address("TCP", "192.0.2.1", 8443)]
        self.pass_(5)
        self.successResultOf(ready)
        self.successResultOf(self.server().whenReady())

    def test_clientSaysInFewWordsHowItIs(self) -> None:
        """
        Also since when it has no way to its server.
        """
        client = self.client()
        self.assertEqual((client.statusWords(), client.isAlive()), ("0 sessions, 0 tunnels", True))
        self.use(1)
        self.assertEqual(client.statusWords(), "1 session, 0 tunnels")
        for host, _, factory, *_ in self.reactor.tcpClients[-1:]:
            self.assertEqual(host, "192.0.2.1")
            connector: Any = None
            factory.clientConnectionFailed(connector, Failure(Refused()))
        self.reactor.advance(0)
        self.reactor.tcpClients.clear()
        words = client.statusWords()
        self.reactor.advance(7)
        self.assertIn("; no tunnel could be opened for 0 s", words)
        self.assertIn("; no tunnel could be opened for 7 s", client.statusWords())

    def test_serverSaysInFewWordsHowItIs(self) -> None:
        server = self.server()
        self.assertEqual((server.statusWords(), server.isAlive()), ("0 sessions, 0 tunnels", True))

    def test_parentsSayAlsoHowManyWorkersWork(self) -> None:
        self.patch(services, "steeringTrouble", lambda: None)
        words = "0 sessions, 0 tunnels; 0 of 2 workers are ready"
        for end in (
            clientService(SERVER, tls=None, reactor=self.reactor, workers=2),
            serverService(TARGET, tls=None, reactor=self.reactor, workers=2),
        ):
            self.assertEqual((end.statusWords(), end.isAlive()), (words, True))

    def test_stopEndsTheSearchForAName(self) -> None:
        self.found = LookupFailed("host name not found")
        service = self.client()
        self.assertEqual(len([call for call in self.reactor.getDelayedCalls() if "_lookAgain" in str(call)]), 1)
        self.successResultOf(service.stopService())
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_reloadLooksTheNameUpAgain(self) -> None:
        """
        Also where it ends before the files are read, since the one with the configuration is bad.
        """
        service = self.client(resolveOnce=True)
        acts: tuple[tuple[Callable[[], object], str], ...] = (
            (service.reload, "192.0.2.9"),
            (service.followPath, "192.0.2.10"),
        )
        for number, (act, address) in enumerate(acts, 2):
            self.found = [IPv4Address("TCP", address, 8443)]
            act()
            self.use(number - 1)
            self.assertEqual((self.lookups, self.reactor.tcpClients[-1][0]), (number, address))

    def test_serverThatHasMovedIsFoundInAnOutage(self) -> None:
        """
        No restart is needed, also where the name was to be looked up once.
        """
        self.client(resolveOnce=True, backoff=1.0)
        source = self.network.open(("127.0.0.1", 1), Receiver())
        self.found = [IPv4Address("TCP", "192.0.2.9", 8443)]
        for _ in range(20):
            source.sendTrains([PING], CLIENT_PORT)
            self.flush()
            for host, _, factory, *_ in self.reactor.tcpClients[-1:]:
                if host == "192.0.2.1":
                    connector: Any = None
                    factory.clientConnectionFailed(connector, Failure(Refused()))
            self.reactor.advance(1)
        self.assertEqual(self.reactor.tcpClients[0][0], "192.0.2.1")
        self.assertEqual(self.reactor.tcpClients[-1][0], "192.0.2.9")
        source.stopListening()


class ProxyTests(_ServicesTestCase):
    """
    Go through a proxy.
    """

    def setUp(self) -> None:
        super().setUp()
        self.word = self.path(b"alice:old")

    def said(self) -> bytes:
        """
        Let a new source send, so that there is one dial more.

        @return: what is said to the proxy.
        """
        before = len(self.reactor.tcpClients)
        port = self.network.open(("127.0.0.1", 1 + before), Receiver())
        port.sendTrains([PING], CLIENT_PORT)
        self.network.settle()
        port.stopListening()
        self.assertGreater(len(self.reactor.tcpClients), before)
        make: Any = self.connecting.kinds[self.reactor.tcpClients[-1][2]].makePreamble
        said: bytes = make().dataToSend()
        return said

    def login(self) -> bytes:
        """
        @return: the user and the password that a new dial shows.
        """
        found = re.search(rb"Proxy-Authorization: Basic (\S+)", self.said())
        assert found is not None
        return base64.b64decode(found[1])

    def changeThePassword(self, tls: ClientTls | None) -> None:
        """
        See what becomes of a client whose file changes.
        """
        client = self.client(tls, proxy=parseProxy("http://proxy.test:3128"), proxyAuthFile=self.word)
        self.assertEqual(self.login(), b"alice:old")
        Path(self.word).write_bytes(b"alice:newer")
        self.pass_(15)
        self.assertEqual(self.login(), b"alice:newer")
        Path(self.word).write_bytes(b"secret-without-a-user")
        self.pass_(15)
        self.assertEqual((self.login(), client.statistics().reloads), (b"alice:newer", {"taken": 1, "refused": 1}))
        self.assertIn("one line is needed, USER:PASSWORD", client.filesTrouble)
        self.assertEqual(client.isPlain, tls is None)
        Path(self.word).write_bytes(b"bob:newest")
        self.successResultOf(client.reload())
        self.assertEqual((self.login(), client.filesTrouble), (b"bob:newest", ""))
        self.assertNotIn("secret", "".join(self.lines(LogLevel.debug)))

    def test_newPasswordIsShownByTheNextDial(self) -> None:
        """
        As soon as its file has changed, or at a reload; one that cannot be used keeps the old one.
        """
        self.changeThePassword(self.certificates()[1])

    def test_newPasswordIsShownAlsoWithoutTlsToTheServer(self) -> None:
        self.changeThePassword(None)

    def test_serversBehindOneProxyHaveItsAddressesTogether(self) -> None:
        """
        Those are what is looked up and remembered, in one file.
        """
        state = self.mktemp()
        proxy = replace(parseProxy("http://proxy.test:3128"), excepted="c.test")
        servers = [ServerPlace(f"{each}.test", 443) for each in "abc"]
        client = clientService(servers, tls=None, proxy=proxy, stateDirectory=state, reactor=self.reactor)
        assert isinstance(client, ClientService)
        self.services.append(client)
        client.startService()
        for way, host in zip(client._ways, ("192.0.2.1", "192.0.2.2", "192.0.2.3"), strict=True):
            way.lookup.opened(IPv4Address("TCP", host, 1))
        self.pass_(int(2 * WRITE_SECONDS))
        self.assertEqual(sorted(os.listdir(state)), ["c.test-443.json", "proxy.test-3128.json"])
        again = LastGood(proxy.address, state, self.reactor.seconds)
        self.assertEqual(again.hosts, ("192.0.2.2", "192.0.2.1"))
        again.close()


class WorkersTests(_ServicesTestCase):
    """
    Either end may have several processes, where the system can tell each packet which one it is for.
    """

    def setUp(self) -> None:
        super().setUp()
        self.trouble: str | None = None
        self.patch(services, "steeringTrouble", lambda: self.trouble)
        self.patch(services, "usableProcessors", lambda: 3)

    def test_asManyAsAreWanted(self) -> None:
        """
        Or as there are processors; and with one, no other process at all.
        """
        ends: list[tuple[Any, Any, Any, Any]] = [
            (clientService, SERVER, ClientParent, ClientService),
            (serverService, TARGET, ServerParent, ServerService),
        ]
        for make, address, parent, alone in ends:
            for workers, kind in ((1, alone), (2, parent), (None, parent)):
                service = make(address, tls=None, reactor=self.reactor, workers=workers)
                self.assertIs(type(service), kind)
                if kind is parent:
                    self.assertEqual(len(service.workerStatistics()), workers or 3)

    def test_whereTheSystemCannotItIsOneProcess(self) -> None:
        """
        Which says so.
        """
        self.trouble = "it is too old"
        self.client(workers=4)
        self.server(workers=4)
        said = [line for line in self.lines(LogLevel.warn) if "one process" in line]
        self.assertEqual(said, ["one process serves, and not 4: it is too old"] * 2)

    def test_oneProcessIsNoTrouble(self) -> None:
        self.trouble = "it is too old"
        self.patch(services, "usableProcessors", lambda: 1)
        self.client(workers=None)
        self.client(workers=1, listen=("127.0.0.1", 5))
        self.assertEqual(self.lines(LogLevel.warn), [])


class TogetherTests(_ServicesTestCase):
    """
    Put a source, a client, a server and a target together.
    """

    def setUp(self) -> None:
        super().setUp()
        self.source, self.target = Receiver(), Receiver()
        self.sourcePort = self.network.open(SOURCE, self.source)
        self.targetPort = self.network.open(TARGET, self.target)

    def startBoth(self, **choices: Any) -> tuple[ClientService, ServerService]:
        server = self.server()
        return self.client(**choices), server

    def exchange(self, train: Train = PING) -> None:
        """
        Let the source send, and the target answer.
        """
        self.sourcePort.sendTrains([train], CLIENT_PORT)
        self.flush()
        self.targetPort.sendTrains([Train(4, b"pong")], self.target.trains[-1][1])
        self.flush()

    def prove(self) -> None:
        """
        Let the source send enough after an answer to be worth its whole pool.
        """
        self.exchange()
        self.reactor.advance(MOMENT_SECONDS)
        self.sourcePort.sendTrains([Train(TUNNEL_BYTES, bytes(8 * TUNNEL_BYTES))], CLIENT_PORT)
        self.flush()

    def tryAllSizes(self) -> None:
        """
        Send datagrams of many sizes both ways.
        """
        sizes = (0, 1, 100, 1400, 1500, 9000, 65507)
        trains = [Train(size, bytes([number + 1]) * size) for number, size in enumerate(sizes)]
        for train in trains:
            self.sourcePort.sendTrains([train], CLIENT_PORT)
            self.flush()
        self.assertEqual(self.target.datagrams(), [train.payload for train in trains])
        (session,) = {source for _, source in self.target.trains}
        for train in trains:
            self.targetPort.sendTrains([train], session)
            self.flush()
        self.assertEqual(self.source.datagrams(), [train.payload for train in trains])
        self.assertEqual({source for _, source in self.source.trains}, {CLIENT_PORT})

    def test_datagramsOfManySizesPassBothWays(self) -> None:
        client, server = self.startBoth()
        self.tryAllSizes()
        self.assertEqual((client.drops.totals, server.drops.totals), ({}, {}))

    def test_bothEndsTuneTheirSocketsAsTheyWereTold(self) -> None:
        for module in (tunnelservice, settings):
            self.patch(module, "checkCongestion", lambda _: None)
        choices: dict[str, Any] = {"unsentLimit": 4096, "congestion": "cubic", "udpBuffer": 1 << 20, "mss": 1200}
        for expected, chosen in ((TunnelSocketOptions(), {}), (TunnelSocketOptions(4096, "cubic"), choices)):
            self.connecting.kinds.clear()
            client, server = self.client(**chosen), self.server(**chosen)
            self.sourcePort.sendTrains([PING], CLIENT_PORT)
            self.flush()
            (kind,) = self.connecting.kinds.values()
            self.assertEqual((kind.tuning, self.accepted.args[-1]), (expected, expected))
            self.assertIs(self.accepted.func, AcceptedTcpStream)
            size = chosen.get("mss")
            self.assertEqual((self.connecting.sizes, self.reactor.listening[-1].segmentSize), ([size], size))
            self.connecting.sizes.clear()
            for service in (client, server):
                stopped = service.stopService()
                self.flush()
                self.successResultOf(stopped)
        self.assertEqual(self.udpBuffers, [UDP_BUFFER_BYTES] * 2 + [1 << 20] * 2)

    def test_tlsConnectionsAreTunedToo(self) -> None:
        serverTls, clientTls = self.certificates()
        self.server(serverTls, unsentLimit=4096)
        self.client(clientTls, unsentLimit=4096)
        self.exchange()
        self.assertEqual({kind.tuning for kind in self.connecting.kinds.values()}, {TunnelSocketOptions(4096)})
        self.assertEqual((self.accepted.func, self.accepted.args[-1]), (AcceptedTlsStream, TunnelSocketOptions(4096)))

    def test_datagramsPassOverTls(self) -> None:
        serverTls, clientTls = self.certificates()
        self.server(serverTls)
        self.client(clientTls)
        self.tryAllSizes()
        self.assertEqual(self.lines(LogLevel.warn), [])

    def test_whatTheSourceSendsAfterAnAnswerOpensThePool(self) -> None:
        """
        The answer alone does not.
        """
        self.startBoth(poolSize=3, minPool=3)
        self.exchange()
        self.assertEqual(len(self.pumps), 1)
        self.prove()
        self.assertEqual(len(self.pumps), 3)
        self.assertIn("connected to good.test port 8443", self.lines())

    def test_clientSaysWhereDescriptorsAreShort(self) -> None:
        for limit, poolSize, minPool, needed, isSaid in (
            (255, 8, None, 2, True),
            (256, 8, None, 2, False),
            (1023, 8, 8, 8, True),
            (1024, 8, 8, 8, False),
            (127, 1, None, 1, True),
            (128, 1, None, 1, False),
            (None, 8, 8, 8, False),
        ):
            self.patch(clientfront, "descriptorLimit", lambda limit=limit: limit)
            self.client(listen=("127.0.0.1", 5), poolSize=poolSize, minPool=minPool)
            expected = (
                f"this process may have {limit} descriptors, and the tunnels of a source need {needed} of them, or "
                f"up to {poolSize} at times: where there are many sources, raise that limit (ulimit -n, or "
                "LimitNOFILE of systemd)"
            )
            self.assertEqual(self.lines(LogLevel.warn), [expected] if isSaid else [])
            self.events.clear()  # type: ignore[attr-defined]
            self.stopAll()

    def test_portThatStrangersReachIsWarnedOf(self) -> None:
        """
        Unless it is said who may use the client, or nobody else can.
        """
        everybody, here = "0.0.0.0", "::ffff:127.0.0.2"  # noqa: S104 - what is warned of
        for host in ("127.0.0.1", "::1", here):
            self.client(listen=(host, 1))
        self.client(listen=(everybody, 2), allow=(ip_network("192.0.2.0/24"),))
        self.assertEqual(self.lines(LogLevel.warn), [])
        self.client(listen=(everybody, 3))
        self.client(listen=(("127.0.0.1", 4), ("2001:db8::1", 4), ("192.0.2.7", 4)))
        words = "whoever reaches this port can reach the target: {} (UDP); allow names who may"
        places = ("0.0.0.0 port 3", "2001:db8::1 port 4", "192.0.2.7 port 4")
        self.assertEqual(self.lines(LogLevel.warn), [words.format(place) for place in places])

    def test_networksFromWhichNothingCanComeAreWarnedOf(self) -> None:
        for host, networks in (
            ("127.0.0.1", ("127.0.0.0/8",)),
            ("::", ("192.0.2.0/24", "2001:db8::/32")),
            ("192.0.2.1", ("192.0.2.0/24", "0.0.0.0/0")),
        ):
            self.client(listen=(host, 1), allow=tuple(map(ip_network, networks)))
        self.assertEqual(self.lines(LogLevel.warn), [])
        some = tuple(map(ip_network, ("192.0.2.0/24", "127.0.0.1", "::1")))
        self.client(listen=("127.0.0.1", 2), allow=some)
        words = (
            "allow 192.0.2.0/24, ::1/128 lets nobody in: this client listens on 127.0.0.1, where nothing comes from "
            "there; let it listen on an address that those sources reach"
        )
        self.assertEqual(self.lines(LogLevel.warn), [words])

    def test_balancersFromWhichNothingCanComeAreWarnedOf(self) -> None:
        some = tuple(map(ip_network, ("192.0.2.7", "127.0.0.1")))
        self.server(listen=("0.0.0.0", 1), proxyProtocol=some)  # noqa: S104 - a word like any other
        self.assertEqual(self.lines(LogLevel.warn), [])
        self.server(listen=("127.0.0.1", 2), proxyProtocol=some)
        words = (
            "proxyProtocol 192.0.2.7/32 is of no use: this server listens on 127.0.0.1, where nothing comes from there"
        )
        self.assertEqual(self.lines(LogLevel.warn), [words])

    def test_sourcesThatAreNotAllowedAreNotServed(self) -> None:
        self.server()
        client = self.client(allow=(ip_network("192.0.2.0/24"),))
        self.sourcePort.sendTrains([PING], CLIENT_PORT)
        self.flush()
        self.assertEqual((len(self.pumps), client.drops.totals), (0, {Drop.SOURCE_NOT_ALLOWED: 1}))

    def test_stopEndsSessionsAndTunnelsAndTimers(self) -> None:
        """
        Within two seconds, also when the other end does not answer.
        """
        client, server = self.startBoth()
        self.exchange()
        stopped = [client.stopService(), server.stopService()]
        self.reactor.advance(1)
        for each in stopped:
            self.assertNoResult(each)
        for transport in self.transports:
            self.assertTrue(transport.disconnecting)
            transport.settle()
        self.reactor.advance(0)
        for each in stopped:
            self.successResultOf(each)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(set(self.network.ports), {SOURCE, TARGET})

    def test_stopOfTheClientLosesNothingThatIsUnderWay(self) -> None:
        serverTls, clientTls = self.certificates()
        server, client = self.server(serverTls), self.client(clientTls)
        self.exchange()
        self.sourcePort.sendTrains([PING] * 20, CLIENT_PORT)
        self.network.settle()
        stopped = client.stopService()
        self.sourcePort.sendTrains([PING], CLIENT_PORT)
        self.flush()
        self.successResultOf(stopped)
        self.assertEqual(self.target.datagrams().count(b"ping"), 21)
        self.assertIn("the client has left", " ".join(self.lines()))
        self.assertEqual(set(self.network.ports), {SOURCE, TARGET})
        self.assertTrue(server.running)

    def test_stopOfTheServerLosesNothingThatIsUnderWay(self) -> None:
        serverTls, clientTls = self.certificates()
        server, _ = self.server(serverTls), self.client(clientTls)
        self.exchange()
        answers = len(self.source.datagrams())
        self.sourcePort.sendTrains([PING] * 20, CLIENT_PORT)
        self.targetPort.sendTrains([PING] * 20, self.target.trains[-1][1])
        self.network.settle()
        stopped = server.stopService()
        self.flush()
        self.successResultOf(stopped)
        self.assertEqual(self.target.datagrams().count(b"ping"), 21)
        self.assertEqual(len(self.source.datagrams()) - answers, 20)
        self.reactor.tcpServers.clear()
        self.reactor.advance(1)
        self.assertTrue(self.reactor.tcpClients)

    def test_formatIsWhatBothKnow(self) -> None:
        """
        Format 2 with TLS, unless one end is told otherwise; without, format 1.
        """
        one, two, auto = WireChoice.ONE, WireChoice.TWO, WireChoice.AUTO
        for tls, here, there, spoken in (
            (True, auto, auto, 2),
            (True, auto, one, 1),
            (True, one, auto, 1),
            (True, auto, two, 2),
            (True, two, auto, 2),
            (False, auto, auto, 1),
            (False, two, auto, 2),
            (False, two, two, 2),
            (False, one, auto, 1),
        ):
            with capturedLogs() as events:
                serverTls, clientTls = self.certificates() if tls else (None, None)
                server, client = self.server(serverTls, wire=there), self.client(clientTls, wire=here)
                self.exchange()
            said = any("which speaks format 2" in formatEvent(event) for event in events)
            self.assertEqual((tls, here, there, 2 if said else 1), (tls, here, there, spoken))
            for service in (client, server):
                stopped = service.stopService()
                self.flush()
                self.reactor.advance(1)
                self.flush()
                self.successResultOf(stopped)

    def test_wakingUpMakesEveryTunnelProveItself(self) -> None:
        """
        One clock has gone on, and the monotonic clock has not; and so does a reload, since
        the network may have changed.
        """
        asleep = 0.0
        serverTls, clientTls = self.certificates()
        self.server(serverTls)
        service = ClientService(
            self.client(clientTls, start=False, minPool=8).settings,
            ClientCredentials(clientTls),
            self.reactor,
            SleepClocks(lambda: self.reactor.seconds() + asleep, self.reactor.seconds, settable=False),
        )
        self.services.append(service)
        service.startService()
        self.prove()
        proofs: list[bool] = []

        def prove(_: Tunnel) -> bool:
            proofs.append(True)
            return True

        self.patch(Tunnel, "prove", prove)
        context = service.servers.all[0].context
        self.pass_(3)
        self.assertEqual((proofs, context.addresses.best), ([], self.found[0]))  # type: ignore[index]
        asleep = 3600.0
        self.pass_(3)
        self.assertEqual((len(proofs), context.addresses.best), (8, None))
        context.segments.smallerPassed(1200, 0.0, 3.0, sawLoss=True)
        self.assertIn("this machine has slept: every tunnel has to show", " ".join(self.lines()))
        service.reload()
        self.assertEqual((len(proofs), context.segments.forDial()), (16, None))
        self.exchange()

    def test_stalledTunnelsAreReplacedBySuchWithSmallSegments(self) -> None:
        """
        And that is said once.
        """
        self.startBoth()
        self.exchange()
        for _ in range(2):
            for transport in self.transports:
                transport.underWay = Flight(1448, 3000, 9, 0)
            self.pass_(1)
            if len(self.connecting.sizes) == 1:
                self.transports[1].lose()
            self.pass_(1)
            self.flush()
        self.assertEqual(self.connecting.sizes[0], None)
        self.assertEqual(self.connecting.sizes[-1], 1200)
        said = [line for line in self.lines() if "large packets" in line]
        self.assertEqual(len(said), 1)
        self.assertIn("set mss 1200", said[0])

    def test_stopWhileTheServerIsAwayLeavesNothing(self) -> None:
        service = self.client()
        self.sourcePort.sendTrains([PING], CLIENT_PORT)
        self.network.settle()
        self.assertEqual(len(self.reactor.tcpClients), 1)
        self.successResultOf(service.stopService())
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertTrue(self.reactor.connectors[0].stoppedConnecting)

    def test_connectionThatShowsItsIdWhileTheServerStopsLeavesNothing(self) -> None:
        """
        The port takes a moment to stop, and bytes arrive in that moment.
        """
        self.reactor.stopped = Deferred()
        server = self.server()
        newcomer = self.arrive(MemoryNewcomer())
        tunnel, transport = newcomer.protocol, newcomer.stream
        assert transport is not None
        stopped = server.stopService()
        tunnel.dataReceived(uuid.uuid4().bytes + b"\0\4ping")
        self.reactor.stopped.callback(None)
        transport.settle()
        self.reactor.advance(1)
        transport.settle()
        self.successResultOf(stopped)
        self.assertEqual([str(call) for call in self.reactor.getDelayedCalls()], [])
        self.assertEqual(set(self.network.ports), {SOURCE, TARGET})

    def test_silentSourceIsForgotten(self) -> None:
        self.startBoth(expire=60.0)
        self.sourcePort.sendTrains([PING], CLIENT_PORT)
        self.flush()
        self.pass_(int(UNPROVED_SECONDS) + 1)
        self.assertEqual(len([line for line in self.lines() if "ended: idle" in line]), 1)
        self.prove()
        self.pass_(55)
        self.assertEqual(len([line for line in self.lines() if "ended: idle" in line]), 1)
        self.pass_(6)
        self.assertEqual(len([line for line in self.lines() if "ended: idle" in line]), 2)

    def test_lostTunnelsComeBackToTheSameSession(self) -> None:
        self.startBoth(poolSize=2)
        self.prove()
        self.assertEqual(len(self.pumps), 2)
        for transport in self.transports:
            transport.abortConnection()
        self.pass_(2)
        self.assertEqual(len(self.pumps), 4)
        self.exchange()
        self.assertEqual(len({source for _, source in self.target.trains}), 1)
        self.assertEqual(self.source.datagrams(), [b"pong", b"pong"])

    def test_whatIsDroppedIsSaidOnceAMinute(self) -> None:
        client, _ = self.startBoth()
        self.sourcePort.sendTrains([PING], CLIENT_PORT)
        self.flush()
        (session,) = {source for _, source in self.target.trains}
        stranger = self.network.open(("127.0.0.1", 7), Receiver())
        for _ in range(5):
            stranger.sendTrains([PING], session)
        self.targetPort.sendTrains([PING], session)
        self.flush()
        self.pass_(59)
        self.assertEqual(self.lines(LogLevel.warn), [])
        self.pass_(61)
        line = "datagrams dropped: 5 reached a session's socket from elsewhere than the target"
        self.assertEqual(self.lines(LogLevel.warn), [line])
        stranger.stopListening()
        self.assertEqual(client.drops.totals, {})

    def test_peerThatStopsToReadIsAbortedInTheEnd(self) -> None:
        self.startBoth(poolSize=1)
        self.prove()
        (end,) = [transport for transport in self.transports if not transport.isServer]
        end.stalled = True
        for _ in range(100):
            self.sourcePort.sendTrains([Train(1400, bytes(1400))], CLIENT_PORT)
        self.flush()
        self.pass_(8)
        self.assertFalse(end.aborted)
        self.pass_(2)
        self.assertTrue(end.aborted)
        self.assertEqual(len(self.pumps), 2)

    def test_serverThatStaysAwayDoesNotFillTheLog(self) -> None:
        self.client()
        self.sourcePort.sendTrains([PING], CLIENT_PORT)
        self.network.settle()
        for _ in range(500):
            for _, _, factory, _, _ in self.reactor.tcpClients:
                protocol = factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 8443))
                assert protocol is not None
                transport = MemoryStream(protocol)
                protocol.makeConnection(transport)
                transport.lose()
            self.reactor.tcpClients.clear()
            self.sourcePort.sendTrains([PING], CLIENT_PORT)
            self.network.settle()
            self.reactor.advance(1)
        self.assertLess(len(self.lines()), 10, self.lines())

    def test_lackOfProtectionIsSaidAtTheStart(self) -> None:
        serverTls, clientTls = self.certificates()
        self.server(serverTls)
        self.client(clientTls)
        self.assertEqual([formatEvent(event) for event in self.events if formatEvent(event) in WARNINGS_AT_START], [])
        self.server(ServerTls(serverTls.cert))
        self.server()
        self.client(listen=("127.0.0.1", 8912))
        plain, openAndPlain, open_ = WARNINGS_AT_START
        said = [formatEvent(event) for event in self.events if formatEvent(event) in WARNINGS_AT_START]
        self.assertEqual(said, [open_, plain, openAndPlain, plain])

    def _withoutEffect(self) -> list[str]:
        """
        @return: which settings were said to have no effect.
        """
        return [line.partition(" ")[0] for line in self.lines() if " has no effect: " in line]

    def test_settingsThatFormat1CannotFollowAreSaidAtTheStart(self) -> None:
        serverTls, clientTls = self.certificates()
        self.client(duplicate=Duplicate.ALWAYS, reorder=Order(OrderMode.BULK))
        self.assertEqual(self._withoutEffect(), ["reorder", "duplicate"])
        self.client(clientTls, listen=("127.0.0.1", 8912), wire=WireChoice.ONE, reorder=Order.within(0.1))
        self.assertEqual(self._withoutEffect(), ["reorder", "duplicate", "reorder"])
        self.server(serverTls, wire=WireChoice.ONE, duplicate=Duplicate.ALWAYS)
        self.assertEqual(self._withoutEffect(), ["reorder", "duplicate", "reorder", "duplicate"])

    def test_whoAllowsOneTunnelIsToldThatNothingGoesTwice(self) -> None:
        _, clientTls = self.certificates()
        self.client(clientTls, poolSize=1)
        self.client(clientTls, listen=("127.0.0.1", 8912), poolSize=2, duplicate=Duplicate.ALWAYS)
        self.assertEqual(self._withoutEffect(), [])
        self.client(clientTls, listen=("127.0.0.1", 8913), poolSize=1, duplicate=Duplicate.ALWAYS)
        self.assertEqual(self._withoutEffect(), ["duplicate"])

    def test_settingsThatAreFollowedAreNotWarnedOf(self) -> None:
        serverTls, clientTls = self.certificates()
        both: dict[str, Any] = {"duplicate": Duplicate.ALWAYS, "reorder": Order(OrderMode.BULK)}
        self.client(clientTls, **both)
        self.client(listen=("127.0.0.1", 8912), wire=WireChoice.TWO, **both)
        off: dict[str, Any] = {"duplicate": Duplicate.OFF, "reorder": Order(OrderMode.OFF)}
        self.client(listen=("127.0.0.1", 8913), wire=WireChoice.ONE, **off)  # nothing waits or goes twice there
        self.server(serverTls, **both)
        self.server(**both)  # a client may choose format 2
        self.assertEqual(self._withoutEffect(), [])

    def test_targetThatIsSilentIsSaidOnce(self) -> None:
        """
        The log says where to look when nothing comes back.
        """
        self.server()
        self.client()
        self.sourcePort.sendTrains([PING], CLIENT_PORT)
        self.flush()
        self.pass_(30)
        silent = [line for line in self.lines(LogLevel.warn) if "is it there?" in line]
        self.assertEqual(len(silent), 1, self.lines())
        self.assertIn("from the target, {} port {}".format(*TARGET), silent[0])

    def test_targetThatAnswersIsNotCalledSilent(self) -> None:
        self.server()
        self.client()
        self.exchange()
        self.pass_(30)
        self.assertEqual([line for line in self.lines(LogLevel.warn) if "is it there?" in line], [])

    def test_nameThatIsToBeLookedUpOnceIsLookedUpAtTheStartUntilItIsFound(self) -> None:
        asked: list[str] = []

        def lookup(host: str, *_: object) -> Resolved:
            asked.append(host)
            return LookupFailed("host name not found") if len(asked) < 3 else [IPv4Address("TCP", "192.0.2.1", 8443)]

        def inBackground(_: Callable[[], Resolved], done: Callable[[Resolved], None]) -> None:
            done(lookup("good.test"))

        self.patch(clientservice, "backgroundThread", lambda _: inBackground)
        self.client(resolveOnce=True, backoff=5.0)
        self.assertEqual(len(asked), 1)
        self.pass_(60)
        self.assertEqual(len(asked), 3)
        self.assertEqual(self.lines(LogLevel.warn), ["good.test: host name not found, trying again"])

    def test_severalEndsOfAKindFitIntoOneApplication(self) -> None:
        """
        A host that leads to two servers needs two clients.
        """
        application = MultiService()
        for _ in range(2):
            self.client(start=False).setServiceParent(application)
            self.server(start=False).setServiceParent(application)
        self.assertEqual(len(list(application)), 4)

    def test_outageAndRecoveryAreSaid(self) -> None:
        self.server()
        self.client()
        for _ in range(2):
            self.exchange()
            for transport in self.transports:
                transport.abortConnection()
            self.pass_(int(PROVED_SECONDS) + 3)  # dialled again, and proved
        lines = [line for line in self.lines() if "good.test port 8443" in line]
        states = [line.partition(" good.test")[0] for line in lines if not line.startswith("a tunnel to")]
        self.assertEqual(states, ["connected to", "no tunnel to", "connected to", "no tunnel to", "connected to"])

    def test_silenceIsSaidAtBothEnds(self) -> None:
        """
        Once, in either format, when a source has sent for some seconds.
        """
        for wire in (WireChoice.ONE, WireChoice.TWO):
            self.server()
            self.client(wire=wire)
            for _ in range(30):
                self.sourcePort.sendTrains([PING], CLIENT_PORT)
                self.flush()
                self.pass_(1)
            said = [line for line in self.lines(LogLevel.warn) if line.startswith("nothing comes back to session")]
            self.assertEqual(sorted("from the target" in line for line in said), [False, True])
            client = next(line for line in said if "from the target" not in line)
            self.assertEqual("is that a uotp server" in client, wire is WireChoice.ONE)
            stays = [line for line in self.lines() if line.startswith("TCP is up to good.test port 8443")]
            self.assertEqual(len(stays), int(wire is WireChoice.ONE))
            self.stopAll()
            self.events.clear()  # type: ignore[attr-defined]

    def test_endOfAnswersIsSaidAtBothEnds(self) -> None:
        """
        Once, in either format, when a source goes on sending that was answered before.
        """
        for wire in (WireChoice.ONE, WireChoice.TWO):
            self.server()
            self.client(wire=wire)
            self.exchange()
            for _ in range(60):
                self.sourcePort.sendTrains([PING], CLIENT_PORT)
                self.flush()
                self.pass_(1)
            said = [line for line in self.lines(LogLevel.warn) if "nothing has come back to session" in line]
            self.assertEqual(sorted("from the target" in line for line in said), [False, True], said)
            self.stopAll()
            self.events.clear()  # type: ignore[attr-defined]

    def test_whatComesThroughIsSaidToBeAConnection(self) -> None:
        """
        In format 1 by the first answer; and whoever answers is not silent.
        """
        self.startBoth()
        self.sourcePort.sendTrains([PING], CLIENT_PORT)
        self.pass_(int(PROVED_SECONDS) + 2)
        self.assertEqual([line for line in self.lines() if "connected to" in line], [])
        for _ in range(20):
            self.exchange()
            self.pass_(1)
        self.assertEqual(
            [line for line in self.lines() if "connected to" in line], ["connected to good.test port 8443"]
        )
        self.assertEqual([line for line in self.lines() if "nothing comes back" in line], [])

    def test_refusalIsSaidOnceAtEachEnd(self) -> None:
        serverTls, clientTls = self.certificates()
        shown = STRANGER.issue(usages=CLIENT)
        self.server(serverTls)
        self.client(ClientTls(clientTls.cafile, self.path(shown.certificatePem() + shown.keyPem())))
        self.sourcePort.sendTrains([PING], CLIENT_PORT)
        self.pass_(25)
        self.assertGreater(len(self.pumps), 4)
        refusals = [line for line in self.lines(LogLevel.warn) if "unknown" in line]
        self.assertEqual(len(refusals), 2, self.lines(LogLevel.warn))
        self.assertTrue(refusals[0].startswith("refused a connection from 192.0.2.2: ") or "a tunnel to" in refusals[0])
        self.assertEqual(self.target.trains, [])

    def test_reloadUsesTheNewFiles(self) -> None:
        serverTls, clientTls = self.certificates()
        server, client = self.server(serverTls), self.client(clientTls, poolSize=1)
        self.exchange()
        renewed = STRANGER.issue("good.test")
        with open(serverTls.cert, "wb") as file:
            file.write(renewed.certificatePem() + renewed.keyPem())
        assert clientTls.cafile is not None
        with open(clientTls.cafile, "wb") as file:
            file.write(pem(STRANGER.certificate))
        server.reload()
        client.reload()
        self.exchange()
        self.assertEqual(len(self.pumps), 1)
        self.transports[0].abortConnection()
        self.pass_(2)
        self.exchange()
        self.assertEqual(self.source.datagrams(), [b"pong"] * 3)
        self.assertEqual([line for line in self.lines(LogLevel.warn) if "unknown issuer" in line], [])

    def test_filesThatChangeAreTakenUpByThemselves(self) -> None:
        """
        At both ends; a client with another key begins its session anew, and the path is not in doubt.
        """
        serverTls, clientTls = self.certificates()
        server, client = self.server(serverTls), self.client(clientTls, poolSize=1)
        self.exchange()
        looked = self.lookups
        assert clientTls.cert is not None
        shown = TRUSTED.issue(usages=CLIENT)
        for path, issued in ((serverTls.cert, TRUSTED.issue("good.test")), (clientTls.cert, shown)):
            with open(path, "wb") as file:
                file.write(issued.certificatePem() + issued.keyPem())
        self.pass_(15)
        self.assertEqual(client.ownPin(), publicKeyPin(shown.certificate))
        self.exchange()
        self.transports[0].abortConnection()
        self.pass_(2)
        self.exchange()
        self.assertEqual(len([line for line in self.lines() if " goes on as session " in line]), 1)
        for service in (server, client):
            self.assertEqual(service.statistics().reloads, {"taken": 1, "refused": 0})
        os.truncate(clientTls.cert, 0)
        self.pass_(15)
        self.assertEqual(client.statistics().reloads, {"taken": 1, "refused": 1})
        self.exchange()
        self.assertLessEqual(self.lookups - looked, 3)

    def test_onlyWhoShowsATokenComesIn(self) -> None:
        """
        A token is replaced without a gap: first both are known, then the client shows the new one.
        """
        serverTls, clientTls = self.certificates()
        known, shown = self.path(b"the old token, 21 by\n"), self.path(b"the old token, 21 by\n")
        server = self.server(replace(serverTls, cafile=None), tokenFile=known)
        client = self.client(replace(clientTls, cert=None, key=None, tokenFile=shown), poolSize=1)
        self.exchange()
        for path, content in (
            (known, b"the old token, 21 by\nthe new token, 21 by\n"),
            (shown, b"the new token, 21 by\n"),
            (known, b"the new token, 21 by\n"),
        ):
            with open(path, "wb") as file:
                file.write(content)
            server.takeUp()
            client.takeUp()
            self.pass_(3)
            self.exchange()
        self.assertEqual(self.source.datagrams(), [b"pong"] * 4)
        words = "closed a tunnel from 192.0.2.2: its token has been taken out of the token file"
        self.assertIn(words, "".join(self.lines(LogLevel.warn)))
        self.assertEqual([line for line in self.lines() if "wrong token" in line], [])
        with open(known, "wb") as file:
            file.write(b"another token, not shown")
        server.reload()
        self.pass_(3)
        before = len(self.target.trains)
        self.sourcePort.sendTrains([PING], CLIENT_PORT)
        self.pass_(3)
        self.assertEqual(len(self.target.trains), before)
        self.assertIn("refused a connection from 192.0.2.2: wrong token", self.lines(LogLevel.warn))

    def test_revokedClientIsOutAtTheReload(self) -> None:
        """
        Its tunnels are closed, it gets no others, and nobody else notices.
        """
        for wire in (WireChoice.ONE, WireChoice.TWO):
            serverTls, clientTls = self.certificates()
            server = self.server(serverTls)
            self.client(clientTls, wire=wire, poolSize=2)
            self.exchange()
            assert serverTls.cafile is not None
            assert clientTls.cert is not None
            with open(clientTls.cert, "rb") as file:
                shown = load_pem_x509_certificate(file.read())
            other = TRUSTED.issue(usages=CLIENT).certificate
            for revoked in (other, shown):
                with open(serverTls.cafile, "wb") as file:
                    file.write(pem(TRUSTED.certificate) + TRUSTED.revocationList(revoked))
                before = len(self.target.trains)
                server.reload()
                self.pass_(3)
                self.sourcePort.sendTrains([PING], CLIENT_PORT)
                self.pass_(3)
                self.assertEqual(len(self.target.trains) - before, int(revoked is other))
            said = [line for line in self.lines(LogLevel.warn) if "revoked" in line and " from 192.0.2.2: " in line]
            self.assertEqual(len(said), 2, said)
            self.assertIn(
                "closed a tunnel from 192.0.2.2: its certificate has been revoked since it was let in", said[0]
            )
            self.assertIn("refused a connection from 192.0.2.2: certificate was revoked by 'CN=Trusted CA'", said[1])
            self.stopAll()
            self.events.clear()  # type: ignore[attr-defined]

    def test_clientOfARevokedCaIsOutAtTheReload(self) -> None:
        """
        Of one that stands between the file and the client, and came with it.
        """
        serverTls, clientTls = self.certificates()
        below = Authority("Below", issuer=TRUSTED)
        shown = below.issue(usages=CLIENT)
        server = self.server(serverTls)
        self.client(replace(clientTls, cert=self.path(shown.certificatePem() + shown.keyPem())), poolSize=2)
        self.exchange()
        assert serverTls.cafile is not None
        with open(serverTls.cafile, "wb") as file:
            file.write(pem(TRUSTED.certificate) + TRUSTED.revocationList(below.certificate))
        before = len(self.target.trains)
        server.reload()
        self.pass_(3)
        self.sourcePort.sendTrains([PING], CLIENT_PORT)
        self.pass_(3)
        self.assertEqual(len(self.target.trains), before)
        said = [line for line in self.lines(LogLevel.warn) if "revoked" in line and " from 192.0.2.2: " in line]
        self.assertIn("closed a tunnel from 192.0.2.2: the CA of its certificate has been revoked", said[0])
        self.assertIn("issuer's certificate 'CN=Below' was revoked by 'CN=Trusted CA'", said[1])

    def renewKey(self, wire: WireChoice) -> float:
        """
        Renew a client's key at a reload, and let its tunnels be lost.

        @return: how long it takes until a datagram is answered again.
        """
        serverTls, clientTls = self.certificates()
        self.server(serverTls)
        client = self.client(clientTls, wire=wire, poolSize=1)
        self.exchange()
        self.pass_(15)
        renewed = TRUSTED.issue(usages=CLIENT)
        assert clientTls.cert is not None
        with open(clientTls.cert, "wb") as file:
            file.write(renewed.certificatePem() + renewed.keyPem())
        client.reload()
        self.flush()
        began = self.reactor.seconds()
        for transport in self.transports[:1]:
            transport.abortConnection()
        self.flush()
        while self.reactor.seconds() < began + 60:
            before = len(self.target.trains)
            self.sourcePort.sendTrains([PING], CLIENT_PORT)
            self.flush()
            if len(self.target.trains) > before:
                break
            self.reactor.advance(0.05)
            self.flush()
        took = self.reactor.seconds() - began
        self.exchange()
        self.assertEqual(self.source.datagrams()[-1], b"pong")
        replaced = [line for line in self.lines() if " goes on as session " in line]
        self.assertEqual(len(replaced), 1, self.lines())
        return took

    def test_renewedKeyBeginsTheSessionAnewAtOnce(self) -> None:
        """
        The server keeps the old one for minutes, for whoever has the old key.
        """
        self.assertLess(self.renewKey(WireChoice.TWO), 0.5)
        self.assertIn(
            "a tunnel to good.test port 8443 failed: the server refuses the session; its log says why",
            self.lines(LogLevel.warn),
        )

    def test_renewedKeyBeginsTheSessionAnewAtOnceInFormat1(self) -> None:
        self.assertLess(self.renewKey(WireChoice.ONE), 0.5)
        self.assertEqual([line for line in self.lines(LogLevel.warn) if "another client certificate" in line], [])

    def test_renewedCertificateWithTheSameKeyKeepsTheSession(self) -> None:
        for wire in (WireChoice.ONE, WireChoice.TWO):
            serverTls, clientTls = self.certificates()
            self.server(serverTls)
            client = self.client(clientTls, wire=wire)
            self.exchange()
            assert clientTls.cert is not None
            with open(clientTls.cert, "rb+") as file:
                content = file.read()
                shown = load_pem_private_key(content, None)
                assert isinstance(shown, ec.EllipticCurvePrivateKey)
                renewed = TRUSTED.issue(usages=CLIENT, key=shown)
                file.seek(0)
                file.truncate()
                file.write(renewed.certificatePem() + renewed.keyPem())
            client.reload()
            self.pass_(3)
            self.exchange()
            self.assertEqual([line for line in self.lines() if " goes on as session " in line], [])
            self.stopAll()

    def test_reloadOfUnusableFilesKeepsTheOld(self) -> None:
        serverTls, clientTls = self.certificates()
        server, client = self.server(serverTls), self.client(clientTls)
        assert clientTls.cafile is not None
        kept = {}
        for name in (serverTls.cert, clientTls.cafile):
            with open(name, "rb+") as file:
                kept[name] = file.read()
                file.truncate(0)
        for service, name in ((server, serverTls.cert), (client, clientTls.cafile)):
            failure = self.failureResultOf(service.reload(), ConfigurationError)
            self.assertIn(name, str(failure.value))
        self.exchange()
        self.assertEqual(self.source.datagrams(), [b"pong"])

    def test_reloadWithoutTlsDoesNothing(self) -> None:
        for service in self.startBoth():
            service.reload()


class GarbageTests(_ServicesTestCase):
    """
    Open and end sessions while the garbage collector is off, and see what it would have found.
    A full collection stops everything for as long as it takes; to count references does not.
    """

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(gc.enable)
        self.target = Receiver()
        self.targetPort = self.network.open(TARGET, self.target)
        self.source = Receiver()
        self.sourcePort = self.network.open(SOURCE, self.source)

    def carryAndEnd(self) -> None:
        """
        Let a source send, the target answer, and the session be idle until it ends.
        """
        self.sourcePort.sendTrains([PING], CLIENT_PORT)
        self.flush()
        self.targetPort.sendTrains([Train(4, b"pong")], self.target.trains[-1][1])
        self.flush()
        self.pass_(10)

    def left(self) -> set[str]:
        """
        @return: the classes of ours of which there is an object that only the collector frees.
        """
        for stream in self.transports:  # real ones do so when they are lost
            del stream.protocol, stream.producer
        self.pumps.clear()
        self.transports.clear()
        self.addCleanup(gc.set_debug, gc.get_debug())
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        found, gc.garbage[:] = list(gc.garbage), []
        gc.set_debug(0)
        return {type(each).__qualname__ for each in found if type(each).__module__.startswith("uotp.")}

    def test_sessionsThatHaveEndedLeaveNothing(self) -> None:
        for wire in (WireChoice.ONE, WireChoice.TWO):
            server, client = self.server(wire=wire, linger=1), self.client(wire=wire, expire=2, poolSize=3)
            self.carryAndEnd()  # what is made once is made now
            gc.disable()
            gc.collect()
            for _ in range(3):
                self.carryAndEnd()
            self.assertEqual((len(server.liveTunnels), len(client.liveTunnels)), (0, 0))
            self.assertEqual(self.left(), set(), wire)
            gc.enable()
            for service in (client, server):
                self.successResultOf(service.stopService())
                self.flush()
            self.reactor.tcpServers.clear()
