"""
What a server can be told, and what not.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

from tests.doubles.contracts import SettingsTestCase
from uotp.errors import ConfigurationError
from uotp.net import sockopts
from uotp.server.settings import ServerSettings


class ServerSettingsTests(SettingsTestCase):
    """
    Check the settings that only a server has.
    """

    def settings(self, **chosen: Any) -> ServerSettings:
        return ServerSettings(**{"target": ("127.0.0.1", 51820), **chosen})

    def test_times(self) -> None:
        self.assertUnusable("linger", 0, -1.0, float("nan"), float("inf"))
        self.assertUsable("linger", 0.001, 1e6)

    def test_counts(self) -> None:
        self.assertUnusable("maxSessions", 0, -1, 65537)
        self.assertUsable("maxSessions", 1, 65536)
        self.assertUnusable("maxConnections", 0, -1, 63, (1 << 20) + 1)
        self.assertUsable("maxConnections", 64, 1 << 20)
        self.assertUnusable("ownerShare", 0, -1, 101)
        self.assertUsable("ownerShare", 1, 100)

    def test_networksOfBalancers(self) -> None:
        for wrong in (("192.0.2.0/24",), (1,)):
            error = self.assertRaises(ConfigurationError, self.settings, proxyProtocol=wrong)
            self.assertEqual(str(error), "proxyProtocol takes networks of the module ipaddress")
        self.assertUsable("proxyProtocol", (), (ip_network("192.0.2.7/32"), ip_network("2001:db8::/64")))

    def test_networksThatAnybodyIsInAreWarnedOf(self) -> None:
        wide = ("0.0.0.0/0", "::/0", "128.0.0.0/1", "::ffff:0:0/96", "2000::/3", "fc00::/6")
        narrow = ("10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32", "fc00::/7", "fd00::/8", "::ffff:10.0.0.0/104")
        for network in wide + narrow:
            said = self.settings(proxyProtocol=(ip_network("192.0.2.1"), ip_network(network))).anybodyAnnounces()
            self.assertEqual(said is not None, network in wide, network)
        both = self.settings(proxyProtocol=(ip_network("0.0.0.0/0"), ip_network("::/0"))).anybodyAnnounces()
        self.assertEqual(
            both,
            "whoever comes from 0.0.0.0/0 or ::/0 can pretend to be any client, by the PROXY protocol: name only the "
            "addresses of balancers in proxyProtocol",
        )

    def test_whatBothEndsHaveIsCheckedToo(self) -> None:
        self.assertUnusable("udpBuffer", 0)
        self.assertUnusable("reorder", -1)
        self.patch(sockopts, "TCP_CONGESTION", None)
        self.assertRaises(ConfigurationError, self.settings, congestion="bbr")

    def test_hostsThatAreNone(self) -> None:
        """
        It would otherwise be found out by the first datagram.
        """
        for host in ("two..dots.test", "x" * 64 + ".test", "", "no name"):
            error = self.assertRaises(ConfigurationError, self.settings, target=(host, 9))
            self.assertRegex(str(error), f"^the target {host}: .* host name")
