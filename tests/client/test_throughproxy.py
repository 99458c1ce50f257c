"""
A client whose way leads through a proxy: the steps, their time, and what is said of them.
"""

from __future__ import annotations

from twisted.internet import error
from twisted.internet.address import IPv4Address

from tests.client.slots import SlotTestCase
from uotp.client.dial.failures import wordsForTimeOut
from uotp.client.dial.outcomes import DialOutcome
from uotp.client.dial.patience import DialStep
from uotp.errors import PeerError
from uotp.net import ProxyKind, ProxyPlace
from uotp.wire import Kind, controlFrame

PROXY = ProxyPlace(ProxyKind.HTTP, "proxy.test", 3128)
QUICKACK = b"\7\0\0"
NAMED = "the proxy proxy.test port 3128"


class ThroughProxyTests(SlotTestCase):
    """
    Dial through a proxy.
    """

    def setUp(self) -> None:
        super().setUp()
        self.context.dialer.proxy = PROXY
        self.context.dialer.addresses = [IPv4Address("TCP", "192.0.2.8", 3128)]

    def reason(self) -> str:
        """
        @return: why the last attempt has failed.
        """
        return self.context.reachability.reasons[-1]

    def test_proxyIsAStepOfItsOwn(self) -> None:
        """
        Its time begins when TCP is connected.
        """
        self.slot().dial()
        self.clock.advance(3)
        self.last.reachProxy()
        self.clock.advance(3)
        self.last.connect()
        self.assertEqual(self.context.patience.usual(DialStep.CONNECT), 3)
        self.assertEqual(self.context.patience.usual(DialStep.PROXY), 3)
        self.assertFalse(self.last.cancelled)

    def test_bothEndsAcknowledgeAtOnceBehindAProxy(self) -> None:
        """
        It may hold back what it has until then.
        """
        for proxy in (PROXY, None):
            self.context.dialer.proxy = proxy
            self.useFormat2()
            self.slot().dial()
            attempt = self.welcomeLast()
            hello = attempt.transport.stream[0]
            self.assertEqual(hello.endswith(QUICKACK), proxy is not None)
            attempt.tunnel.dataReceived(controlFrame(Kind.PADDING))
            self.assertEqual(attempt.transport.acknowledges, int(proxy is not None))

    def test_proxyThatDoesNotAnswerIsNamed(self) -> None:
        self.slot().dial()
        self.last.reachProxy()
        self.clock.advance(4)
        self.assertTrue(self.last.cancelled)
        self.assertEqual(
            self.reason(),
            f"connected to {NAMED}, but it has not answered after 4 s: it stands still, or cannot reach the server",
        )

    def test_whatTheProxySaysIsTheReason(self) -> None:
        self.slot().dial()
        self.last.reachProxy()
        self.last.fail(PeerError("the proxy wants user and password (407)"))
        self.assertEqual(self.reason(), f"{NAMED}: the proxy wants user and password (407)")
        self.assertEqual(self.context.outcomes[DialOutcome.PROXY_REFUSED], 1)

    def test_proxyThatClosesIsTold(self) -> None:
        self.slot().dial()
        self.last.reachProxy()
        self.last.fail(error.ConnectionDone())
        self.assertEqual(self.reason(), f"{NAMED}: closed by the other end before it has agreed to connect us")

    def test_everyStepHasItsWords(self) -> None:
        """
        Whoever reads them knows whether the proxy or the server is to be looked at.
        """
        told = {step: wordsForTimeOut(step, "192.0.2.8", 4.0, PROXY) for step in DialStep}
        self.assertEqual(len(set(told.values())), len(DialStep))
        for step in (DialStep.CONNECT, DialStep.PROXY, DialStep.TLS, DialStep.UPGRADE, DialStep.HELLO):
            self.assertIn(NAMED, told[step])
