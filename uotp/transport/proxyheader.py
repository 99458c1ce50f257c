"""
The header of the PROXY protocol, in both versions, as HAProxy's document of that name has it: a
balancer says with it for whom it has dialled us, before anything else.

Twisted has parsers of it in private modules.  That of version 1 takes any word for an address and for a
port, and refuses C{PROXY UNKNOWN} without more behind it, which health checks say; that of
version 2 refuses a header of which the first 16 bytes do not come at once.  So this is our own.

Only those are asked who may say it, but they are asked strictly: whatever is no such header is
refused as soon as that can be seen.
"""

from __future__ import annotations

import socket
import struct
from enum import Enum, IntEnum
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from uotp.errors import PeerError
from uotp.net import MAX_PORT, shownHost
from uotp.telemetry import spelled
from uotp.transport.preamble import Preamble, PreambleExchange

WORD = b"PROXY "
"""So version 1 begins, which is one line of text."""

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
"""So version 2 begins, which is binary."""

LINE_END = b"\r\n"

MAX_LINE_BYTES = 107
"""A line of version 1 has so many bytes at the most, with its end."""

FIXED_BYTES = 16
"""So long is what stands at the beginning of every header of version 2; its last two bytes tell how much follows."""

MAX_FOLLOWING_BYTES = 0xFFFF
"""What follows: addresses, and then what nobody needs to know here, such as names and certificates."""

VERSION_2 = 2

NO_HEADER = "it comes from a network of {setting}, and begins with no header of the PROXY protocol"
MALFORMED = "its header of the PROXY protocol is malformed: {what}"
"""Why somebody is refused."""


class HeaderFault(Enum):
    """
    Names what is wrong with a header, in words for the log.
    """

    NO_END = "its line has no end"
    WORDS = "it has not the words of any kind"
    COMMAND = "its version or its command is not known"
    NO_TCP = "it names no connection of TCP"
    SHORT = "it is too short for its addresses"
    ADDRESS = "an address is none"
    PORT = "a port is none"


AnnouncedClient = tuple[str, int]
"""The address and port of a client."""


class HeaderCommand(IntEnum):
    """
    Says on whose behalf a balancer has dialled: on its own, as for health checks, or for a client.
    """

    LOCAL = 0
    PROXY = 1


class HeaderFamily(IntEnum):
    """
    Says what the addresses are, and which transport the client has used.
    """

    UNSPECIFIED = 0x00
    TCP4 = 0x11
    TCP6 = 0x21
    UNIX = 0x31


ADDRESSES = {
    HeaderFamily.UNSPECIFIED: "",
    HeaderFamily.TCP4: "!4s4sHH",
    HeaderFamily.TCP6: "!16s16sHH",
    HeaderFamily.UNIX: "!108s108s",
}
"""How both addresses are written, that of the client first."""

MAX_ADDRESSES_BYTES = struct.calcsize(ADDRESSES[HeaderFamily.UNIX])


class ProxyHeader:
    """
    Reads one header.  It takes any number of bytes at a time, and keeps few of them.

    @ivar source: the client, once the header is over; L{None} where it names none whom we could know by an
        address, so that the connection is the balancer's own.
    """

    limit = FIXED_BYTES + MAX_FOLLOWING_BYTES

    def __init__(self) -> None:
        self.source: AnnouncedClient | None = None
        self._begun = b""
        self._passed = 0  # of what follows in version 2, once the addresses are known
        self._toPass: int | None = None

    def dataToSend(self) -> bytes:
        """
        See L{uotp.transport.preamble.Preamble}.

        @return: nothing: we only hear.
        """
        return b""

    def received(self, data: bytes) -> int | None:
        """
        See L{uotp.transport.preamble.Preamble}.
        """
        if self._toPass is not None:
            return self._pass(len(data))
        before = len(self._begun)
        begun = self._begun + data[: max(MAX_LINE_BYTES, FIXED_BYTES + MAX_ADDRESSES_BYTES) - before]
        if begun.startswith(WORD):
            size = self._line(begun)
        elif begun.startswith(SIGNATURE):
            size = self._binary(begun)
        elif WORD.startswith(begun) or SIGNATURE.startswith(begun):
            size = None
        else:
            raise PeerError(NO_HEADER.format(setting=spelled("proxyProtocol")))
        if self._toPass is not None:
            self._begun = b""
            self._passed = before
            return self._pass(len(data))
        self._begun = begun
        return None if size is None else size - before

    def _pass(self, size: int) -> int | None:
        """
        @param size: how many bytes have come.
        @return: how many of them belong to the header, when it is over with them.
        """
        assert self._toPass is not None
        left = self._toPass - self._passed
        self._passed += size
        return left if size >= left else None

    # Version 1.

    def _line(self, begun: bytes) -> int | None:
        end = begun.find(LINE_END, 0, MAX_LINE_BYTES)
        if end < 0:
            if len(begun) >= MAX_LINE_BYTES:
                raise malformed(HeaderFault.NO_END)
            return None
        words = begun[:end].split(b" ")
        kind = words[1]
        if kind == b"UNKNOWN":
            return end + len(LINE_END)
        if kind not in {b"TCP4", b"TCP6"} or len(words) != len(("PROXY", "TCP4", "from", "to", "port", "port")):
            raise malformed(HeaderFault.WORDS)
        _, _, fromHost, toHost, fromPort, toPort = words
        read = IPv4Address if kind == b"TCP4" else IPv6Address
        portIn(toPort)
        addressIn(read, toHost)
        self.source = addressIn(read, fromHost), portIn(fromPort)
        return end + len(LINE_END)

    # Version 2.

    def _binary(self, begun: bytes) -> int | None:
        """
        @return: L{None}; what there is to pass is known when enough has come.
        """
        if len(begun) < FIXED_BYTES:
            return None
        versionAndCommand, familyNumber, following = struct.unpack_from("!BBH", begun, len(SIGNATURE))
        version, command = divmod(versionAndCommand, 16)
        if version != VERSION_2 or command not in list(HeaderCommand):
            raise malformed(HeaderFault.COMMAND)
        if command == HeaderCommand.PROXY:
            if familyNumber not in list(HeaderFamily):
                raise malformed(HeaderFault.NO_TCP)
            form = ADDRESSES[HeaderFamily(familyNumber)]
            needed = struct.calcsize(form)
            if following < needed:
                raise malformed(HeaderFault.SHORT)
            if len(begun) < FIXED_BYTES + needed:
                return None
            self.source = sourceFrom(HeaderFamily(familyNumber), begun[FIXED_BYTES : FIXED_BYTES + needed])
        self._toPass = FIXED_BYTES + following
        return None


class HeaderExchange(PreambleExchange):
    """
    Reads the header of one connection, and no byte behind it.

    @ivar header: what was read.
    """

    def __init__(self, connection: socket.socket) -> None:
        """
        @param connection: the socket, which does not block.
        """
        self.header = ProxyHeader()
        super().__init__(self.header, connection)


def sourceFrom(family: HeaderFamily, addresses: bytes) -> AnnouncedClient | None:
    """
    @param addresses: both of them, as the family has them.
    @return: that of the client; L{None} when it is none of IP.
    """
    if family is HeaderFamily.TCP4:
        packed, _, port, _ = struct.unpack(ADDRESSES[family], addresses)
        return str(IPv4Address(packed)), port
    if family is HeaderFamily.TCP6:
        packed, _, port, _ = struct.unpack(ADDRESSES[family], addresses)
        return shownHost(str(IPv6Address(packed))), port
    return None


def addressIn(read: type[IPv4Address | IPv6Address], word: bytes) -> str:
    """
    @param read: the kind of address that it is.
    @return: an address, of IPv4 also where it was written as one of IPv6.
    @raise PeerError: when it is none.
    """
    try:
        address = read(word.decode("ascii"))
    except (AddressValueError, UnicodeDecodeError):
        raise malformed(HeaderFault.ADDRESS) from None
    if getattr(address, "scope_id", None) is not None:  # an interface means something to the balancer alone
        raise malformed(HeaderFault.ADDRESS)
    return shownHost(str(address))


def portIn(word: bytes) -> int:
    """
    @return: a port.
    @raise PeerError: when it is none.
    """
    if not (word.isdigit() and len(word) <= len(str(MAX_PORT)) and int(word) <= MAX_PORT):
        raise malformed(HeaderFault.PORT)
    return int(word)


def malformed(fault: HeaderFault) -> PeerError:
    """
    @return: why somebody is refused.
    """
    return PeerError(MALFORMED.format(what=fault.value))


# mypy proves here that it fits its seam.
_header: type[Preamble] = ProxyHeader
