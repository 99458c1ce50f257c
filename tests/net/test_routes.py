"""
Which of our addresses leads where.
"""

from __future__ import annotations

import errno

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from uotp.boundaries import Address
from uotp.net.routes import KNOWN_SECONDS, MAX_ROUTES, Routes

THERE = ("192.0.2.1", 9)


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
