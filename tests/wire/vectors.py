"""
What stands on the wire, byte for byte: written by hand, never by the code that is
checked against it.  C{docs/wire.rst} shows the same bytes, and a test compares the two.
"""

from __future__ import annotations

from typing import NamedTuple

from uotp.order import Order, OrderMode
from uotp.train import Arrival, Train
from uotp.wire.format2 import Kind
from uotp.wire.hello import ClientHello, ServerHello, Token, WireFormat


class Vector(NamedTuple):
    """
    Holds bytes that are as they should be.

    @ivar name: what the example is called in C{docs/wire.rst}.
    @ivar text: the bytes in hexadecimal, with spaces between the fields.
    """

    name: str
    text: str

    @property
    def octets(self) -> bytes:
        return bytes.fromhex(self.text)


class ClientHelloVector(NamedTuple):
    """
    Holds a client's hello.
    """

    vector: Vector
    hello: ClientHello


class ServerHelloVector(NamedTuple):
    """
    Holds a server's hello.
    """

    vector: Vector
    hello: ServerHello


class FrameVector(NamedTuple):
    """
    Holds frames of format 2.

    @ivar arrivals: the trains in them.
    @ivar controls: kind and payload of the frames that ask for something.
    """

    vector: Vector
    arrivals: list[Arrival]
    controls: list[tuple[Kind, bytes]]


class Malformed(NamedTuple):
    """
    Holds bytes of which the last gives away that they are wrong.

    @ivar text: as of a L{Vector}.
    @ivar reason: words that tell this fault from the others.
    """

    text: str
    reason: str

    @property
    def octets(self) -> bytes:
        return bytes.fromhex(self.text)


SESSION_ID = bytes.fromhex("5f0c9e21 77b3 4a68 9d10 c4e68a3b52f7")
"""A UUID of version 4: its byte 6 is 0x4a."""

CLIENT_HELLOS = [
    ClientHelloVector(
        Vector("client-hello-1", "5f0c9e21 77b3 4a68 9d10 c4e68a3b52f7"), ClientHello(WireFormat.ONE, SESSION_ID)
    ),
    ClientHelloVector(
        Vector("client-hello-2", "756f7470 02 00 0000 5f0c9e2177b34a689d10c4e68a3b52f7"),
        ClientHello(WireFormat.TWO, SESSION_ID),
    ),
    ClientHelloVector(
        Vector("client-hello-order-off", "756f7470 02 00 0004 5f0c9e2177b34a689d10c4e68a3b52f7 03 0001 02"),
        ClientHello(WireFormat.TWO, SESSION_ID, Order(OrderMode.OFF)),
    ),
    ClientHelloVector(
        Vector("client-hello-order-bulk", "756f7470 02 00 0004 5f0c9e2177b34a689d10c4e68a3b52f7 03 0001 03"),
        ClientHello(WireFormat.TWO, SESSION_ID, Order(OrderMode.BULK)),
    ),
    ClientHelloVector(
        Vector("client-hello-order-time", "756f7470 02 00 0006 5f0c9e2177b34a689d10c4e68a3b52f7 03 0003 01 00c8"),
        ClientHello(WireFormat.TWO, SESSION_ID, Order.within(0.2)),
    ),
    ClientHelloVector(
        Vector(
            "client-hello-token",
            "756f7470 02 00 0018 5f0c9e2177b34a689d10c4e68a3b52f7 04 0015 636f727265637420686f7273652062617474657279",
        ),
        ClientHello(WireFormat.TWO, SESSION_ID, token=Token(b"correct horse battery")),
    ),
    ClientHelloVector(
        Vector(
            "client-hello-order-token",
            "756f7470 02 00 001c 5f0c9e2177b34a689d10c4e68a3b52f7 03 0001 02 04 0015 "
            "636f727265637420686f7273652062617474657279",
        ),
        ClientHello(WireFormat.TWO, SESSION_ID, Order(OrderMode.OFF), Token(b"correct horse battery")),
    ),
    ClientHelloVector(
        Vector("client-hello-quickack", "756f7470 02 00 0003 5f0c9e2177b34a689d10c4e68a3b52f7 07 0000"),
        ClientHello(WireFormat.TWO, SESSION_ID, quickAcks=True),
    ),
]
"""Both ways: what we say, and what we understand."""

CLIENT_HELLOS_UNDERSTOOD = [
    ClientHelloVector(
        Vector(
            "client-hello-extended",
            "756f7470 02 00 000e 5f0c9e2177b34a689d10c4e68a3b52f7 01 0002 abcd fe 0000 7f 0003 c0ffee",
        ),
        ClientHello(WireFormat.TWO, SESSION_ID),
    ),
    ClientHelloVector(
        Vector(
            "client-hello-padded",
            "756f7470 02 00 000f 5f0c9e2177b34a689d10c4e68a3b52f7 03 0001 02 06 0008 0000000000000000",
        ),
        ClientHello(WireFormat.TWO, SESSION_ID, Order(OrderMode.OFF)),
    ),
    ClientHelloVector(
        Vector("client-hello-order-auto", "756f7470 02 00 0004 5f0c9e2177b34a689d10c4e68a3b52f7 03 0001 00"),
        ClientHello(WireFormat.TWO, SESSION_ID),
    ),
    ClientHelloVector(
        Vector("client-hello-order-longest", "756f7470 02 00 0006 5f0c9e2177b34a689d10c4e68a3b52f7 03 0003 01 ffff"),
        ClientHello(WireFormat.TWO, SESSION_ID, Order.within(5.0)),
    ),
    ClientHelloVector(
        Vector("client-hello-order-shortest", "756f7470 02 00 0006 5f0c9e2177b34a689d10c4e68a3b52f7 03 0003 01 0000"),
        ClientHello(WireFormat.TWO, SESSION_ID, Order.within(0.001)),
    ),
    ClientHelloVector(
        Vector("client-hello-order-unknown", "756f7470 02 00 0006 5f0c9e2177b34a689d10c4e68a3b52f7 03 0003 2a beef"),
        ClientHello(WireFormat.TWO, SESSION_ID),
    ),
    ClientHelloVector(
        Vector(
            "client-hello-order-twice", "756f7470 02 00 0008 5f0c9e2177b34a689d10c4e68a3b52f7 03 0001 02 03 0001 03"
        ),
        ClientHello(WireFormat.TWO, SESSION_ID, Order(OrderMode.BULK)),
    ),
]
"""What we would not say."""

SERVER_HELLOS = [
    ServerHelloVector(Vector("welcome", "756f7470 02 00 0000"), ServerHello(True)),
    ServerHelloVector(
        Vector("welcome-new", "756f7470 02 00 000b 01 0001 00 02 0004 00000096"),
        ServerHello(True, isNew=True, keptSeconds=150),
    ),
    ServerHelloVector(
        Vector("welcome-resumed", "756f7470 02 00 000b 01 0001 01 02 0004 00000096"),
        ServerHello(True, isNew=False, keptSeconds=150),
    ),
    ServerHelloVector(
        Vector("welcome-instance", "756f7470 02 00 0016 01 0001 00 02 0004 00000096 05 0008 9f31c2d80b6ae457"),
        ServerHello(True, isNew=True, keptSeconds=150, instance=bytes.fromhex("9f31c2d80b6ae457")),
    ),
    ServerHelloVector(Vector("welcome-state-alone", "756f7470 02 00 0004 01 0001 01"), ServerHello(True, isNew=False)),
    ServerHelloVector(
        Vector("welcome-kept-longest", "756f7470 02 00 0007 02 0004 ffffffff"),
        ServerHello(True, keptSeconds=4294967295),
    ),
    ServerHelloVector(Vector("refusal", "756f7470 02 01 0000"), ServerHello(False)),
]
"""Both ways."""

SERVER_HELLOS_UNDERSTOOD = [
    ServerHelloVector(
        Vector("welcome-extended", "756f7470 02 00 0010 02 0004 00000e10 40 0002 beef 01 0001 01"),
        ServerHello(True, isNew=False, keptSeconds=3600),
    ),
    ServerHelloVector(
        Vector("welcome-padded", "756f7470 02 00 0008 01 0001 00 06 0001 00"), ServerHello(True, isNew=True)
    ),
    ServerHelloVector(Vector("refusal-other", "756f7470 02 ff 0004 01 0001 00"), ServerHello(False, isNew=True)),
]
"""What we would not say."""

FORMAT_1_FRAMES = [
    (Vector("format-1-lone", "0003 616263"), Train(3, b"abc")),
    (Vector("format-1-empty", "0000"), Train(0, b"")),
    (Vector("format-1-several", "0003 616263 0003 646566 0002 6768"), Train(3, b"abcdefgh")),
]
"""Both ways."""

FRAMES = [
    FrameVector(Vector("lone-datagram", "00 00 0003 0003 00000000 616263"), [(0, Train(3, b"abc"))], []),
    FrameVector(Vector("uniform-train", "00 00 0002 0006 00000007 6162 6364 6566"), [(7, Train(2, b"abcdef"))], []),
    FrameVector(
        Vector("shorter-last", "00 00 0004 000a 00010203 61626364 65666768 696a"),
        [(66051, Train(4, b"abcdefghij"))],
        [],
    ),
    FrameVector(Vector("empty-datagram", "00 00 0000 0000 00000005"), [(5, Train(0, b""))], []),
    FrameVector(
        Vector(
            "numbers-go-on", "00 00 0001 0003 0000000a 61 62 63 00 00 0000 0000 0000000d 00 00 0002 0002 0000000e 6465"
        ),
        [(10, Train(1, b"abc")), (13, Train(0, b"")), (14, Train(2, b"de"))],
        [],
    ),
    FrameVector(
        Vector("numbers-wrap", "00 00 0001 0001 ffffffff 61 00 00 0001 0001 00000000 62"),
        [(4294967295, Train(1, b"a")), (0, Train(1, b"b"))],
        [],
    ),
    FrameVector(
        Vector("train-wraps", "00 00 0002 0005 fffffffe 6162 6364 65 00 00 0001 0001 00000001 66"),
        [(4294967294, Train(2, b"abcde")), (1, Train(1, b"f"))],
        [],
    ),
    FrameVector(
        Vector("ping", "01 00 0000 0008 00000000 0123456789abcdef"),
        [],
        [(Kind.PING, b"\x01\x23\x45\x67\x89\xab\xcd\xef")],
    ),
    FrameVector(
        Vector("pong", "02 00 0000 0008 00000000 0123456789abcdef"),
        [],
        [(Kind.PONG, b"\x01\x23\x45\x67\x89\xab\xcd\xef")],
    ),
    FrameVector(Vector("drain", "03 00 0000 0000 00000000"), [], [(Kind.DRAIN, b"")]),
    FrameVector(Vector("bye", "04 00 0000 0000 00000000"), [], [(Kind.BYE, b"")]),
    FrameVector(
        Vector("missing", "80 00 0000 0010 00000000 00000007 00000007 fffffffe 00000001"),
        [],
        [(Kind.MISSING, bytes.fromhex("00000007 00000007 fffffffe 00000001"))],
    ),
    FrameVector(Vector("query", "82 00 0000 0000 00000000"), [], [(Kind.QUERY, b"")]),
    FrameVector(
        Vector("status", "83 00 0000 0015 00000000 000001a21ce06e00 01 00000003 ffffffff 00000000"),
        [],
        [(Kind.STATUS, bytes.fromhex("000001a21ce06e00 01 00000003 ffffffff 00000000"))],
    ),
]
"""Both ways."""

FRAMES_AGAIN = [(Vector("train-again", "00 01 0002 0006 00000007 6162 6364 6566"), [(7, Train(2, b"abcdef"))])]
"""Trains that were sent before, both ways."""

FRAMES_UNDERSTOOD = [
    FrameVector(
        Vector("padding", "05 00 0000 0003 00000000 000000 05 00 0000 0000 00000000 00 00 0001 0001 00000000 61"),
        [(0, Train(1, b"a"))],
        [],
    ),
    FrameVector(
        Vector("skipped-kinds", "81 07 0009 0003 12345678 616263 ff 00 0000 0000 00000000 00 00 0001 0001 00000000 61"),
        [(0, Train(1, b"a"))],
        [],
    ),
    FrameVector(Vector("segment-not-reached", "00 00 0578 0003 00000009 616263"), [(9, Train(1400, b"abc"))], []),
    FrameVector(Vector("empty-with-segment", "00 00 0578 0000 00000009"), [(9, Train(1400, b""))], []),
    FrameVector(
        Vector("fields-without-meaning", "01 00 0578 0008 00000009 0123456789abcdef 03 00 0001 0000 00000002"),
        [],
        [(Kind.PING, b"\x01\x23\x45\x67\x89\xab\xcd\xef"), (Kind.DRAIN, b"")],
    ),
    FrameVector(
        Vector(
            "after-drain",
            "03 00 0000 0000 00000000 02 00 0000 0008 00000000 0123456789abcdef"
            " 03 00 0000 0000 00000000 04 00 0000 0000 00000000",
        ),
        [],
        [(Kind.DRAIN, b""), (Kind.PONG, b"\x01\x23\x45\x67\x89\xab\xcd\xef"), (Kind.DRAIN, b""), (Kind.BYE, b"")],
    ),
]
"""What we would not say."""

MALFORMED_CLIENT_HELLOS = [
    Malformed("756f7470 03 00 0000", "format 3"),
    Malformed("756f7470 02 01 0000", "flags"),
    Malformed("756f7470 02 00 1000", "4096 bytes of extensions"),
    Malformed("756f7470 02 00 ffff", "65535 bytes of extensions"),
    Malformed("756f7470 02 00 0002 5f0c9e2177b34a689d10c4e68a3b52f7 7f 00", "cut off"),
    Malformed("756f7470 02 00 0005 5f0c9e2177b34a689d10c4e68a3b52f7 7f 0003 c0ff", "longer than all"),
    Malformed("756f7470 02 00 0004 5f0c9e2177b34a689d10c4e68a3b52f7 7f 0000 7f", "cut off"),
    Malformed("756f7470 02 00 0003 5f0c9e2177b34a689d10c4e68a3b52f7 03 0000", "0 bytes instead of 1"),
    Malformed("756f7470 02 00 0005 5f0c9e2177b34a689d10c4e68a3b52f7 03 0002 02 00", "2 bytes instead of 1"),
    Malformed("756f7470 02 00 0004 5f0c9e2177b34a689d10c4e68a3b52f7 03 0001 01", "1 bytes instead of 3"),
    Malformed("756f7470 02 00 0003 5f0c9e2177b34a689d10c4e68a3b52f7 04 0000", "token of its hello has 0 bytes"),
    Malformed(
        "756f7470 02 00 0012 5f0c9e2177b34a689d10c4e68a3b52f7 04 000f 616161616161616161616161616161",
        "token of its hello has 15 bytes",
    ),
    Malformed(
        "756f7470 02 00 0026 5f0c9e2177b34a689d10c4e68a3b52f7 04 0010 61616161616161616161616161616161 "
        "04 0010 61616161616161616161616161616161",
        "two tokens",
    ),
    Malformed("756f7470 02 00 0004 5f0c9e2177b34a689d10c4e68a3b52f7 07 0001 00", "1 bytes instead of 0"),
    Malformed("756f7470 02 00 0000 5f0c9e2177b3 1a", "no random UUID"),
    Malformed("756f7470 02 00 0000 5f0c9e2177b3 4a68 dd", "no random UUID"),
    Malformed("16 0301 0200 01 00", "tls=None"),
    Malformed("50524f58592054", "PROXY protocol"),
    Malformed("0d0a0d0a000d0a", "PROXY protocol"),
    Malformed("47455420 2f20 485454", "HTTP"),
    Malformed("5353482d 322e30", "SSH"),
    Malformed("00000000000000", "its first 16 bytes are no session id"),
    Malformed("5f0c9e21 77b3 4a68 1d", "its first 16 bytes are no session id"),
]

MALFORMED_SERVER_HELLOS = [
    Malformed("00", "does not answer"),
    Malformed("756f74 00", "does not answer"),
    Malformed("756f7470 03", "does not answer"),
    Malformed("756f7470 02 00 1000", "4096 bytes of extensions"),
    Malformed("756f7470 02 00 0001 01", "cut off"),
    Malformed("756f7470 02 00 0003 01 0001", "longer than all"),
    Malformed("756f7470 02 00 0003 01 0000", "0 bytes instead of 1"),
    Malformed("756f7470 02 00 0005 01 0002 0000", "2 bytes instead of 1"),
    Malformed("756f7470 02 00 0006 02 0003 000096", "3 bytes instead of 4"),
    Malformed("756f7470 02 01 0008 02 0005 0000000096", "5 bytes instead of 4"),
    Malformed("756f7470 02 00 0005 05 0002 9f31", "2 bytes instead of 8"),
]

MALFORMED_FRAMES = [
    Malformed("06 00 0000 0000 00000000", "kind 6"),
    Malformed("7f 00 0000 0000 00000000", "kind 127"),
    Malformed("00 02 0003 0003 00000000", "flags 0x2"),
    Malformed("00 00 0000 0003 00000000", "in datagrams of 0"),
    Malformed("01 80 0000 0008 00000000", "flags 0x80"),
    Malformed("05 01 0000 0000 00000000", "flags 0x1"),
    Malformed("01 00 0000 0007 00000000", "with 7 bytes"),
    Malformed("02 00 0000 0009 00000000", "with 9 bytes"),
    Malformed("03 00 0000 0001 00000000", "with 1 bytes"),
    Malformed("04 00 0000 0001 00000000", "with 1 bytes"),
    Malformed("80 01 0000 0008 00000000", "flags 0x1"),
    Malformed("80 00 0000 0000 00000000", "with 0 bytes"),
    Malformed("80 00 0000 000c 00000000", "with 12 bytes"),
    Malformed("80 00 0000 0088 00000000", "with 136 bytes"),
    Malformed("82 00 0000 0001 00000000", "with 1 bytes"),
    Malformed("83 00 0000 0014 00000000", "with 20 bytes"),
    Malformed("03 00 0000 0000 00000000 00 00 0001 0001 00000000", "none would follow"),
]
