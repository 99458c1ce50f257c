"""
Headers of the PROXY protocol: those that balancers send, and what is none.
"""

from __future__ import annotations

import socket
import struct
from ipaddress import ip_address
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.sockets import FakeSocket
from uotp.errors import PeerError, Refusal
from uotp.transport.proxyheader import (
    MAX_FOLLOWING_BYTES,
    MAX_LINE_BYTES,
    SIGNATURE,
    HeaderExchange,
    HeaderFault,
    ProxyHeader,
)

BEHIND = b"\x16\x03\x01"
"""What comes behind a header belongs to the stream."""

LONGEST_LINE = b"PROXY UNKNOWN " + b"f" * (MAX_LINE_BYTES - 16) + b"\r\n"

LINES = {
    b"PROXY TCP4 203.0.113.5 198.51.100.9 40000 8443\r\n": ("203.0.113.5", 40000),
    b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n": ("255.255.255.255", 65535),
    b"PROXY TCP6 2001:DB8:0::5 2001:db8::9 0 8443\r\n": ("2001:db8::5", 0),
    b"PROXY TCP6 ::ffff:203.0.113.5 ::1 1 2\r\n": ("203.0.113.5", 1),
    b"PROXY TCP6 " + b" ".join([b"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"] * 2) + b" 65535 65535\r\n": (
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        65535,
    ),
    b"PROXY UNKNOWN\r\n": None,
    b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n": None,
    LONGEST_LINE: None,
}


def binary(command: int, family: int, addresses: bytes = b"", behind: bytes = b"") -> bytes:
    """
    @param command: with the version.
    @param behind: what stands behind the addresses.
    @return: a header of version 2.
    """
    return SIGNATURE + struct.pack("!BBH", command, family, len(addresses + behind)) + addresses + behind


FOUR = socket.inet_aton("203.0.113.5") + socket.inet_aton("198.51.100.9") + struct.pack("!HH", 40000, 8443)
SIX = ip_address("2001:db8::5").packed + ip_address("2001:db8::9").packed + struct.pack("!HH", 40000, 8443)
MAPPED = ip_address("::ffff:203.0.113.5").packed + bytes(16) + struct.pack("!HH", 40000, 8443)
UNIX = b"/run/a".ljust(108, b"\0") * 2
MORE = b"\x01\0\x02h2" + b"\x04\0\x07" + bytes(7) + b"\x20\0\x05" + bytes(5)
"""Such as a balancer says of ALPN, of nothing, and of TLS."""

BINARIES = {
    binary(0x21, 0x11, FOUR): ("203.0.113.5", 40000),
    binary(0x21, 0x11, FOUR, MORE): ("203.0.113.5", 40000),
    binary(0x21, 0x21, SIX): ("2001:db8::5", 40000),
    binary(0x21, 0x21, SIX, MORE): ("2001:db8::5", 40000),
    binary(0x21, 0x21, MAPPED): ("203.0.113.5", 40000),
    binary(0x21, 0x31, UNIX, MORE): None,
    binary(0x21, 0x00): None,
    binary(0x21, 0x00, behind=MORE): None,
    binary(0x20, 0x00): None,
    binary(0x20, 0x11, FOUR): None,
    binary(0x20, 0xFF, behind=MORE): None,
    binary(0x21, 0x11, FOUR, bytes(MAX_FOLLOWING_BYTES - len(FOUR))): ("203.0.113.5", 40000),
}

HEADERS = {**LINES, **BINARIES}

MALFORMED = {
    b"PROXY TCP4 203.0.113.5 198.51.100.9 40000\r\n": HeaderFault.WORDS,
    b"PROXY TCP4 203.0.113.5 198.51.100.9 40000 8443 1\r\n": HeaderFault.WORDS,
    b"PROXY TCP4  203.0.113.5 198.51.100.9 40000 8443\r\n": HeaderFault.WORDS,
    b"PROXY UDP4 203.0.113.5 198.51.100.9 40000 8443\r\n": HeaderFault.WORDS,
    b"PROXY tcp4 203.0.113.5 198.51.100.9 40000 8443\r\n": HeaderFault.WORDS,
    b"PROXY \r\n": HeaderFault.WORDS,
    b"PROXY TCP4 203.0.113 198.51.100.9 40000 8443\r\n": HeaderFault.ADDRESS,
    b"PROXY TCP4 203.0.113.256 198.51.100.9 40000 8443\r\n": HeaderFault.ADDRESS,
    b"PROXY TCP4 203.0.113.5 nowhere 40000 8443\r\n": HeaderFault.ADDRESS,
    b"PROXY TCP4 2001:db8::5 2001:db8::9 40000 8443\r\n": HeaderFault.ADDRESS,
    b"PROXY TCP6 203.0.113.5 198.51.100.9 40000 8443\r\n": HeaderFault.ADDRESS,
    b"PROXY TCP6 fe80::1%eth0 fe80::2 40000 8443\r\n": HeaderFault.ADDRESS,
    b"PROXY TCP4 203.0.113.\xb2 198.51.100.9 40000 8443\r\n": HeaderFault.ADDRESS,
    b"PROXY TCP4 203.0.113.5 198.51.100.9 -1 8443\r\n": HeaderFault.PORT,
    b"PROXY TCP4 203.0.113.5 198.51.100.9 +1 8443\r\n": HeaderFault.PORT,
    b"PROXY TCP4 203.0.113.5 198.51.100.9 1_0 8443\r\n": HeaderFault.PORT,
    b"PROXY TCP4 203.0.113.5 198.51.100.9 65536 8443\r\n": HeaderFault.PORT,
    b"PROXY TCP4 203.0.113.5 198.51.100.9 40000 x\r\n": HeaderFault.PORT,
    b"PROXY TCP4 203.0.113.5 198.51.100.9 40000 \r\n": HeaderFault.PORT,
    b"PROXY UNKNOWN " + b"f" * (MAX_LINE_BYTES - 15) + b"\r\n": HeaderFault.NO_END,
    b"PROXY TCP4 203.0.113.5 198.51.100.9 40000 8443\n" + bytes(100): HeaderFault.NO_END,
    binary(0x11, 0x11, FOUR): HeaderFault.COMMAND,
    binary(0x22, 0x11, FOUR): HeaderFault.COMMAND,
    binary(0x21, 0x12, FOUR): HeaderFault.NO_TCP,
    binary(0x21, 0x22, SIX): HeaderFault.NO_TCP,
    binary(0x21, 0x41, SIX): HeaderFault.NO_TCP,
    binary(0x21, 0x01, SIX): HeaderFault.NO_TCP,
    binary(0x21, 0x11, FOUR[:-1]): HeaderFault.SHORT,
    binary(0x21, 0x21, FOUR): HeaderFault.SHORT,
    binary(0x21, 0x31, SIX): HeaderFault.SHORT,
    binary(0x21, 0x11): HeaderFault.SHORT,
}

FOREIGN = (
    BEHIND,
    b"GET / HTTP/1.1\r\n\r\n",
    b"uotp\x02",
    b"\0",
    b"PROXI",
    b"PROXY\r",
    b"\r\n\r\nGET",
    SIGNATURE[:-1] + b"x",
)


class ProxyHeaderTests(SynchronousTestCase):
    """
    Hear headers in pieces of every kind.
    """

    def test_headersTellTheClient(self) -> None:
        """
        Whole, and glued to what follows, of which nothing is taken.
        """
        for said, source in HEADERS.items():
            for behind in (b"", BEHIND, said):
                header = ProxyHeader()
                self.assertEqual(header.received(said + behind), len(said), said[:40])
                self.assertEqual(header.source, source, said[:40])
                self.assertEqual(header.dataToSend(), b"")

    def test_headersMayBeSplitAnywhere(self) -> None:
        for said, source in HEADERS.items():
            short = said[:300]
            for at in range(1, len(short)):
                header = ProxyHeader()
                self.assertIsNone(header.received(said[:at]), (said[:40], at))
                self.assertEqual(header.received(said[at:] + BEHIND), len(said) - at, (said[:40], at))
                self.assertEqual(header.source, source)

    def test_headersMayComeByteByByte(self) -> None:
        """
        However long one is, little of it is kept.
        """
        for said, source in HEADERS.items():
            header = ProxyHeader()
            for at in range(len(said) - 1):
                self.assertIsNone(header.received(said[at : at + 1]))
                self.assertLessEqual(len(header._begun), 16 + len(UNIX))
            self.assertEqual(header.received(said[-1:] + BEHIND), 1)
            self.assertEqual(header.source, source)

    def test_noHeaderIsLongerThanItsLimit(self) -> None:
        self.assertLessEqual(max(map(len, HEADERS)), ProxyHeader.limit)

    def test_whatIsMalformedIsRefused(self) -> None:
        """
        Whole or byte by byte, and it is said what is wrong, with no word of the header's own.
        """
        for said, fault in MALFORMED.items():
            for pieces in ([said], [said[at : at + 1] for at in range(len(said))]):
                header = ProxyHeader()
                error = self.assertRaises(PeerError, lambda: [header.received(piece) for piece in pieces])  # noqa: B023
                self.assertEqual(str(error), f"its header of the PROXY protocol is malformed: {fault.value}", said)
                self.assertIs(error.kind, Refusal.MALFORMED)

    def test_whatIsNoHeaderIsRefusedAtItsFirstForeignByte(self) -> None:
        for said in FOREIGN:
            for pieces in ([said], [said[at : at + 1] for at in range(len(said))]):
                header = ProxyHeader()
                error = self.assertRaises(PeerError, lambda: [header.received(piece) for piece in pieces])  # noqa: B023
                words = "it comes from a network of proxyProtocol, and begins with no header of the PROXY protocol"
                self.assertEqual(str(error), words)

    @given(
        st.one_of(st.just(b""), st.just(b"PROXY "), st.just(SIGNATURE), st.sampled_from(sorted(BINARIES)[:6])),
        st.binary(),
    )
    def test_whateverComesIsReadOrRefused(self, begun: bytes, rest: bytes) -> None:
        """
        In the same way whole and byte by byte.
        """
        said = begun + rest
        results = []
        for pieces in ([said] if said else [], [said[at : at + 1] for at in range(len(said))]):
            header, heard = ProxyHeader(), 0
            result: object = None
            for piece in pieces:
                try:
                    own = header.received(piece)
                except PeerError as error:
                    result = str(error)
                    break
                if own is not None:
                    result = heard + own, header.source
                    break
                heard += len(piece)
            results.append(result)
        self.assertEqual(results[0], results[1])


class HeaderExchangeTests(SynchronousTestCase):
    """
    Read a header from a socket.
    """

    def test_nothingBehindItIsRead(self) -> None:
        """
        That is for the stream, or for OpenSSL.
        """
        for said, source in HEADERS.items():
            made: Any = FakeSocket()
            exchange = HeaderExchange(made)
            exchange.goOn()
            self.assertFalse(exchange.hasHeardAll)
            made.coming.extend([said[:7], said[7:] + BEHIND])
            exchange.goOn()
            self.assertFalse(exchange.hasHeardAll)
            exchange.goOn()
            self.assertTrue(exchange.hasHeardAll)
            self.assertEqual((exchange.header.source, list(made.coming)), (source, [BEHIND]))

    def test_endBeforeItsEndIsTold(self) -> None:
        made: Any = FakeSocket()
        made.coming.extend([b"PROXY", b""])
        exchange = HeaderExchange(made)
        exchange.goOn()
        self.assertRaises(EOFError, exchange.goOn)
