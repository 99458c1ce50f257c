"""
Networks that a user has named.
"""

from __future__ import annotations

from ipaddress import ip_network

from twisted.trial.unittest import SynchronousTestCase

from uotp.net.networks import MAX_KNOWN, Networks


class NetworksTests(SynchronousTestCase):
    """
    Look for addresses in them.  L{tests.client.test_allowed} has more, of zones and of both families.
    """

    def test_whereNoneIsNamedNobodyIsIn(self) -> None:
        self.assertFalse(Networks(()).has("192.0.2.1"))

    def test_eachThatIsNamedCounts(self) -> None:
        networks = Networks(map(ip_network, ("192.0.2.0/25", "2001:db8::/32")))
        found = [
            networks.has(host) for host in ("192.0.2.1", "192.0.2.128", "2001:db8::1", "::ffff:192.0.2.1", "nowhere")
        ]
        self.assertEqual(found, [True, False, True, True, False])

    def test_verdictsThatAreRememberedAreBounded(self) -> None:
        networks = Networks([ip_network("10.0.0.0/8")])
        for number in range(2 * MAX_KNOWN):
            host = f"10.0.{number // 256}.{number % 256}"
            self.assertTrue(networks.has(host))
            self.assertTrue(networks.has(host))
        self.assertEqual(networks._isKnown.cache_info().currsize, MAX_KNOWN)
