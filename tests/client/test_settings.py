"""
What a client can be told, and what not.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from typing import Any

from tests.doubles.contracts import SettingsTestCase
from uotp.client.settings import ClientSettings
from uotp.errors import ConfigurationError
from uotp.net import ServerPlace, parseProxy, sockopts
from uotp.order import Order, OrderMode


class ClientSettingsTests(SettingsTestCase):
    """
    Check the settings that only a client has.
    """

    def settings(self, **chosen: Any) -> ClientSettings:
        return ClientSettings(**{"servers": (ServerPlace("good.test", 8443),), **chosen})

    def test_sizeOfThePool(self) -> None:
        self.assertUnusable("poolSize", 0, -1, 257)
        self.assertUsable("poolSize", 1, 256)

    def test_leastTunnelsAreNoMoreThanTheMost(self) -> None:
        self.assertUnusable("minPool", 0, -1, 257)
        self.assertUsable("minPool", None, 1, 8)
        error = self.assertRaises(ConfigurationError, self.settings, poolSize=2, minPool=3)
        self.assertEqual(str(error), "minPool 3 is more than poolSize 2, which is the most that there may be")
        self.assertEqual(self.settings(poolSize=1).usualTunnels, 1)
        self.assertEqual(self.settings(poolSize=8).usualTunnels, 2)
        self.assertEqual(self.settings(poolSize=8, minPool=8).usualTunnels, 8)

    def test_times(self) -> None:
        for name in ("expire", "backoff", "timeout"):
            self.assertUnusable(name, 0.0, -1.0, float("nan"), float("inf"))
            self.assertUsable(name, 0.001, 1e6)

    def test_howOldATunnelMayBecome(self) -> None:
        self.assertUnusable("maxAge", 0.0, 0.99, -1.0, float("nan"))
        self.assertUsable("maxAge", None, 1.0, 1e9)
        self.assertUnusable("maxBytes", 0, 65535)
        self.assertUsable("maxBytes", None, 65536, 1 << 60)

    def test_whatBothEndsHaveIsCheckedToo(self) -> None:
        self.assertUnusable("udpBuffer", 0)
        self.assertUnusable("reorder", -1)
        self.patch(sockopts, "TCP_CONGESTION", None)
        self.assertRaises(ConfigurationError, self.settings, congestion="bbr")

    def test_orderIsAutomaticUnlessChosen(self) -> None:
        self.assertEqual(self.settings().order, Order())
        self.assertEqual(self.settings(reorder=Order(OrderMode.OFF)).order, Order(OrderMode.OFF))

    def test_hostsThatAreNone(self) -> None:
        """
        It would otherwise be found out by the first datagram.
        """
        for host in ("two..dots.test", "x" * 64 + ".test", "", "no name", "127.1"):
            error = self.assertRaises(ConfigurationError, self.settings, servers=(ServerPlace(host, 9),))
            self.assertRegex(str(error), f"^the server {host}: .* host name")

    def test_networksThatAreNone(self) -> None:
        self.assertUsable("allow", (), (ip_network("192.0.2.0/24"), ip_network("::1")))
        error = self.assertRaises(ConfigurationError, self.settings, allow=("192.0.2.0/24",))
        self.assertEqual(str(error), "allow takes networks of the module ipaddress")

    def test_filesForAProxyNeedOne(self) -> None:
        """
        Otherwise who has named them believes that they are used.
        """
        plain, secure = parseProxy("http://p:1"), parseProxy("https://p")
        everywhere = replace(secure, excepted="good.test")
        for name in ("proxyAuthFile", "proxyCafile"):
            for proxy, why in ((None, "there is no proxy"), (everywhere, "no server is reached through the proxy")):
                error = self.assertRaises(ConfigurationError, self.settings, proxy=proxy, **{name: "file"})
                self.assertTrue(str(error).startswith(f"{name} is of no use: {why}"), str(error))
            self.settings(proxy=secure, **{name: "file"})
        for proxy, name in ((plain, "proxyCafile"), (parseProxy("http://a:b@p"), "proxyAuthFile")):
            self.assertRaises(ConfigurationError, self.settings, proxy=proxy, **{name: "file"})
        self.assertIsNone(self.settings(proxy=everywhere).proxyFor(ServerPlace("good.test", 8443)))

    def test_throughAProxyThatIsDialled(self) -> None:
        servers = (ServerPlace("a.test", 1), ServerPlace("b.test", 2), ServerPlace("c.test", 3))
        settings = self.settings(servers=servers, proxy=replace(parseProxy("http://p:9"), excepted="b.test"))
        self.assertEqual([*map(settings.dialledFor, servers)], [("p", 9), ("b.test", 2), ("p", 9)])

    def test_markWhereThereAreNone(self) -> None:
        self.patch(sockopts, "SO_MARK", None)
        error = self.assertRaises(ConfigurationError, self.settings, mark=7)
        self.assertEqual(str(error), "mark: only Linux has firewall marks")
