"""
Which of our addresses leads where.
"""

from __future__ import annotations

import errno
import socket

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from uotp.boundaries import Address
from uotp.net.routes import KNOWN_SECONDS, MAX_ROUTES, Routes, numericAddress

THERE = ("192.0.2.1", 9)


class NumericAddressTests(SynchronousTestCase):
    """
    Addresses are named as the socket module names senders.
    """

    def test_eachHasOneForm(self) -> None:
        for host, address in (
            ("192.0.2.1", ("192.0.2.1", 9)),
            ("2001:DB8:0::1", ("2001:db8::1", 9, 0, 0)),
            ("::ffff:192.0.2.1", ("::ffff:192.0.2.1", 9, 0, 0)),
            ("fe80::1%7", ("fe80::1", 9, 0, 7)),
        ):
            self.assertEqual(numericAddress(host, 9), address)
            (*_, found) = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)[0]
            self.assertEqual(found, address)

    def test_zoneIsTheNumberOfItsLink(self) -> None:
        """
        That link may come and go, and then has another number.
        """
        numbers = {"wlan0": 3}

        def number(name: str) -> int:
            if name not in numbers:
                raise OSError(errno.ENODEV, "no interface with this name")
            return numbers[name]

        self.patch(socket, "if_nametoindex", number)
        self.assertEqual(numericAddress("fe80::1%wlan0", 9), ("fe80::1", 9, 0, 3))
        numbers["wlan0"] = 8
        self.assertEqual(numericAddress("fe80::1%wlan0", 9), ("fe80::1", 9, 0, 8))
        self.assertRaises(OSError, numericAddress, "fe80::1%wlan1", 9)

    def test_nameIsNone(self) -> None:
        for name in ("localhost", "target.test", "two..dots.test", "x" * 64 + ".test"):
            self.assertRaises(ValueError, numericAddress, name, 9)


class RoutesTests(SynchronousTestCase):
    """
    Ask for routes, which a test chooses.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.asked: list[Address] = []
        self.local = "192.0.2.7"
        self.routes = Routes(self.clock.seconds, self.find)

    def find(self, destination: Address) -> Address:
        self.asked.append(destination)
        if not self.local:
            raise OSError(errno.ENETUNREACH, "Network is unreachable")
        return (self.local, 0)

    def test_manySessionsAskOnce(self) -> None:
        self.assertEqual([self.routes.to(THERE) for _ in range(1000)], [("192.0.2.7", 0)] * 1000)
        self.assertEqual(self.asked, [THERE])

    def test_changeIsSeenSoon(self) -> None:
        self.routes.to(THERE)
        self.local = "198.51.100.7"
        self.assertEqual(self.routes.to(THERE), ("192.0.2.7", 0))
        self.clock.advance(KNOWN_SECONDS)
        self.assertEqual(self.routes.to(THERE), ("198.51.100.7", 0))

    def test_nothingThatLeadsThereIsAnError(self) -> None:
        self.local = ""
        self.assertRaises(OSError, self.routes.to, THERE)
        self.local = "192.0.2.7"
        self.assertEqual(self.routes.to(THERE), ("192.0.2.7", 0))

    def test_changesAreToldOnce(self) -> None:
        """
        Also those that somebody who asked has seen.
        """
        self.assertFalse(self.routes.refresh())
        self.routes.to(THERE)
        self.assertFalse(self.routes.refresh())
        self.local = ""
        self.assertFalse(self.routes.refresh())
        for self.local in ("198.51.100.7", "192.0.2.7"):
            self.assertTrue(self.routes.refresh())
            self.assertFalse(self.routes.refresh())
            self.assertEqual(self.routes.to(THERE), (self.local, 0))
        self.local = "198.51.100.7"
        self.clock.advance(KNOWN_SECONDS)
        self.routes.to(THERE)
        self.assertTrue(self.routes.refresh())

    def test_routesAreForgotten(self) -> None:
        for number in range(10 * MAX_ROUTES):
            self.routes.to(("192.0.2.1", number))
            self.assertLessEqual(len(self.routes._known), MAX_ROUTES)
