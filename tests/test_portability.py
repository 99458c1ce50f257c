"""
What is not there on every system: the package imports without it, its commands
work without it, and what cannot work without it says so.
"""

from __future__ import annotations

import errno
import importlib
import os
import pkgutil
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from tests.commands import CommandTestCase
from uotp import ends, server, signals, sockets
from uotp.errors import StartError
from uotp.log import Logger

NOT_EVERYWHERE = ("SO_MARK", "SO_BINDTODEVICE", "SO_REUSEPORT", "SO_INCOMING_CPU", "TCP_", "AF_", "IP_", "IPV6_")
"""How names of the socket module begin that some system lacks..."""

EVERYWHERE = {"AF_INET", "AF_INET6", "AF_UNSPEC", "TCP_NODELAY", "IPV6_V6ONLY", "IP_TTL", "IP_TOS"}
"""...and those among them that are everywhere."""

SYSTEMS = ("darwin", "win32")


def strippedSocketModule() -> ModuleType:
    """
    @return: the socket module with nothing but what each system has.
    """
    stripped = ModuleType("socket")
    for name, value in vars(socket).items():
        if name in EVERYWHERE or not name.startswith(NOT_EVERYWHERE):
            setattr(stripped, name, value)
    return stripped


class FakeSocket(AbstractContextManager["FakeSocket"]):
    """
    A socket that writes down its options, and refuses some.

    @ivar options: level, name and value of each that was taken.
    """

    def __init__(self, *refused: int) -> None:
        self.options: list[tuple[int, int, int]] = []
        self.closed = False
        self._refused = refused

    def __exit__(self, *_: object) -> None:
        """
        Close.
        """
        self.closed = True

    def setsockopt(self, level: int, name: int, value: int) -> None:
        """
        Take an option, or refuse it as a system does.
        """
        if name in self._refused:
            raise OSError(errno.EPERM, "Operation not permitted")
        self.options.append((level, name, value))


class FakeTransport:
    """
    A TCP connection with a fake socket.
    """

    def __init__(self, handle: FakeSocket) -> None:
        self.handle = handle
        self.told: list[tuple[str, bool]] = []

    def setTcpNoDelay(self, enabled: bool) -> None:  # noqa: FBT001 - as in Twisted
        """
        See C{ITCPTransport}.
        """
        self.told.append(("no delay", enabled))

    def setTcpKeepAlive(self, enabled: bool) -> None:  # noqa: FBT001 - as in Twisted
        """
        See C{ITCPTransport}.
        """
        self.told.append(("keep alive", enabled))

    def getHandle(self) -> FakeSocket:
        """
        The socket.
        """
        return self.handle


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
        package = importlib.import_module("uotp")
        for found in pkgutil.walk_packages(package.__path__, "uotp."):
            importlib.import_module(found.name)
        yield sys.modules.__getitem__
    finally:
        sys.platform = real
        for name in [name for name in sys.modules if name in replaced or name.split(".")[0] == "uotp"]:
            del sys.modules[name]
        sys.modules.update(ours)
        sys.modules.update(before)


class ElsewhereTests(CommandTestCase):
    """
    The package as another system sees it.
    """

    def setUp(self) -> None:
        """
        Stand in for the process.
        """
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
                self.assertIsNone(here("uotp.sockets").SO_MARK)
                for end, words in (("client", ["-n", "4", "-R"]), ("server", ["--linger", "9"])):
                    options = self.options(here, f"uotp.{end}", *words)
                    made = here(f"uotp.{end}").makeService(options)
                    self.assertEqual([service.commandName for service in made], [f"uotp-{end}"])
                opener = here("uotp.datagram").datagramPortOpener(None, None)
                self.assertIs(opener.func, here("uotp.datagram.portable").PortableDatagramPort)

    def test_aMarkIsRefusedWhereThereAreNone(self) -> None:
        """
        One line and status 2, at once, and not a traceback at the start.
        """
        with elsewhere("darwin") as here:
            options = self.options(here, "uotp.client", "-m", "0xca6c")
            line = self.refusalOf(lambda: here("uotp.client").makeService(options))
            self.assertEqual(line, "uotp-client: --mark: only Linux has firewall marks")

    def test_withoutSighupTheOtherSignalsAreTakenOver(self) -> None:
        """
        Windows has SIGTERM and SIGINT alone.
        """
        installed: list[int] = []
        windows = SimpleNamespace(SIGTERM=15, SIGINT=2, signal=lambda number, _: installed.append(number))
        self.patch(signals, "signal", windows)
        self.patch(ends, "raiseDescriptorLimit", lambda: None)
        self.patch(Logger, "threshold", Logger.threshold)
        service: Any = server.makeService(self.options({"server": server}.__getitem__, "server"))
        service.privilegedStartService()
        self.assertEqual(sorted(installed), [2, 15])

    def test_afterwardsEverythingIsAsBefore(self) -> None:
        """
        These tests leave the package to the others as they found it.
        """
        before = dict(sys.modules)
        with elsewhere("win32"):
            self.assertIsNot(sys.modules["uotp.sockets"], sockets)
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
        self.patch(sockets, "socket", stripped)
        self.patch(sys, "platform", platform)
        return stripped


class TuneTunnelSocketTests(SocketTestCase):
    """
    What is asked of a tunnel's connection.
    """

    LINUX = {"TCP_KEEPIDLE": 4, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 6, "TCP_USER_TIMEOUT": 18}

    def setUp(self) -> None:
        """
        A connection.
        """
        self.transport = FakeTransport(FakeSocket())

    def test_everywhereItSendsAtOnceAndAsksForLife(self) -> None:
        """
        Also where the system has no way to say how often.
        """
        self.onSystem("win32")
        sockets.tuneTunnelSocket(self.transport)
        self.assertEqual(self.transport.told, [("no delay", True), ("keep alive", True)])
        self.assertEqual(self.transport.handle.options, [])

    def test_onLinuxADeadPeerIsFoundInSeconds(self) -> None:
        """
        An idle one by keep-alive, a busy one by C{TCP_USER_TIMEOUT}.
        """
        self.onSystem("linux", **self.LINUX)
        sockets.tuneTunnelSocket(self.transport)
        tcp = socket.IPPROTO_TCP
        self.assertEqual(self.transport.handle.options, [(tcp, 4, 5), (tcp, 5, 1), (tcp, 6, 5), (tcp, 18, 8000)])

    def test_macosHasANameOfItsOwn(self) -> None:
        """
        C{TCP_KEEPALIVE} is its time until the first probe.
        """
        self.onSystem("darwin", TCP_KEEPALIVE=16, TCP_KEEPINTVL=257, TCP_KEEPCNT=258)
        sockets.tuneTunnelSocket(self.transport)
        tcp = socket.IPPROTO_TCP
        self.assertEqual(self.transport.handle.options, [(tcp, 16, 5), (tcp, 257, 1), (tcp, 258, 5)])

    def test_anOptionThatIsRefusedCostsNothing(self) -> None:
        """
        The others are set all the same.
        """
        self.onSystem("linux", **self.LINUX)
        transport = FakeTransport(FakeSocket(4, 18))
        sockets.tuneTunnelSocket(transport)
        self.assertEqual([name for _, name, _ in transport.handle.options], [5, 6])

    def test_belowTlsIsTheConnection(self) -> None:
        """
        The options are those of TCP, however many layers lie over it.
        """
        self.onSystem("linux", **self.LINUX)
        sockets.tuneTunnelSocket(SimpleNamespace(transport=SimpleNamespace(transport=self.transport)))
        self.assertEqual(len(self.transport.told), 2)
        self.assertEqual(len(self.transport.handle.options), 4)

    def test_whatIsNoSocketIsLeftAlone(self) -> None:
        """
        A connection in memory, or over a pipe.
        """
        sockets.tuneTunnelSocket(SimpleNamespace())
        sockets.tuneTunnelSocket(SimpleNamespace(transport=SimpleNamespace()))


class UdpBufferTests(SocketTestCase):
    """
    Room for a burst in each UDP socket.
    """

    BOTH = [socket.SO_RCVBUF, socket.SO_SNDBUF]

    def optionsOf(self, udpSocket: FakeSocket) -> list[int]:
        """
        @return: which options were set, each to the full size.
        """
        untyped: Any = udpSocket
        sockets.enlargeUdpBuffers(untyped)
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
        """
        The plain options then.
        """
        self.onSystem("linux")
        self.assertEqual(self.optionsOf(FakeSocket(33, 32)), self.BOTH)

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


class MarkTests(SocketTestCase):
    """
    Firewall marks, before the first connection.
    """

    def probing(self, probe: FakeSocket) -> None:
        """
        @param probe: the socket that a check will make.
        """
        module = self.onSystem("linux")
        vars(module)["socket"] = lambda *_: probe
        self.patch(sockets, "SO_MARK", 36)

    def test_aMarkThatMayBeSetIsFine(self) -> None:
        """
        It was tried, and nothing is left open.
        """
        probe = FakeSocket()
        self.probing(probe)
        sockets.checkMark(0xCA6C)
        self.assertEqual(probe.options, [(socket.SOL_SOCKET, 36, 0xCA6C)])
        self.assertTrue(probe.closed)

    def test_withoutThePrivilegeTheStartFailsInWords(self) -> None:
        """
        The line names the option and what it needs.
        """
        probe = FakeSocket(36)
        self.probing(probe)
        error = self.assertRaises(StartError, sockets.checkMark, 0xCA6C)
        self.assertEqual(str(error), "--mark 0xca6c: Operation not permitted; it needs root or CAP_NET_ADMIN")
        self.assertTrue(probe.closed)


class DescriptorLimitTests(SynchronousTestCase):
    """
    As many connections as the system allows.
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
        before = sys.modules.get("resource")
        sys.modules["resource"] = resource
        try:
            sockets.raiseDescriptorLimit()
        finally:
            del sys.modules["resource"]
            if before is not None:
                sys.modules["resource"] = before

    def test_theLimitIsRaisedAsFarAsItIsOfUse(self) -> None:
        """
        To the hard limit, or to all that our own limits allow; the hard one stays.
        """
        self.assertEqual(self.limitAfter(1024, 4096), [(4096, 4096)])
        self.assertEqual(self.limitAfter(1024, 1 << 20), [(65536, 1 << 20)])
        self.assertEqual(self.limitAfter(1024, self.INFINITY), [(65536, self.INFINITY)])

    def test_aLimitIsNeverLowered(self) -> None:
        """
        Whoever runs us may have had a reason.
        """
        self.assertEqual(self.limitAfter(1 << 20, 1 << 20), [])
        self.assertEqual(self.limitAfter(self.INFINITY, self.INFINITY), [])
        self.assertEqual(self.limitAfter(65536, self.INFINITY), [])

    def test_aRefusalCostsNothing(self) -> None:
        """
        On macOS there are limits beside the limit.
        """
        for error in (ValueError("current limit exceeds maximum limit"), OSError(errno.EINVAL, os.strerror(22))):
            self.assertEqual(len(self.limitAfter(256, self.INFINITY, error)), 1)

    def test_aSystemWithoutSuchLimitsIsFine(self) -> None:
        """
        Windows has no C{resource} module.
        """
        self.raiseWith(None)
