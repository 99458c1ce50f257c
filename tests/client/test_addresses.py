"""
In which order the addresses of a server are tried.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.trial.unittest import SynchronousTestCase

from uotp.client.dial.addresses import MAX_ADDRESSES_TRIED, MAX_FAILURES_KEPT, AddressOrder, interleaved


def v4(number: int) -> IPv4Address:
    """
    @return: one of many addresses of IPv4.
    """
    return IPv4Address("TCP", f"192.0.2.{number}", 8443)


def v6(number: int) -> IPv6Address:
    """
    @return: one of many addresses of IPv6.
    """
    return IPv6Address("TCP", f"2001:db8::{number}", 8443)


class OrderTests(SynchronousTestCase):
    """
    Let addresses be good or bad, and see who is next.
    """

    def setUp(self) -> None:
        self.order = AddressOrder()

    def test_familiesTakeTurnsInTheSystemsOrder(self) -> None:
        found: list[Any] = [v6(1), v6(2), v6(3), v4(1), v4(2)]
        self.assertEqual(interleaved(found), [v6(1), v4(1), v6(2), v4(2), v6(3)])
        self.assertEqual(interleaved(found[::-1]), [v4(2), v6(3), v4(1), v6(2), v6(1)])

    def test_addressThatIsFoundTwiceIsTriedOnce(self) -> None:
        self.assertEqual(self.order.order([v4(1), v4(1), v4(2)]), [v4(1), v4(2)])

    def test_addressThatWasGoodComesFirst(self) -> None:
        self.order.succeeded(v4(2))
        self.assertEqual(self.order.order([v6(1), v4(1), v4(2)]), [v4(2), v6(1), v4(1)])

    def test_addressThatIsNotFoundAnyMoreIsNotTried(self) -> None:
        self.order.succeeded(v4(9))
        self.assertEqual(self.order.order([v4(1)]), [v4(1)])

    def test_addressThatFailedComesLast(self) -> None:
        self.order.succeeded(v4(1))
        self.order.failed(v4(1))
        self.order.failed(v4(2))
        self.assertEqual(self.order.order([v4(1), v4(2), v4(3)]), [v4(3), v4(1), v4(2)])
        self.order.failed(v4(1))
        self.assertEqual(self.order.order([v4(1), v4(2), v4(3)]), [v4(3), v4(2), v4(1)])
        self.order.succeeded(v4(1))
        self.assertEqual(self.order.order([v4(1), v4(2), v4(3)]), [v4(1), v4(3), v4(2)])

    def test_ofManyAddressesAllHaveTheirTurn(self) -> None:
        found: list[Any] = [v4(number) for number in range(100)]
        tried: set[Any] = set()
        for _ in range(100 // MAX_ADDRESSES_TRIED + 1):
            ordered = self.order.order(found)
            self.assertEqual(len(ordered), MAX_ADDRESSES_TRIED)
            for address in ordered:
                self.order.failed(address)
            tried.update(ordered)
        self.assertEqual(tried, set(found))

    def test_memoryIsBounded(self) -> None:
        for number in range(2 * MAX_FAILURES_KEPT):
            self.order.failed(v4(number))
        self.assertEqual(len(self.order._failed), MAX_FAILURES_KEPT)

    def test_afterAChangeOfTheNetworkTheSystemsOrderCounts(self) -> None:
        self.order.succeeded(v4(2))
        self.order.failed(v4(1))
        self.order.forget()
        self.assertEqual(self.order.order([v4(1), v4(2)]), [v4(1), v4(2)])
