"""
Less surface: ports and sessions are for those whom they are meant for.
"""

from __future__ import annotations

import contextlib  # trial takes a module's `suppress` for its own
import socket

from bench.rig.ports import LOOPBACK
from bench.rig.programs import HANG_SECONDS, RigError, until
from tests.hostile.crowd import QUESTION
from tests.hostile.door import addresses
from tests.hostile.trial import LONG, HostileTestCase, Options
from tests.integration.rawpeers import rawClient
from tests.integration.rig import said

SECONDS = 20.0 if LONG else 1.0

STRANGE_WORDS = (
    (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "PROXY"),
    (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes(12), "PROXY"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", "SSH"),
    (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP"),
    (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(20), "TLS"),
    (bytes(range(100, 116)), ""),
)
"""What is no session id, and what the reason for the refusal names."""


class UdpTests(HostileTestCase):
    """
    Strangers at UDP ports.
    """

    def test_sessionIsTheTargetsAlone(self) -> None:
        """
        A stranger sends to a session's socket as fast as can be, from the machine itself and
        from another address.
        """
        house = self.build(self.certificates())
        for host in (LOOPBACK, addresses(1)[0])[: 2 if LONG else 1]:
            for size, trains in ((20, False), (1000, True)):
                what = f"{size} bytes from {host}"
                options: Options = {"host": host, "seconds": SECONDS, "size": size, "trains": trains}
                self.attack("heavy", what=what, to=house.session, **options)
        self.assertHouseAsBefore()

    def test_clientAllowsWhomItIsToldTo(self) -> None:
        """
        With C{--allow} a client takes datagrams from those networks, and from nobody else.
        """
        house = self.build(wire=1, client=("--allow", "127.0.0.1/32", "--expire", "5"))
        before = len(said(house.client, "opened"))
        with socket.socket(type=socket.SOCK_DGRAM) as stranger, socket.socket(type=socket.SOCK_DGRAM) as friend:
            stranger.bind((addresses(1)[0], 0))
            friend.bind((LOOPBACK, 0))
            stranger.sendto(QUESTION, house.clientAddress)
            friend.sendto(QUESTION, house.clientAddress)
            friend.settimeout(HANG_SECONDS)
            self.assertEqual(friend.recv(100), QUESTION)
            until(lambda: len(said(house.client, "opened")) > before, "it is said")  # a worker's lines come later
            self.assertEqual(len(said(house.client, "opened")), before + 1)
        self.assertHouseAsBefore()


class WordsTests(HostileTestCase):
    """
    Those who speak something else, at a server that asks for no certificate.
    """

    def test_noSessionForWhatIsNoId(self) -> None:
        """
        Each is answered as by a web server, with one line for each kind, and opens neither session nor socket.  When it
        has gone, nothing is left of it.
        """
        house = self.build(wire=1)
        before = len(said(house.server, "opened"))
        for words, name in STRANGE_WORDS:
            refused = len(said(house.server, "refused a connection"))
            tunnel = rawClient(house.serverAddress, words)
            self.addCleanup(tunnel.close)
            with contextlib.suppress(RigError):
                until(lambda: len(said(house.server, "refused a connection")) > refused, "it is said")  # noqa: B023
            lines = said(house.server, "refused a connection")[refused:]
            self.demand(len(lines) == 1 and name in lines[0], f"{words!r}: {lines}")
            tunnel.close()
        self.demand(len(said(house.server, "opened")) == before, "a session was opened")
        self.assertHouseAsBefore()
