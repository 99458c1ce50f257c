"""
C{udp-over-tls-pool} 0.1.1, whose wire format ours is, at the other end: both of
its programs, with TLS and without.

What is asked of every pair holds between two originals too.  One thing the
original does not do: it puts empty datagrams into the tunnel, but sends none of
those that come out of it.  So they are asked for where ours is the receiver.
"""

from __future__ import annotations

import socket

from bench.rig.ports import LOOPBACK, freePort
from tests.integration import original
from tests.integration.correspondence import Target


class OurClientTlsTests(original.MixedPairTests):
    """
    Our client and the original's server, with TLS.
    """

    tls = True
    ours = "client"

    def test_emptyAnswersReachTheApplication(self) -> None:
        """
        When the target answers with an empty datagram, the application gets one.
        """
        self.startServer(self.target(lambda _: b""))
        self.startClient()
        self.correspondent(self.clientAddress).exchange(b"empty, please", answer=b"")


class OurClientPlainTests(OurClientTlsTests):
    """
    Our client and the original's server, on plain TCP.
    """

    tls = False


class OurServerTlsTests(original.MixedPairTests):
    """
    The original's client and our server, with TLS.
    """

    tls = True
    ours = "server"

    def test_emptyDatagramsReachTheTarget(self) -> None:
        """
        When the application sends an empty datagram, the target gets one.
        """
        self.startServer(self.target(lambda datagram: datagram or b"was empty"))
        self.startClient()
        self.correspondent(self.clientAddress).exchange(b"", answer=b"was empty")


class OurServerAsAWebSiteTests(OurServerTlsTests):
    """
    The original's client and our server, whose port is a web site for all others, and which pads what it can.
    """

    def serverArguments(self, target: Target) -> list[str]:
        """
        @return: what the original knows, and more.
        """
        site = f"{LOOPBACK}:{freePort(socket.SOCK_STREAM)}"
        return ["--fallback", site, "--http-path", "/a-secret-path", "--pad", *super().serverArguments(target)]


class OurClientWithPaddingTests(OurClientTlsTests):
    """
    Our client, which would pad in format 2, and the original's server.
    """

    def clientArguments(self) -> list[str]:
        """
        @return: what the original knows, and more.
        """
        return ["--pad", *super().clientArguments()]

    def test_whatHasNoEffectIsSaid(self) -> None:
        """
        As soon as it is known who answers.
        """
        self.startServer(self.target())
        client = self.startClient()
        self.correspondent(self.clientAddress).exchange(b"hello")
        client.waitForLine(r"--pad has no effect: 127\.0\.0\.1 port \d+ speaks only format 1")


class OurServerPlainTests(OurServerTlsTests):
    """
    The original's client and our server, on plain TCP.
    """

    tls = False
