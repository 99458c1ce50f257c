"""
Which sources may use a client, by their addresses.
"""

from __future__ import annotations

import socket
from ipaddress import ip_network

from twisted.trial.unittest import SynchronousTestCase

from uotp.client.sources.allowed import AllowedSources


def allowed(*networks: str) -> AllowedSources:
    """
    @return: what allows these.
    """
    return AllowedSources(map(ip_network, networks))


class AllowedSourcesTests(SynchronousTestCase):
    """
    Addresses as a socket names them, and networks as a user does.
    """

    def test_everybodyIsAllowedWhereNobodyIsNamed(self) -> None:
        for host in ("192.0.2.1", "::1", "fe80::1%eth0"):
            self.assertTrue(allowed().allows(host))

    def test_networksAreAllowedAndNobodyElse(self) -> None:
        sources = allowed("192.0.2.0/25", "198.51.100.7", "2001:db8::/32", "fe80::/10")
        for host in ("192.0.2.127", "198.51.100.7", "2001:db8:1::1", "fe80::1%eth0"):
            self.assertTrue(sources.allows(host), host)
        for host in ("192.0.2.128", "198.51.100.8", "2001:db9::1", "::1", "127.0.0.1", "no address"):
            self.assertFalse(sources.allows(host), host)

    def test_mappedAddressIsTheOneOfIPv4(self) -> None:
        """
        Which a socket for both names so, and a user maybe too.
        """
        for network in ("192.0.2.0/24", "::ffff:192.0.2.0/120"):
            sources = allowed(network)
            for host, verdict in (("::ffff:192.0.2.1", True), ("192.0.2.1", True), ("::ffff:192.0.3.1", False)):
                self.assertIs(sources.allows(host), verdict, (network, host))
        self.assertTrue(allowed("::ffff:0:0/96").allows("203.0.113.1"))
        self.assertFalse(allowed("::/0").allows("203.0.113.1"))

    def test_networkOnAnInterfaceIsNotOnAnother(self) -> None:
        """
        Every interface has a host of the same link-local address, for all that anybody knows.
        """
        self.patch(socket, "if_indextoname", {2: "eth0", 3: "eth1"}.__getitem__)
        self.patch(socket, "if_nametoindex", self.nameToIndex)
        for network in ("fe80::1%eth0", "fe80::1%2", "fe80::%eth0/64"):
            sources = allowed(network)
            for host, verdict in (("fe80::1%eth0", True), ("fe80::1%eth1", False), ("fe80::1", False)):
                self.assertIs(sources.allows(host), verdict, (network, host))
        for network in ("fe80::1", "fe80::/64"):
            self.assertTrue(allowed(network).allows("fe80::1%eth1"))
        self.assertFalse(allowed("fe80::1%gone").allows("fe80::1%lost"))

    def nameToIndex(self, name: str) -> int:
        """
        In place of the system's.
        """
        if name not in {"eth0", "eth1"}:
            raise OSError(19, "no interface with this name")
        return {"eth0": 2, "eth1": 3}[name]
