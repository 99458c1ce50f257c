"""
Several addresses are bound together, with one number.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import NoReturn

from twisted.trial.unittest import SynchronousTestCase

from uotp.errors import StartError
from uotp.net.listening import PORT_TRIES, bindTogether, pairsOf, placesOf

ANY, ANY6 = "0.0.0.0", "::"  # noqa: S104 - nothing listens
DUAL = {ANY6, ANY}


class Machine:
    """
    Binds ports as Linux does.

    @ivar bound: what is bound, address and number.
    @ivar taken: what somebody else has bound.
    @ivar free: the numbers that are chosen next.
    """

    def __init__(self, *taken: tuple[str, int], separate: bool = False) -> None:
        """
        @param separate: whether C{::} is only IPv6's.
        """
        self.bound: list[tuple[str, int]] = []
        self.taken = taken
        self.free = list(range(50000, 51000))
        self.missing: set[str] = set()
        self._separate = separate

    def bind(self, host: str, number: int) -> tuple[str, int]:
        """
        Bind a port.
        """
        number = number or self.free.pop(0)
        if host in self.missing:
            raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
        for other, one in (*self.bound, *self.taken):
            if one == number and self._overlap(host, other):
                raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        self.bound.append((host, number))
        return host, number

    def _overlap(self, host: str, other: str) -> bool:
        if host == other:
            return True
        families = {":" in host, ":" in other}
        wide = {host, other} & DUAL
        if not wide or (self._separate and len(families) > 1):
            return False
        return len(families) == 1 or ANY6 in wide


class BindTogetherTests(SynchronousTestCase):
    """
    Bind what a user has asked for.
    """

    def bind(self, machine: Machine, *listen: tuple[str, int]) -> list[tuple[str, int]]:
        """
        @return: what is bound.
        """
        return bindTogether(placesOf(listen), "UDP", machine.bind, lambda port: port[1], machine.bound.remove)

    def test_oneAddressOrSeveral(self) -> None:
        one, two = ("192.0.2.1", 1), ("::1", 2)
        for listen, pairs in ((one, (one,)), ((one,), (one,)), ((one, two), (one, two))):
            self.assertEqual(pairsOf(listen), pairs)

    def test_addressesAreBoundInTheirOrder(self) -> None:
        pairs = (("192.0.2.2", 9), ("192.0.2.1", 9), ("::1", 9))
        self.assertEqual(self.bind(Machine(), *pairs), list(pairs))

    def test_whatIsThereTwiceIsBoundOnce(self) -> None:
        self.assertEqual(self.bind(Machine(), ("192.0.2.1", 9), ("192.0.2.1", 9)), [("192.0.2.1", 9)])

    def test_whatAnotherOneCoversIsNotBound(self) -> None:
        """
        Whatever comes first; where IPv6 does not cover IPv4, both are.
        """
        for separate, expected in ((False, [(ANY6, 9)]), (True, [(ANY6, 9), (ANY, 9)])):
            found = self.bind(Machine(separate=separate), ("127.0.0.1", 9), (ANY, 9), ("::1", 9), (ANY6, 9))
            self.assertEqual(found, expected)
        self.assertEqual(self.bind(Machine(), ("127.0.0.1", 0), ("::1", 0), (ANY, 0)), [(ANY, 50000), ("::1", 50000)])

    def test_addressThatSomebodyElseHasIsAnError(self) -> None:
        """
        Also one that may be missing, since who sends there would reach him; then none is bound.
        """
        for pairs in ([("127.0.0.1", 9), ("::1", 9)], [("localhost", 9)]):
            machine = Machine(("::1", 9))
            error = self.assertRaises(StartError, self.bind, machine, *pairs)
            self.assertEqual(str(error), "cannot listen on ::1 port 9 (UDP): Address already in use")
            self.assertEqual(machine.bound, [])

    def test_localhostIsBothOrOne(self) -> None:
        machine = Machine()
        self.assertEqual(self.bind(machine, ("localhost", 9)), [("127.0.0.1", 9), ("::1", 9)])
        machine = Machine()
        machine.missing.add("::1")
        self.assertEqual(self.bind(machine, ("localhost", 9)), [("127.0.0.1", 9)])
        machine.missing.add("127.0.0.1")
        self.assertRaises(StartError, self.bind, machine, ("localhost", 10))

    def test_addressThatWasAskedForHasToBeHad(self) -> None:
        machine = Machine()
        machine.missing.add("::1")
        error = self.assertRaises(StartError, self.bind, machine, ("127.0.0.1", 0), ("::1", 0))
        words = "Cannot assign requested address: this machine does not have that address now"
        self.assertEqual(str(error), f"cannot listen on ::1 port 50000 (UDP): {words}")
        self.assertEqual(machine.bound, [])

    def test_refusalNamesItsRemedy(self) -> None:
        """
        Where the system's words alone do not tell what to do.
        """
        for host, number, words in (
            (
                "fe80::1",
                errno.EINVAL,
                "a link-local address needs its network interface: write fe80::1%eth0",
            ),
            ("192.0.2.1", errno.EACCES, "Permission denied: ports below 1024 need root or CAP_NET_BIND_SERVICE"),
            ("192.0.2.1", errno.EINVAL, "Invalid argument"),
        ):

            def refuse(*_: object, number: int = number) -> NoReturn:
                raise OSError(number, os.strerror(number))

            def ask(host: str = host, refuse: Callable[..., NoReturn] = refuse) -> None:
                bindTogether(placesOf((host, 443)), "UDP", refuse, lambda _: 443, lambda _: None)

            error = self.assertRaises(StartError, ask)
            self.assertEqual(str(error), f"cannot listen on {host} port 443 (UDP): {words}")

    def test_numberThatIsChosenIsFreeEverywhere(self) -> None:
        machine = Machine(("::1", 50000), ("::1", 50001))
        self.assertEqual(self.bind(machine, ("localhost", 0)), [("127.0.0.1", 50002), ("::1", 50002)])
        self.assertEqual(machine.bound, [("127.0.0.1", 50002), ("::1", 50002)])

    def test_thereIsAnEndToTrying(self) -> None:
        machine = Machine(*(("::1", number) for number in range(50000, 51000)))
        error = self.assertRaises(StartError, self.bind, machine, ("localhost", 0))
        self.assertEqual(str(error), "no UDP port is free at all of 127.0.0.1, ::1")
        self.assertEqual((len(machine.free), machine.bound), (1000 - PORT_TRIES, []))

    def test_numbersMayDiffer(self) -> None:
        pairs = (("192.0.2.1", 9), ("192.0.2.1", 10), ("::1", 0))
        self.assertEqual(self.bind(Machine(), *pairs), [*pairs[:2], ("::1", 50000)])
