"""
Network interfaces that belong to addresses.
"""

from __future__ import annotations

import errno
import socket

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.trial.unittest import SynchronousTestCase

from uotp.net.hosts import Host
from uotp.net.zones import OwnLink, bindable, hostAt, hostOf, interfaceNumber, zoneTrouble


class ZonesTests(SynchronousTestCase):
    """
    Have two interfaces: 2 is eth0, and 3 is called 7.
    """

    NAMES = {2: "eth0", 3: "7"}

    def setUp(self) -> None:
        def index(name: str) -> int:
            for number, known in self.NAMES.items():
                if known == name:
                    return number
            raise OSError(errno.ENODEV, "no interface with this name")

        def name(number: int) -> str:
            if number not in self.NAMES:
                raise OSError(errno.ENXIO, "No such device or address")
            return self.NAMES[number]

        self.patch(socket, "if_nametoindex", index)
        self.patch(socket, "if_indextoname", name)

    def test_interfacesHaveNamesAndNumbers(self) -> None:
        """
        A name goes first, as with the system's own programs.
        """
        for zone, number in (("eth0", 2), ("2", 2), ("7", 3), ("3", 3), ("9", None), ("wlan0", None), ("\u00b2", None)):
            self.assertEqual(interfaceNumber(zone), number, zone)

    def test_nameThatNoInterfaceCanHave(self) -> None:
        def index(_: str) -> int:
            reason = "embedded null character"
            raise ValueError(reason)

        self.patch(socket, "if_nametoindex", index)
        self.assertIsNone(interfaceNumber("a\0b"))

    def test_numberThatNoInterfaceCanHave(self) -> None:
        def name(_: int) -> str:
            raise OverflowError

        self.patch(socket, "if_indextoname", name)
        self.assertIsNone(interfaceNumber("9" * 30))

    def test_whatIsWrongWithAnAddress(self) -> None:
        for word in ("fe80::1%eth0", "fe80::1%2", "fe80::1", "192.0.2.1", "a.test"):
            self.assertIsNone(zoneTrouble(Host.parse(word)), word)
        self.assertEqual(zoneTrouble(Host.parse("fe80::1%wlan0")), "this machine has no network interface wlan0 now")

    def test_interfaceIsMadeAnew(self) -> None:
        """
        What an address has by number is another's, and never anew.
        """
        links = [OwnLink(host) for host in ("fe80::1%eth0", "fe80::1%2", "fe80::1", "192.0.2.1")]
        for names, anew in (({2: "eth0"}, False), ({}, False), ({5: "eth0"}, True), ({}, False), ({2: "eth0"}, False)):
            self.patch(self, "NAMES", names)
            self.assertEqual([link.isAnew for link in links], [anew, False, False, False])

    def test_hostOfAnAddressOfTheSystem(self) -> None:
        for address, host in (
            (("192.0.2.1", 9), "192.0.2.1"),
            (("2001:db8::1", 9, 0, 0), "2001:db8::1"),
            (("fe80::1", 9, 0, 2), "fe80::1%eth0"),
            (("fe80::1", 9, 0, 8), "fe80::1%8"),
            (("fe80::1%eth0", 9, 0, 2), "fe80::1%eth0"),
        ):
            self.assertEqual(hostOf(address), host)
        self.assertEqual(hostAt(IPv4Address("TCP", "192.0.2.1", 9)), "192.0.2.1")
        self.assertEqual(hostAt(IPv6Address("TCP", "fe80::1", 9, 0, 2)), "fe80::1%eth0")
        self.assertEqual(hostAt(IPv6Address("TCP", "fe80::1%7", 9)), "fe80::1%7")

    def test_whatIsBound(self) -> None:
        for word, address in (
            ("192.0.2.1", ("192.0.2.1", 9)),
            ("::", ("::", 9)),
            ("fe80::1%eth0", ("fe80::1", 9, 0, 2)),
            ("fe80::1%3", ("fe80::1", 9, 0, 3)),
        ):
            self.assertEqual(bindable((word, 9)), address)
        self.assertEqual(bindable(("fe80::1", 9, 0, 2)), ("fe80::1", 9, 0, 2))
        error = self.assertRaises(OSError, bindable, ("fe80::1%wlan0", 9))
        self.assertEqual(error.strerror, "this machine has no network interface wlan0 now")
