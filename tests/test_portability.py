"""
What is not there on every system: the package imports without it, its commands
work without it, and what cannot work without it says so.
"""

from __future__ import annotations

import errno
import importlib
import os
import pkgutil
import select
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.commands import CommandTestCase
from tests.doubles.newcomers import listenInMemory
from tests.doubles.processlogs import RecordingProcessLog
from tests.doubles.sockets import FakeSocket, tcpInfo
from uotp.cli import common, server
from uotp.errors import ConfigurationError, StartError
from uotp.net import sockopts, tcpinfo
from uotp.net.sockopts import FREE_SEND_BUFFER_BYTES, SO_BUF_LOCK, UNSENT_LIMIT_BYTES, TunnelSocketOptions
from uotp.path import TROUBLED
from uotp.process import descriptorlimit, signals
from uotp.server import service as serverservice
from uotp.telemetry.log import Logger

NOT_EVERYWHERE = ("SO_MARK", "SO_BINDTODEVICE", "SO_REUSEPORT", "SO_INCOMING_CPU", "TCP_", "AF_", "IP_", "IPV6_")
"""How names of the socket module begin that some system lacks..."""

EVERYWHERE = {"AF_INET", "AF_INET6", "AF_UNSPEC", "TCP_NODELAY", "IPV6_V6ONLY", "IP_TTL", "IP_TOS"}
"""...and those among them that are everywhere."""

SYSTEMS = ("darwin", "win32")

IMPORTED: dict[str, dict[str, ModuleType]] = {}
"""The package as each system sees it, once it was imported, which takes long."""


def strippedSocketModule() -> ModuleType:
    """
    @return: the socket module with nothing but what each system has.
    """
    stripped = ModuleType("socket")
    for name, value in vars(socket).items():
        if name in EVERYWHERE or not name.startswith(NOT_EVERYWHERE):
            setattr(stripped, name, value)
    return stripped


@contextmanager
def elsewhere(platform: str) -> Iterator[Callable[[str], Any]]:
    """
    Import the whole package as on another system.  Meanwhile this is what
    C{import} finds; no global reactor can be installed.

    @param platform: what C{sys.platform} is there.
    @return: gives a module of the package, by its name.
    """
    absent: Any = None  # importing it is an ImportError then
    replaced = {"socket": strippedSocketModule(), "resource": absent, "twisted.internet.reactor": absent}
    ours = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "uotp"}
    before = {name: sys.modules[name] for name in replaced if name in sys.modules}
    real = sys.platform
    for name in ours:
        del sys.modules[name]
    sys.modules.update(replaced)
    sys.platform = platform
    try:
        if platform not in IMPORTED:
            package = importlib.import_module("uotp")
            for found in pkgutil.walk_packages(package.__path__, "uotp."):
                importlib.import_module(found.name)
            IMPORTED[platform] = {name: sys.modules[name] for name in sys.modules if name.split(".")[0] == "uotp"}
        sys.modules.update(IMPORTED[platform])
        vars(sys.modules["uotp.cli.common"])["ProcessLog"] = (
            RecordingProcessLog  # the log of this process is not theirs
        )
        yield sys.modules.__getitem__
    finally:
        sys.platform = real
        for name in [name for name in sys.modules if name in replaced or name.split(".")[0] == "uotp"]:
            del sys.modules[name]
        sys.modules.update(ours)
        sys.modules.update(before)


class ElsewhereTests(CommandTestCase):
    """
    See the package as another system does.
    """

    def setUp(self) -> None:
        super().setUp()
        self.replaceReactor(MemoryReactorClock())
        self.patch(sys, "excepthook", sys.excepthook)

    def options(self, here: Callable[[str], Any], end: str, *words: str) -> Any:
        """
        @return: the options of one end there, for plain TCP and these words.
        """
        options = here(end).Options()
        options.parseOptions(["example.com", "8443", "--no-tls", *words])
        return options

    def test_nothingNeedsLinuxToBeImportedAndParsed(self) -> None:
        """
        All modules, the command lines of both ends up to their services, and the
        UDP port that needs nothing special; no import installs a reactor.
        """
        for platform in SYSTEMS:
            with elsewhere(platform) as here:
                self.assertIsNone(here("uotp.net.sockopts").SO_MARK)
                for end, words in (("client", ["-n", "4", "-R"]), ("server", ["--linger", "9"])):
                    options = self.options(here, f"uotp.cli.{end}", *words)
                    made = here(f"uotp.cli.{end}").makeService(options)
                    self.assertEqual([service.commandName for service in made], [f"uotp-{end}"])
                opener = here("uotp.udp").datagramPortOpener(MemoryReactorClock(), None)
                self.assertIs(opener.args[0], here("uotp.udp.portable").PortableDatagramPort)

    def test_aMarkIsRefusedWhereThereAreNone(self) -> None:
        """
        One line and status 2, at once, and not a traceback at the start.
        """
        with elsewhere("darwin") as here:
            options = self.options(here, "uotp.cli.client", "-m", "0xca6c")
            line = self.refusalOf(lambda: here("uotp.cli.client").makeService(options))
            self.assertEqual(line, "uotp-client: --mark: only Linux has firewall marks")

    def test_aCongestionControlIsRefusedWhereThereIsNoChoice(self) -> None:
        with elsewhere("darwin") as here:
            for end in ("client", "server"):
                options = self.options(here, f"uotp.cli.{end}", "--congestion", "bbr")
                line = self.refusalOf(lambda end=end, options=options: here(f"uotp.cli.{end}").makeService(options))  # type: ignore[misc]
                self.assertEqual(line, f"uotp-{end}: --congestion bbr: this system does not let a program choose")
                options = self.options(here, f"uotp.cli.{end}", "--unsent-limit", "4K", "--udp-buffer", "1M")
                here(f"uotp.cli.{end}").makeService(options)

    def test_withoutSighupTheOtherSignalsAreTakenOver(self) -> None:
        """
        Windows has SIGTERM and SIGINT alone.
        """
        installed: list[int] = []
        windows = SimpleNamespace(SIGTERM=15, SIGINT=2, signal=lambda number, _: installed.append(number))
        self.patch(signals, "signal", windows)
        self.patch(common, "raiseDescriptorLimit", lambda: None)
        self.patch(common, "ProcessLog", RecordingProcessLog)
        self.patch(serverservice, "listen", listenInMemory)
        self.patch(Logger, "threshold", Logger.threshold)
        service: Any = server.makeService(self.options({"server": server}.__getitem__, "server"))
        service.privilegedStartService()
        self.assertEqual(sorted(installed), [2, 15])

    def test_afterwardsEverythingIsAsBefore(self) -> None:
        before = dict(sys.modules)
        with elsewhere("win32"):
            self.assertIsNot(sys.modules["uotp.net.sockopts"], sockopts)
        self.assertEqual({name: module for name, module in sys.modules.items() if name in before}, before)
        self.assertIs(importlib.import_module("socket"), socket)


class SocketTestCase(SynchronousTestCase):
    """
    Sees the options of sockets as a system of the test's choice.
    """

    def onSystem(self, platform: str, **names: object) -> ModuleType:
        """
        @param names: what the socket module has there besides what all have.
        @return: the socket module of a system.
        """
        stripped = strippedSocketModule()
        vars(stripped).update(names)
        self.patch(sockopts, "socket", stripped)
        self.patch(sys, "platform", platform)
        return stripped


class TuneTunnelSocketTests(SocketTestCase):
    """
    Ask for the options of a tunnel's connection.
    """

    LINUX = {"TCP_KEEPIDLE": 4, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 6, "TCP_USER_TIMEOUT": 18}
    ALWAYS = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]

    def optionsOf(self, *refused: int, tuning: TunnelSocketOptions | None = None) -> list[tuple[int, int, int]]:
        """
        @param refused: options that the system refuses.
        @return: the options that a connection gets.
        """
        tunnelSocket = FakeSocket(*refused)
        untyped: Any = tunnelSocket
        sockopts.tuneTunnelSocket(untyped, tuning or TunnelSocketOptions())
        return tunnelSocket.options

    def test_everywhereItSendsAtOnceAndAsksForLife(self) -> None:
        """
        Also where the system has no way to say how often.
        """
        self.onSystem("win32")
        self.assertEqual(self.optionsOf(), self.ALWAYS)

    def test_onLinuxADeadPeerIsFoundInSeconds(self) -> None:
        """
        An idle one by keep-alive, a busy one by C{TCP_USER_TIMEOUT}.
        """
        self.onSystem("linux", **self.LINUX)
        tcp = socket.IPPROTO_TCP
        expected = [*self.ALWAYS, (tcp, 4, 5), (tcp, 5, 1), (tcp, 6, 5), (tcp, 18, 30000)]
        self.assertEqual(self.optionsOf(), expected)

    def test_macosHasANameOfItsOwn(self) -> None:
        """
        C{TCP_KEEPALIVE} is its time until the first probe.
        """
        self.onSystem("darwin", TCP_KEEPALIVE=16, TCP_KEEPINTVL=257, TCP_KEEPCNT=258)
        tcp = socket.IPPROTO_TCP
        self.assertEqual(self.optionsOf(), [*self.ALWAYS, (tcp, 16, 5), (tcp, 257, 1), (tcp, 258, 5)])

    def test_anOptionThatIsRefusedCostsNothing(self) -> None:
        self.onSystem("linux", **self.LINUX)
        self.patch(sockopts, "TCP_CONGESTION", 13)
        tcp = socket.IPPROTO_TCP
        options = self.optionsOf(4, 13, 18, tuning=TunnelSocketOptions(congestion="bbr"))
        self.assertEqual(options, [*self.ALWAYS, (tcp, 5, 1), (tcp, 6, 5)])

    def test_littleIsHeldBackWhereTheSystemCanDoThat(self) -> None:
        self.onSystem("linux", TCP_NOTSENT_LOWAT=25)
        self.assertIn((socket.IPPROTO_TCP, 25, UNSENT_LIMIT_BYTES), self.optionsOf())
        self.assertIn((socket.IPPROTO_TCP, 25, 4096), self.optionsOf(tuning=TunnelSocketOptions(4096)))

    def test_congestionControlIsSetWhenItWasAskedFor(self) -> None:
        self.onSystem("linux")
        self.patch(sockopts, "TCP_CONGESTION", 13)
        self.assertEqual(self.optionsOf(), self.ALWAYS)
        untyped: Any = b"bbr"
        options = self.optionsOf(tuning=TunnelSocketOptions(congestion="bbr"))
        self.assertEqual(options, [*self.ALWAYS, (socket.IPPROTO_TCP, 13, untyped)])


class SendBufferTests(SocketTestCase):
    """
    Bound what the kernel holds of a connection.
    """

    def optionsOf(self, size: int | None, *refused: int) -> list[tuple[int, int, int]]:
        """
        @return: the options that are set.
        """
        tunnelSocket = FakeSocket(*refused)
        untyped: Any = tunnelSocket
        sockopts.boundSendBuffer(untyped, size)
        return tunnelSocket.options

    def test_itIsASizeEverywhere(self) -> None:
        for platform in ("linux", "darwin", "win32"):
            self.onSystem(platform)
            self.assertEqual(self.optionsOf(8192), [(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)])

    def test_linuxLetsItGrowAgain(self) -> None:
        enough = (socket.SOL_SOCKET, socket.SO_SNDBUF, FREE_SEND_BUFFER_BYTES)
        self.onSystem("linux")
        self.assertEqual(self.optionsOf(None), [enough, (socket.SOL_SOCKET, SO_BUF_LOCK, 0)])
        self.assertEqual(self.optionsOf(None, SO_BUF_LOCK), [enough])
        self.onSystem("darwin")
        self.assertEqual(self.optionsOf(None), [enough])

    def test_refusalCostsNothing(self) -> None:
        self.onSystem("linux")
        self.assertEqual(self.optionsOf(8192, socket.SO_SNDBUF), [])

    def test_pathWithALongRoundTripIsAllowedForWhereThatCanBeSaid(self) -> None:
        for names in ({}, {"TCP_USER_TIMEOUT": 18}):
            self.onSystem("linux", **names)
            tunnelSocket = FakeSocket()
            untyped: Any = tunnelSocket
            sockopts.allowSilence(untyped, 4.0)
            self.assertEqual(tunnelSocket.options, [(socket.IPPROTO_TCP, 18, 17_000)] if names else [])

    def test_systemWithoutPollIsAskedAnotherWay(self) -> None:
        one, other = socket.socketpair()
        self.addCleanup(one.close)
        self.addCleanup(other.close)
        self.assertTrue(sockopts.isWritable(one))
        self.patch(sockopts, "select", SimpleNamespace(select=select.select))
        self.assertTrue(sockopts.isWritable(one))


class CongestionTests(SocketTestCase):
    """
    Choose a congestion control, before the first connection.
    """

    def probing(self, refusal: int | None, available: str | None = None) -> FakeSocket:
        """
        @param refusal: the number of the error with which the kernel refuses.
        @param available: what it says that it has.
        @return: the socket that a check will make.
        """
        probe = FakeSocket(*([] if refusal is None else [13]), error=refusal or 0)
        module = self.onSystem("linux")
        vars(module)["socket"] = lambda *_: probe
        self.patch(sockopts, "TCP_CONGESTION", 13)
        name = Path(self.mktemp())
        if available is not None:
            name.write_text(available, encoding="ascii")
        self.patch(sockopts, "Path", lambda _: name)
        return probe

    def refusal(self, name: str) -> str:
        """
        @return: why it cannot be had.
        """
        return str(self.assertRaises(ConfigurationError, sockopts.checkCongestion, name))

    def test_oneThatMayBeHadIsFine(self) -> None:
        probe = self.probing(None)
        sockopts.checkCongestion("bbr")
        untyped: Any = b"bbr"
        self.assertEqual(probe.options, [(socket.IPPROTO_TCP, 13, untyped)])
        self.assertTrue(probe.closed)

    def test_oneThatTheKernelDoesNotHaveIsRefusedWithThoseThatItHas(self) -> None:
        probe = self.probing(errno.ENOENT, "reno cubic\n")
        line = self.refusal("bbr")
        self.assertTrue(line.startswith("congestion bbr: the kernel does not have it"), line)
        self.assertTrue(line.endswith("(it has: reno, cubic)"), line)
        self.assertNotIn("\n", line)
        self.assertTrue(probe.closed)

    def test_oneThatMayNotBeHadIsRefusedWithWhatToAllow(self) -> None:
        self.probing(errno.EPERM, "reno cubic bbr\n")
        self.assertIn("tcp_allowed_congestion_control", self.refusal("bbr"))

    def test_otherRefusalsHaveTheSystemsWords(self) -> None:
        self.probing(errno.EINVAL)
        self.assertEqual(self.refusal("bbr"), f"congestion bbr: {os.strerror(errno.EINVAL)}")

    def test_onASystemWithoutSuchAChoiceItIsRefused(self) -> None:
        self.patch(sockopts, "TCP_CONGESTION", None)
        self.assertEqual(self.refusal("bbr"), "congestion bbr: this system does not let a program choose")


class CostTests(SocketTestCase):
    """
    Read what the kernel tells of a connection.
    """

    def costOf(self, info: bytes | None) -> int:
        """
        @param info: what it tells; L{None} is an error.
        """
        self.patch(tcpinfo, "TCP_INFO", 11)
        untyped: Any = FakeSocket()
        untyped.info = info
        return tcpinfo.tcpCost(untyped)

    def test_atRestItIsNothing(self) -> None:
        self.assertEqual(self.costOf(tcpInfo(0, 0)), 0)

    def test_whatIsNotSentCounts(self) -> None:
        self.assertEqual(self.costOf(tcpInfo(0, 70000)), 70000)

    def test_lossCostsMoreThanAnyBytes(self) -> None:
        """
        Whatever state of it the kernel tells; and the least of several can be found.
        """
        for state in (1, 2, 3, 4):
            self.assertEqual(self.costOf(tcpInfo(state, 7)), TROUBLED + 7)

    def test_timerThatRanOutInVainIsTrouble(self) -> None:
        self.assertEqual(self.costOf(tcpInfo(0, 7, backoff=1)), TROUBLED + 7)

    def test_connectionThatTellsNothingIsInTrouble(self) -> None:
        self.assertGreaterEqual(self.costOf(None), TROUBLED)

    def test_onASystemThatTellsNothingAllAreAlike(self) -> None:
        self.patch(tcpinfo, "TCP_INFO", None)
        untyped: Any = FakeSocket()
        self.assertEqual(tcpinfo.tcpCost(untyped), 0)


class UdpBufferTests(SocketTestCase):
    """
    Make room for a burst in each UDP socket.
    """

    BOTH = [socket.SO_RCVBUF, socket.SO_SNDBUF]

    def optionsOf(self, udpSocket: FakeSocket) -> list[int]:
        """
        @return: which options were set, each to the full size.
        """
        untyped: Any = udpSocket
        sockopts.enlargeUdpBuffers(untyped)
        for level, _, value in udpSocket.options:
            self.assertEqual((level, value), (socket.SOL_SOCKET, 4 * 1024 * 1024))
        return [name for _, name, _ in udpSocket.options]

    def test_onLinuxTheSystemsLimitIsPassedWhenAllowed(self) -> None:
        """
        C{SO_RCVBUFFORCE} and C{SO_SNDBUFFORCE} need a privilege.
        """
        self.onSystem("linux")
        self.assertEqual(self.optionsOf(FakeSocket()), [33, 32])

    def test_onLinuxWithoutThePrivilegeAsMuchAsTheLimitGives(self) -> None:
        self.onSystem("linux")
        self.assertEqual(self.optionsOf(FakeSocket(33, 32)), self.BOTH)

    def test_whatSomebodyElseHasGivenIsNotMadeLess(self) -> None:
        """
        A service manager may be allowed what we are not, and asking again would have the limit hold.
        """
        self.onSystem("linux")
        udpSocket = FakeSocket(33, 32)
        udpSocket.given = 8 * 1024 * 1024
        self.assertEqual(self.optionsOf(udpSocket), [])
        udpSocket.given -= 2
        self.assertEqual(self.optionsOf(udpSocket), self.BOTH)

    def test_elsewhereThePlainOptionsAreUsed(self) -> None:
        """
        The numbers of Linux mean something else there.
        """
        for platform in SYSTEMS:
            self.onSystem(platform)
            self.assertEqual(self.optionsOf(FakeSocket()), self.BOTH)

    def test_aRefusalLeavesWhatTheSystemGives(self) -> None:
        """
        On macOS what is above the limit is refused: the socket works without.
        """
        self.onSystem("darwin")
        self.assertEqual(self.optionsOf(FakeSocket(socket.SO_RCVBUF, socket.SO_SNDBUF)), [])

    def test_whatIsGivenIsWhatHoldsDatagrams(self) -> None:
        """
        Linux reports twice that, for what it needs itself.
        """
        for platform, given in (("linux", 4000), ("darwin", 8000)):
            self.onSystem(platform)
            untyped: Any = FakeSocket()
            untyped.given = 8000
            self.assertEqual(sockopts.enlargeUdpBuffers(untyped, 1 << 16), given)
            self.assertEqual({value for _, _, value in untyped.options}, {1 << 16})


class MarkTests(SocketTestCase):
    """
    Set firewall marks, before the first connection.
    """

    def probing(self, probe: FakeSocket) -> None:
        """
        @param probe: the socket that a check will make.
        """
        module = self.onSystem("linux")
        vars(module)["socket"] = lambda *_: probe
        self.patch(sockopts, "SO_MARK", 36)

    def test_aMarkThatMayBeSetIsFine(self) -> None:
        probe = FakeSocket()
        self.probing(probe)
        sockopts.checkMark(0xCA6C)
        self.assertEqual(probe.options, [(socket.SOL_SOCKET, 36, 0xCA6C)])
        self.assertTrue(probe.closed)

    def test_withoutThePrivilegeTheStartFailsInWords(self) -> None:
        """
        The line names the setting and what it needs.
        """
        probe = FakeSocket(36)
        self.probing(probe)
        error = self.assertRaises(StartError, sockopts.checkMark, 0xCA6C)
        self.assertEqual(str(error), "mark 0xca6c: Operation not permitted; it needs root or CAP_NET_ADMIN")
        self.assertTrue(probe.closed)


class DescriptorLimitTests(SynchronousTestCase):
    """
    Ask for as many connections as the system allows.
    """

    INFINITY = -1

    def limitAfter(self, soft: int, hard: int, error: Exception | None = None) -> list[tuple[int, int]]:
        """
        @param error: what the system answers.
        @return: the limits that are asked for, when these are in force.
        """
        asked: list[tuple[int, int]] = []

        def setrlimit(_: int, limits: tuple[int, int]) -> None:
            asked.append(limits)
            if error is not None:
                raise error

        resource: Any = SimpleNamespace(
            RLIMIT_NOFILE=7, RLIM_INFINITY=self.INFINITY, getrlimit=lambda _: (soft, hard), setrlimit=setrlimit
        )
        self.raiseWith(resource)
        return asked

    def raiseWith(self, resource: Any) -> None:
        """
        Raise the limit where this is the module C{resource}; L{None} is none.
        """
        self.withResource(resource, descriptorlimit.raiseDescriptorLimit)

    def withResource(self, resource: Any, call: Callable[[], Any]) -> Any:
        """
        @return: what a function says where this is the module C{resource}.
        """
        before = sys.modules.get("resource")
        sys.modules["resource"] = resource
        try:
            return call()
        finally:
            del sys.modules["resource"]
            if before is not None:
                sys.modules["resource"] = before

    def test_theLimitIsRaisedAsFarAsItIsOfUse(self) -> None:
        self.assertEqual(self.limitAfter(1024, 4096), [(4096, 4096)])
        self.assertEqual(self.limitAfter(1024, 1 << 20), [(65536, 1 << 20)])
        self.assertEqual(self.limitAfter(1024, self.INFINITY), [(65536, self.INFINITY)])

    def test_theLimitIsToldWhereThereIsOne(self) -> None:
        for soft, told in ((1024, 1024), (self.INFINITY, None)):
            resource: Any = SimpleNamespace(
                RLIMIT_NOFILE=7, RLIM_INFINITY=self.INFINITY, getrlimit=lambda _, soft=soft: (soft, 1 << 20)
            )
            self.assertEqual(self.withResource(resource, descriptorlimit.descriptorLimit), told)
        self.assertIsNone(self.withResource(None, descriptorlimit.descriptorLimit))

    def test_aLimitIsNeverLowered(self) -> None:
        """
        Whoever runs us may have had a reason.
        """
        self.assertEqual(self.limitAfter(1 << 20, 1 << 20), [])
        self.assertEqual(self.limitAfter(self.INFINITY, self.INFINITY), [])
        self.assertEqual(self.limitAfter(65536, self.INFINITY), [])

    def test_aRefusalCostsNothing(self) -> None:
        for error in (ValueError("current limit exceeds maximum limit"), OSError(errno.EINVAL, os.strerror(22))):
            self.assertEqual(len(self.limitAfter(256, self.INFINITY, error)), 1)

    def test_aSystemWithoutSuchLimitsIsFine(self) -> None:
        self.raiseWith(None)
