"""
Sockets that a service manager hands in.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from uotp.errors import ConfigurationError
from uotp.net import given
from uotp.net.given import GivenSockets, takeGivenSockets
from uotp.net.listening import MAX_PAIRS

PID = 4711


class FakeSocket:
    """
    Is a socket as it was handed in.
    """

    def __init__(self, address: tuple[Any, ...], kind: int = socket.SOCK_STREAM, *, listens: bool = True) -> None:
        self.family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.type = kind
        self.listens = listens
        self.address = address
        self.peer: Any = None
        self.isBlocking = True
        self.isDetached = False

    def getsockname(self) -> tuple[Any, ...]:
        return self.address

    def getpeername(self) -> Any:
        if self.peer is None:
            raise OSError(107, "not connected")
        return self.peer

    def getsockopt(self, level: int, option: int) -> int:
        assert (level, option) == (socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        return int(self.listens)

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 - the socket module's signature
        self.isBlocking = flag

    def detach(self) -> None:
        self.isDetached = True

    def dup(self) -> tuple[str, FakeSocket]:
        return "copy", self


class GivenTests(SynchronousTestCase):
    """
    Take sockets, and refuse what is none of ours.
    """

    def setUp(self) -> None:
        self.sockets: dict[int, FakeSocket] = {}
        self.inherited: dict[int, bool] = {}

    def hand(self, *sockets: FakeSocket) -> None:
        """
        Hand sockets in, from descriptor 3 on.
        """
        self.sockets.update(enumerate(sockets, 3))
        self.patch(os, "fstat", lambda number: os.stat_result((0o140000, *[number] * 9)))
        self.patch(os, "set_inheritable", self.inherited.__setitem__)
        self.patch(socket, "socket", lambda fileno: self.sockets[fileno])

    def take(self, transport: Any = "TCP", **more: str) -> GivenSockets:
        """
        @return: what was handed in.
        """
        environment = {"LISTEN_FDS": str(len(self.sockets)), "LISTEN_PID": str(PID), **more}
        found = takeGivenSockets(environment, transport, PID)
        self.assertEqual(environment, {})
        return found

    def assertRefused(self, words: str, transport: Any = "TCP", **more: str) -> None:
        """
        They are not taken, and the error says so.
        """
        error = self.assertRaises(ConfigurationError, self.take, transport, **more)
        self.assertIn(words, str(error))

    def test_listeningSocketsAreForAServer(self) -> None:
        """
        No program that is started by this one gets them.
        """
        self.hand(FakeSocket(("0.0.0.0", 8443)), FakeSocket(("::", 443, 0, 0)))  # noqa: S104 - a sample
        self.assertEqual(self.take().pairs, (("0.0.0.0", 8443), ("::", 443)))  # noqa: S104 - a sample
        self.assertEqual(self.inherited, {3: False, 4: False})
        self.assertFalse(any(each.isBlocking for each in self.sockets.values()))

    def test_boundSocketsAreForAClient(self) -> None:
        self.hand(FakeSocket(("127.0.0.1", 8911), socket.SOCK_DGRAM))
        self.assertEqual(self.take("UDP").pairs, (("127.0.0.1", 8911),))

    def test_whoeverAsksGetsCopies(self) -> None:
        """
        So that he can close them, and ask again.
        """
        self.hand(FakeSocket(("127.0.0.1", 1)), FakeSocket(("127.0.0.1", 1)))
        taken = self.take()
        for _ in range(2):
            group: Any = taken.at("127.0.0.1", 1)
            self.assertEqual(group.sockets, [("copy", self.sockets[3]), ("copy", self.sockets[4])])
        self.assertIsNone(taken.at("127.0.0.1", 2))

    def test_eachProcessNeedsOneOfItsOwn(self) -> None:
        self.hand(FakeSocket(("127.0.0.1", 1)), FakeSocket(("127.0.0.1", 1)))
        taken = self.take()
        taken.requireEach(2)
        words = str(self.assertRaises(ConfigurationError, taken.requireEach, 3))
        self.assertEqual(
            words,
            "2 sockets at 127.0.0.1 port 1 were handed in, and 3 workers need 3: name the address as often, "
            "with ReusePort=yes",
        )
        words = str(self.assertRaises(ConfigurationError, taken.requireEach, 1))
        self.assertIn("and one process takes one: name the address once", words)
        GivenSockets().requireEach(7)

    def test_whatIsForAnotherProcessIsLeftAlone(self) -> None:
        """
        A shell between the manager and us has another number.
        """
        for environment in (
            {},
            {"LISTEN_FDS": "1"},
            {"LISTEN_FDS": "1", "LISTEN_PID": str(PID + 1)},
            {"LISTEN_FDS": "", "LISTEN_PID": str(PID)},
        ):
            before = dict(environment)
            self.assertEqual(takeGivenSockets(environment, "TCP", PID).pairs, ())
            self.assertEqual(environment, before)

    def test_aNumberThatIsNoneIsRefused(self) -> None:
        for count in ("x", "-1", "4097", "\u0663"):
            self.assertRefused("a number up to 4096 is needed", LISTEN_FDS=count)

    def test_theWrongKindIsRefusedByItsName(self) -> None:
        for one, transport, words in (
            (FakeSocket(("127.0.0.1", 1), socket.SOCK_DGRAM), "TCP", "is no TCP socket that listens"),
            (FakeSocket(("127.0.0.1", 1), listens=False), "TCP", "ListenStream= with Accept=no makes one"),
            (FakeSocket(("127.0.0.1", 1)), "UDP", "is no UDP socket: ListenDatagram= makes one"),
            (FakeSocket(("127.0.0.1", 0), socket.SOCK_DGRAM), "UDP", "is no UDP socket that is bound"),
        ):
            self.hand(one)
            self.assertRefused(words, transport)
            handedIn = "descriptor 3 (web), which the service manager has handed in, is no"
            self.assertRefused(handedIn, transport, LISTEN_FDNAMES="web")
            self.assertTrue(one.isDetached)

    def test_aConnectedSocketIsRefused(self) -> None:
        one = FakeSocket(("127.0.0.1", 1), socket.SOCK_DGRAM)
        one.peer = ("127.0.0.1", 2)
        self.hand(one)
        self.assertRefused("takes what comes from everybody", "UDP")

    def test_descriptorsOfOtherThingsAreRefused(self) -> None:
        """
        Real ones: a pipe, a local socket, and one that is closed.
        """
        read, write = os.pipe()
        ours, theirs = socket.socketpair()
        self.addCleanup(os.close, write)
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        for descriptor, words in ((read, "is no socket"), (theirs.fileno(), "is no socket of IPv4 or IPv6")):
            self.patch(given, "FIRST_DESCRIPTOR", descriptor)
            self.assertRefused(f"descriptor {descriptor} (unnamed), which", LISTEN_FDS="1")
            self.assertRefused(words, LISTEN_FDS="1")
        os.close(read)
        self.patch(given, "FIRST_DESCRIPTOR", read)
        self.assertRefused("is no socket", LISTEN_FDS="1")

    def test_addressesHaveABound(self) -> None:
        self.hand(*(FakeSocket(("127.0.0.1", port)) for port in range(1, MAX_PAIRS + 2)))
        self.assertRefused(f"more than {MAX_PAIRS} addresses")
