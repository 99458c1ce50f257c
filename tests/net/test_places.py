"""
Where a server is, for a request of HTTP.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from uotp.net.places import ServerPlace


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
