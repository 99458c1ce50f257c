"""
What Linux says of its routes, with a kernel in memory.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from contextlib import AbstractContextManager
from types import SimpleNamespace

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from uotp.net import policy
from uotp.net.policy import attribute, attributesOf, interfaceTo, isTunnelInterface, markedRules, messagesOf

ROUTE = bytes(12)
"""The fixed part of a message of routes, in which nothing is read."""


def message(kind: int, payload: bytes) -> bytes:
    """
    @return: a message of netlink, and what fills it up.
    """
    return struct.pack("=IHHII", 16 + len(payload), kind, 0, 1, 0) + payload + bytes(-len(payload) % 4)


class Kernel(AbstractContextManager["Kernel"]):
    """
    Answers what it is asked, as a socket of netlink.
    """

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.asked: list[bytes] = []

    def __exit__(self, *_: object) -> None:
        """
        Stay: a test looks at it.
        """

    def settimeout(self, seconds: float) -> None:
        """
        Answer at once anyway.
        """

    def send(self, data: bytes) -> None:
        self.asked.append(data)

    def recv(self, size: int) -> bytes:
        if not self.answers:
            raise TimeoutError
        return self.answers.pop(0)


class PolicyTests(SynchronousTestCase):
    """
    Ask a kernel in memory.
    """

    def kernel(self, *answers: bytes) -> Kernel:
        """
        @return: one that the module asks from now on.
        """
        if not hasattr(socket, "AF_NETLINK"):
            reason = "only Linux has netlink"
            raise SkipTest(reason)
        kernel = Kernel(*answers)
        names = {name: value for name, value in vars(socket).items() if name.isupper()}
        fake = SimpleNamespace(**names, socket=lambda *_: kernel, if_indextoname=lambda index: f"link{index}")
        self.patch(policy, "socket", fake)
        return kernel

    def test_aWayIsFoundByItsInterface(self) -> None:
        found = message(24, ROUTE + attribute(1, bytes(4)) + attribute(4, struct.pack("=I", 7)))
        kernel = self.kernel(found)
        self.assertEqual(interfaceTo("192.0.2.1", 0xCA6C), "link7")
        [asked] = kernel.asked
        self.assertEqual(struct.unpack_from("=IHH", asked), (len(asked), 26, 1))
        self.assertEqual(asked[16:18], bytes([socket.AF_INET, 32]))
        self.assertEqual(
            attributesOf(asked[16:]), {1: bytes([192, 0, 2, 1]), 16: struct.pack("=I", 0xCA6C)}, "the mark decides, too"
        )

    def test_addressesOfIPv6(self) -> None:
        kernel = self.kernel(message(24, ROUTE + attribute(4, struct.pack("=I", 2))))
        self.assertEqual(interfaceTo("fe80::1%eth0"), "link2")
        self.assertEqual(kernel.asked[0][16:18], bytes([socket.AF_INET6, 128]))

    def test_whereNothingLeads(self) -> None:
        """
        The kernel says so, says nothing, or says what nobody understands.
        """
        refusal = message(2, struct.pack("=i", -errno.ENETUNREACH))
        for answers in ((refusal,), (), (b"",), (b"\1\2\3",), (message(24, ROUTE),), (message(24, b""),)):
            self.kernel(*answers)
            self.assertIsNone(interfaceTo("192.0.2.1"))
        self.assertIsNone(interfaceTo("vpn.test"), "a name is no address")

    def test_marksOfRules(self) -> None:
        """
        The answer comes in parts, for each family.
        """
        marked = [message(32, ROUTE + attribute(10, struct.pack("=I", mark))) for mark in (5, 0xCA6C)]
        plain, done = message(32, ROUTE + attribute(15, bytes(4))), message(3, bytes(4))
        self.kernel(plain + marked[0], done, marked[1] + done)
        self.assertEqual(markedRules(), {5, 0xCA6C})

    def test_whoGetsNoAnswerKnowsNothing(self) -> None:
        self.kernel()
        self.assertIsNone(markedRules())
        self.patch(policy, "socket", SimpleNamespace(AF_INET=2, AF_INET6=10))
        self.assertIsNone(markedRules(), "there is no netlink")
        self.assertIsNone(interfaceTo("192.0.2.1"))

    def test_messagesThatAreCutOff(self) -> None:
        """
        Nobody goes round in a circle for a length that cannot be.
        """
        self.assertEqual(list(messagesOf(bytes(40))), [])
        self.assertEqual(attributesOf(ROUTE + bytes(8)), {})
        whole = message(24, ROUTE)
        self.assertEqual([kind for kind, _ in messagesOf(whole + whole[:7])], [24])

    def test_interfacesWithoutHardware(self) -> None:
        """
        By their type: that of a TUN device, and that of an Ethernet.
        """
        kernel = self.kernel()
        kernel.fileno = lambda: 0  # type: ignore[attr-defined]
        for number, isTunnel in ((0xFFFE, True), (1, False)):
            answer = struct.pack("=16sH22x", b"link7", number)
            self.patch(policy, "fcntl", SimpleNamespace(ioctl=lambda *_, answer=answer: answer))
            self.assertIs(isTunnelInterface("link7"), isTunnel)

        def refuse(*_: object) -> bytes:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))

        self.patch(policy, "fcntl", SimpleNamespace(ioctl=refuse))
        self.assertIs(isTunnelInterface("gone"), False)
