"""
Networks, and addresses to which they can send.
"""

from __future__ import annotations

from ipaddress import ip_network

from twisted.trial.unittest import SynchronousTestCase

from uotp.net.networks import canReach, outOfReach


class ReachTests(SynchronousTestCase):
    """
    Which networks can send to an address that somebody listens on.
    """

    def test_everyKindOfAddressAndNetwork(self) -> None:
        networks = ("192.0.2.0/24", "127.0.0.1", "0.0.0.0/0", "2001:db8::/32", "::1", "::/0", "::ffff:127.0.0.0/104")
        for host, reached in (
            ("127.0.0.1", (False, True, True, False, False, False, True)),
            ("127.8.8.8", (False, True, True, False, False, False, True)),
            ("::ffff:127.0.0.1", (False, True, True, False, False, False, True)),
            ("::1", (False, False, False, False, True, True, False)),
            ("192.0.2.1", (True, False, True, False, False, False, False)),
            ("::ffff:192.0.2.1", (True, False, True, False, False, False, False)),
            ("2001:db8::1", (False, False, False, True, False, True, False)),
            ("fe80::1%eth0", (False, False, False, True, False, True, False)),
            ("0.0.0.0", (True, True, True, False, False, False, True)),  # noqa: S104 - a word like any other
            ("::", (True,) * 7),
        ):
            self.assertEqual(tuple(canReach(ip_network(network), host) for network in networks), reached, host)

    def test_whoReachesNoneOfSeveralIsNamed(self) -> None:
        networks = tuple(map(ip_network, ("192.0.2.0/24", "2001:db8::/32", "127.0.0.1")))
        self.assertEqual(outOfReach(networks, ("127.0.0.1", "::1")), ["192.0.2.0/24", "2001:db8::/32"])
        self.assertEqual(outOfReach(networks, ("127.0.0.1", "::")), [])
        self.assertEqual(outOfReach((), ("127.0.0.1",)), [])
