"""
Hosts, as people write them.
"""

from __future__ import annotations

from ipaddress import ip_address

from twisted.trial.unittest import SynchronousTestCase

from uotp.net.hosts import Host, ownerOf, parseDestination, shownHost
from uotp.net.names import dnsName

LONGEST_NAME = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])
"""As long as the domain name system allows a name and its parts to be."""


def couldBeName(host: Host) -> bool:
    """
    @return: whether what somebody has written is no address, and may be a name in DNS and in certificates.
    """
    if host.address is not None:
        return False
    try:
        dnsName(host.text)
    except ValueError:
        return False
    return True


class HostTests(SynchronousTestCase):
    """
    Read a word as a host.
    """

    def test_addressesOfBothFamilies(self) -> None:
        for word, text, isIPv6, zone in (
            ("192.0.2.1", "192.0.2.1", False, None),
            ("2001:DB8:0::1", "2001:db8::1", True, None),
            ("::ffff:192.0.2.1", str(ip_address("::ffff:192.0.2.1")), True, None),
            ("FE80::1%lo", "fe80::1%lo", True, "lo"),
        ):
            host = Host.parse(word)
            self.assertEqual(host, Host(text, ip_address(word)))
            self.assertEqual((word, host.isIPv6, host.zone, couldBeName(host)), (word, isIPv6, zone, False))

    def test_whatIsNoAddressMayBeAName(self) -> None:
        for word, isName in (
            ("Example.com.", True),
            ("b\u00fccher.example", True),
            ("1.2.3", False),
            ("192.0.2.1%lo", False),
            ("fe80::1%", False),
            ("fe80::1%a%b", False),
            ("[::1]", False),
            ("two..dots", False),
            ("", False),
        ):
            host = Host.parse(word)
            self.assertEqual(host, Host(word, None))
            self.assertEqual((word, couldBeName(host), host.isIPv6, host.zone), (word, isName, False, None))

    def test_notEveryAddressIsThatOfOneHost(self) -> None:
        for word in ("192.0.2.1", "::1", "fe80::1%lo"):
            self.assertTrue(Host.parse(word).isOneHost, word)
        for word in ("0.0.0.0", "::", "224.0.0.1", "ff02::1%lo", "example.com"):  # noqa: S104 - words
            self.assertFalse(Host.parse(word).isOneHost, word)

    def test_besideAPort(self) -> None:
        for word, shown in (
            ("192.0.2.1", "192.0.2.1"),
            ("::1", "[::1]"),
            ("fe80::1%lo", "[fe80::1%lo]"),
            ("a.test", "a.test"),
        ):
            self.assertEqual(Host.parse(word).besidePort, shown)

    def test_sameHostAsOthersKnowIt(self) -> None:
        for word, bare, oneAddress in (
            ("fe80::1%lo", "fe80::1", "fe80::1%lo"),
            ("::ffff:192.0.2.1", str(ip_address("::ffff:192.0.2.1")), "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1", "2001:db8::1"),
            ("192.0.2.1", "192.0.2.1", "192.0.2.1"),
            ("a.test", "a.test", "a.test"),
        ):
            host = Host.parse(word)
            self.assertEqual((host.withoutZone.text, host.asOneAddress.text), (bare, oneAddress))
            self.assertIsNone(host.withoutZone.zone)


class DestinationTests(SynchronousTestCase):
    """
    Tell what can be sent to from what cannot.
    """

    def assertRefused(self, reason: str, *words: str) -> None:
        """
        @param reason: what the user is told.
        @param words: what is refused for it.
        """
        for word in words:
            error = self.assertRaises(ValueError, parseDestination, word)
            self.assertEqual((word, str(error)), (word, reason))

    def test_hostsToSendTo(self) -> None:
        """
        A name stays as it was written, for the log.
        """
        for word, host in (
            ("example.com", "example.com"),
            ("b\u00fccher.example", "b\u00fccher.example"),
            ("my_host", "my_host"),
            ("example.com.", "example.com."),
            (LONGEST_NAME, LONGEST_NAME),
            ("192.0.2.1", "192.0.2.1"),
            ("2001:DB8::0:1", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("fe80::1%lo", "fe80::1%lo"),
        ):
            self.assertEqual(parseDestination(word), host)

    def test_whatCannotBeAHostIsRefused(self) -> None:
        """
        What was meant for something else is found before it is looked up.
        """
        reason = "a host name or an IP address is needed"
        words = ("", "-n", "a b", "a\nb", "a\0b", "http://example.com", "me@example.com", "10.0.0.0/8", "\u200b")
        self.assertRefused(reason, *words)
        ports = ("example.com:8443", "[2001:db8::1]", "[2001:db8::1]:8443", "192.0.2.1:8443", "::1::", "a.test%lo")
        self.assertRefused(reason, *ports)
        many = ("0.0.0.0", "::", "224.0.0.1", "ff02::1")  # noqa: S104 - words that are refused
        self.assertRefused("not the address of one host", *many)


class ShownHostTests(SynchronousTestCase):
    """
    Show the address of a peer.
    """

    def test_addressesOfIPv4AreShownAsSuch(self) -> None:
        for host, shown in (
            ("::ffff:203.0.113.20", "203.0.113.20"),
            ("203.0.113.20", "203.0.113.20"),
            ("2001:db8::1", "2001:db8::1"),
            ("::ffff:0:cb00:7114", "::ffff:0:cb00:7114"),
            ("fe80::1%eth0", "fe80::1%eth0"),
            ("nowhere", "nowhere"),
        ):
            self.assertEqual(shownHost(host), shown)


class OwnerTests(SynchronousTestCase):
    """
    Who is there, as far as an address tells.
    """

    def test_ownersOfAddresses(self) -> None:
        for host, owner in (
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::", "2001:db8:1:2::/64"),
            ("2001:db8:1:3::", "2001:db8:1:3::/64"),
            ("2001:db8:1:3::ffff:c000:201", "2001:db8:1:3::/64"),
            ("fe80::1%eth0", "fe80::1%eth0"),
            ("FE80:0::1%eth1", "fe80::1%eth1"),
            ("fe80::2", "fe80::2"),
            ("64:ff9b::192.0.2.1", "192.0.2.1"),
            ("64:ff9b::c000:202", "192.0.2.2"),
            ("64:ff9b:0:0:0:1:c000:202", "64:ff9b::/64"),
            ("64:ff9b:1::c000:202", "64:ff9b:1::/64"),
            ("?", "?"),
        ):
            self.assertEqual((host, ownerOf(host)), (host, owner))
