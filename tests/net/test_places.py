"""
Where a server is, for a request of HTTP.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from uotp.errors import ConfigurationError
from uotp.net.places import MAX_SERVERS, ServerPlace, requireServers


class HostFieldTests(SynchronousTestCase):
    """
    Say to a web server which host is meant.
    """

    def test_portThatGoesWithoutSayingIsLeftOut(self) -> None:
        for host, port, isPlain, expected in (
            ("vpn.example.com", 443, False, "vpn.example.com"),
            ("vpn.example.com", 443, True, "vpn.example.com:443"),
            ("vpn.example.com", 80, True, "vpn.example.com"),
            ("vpn.example.com", 8443, False, "vpn.example.com:8443"),
            ("192.0.2.1", 8443, False, "192.0.2.1:8443"),
            ("2001:db8::1", 443, False, "[2001:db8::1]"),
            ("2001:db8::1", 8443, False, "[2001:db8::1]:8443"),
            ("fe80::1%eth0", 443, False, "[fe80::1]"),
            ("bücher.example", 443, False, "xn--bcher-kva.example"),
        ):
            self.assertEqual(ServerPlace(host, port, "/x").hostField(isPlain=isPlain), expected)


class WithPathTests(SynchronousTestCase):
    """
    Write a place as a user would.
    """

    def test_aUrlLeavesItsUsualPortOut(self) -> None:
        for place, expected in (
            (ServerPlace("vpn.example.com", 443), "vpn.example.com:443"),
            (ServerPlace("2001:db8::1", 8443), "[2001:db8::1]:8443"),
            (ServerPlace("vpn.example.com", 443, "/x"), "wss://vpn.example.com/x"),
            (ServerPlace("vpn.example.com", 80, "/x"), "wss://vpn.example.com:80/x"),
            (ServerPlace("fe80::1%eth0", 443, "/x"), "wss://[fe80::1%eth0]/x"),
        ):
            self.assertEqual(place.withPath, expected)


class RequireServersTests(SynchronousTestCase):
    """
    Look at all servers of a client.
    """

    def refused(self, *servers: ServerPlace) -> str:
        """
        @return: why these cannot be.
        """
        return str(self.assertRaises(ConfigurationError, requireServers, servers))

    def test_whatCannotBeIsSaidWithoutThePath(self) -> None:
        one = ServerPlace("a.test", 443, "/secret")
        many = [ServerPlace("a.test", port) for port in range(1, MAX_SERVERS + 2)]
        requireServers([one, ServerPlace("a.test", 443), ServerPlace("a.test", 443, "/other")])
        requireServers(many[:-1])
        self.assertIn("1 to 16 servers, and there are 0", self.refused())
        self.assertIn("1 to 16 servers, and there are 17", self.refused(*many))
        self.assertEqual(self.refused(one, one), "the server wss://a.test:443/... is named twice")
        self.assertEqual(
            self.refused(one, replace(one, host="A.test")), "the server wss://A.test:443/... is named twice"
        )
        found = self.refused(ServerPlace("a.test", 443, "/secret?"))
        self.assertEqual(found, "the server wss://a.test:443/...: a path has neither ? nor #")
