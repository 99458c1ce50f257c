"""
Which worker a packet is for: the program is run here as the kernel would run it.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from unittest.mock import Mock

from twisted.trial.unittest import SynchronousTestCase

from uotp.net import steering
from uotp.net.steering import Instruction, steeringProgram

WORD = 0xFFFFFFFF
FEW = 400


class Processor:
    """
    Runs a program on a packet, by the rules of classic BPF.
    """

    def __init__(self, program: Sequence[Instruction], packet: bytes) -> None:
        """
        @param packet: from the header of IP on.
        """
        self._program = program
        self._packet = packet
        self._accumulator = self._other = 0

    def load(self, operand: int, size: int, behind: int = 0) -> None:
        at = operand - steering.SKF_NET_OFF + behind
        self._accumulator = int.from_bytes(self._packet[at : at + size], "big")

    def reckon(self, one: Instruction) -> bool:
        """
        @return: whether this was an instruction that loads or reckons.
        """
        operand, other = one.operand, self._other
        loads = {steering.LOAD_WORD: 4, steering.LOAD_HALF: 2, steering.LOAD_BYTE: 1, steering.LOAD_HALF_BEHIND_X: 2}
        results: dict[int, Callable[[int], int]] = {
            steering.MULTIPLY: lambda before: before * operand,
            steering.MODULO: lambda before: before % operand,
            steering.AND: lambda before: before & operand,
            steering.SHIFT_LEFT: lambda before: before << operand,
            steering.SHIFT_RIGHT: lambda before: before >> operand,
            steering.XOR_X: lambda before: before ^ other,
        }
        if one.code in loads:
            self.load(operand, loads[one.code], other if one.code == steering.LOAD_HALF_BEHIND_X else 0)
        elif one.code == steering.COPY_TO_X:
            self._other = self._accumulator
        elif one.code in results:
            self._accumulator = results[one.code](self._accumulator) & WORD
        else:
            return False
        return True

    def run(self) -> int:
        """
        @return: what the program returns.
        """
        place = 0
        while True:
            one = self._program[place]
            place += 1
            if self.reckon(one):
                continue
            if one.code == steering.JUMP:
                place += one.operand
            elif one.code == steering.JUMP_IF_EQUAL:
                place += 0 if self._accumulator == one.operand else one.otherwise
            else:
                assert one.code == steering.RETURN
                return self._accumulator


def packet(source: str, port: int = 4000, options: int = 0) -> bytes:
    """
    @param options: words of them in the header of IPv4.
    @return: a packet from there, up to the port of the source.
    """
    address = ipaddress.ip_address(source)
    begin = os.urandom(12)
    if isinstance(address, ipaddress.IPv4Address):
        head = bytes([0x45 + options]) + begin[1:] + address.packed + os.urandom(4 + 4 * options)
    else:
        head = bytes([0x60]) + begin[1:8] + address.packed + os.urandom(16)
    return head + port.to_bytes(2, "big") + os.urandom(6)


class SteeringTests(SynchronousTestCase):
    """
    A client's connections meet in one worker, and clients are spread over all.
    """

    def places(self, packets: Sequence[bytes], sockets: int, *, byPort: bool = False) -> Counter[int]:
        program = steeringProgram(sockets, byPort=byPort)
        return Counter(Processor(program, each).run() for each in packets)

    def test_connectionsOfOneAddressMeetWhateverTheirPorts(self) -> None:
        """
        The tunnels of a session come from many ports of one address.
        """
        for source in ("192.0.2.7", "2001:db8::7"):
            found = self.places([packet(source, port) for port in range(1024, 1424)], 7)
            self.assertEqual(len(found), 1, source)

    def test_addressesOfOneHouseholdMeet(self) -> None:
        """
        A host takes another IPv6 address of its /64 each day, and maybe one for each connection.
        """
        found = self.places([packet(f"2001:db8:1:2:{each:x}::{each:x}") for each in range(1, 300)], 5)
        self.assertEqual(len(found), 1)

    def assertEven(self, found: Counter[int], sockets: int) -> None:
        self.assertEqual(set(found), set(range(sockets)))
        mean = sum(found.values()) / sockets
        self.assertTrue(all(0.7 * mean < each < 1.3 * mean for each in found.values()), found)

    def test_clientsAreSpreadEvenly(self) -> None:
        """
        Neighbours in a network differ in a few bits only.
        """
        for sockets in (2, 3, 4, 8):
            four = [packet(f"10.{each >> 8}.{each & 255}.1") for each in range(FEW * sockets)]
            near = [packet(f"192.0.{each >> 8}.{each & 255}") for each in range(FEW * sockets)]
            six = [packet(f"2001:db8:{each:x}::1") for each in range(FEW * sockets)]
            low = [packet(f"2001:db8:0:{each:x}::1") for each in range(FEW * sockets)]
            for packets in (four, near, six, low):
                self.assertEven(self.places(packets, sockets), sockets)

    def test_sourcesOfOneAddressAreSpreadByTheirPorts(self) -> None:
        """
        To a client on the same machine all programs send from one address.
        """
        for source, options in (("127.0.0.1", 0), ("127.0.0.1", 3), ("::1", 0)):
            packets = [packet(source, port, options) for port in range(30000, 30000 + 4 * FEW)]
            self.assertEven(self.places(packets, 4, byPort=True), 4)

    def test_aSourceKeepsItsWorker(self) -> None:
        """
        What else stands in a packet does not matter.
        """
        for source in ("192.0.2.7", "2001:db8::7"):
            self.assertEqual(len(self.places([packet(source, 51820) for _ in range(50)], 9, byPort=True)), 1)

    def test_anInstructionIsEncodedAsTheKernelHasIt(self) -> None:
        """
        C{struct sock_filter}: a code of two bytes, two jumps of one, and an operand of four.
        """
        encoded = Instruction(steering.JUMP_IF_EQUAL, 0x40, 5).encoded()
        code, operand = (0x15).to_bytes(2, sys.byteorder), (0x40).to_bytes(4, sys.byteorder)
        self.assertEqual(encoded, code + b"\x00\x05" + operand)


class SupportTests(SynchronousTestCase):
    """
    Other systems cannot do it, and say so.
    """

    def test_onlyLinuxCan(self) -> None:
        """
        A Mac knows no such program.
        """
        self.patch(sys, "platform", "darwin")
        self.assertEqual(steering.steeringTrouble(), "only Linux tells each connection which worker it is for")

    def test_anOldKernelCannot(self) -> None:
        """
        A sandbox's kernel may know no such option either.
        """

        def refuse(*_: object, **__: object) -> None:
            raise OSError(92, "Protocol not available")

        self.patch(sys, "platform", "linux")
        self.patch(steering, "steer", refuse)
        self.patch(socket, "socket", lambda *_: closing(Mock()))
        words = "the kernel cannot tell each connection which worker it is for (Protocol not available)"
        self.assertEqual(steering.steeringTrouble(), words)
