"""
An attempt that goes to a web server first, and what is said of it when that fails.
"""

from __future__ import annotations

from tests.client.slots import WELCOME, SlotTestCase
from tests.tunnel.test_upgrade import REQUEST, YES, MemoryUpgrade
from uotp.client.dial.outcomes import DialOutcome
from uotp.client.dial.upgrades import upgradeTo
from uotp.net.places import ServerPlace


class WebServerTests(SlotTestCase):
    """
    Dial a place that is behind a web server.
    """

    def setUp(self) -> None:
        super().setUp()
        self.context.dialer.newUpgrade = MemoryUpgrade

    def test_upgradeIsAStepOfItsOwn(self) -> None:
        """
        With a time of its own, and before the hello, which is that of format 2.
        """
        self.slot().dial()
        self.last.connect()
        self.last.tunnel.handshakeCompleted()
        self.assertEqual(self.last.transport.stream, [REQUEST])
        self.clock.advance(3.9)
        self.last.tunnel.dataReceived(YES)
        self.clock.advance(3.9)
        self.last.tunnel.dataReceived(WELCOME)
        self.assertEqual((self.context.reachability.ups, self.context.reachability.reasons), (1, []))

    def test_silenceIsExplained(self) -> None:
        self.slot().dial()
        self.last.connect()
        self.last.tunnel.handshakeCompleted()
        self.clock.advance(4.0)
        words = "connected to 192.0.2.1, but no answer to the HTTP request after 4 s: is that a web server?"
        self.assertEqual(self.context.reachability.reasons, [words])

    def test_answerThatIsNoYesIsSaid(self) -> None:
        """
        Somebody has answered: nothing on the way has stopped us.
        """
        self.slot().dial()
        self.last.connect()
        self.last.tunnel.handshakeCompleted()
        self.last.tunnel.dataReceived(b"no")
        self.last.transport.lose()
        self.assertEqual(self.context.reachability.reasons, ["the path is not known there"])
        self.assertEqual(self.context.outcomes[DialOutcome.TURNED_AWAY], 1)


class UpgradeToTests(SlotTestCase):
    """
    Know which places are behind a web server.
    """

    def test_placeWithAPathIs(self) -> None:
        self.assertIsNone(upgradeTo(ServerPlace("192.0.2.1", 8443), isPlain=False))
        make = upgradeTo(ServerPlace("192.0.2.1", 443, "/path"), isPlain=False)
        assert make is not None
        one, two = make().request(), make().request()
        self.assertTrue(one.startswith(b"GET /path HTTP/1.1\r\nHost: 192.0.2.1\r\n"))
        self.assertNotEqual(one, two)
