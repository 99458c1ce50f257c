"""
The contract of a stream, held by the twin in memory.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.task import Clock
from twisted.test.iosim import IOPump, connect
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.contracts import StreamContract
from tests.doubles.sockets import Diarist
from tests.doubles.streams import MemoryStream, wrapInTls
from tests.doubles.tlspairs import GOOD, TlsTestCase
from uotp.boundaries import Security
from uotp.tls.verification import publicKeyPin


class MemoryStreamTests(StreamContract, SynchronousTestCase):
    """
    Hold the twin to the contract without TLS.
    """

    secured = False
    pump: IOPump

    def connect(self) -> None:
        self.here, self.there = Diarist(), Diarist()
        here = MemoryStream(self.here, secured=self.secured)
        there = MemoryStream(self.there, isServer=True, secured=self.secured)
        self.pump = connect(self.there, there, self.here, here, clock=Clock(), greet=False)

    def stall(self, *, stalled: bool) -> None:
        """
        The stream knows whether its peer reads.
        """
        self.here.transport.stalled = stalled

    def settleUntil(self, condition: Callable[[], object]) -> None:
        """
        Everything that can happen has happened then.
        """
        self.pump.flush()


class SecuredMemoryStreamTests(MemoryStreamTests):
    """
    Hold the twin to it with TLS, as the test says.
    """

    secured = True

    def test_whatTlsHasFoundOutIsKnown(self) -> None:
        self.connect()
        self.assertEqual(self.here.transport.security, Security())


class MemoryTlsStreamTests(MemoryStreamTests, TlsTestCase):
    """
    Hold the twin to it with real TLS in memory.
    """

    def connect(self) -> None:
        """
        With a server that the client trusts.
        """
        clock = Clock()
        self.here, self.there = Diarist(), Diarist()
        inner = wrapInTls(self.client(), self.here, clock, isClient=True)
        outer = wrapInTls(self.server(), self.there, clock)
        self.under = MemoryStream(inner)
        self.pump = connect(outer, MemoryStream(outer, isServer=True), inner, self.under, clock=clock, greet=False)
        self.pump.flush()
        self.assertEqual((self.here.says, self.there.says), (["made", "secured"], ["made", "secured"]))

    def stall(self, *, stalled: bool) -> None:
        """
        The stream under TLS knows whether its peer reads.
        """
        self.under.stalled = stalled

    def test_whatTlsHasFoundOutIsKnown(self) -> None:
        """
        The client knows the server's key, and both what they speak.
        """
        self.connect()
        self.assertEqual(
            self.here.transport.security,
            Security(b"uotp/2", publicKeyPin(GOOD.certificate), peerCertificate=GOOD.known()),
        )
        self.assertEqual(self.there.transport.security, Security(b"uotp/2"))
