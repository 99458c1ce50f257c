"""
Which format is spoken: by ALPN in the handshake of TLS, or by what the user says.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from uotp.wire.hello import WireFormat

ALPN_NAMES = {WireFormat.TWO: b"uotp/2", WireFormat.ONE: b"uotp/1"}
"""What the formats are called in the handshake of TLS, the better one first."""


class WireChoice(Enum):
    """
    Which formats the user lets us speak.
    """

    AUTO = "auto"
    ONE = "1"
    TWO = "2"


FORMATS = {
    WireChoice.AUTO: frozenset(WireFormat),
    WireChoice.ONE: frozenset({WireFormat.ONE}),
    WireChoice.TWO: frozenset({WireFormat.TWO}),
}
"""What may be spoken."""


def parseWire(word: str) -> WireChoice:
    """
    @return: what the user has said.
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
        is nothing to choose, and the handshake is that of any other client of it.
    """
    if choice is WireChoice.ONE:
        return []
    return [name for wireFormat, name in ALPN_NAMES.items() if wireFormat in FORMATS[choice]]


def selected(choice: WireChoice, names: Sequence[bytes]) -> bytes | None:
    """
    @param names: what a client offers.
    @return: what a server takes of it, or L{None} to go on without ALPN: the hello
        tells what is spoken.
    """
    allowed = FORMATS[choice]
    return next((name for each, name in ALPN_NAMES.items() if each in allowed and name in names), None)


def formatToDial(choice: WireChoice, negotiated: bytes | None) -> WireFormat:
    """
    @param negotiated: the name that the server took, empty or L{None} when there was
        none, or no TLS.
    @return: what a client speaks: format 1 to who does not say that it knows another,
        unless the user insists.
    """
    if choice is WireChoice.TWO or (choice is WireChoice.AUTO and negotiated == ALPN_NAMES[WireFormat.TWO]):
        return WireFormat.TWO
    return WireFormat.ONE
