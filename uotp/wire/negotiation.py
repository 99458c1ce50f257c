"""
Which format a tunnel speaks: ALPN in the handshake of TLS decides, or the user's choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from uotp.wire.hello import WireFormat

ALPN_NAMES = {WireFormat.TWO: b"uotp/2", WireFormat.ONE: b"uotp/1"}
"""The names of the formats in the handshake of TLS, the better format first."""


class WireChoice(Enum):
    """
    Names the formats that the user lets us speak.
    """

    AUTO = "auto"
    ONE = "1"
    TWO = "2"


FORMATS = {
    WireChoice.AUTO: frozenset(WireFormat),
    WireChoice.ONE: frozenset({WireFormat.ONE}),
    WireChoice.TWO: frozenset({WireFormat.TWO}),
}
"""The formats that each choice allows."""


def parseWire(word: str) -> WireChoice:
    """
    @return: the user's choice.
    @raise ValueError: in words.
    """
    try:
        return WireChoice(word)
    except ValueError:
        reason = f"one of {', '.join(choice.value for choice in WireChoice)} is needed"
        raise ValueError(reason) from None


def offered(choice: WireChoice) -> list[bytes]:
    """
    @return: the names that a client offers, the best first.  With format 1 alone there
        is nothing to choose: the client offers no name, as any other client of format 1.
    """
    if choice is WireChoice.ONE:
        return []
    return [name for wireFormat, name in ALPN_NAMES.items() if wireFormat in FORMATS[choice]]


def selected(choice: WireChoice, names: Sequence[bytes]) -> bytes | None:
    """
    @param names: what a client offers.
    @return: the name that a server takes, or L{None} to go on without ALPN.  The hello tells
        which format is spoken then.
    """
    allowed = FORMATS[choice]
    return next((name for each, name in ALPN_NAMES.items() if each in allowed and name in names), None)


def formatToDial(choice: WireChoice, negotiated: bytes | None) -> WireFormat:
    """
    @param negotiated: the name that the server took, empty or L{None} when there was
        none, or no TLS.
    @return: the format that a client speaks.  It is format 1 unless the server has chosen
        format 2, or the user has.
    """
    if choice is WireChoice.TWO or (choice is WireChoice.AUTO and negotiated == ALPN_NAMES[WireFormat.TWO]):
        return WireFormat.TWO
    return WireFormat.ONE
