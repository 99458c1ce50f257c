"""
The work of a turn is bounded, whatever a peer sends: in both formats, and at both ends.
"""

from __future__ import annotations

import socket

from bench.rig.ports import freePort
from tests.hostile.streams import FORMAT_1, FORMAT_2
from tests.hostile.trial import ATTACKER, LONG, HostileTestCase, Options

FEW = 3
"""Kinds of nonsense that the suite tries in each direction; all of them otherwise."""

SIZES = {1: 24576, 2: 65536}
"""Bytes for each of eight tunnels, by format: a frame of format 2 has eight bytes more."""


def kindsOf(wire: int) -> list[str]:
    """
    @return: what is tried.
    """
    kinds = list(FORMAT_1 if wire == 1 else FORMAT_2)
    return kinds if LONG else kinds[:FEW]


class ServerTests(HostileTestCase):
    """
    Somebody with eight tunnels says what costs more to read than to send.
    """

    def assertNobodyWaits(self, wire: int, *, tls: bool = False) -> None:
        """
        Try it.
        """
        house = self.build(self.certificates() if tls else None, wire=wire)
        for kind in kindsOf(wire):
            size = SIZES[wire] * (8 if LONG else 1)
            self.attack("flood", what=kind, door=house.door(), source=ATTACKER, kind=kind, size=size)
        self.assertHouseAsBefore()

    def test_format1(self) -> None:
        self.assertNobodyWaits(1)

    def test_format2(self) -> None:
        self.assertNobodyWaits(2, tls=True)


class ClientTests(HostileTestCase):
    """
    A server says it to one session of a client, while another one serves another session.
    """

    def assertNobodyWaits(self, wire: int) -> None:
        """
        Try it.
        """
        port = freePort(socket.SOCK_STREAM)
        house = self.build(wire=wire, shadyPort=port, client=("--expire", "3"))
        for kind in kindsOf(wire):
            size = SIZES[wire] * (8 if LONG else 1)
            options: Options = {
                "client": house.clientAddress,
                "port": port,
                "wire": wire,
                "kind": kind,
                "size": size,
            }
            self.attack("shady", what=kind, **options)
        self.assertHouseAsBefore()

    def test_format1(self) -> None:
        self.assertNobodyWaits(1)

    def test_format2(self) -> None:
        self.assertNobodyWaits(2)
