"""
Which format a tunnel speaks: what was chosen by ALPN in the handshake of TLS decides, or the user's choice.

By ALPN a client asks for a protocol of the web, as others do, and never for us by a name.  A server of ours chooses
one; who speaks only format 1 chooses none.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from uotp.wire.hello import WireFormat

USUAL_NAMES = ("http/1.1",)
"""What is offered and chosen unless somebody says otherwise: the name that all clients of the web offer."""

HTTP_2_NAME = "h2"
"""The name of a protocol that is not spoken here.  A web server that chooses it waits for that."""

OLD_NAMES = {WireFormat.TWO: "uotp/2", WireFormat.ONE: "uotp/1"}
"""The names by which older clients ask for the formats, the better format first."""

MAX_NAMES = 8
"""So many names may be said.  Nobody's client offers more."""

MAX_NAME_BYTES = 64
"""As long as a name may be that is said; the longest that is registered has some twenty letters."""

NO_NAMES = "none"
"""What is said for none at all."""


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


def parseNames(words: str) -> tuple[str, ...]:
    """
    @param words: names with commas between, or C{none}.
    @return: the names, none for that word.
    @raise ValueError: in words.
    """
    names = () if words.lower() == NO_NAMES else tuple(word.strip() for word in words.split(","))
    reason = namesTrouble(names)
    if reason is not None:
        raise ValueError(reason)
    return names


def namesTrouble(names: Sequence[str]) -> str | None:
    """
    @return: why ALPN cannot say these names, or L{None}.
    """
    if not all(name and name.isascii() and name.isprintable() and not set(name) & {" ", ","} for name in names):
        return f"names with commas between are needed, as http/1.1, or {NO_NAMES}"
    if len(names) > MAX_NAMES or any(len(name) > MAX_NAME_BYTES for name in names):
        return f"at most {MAX_NAMES} names are allowed, with at most {MAX_NAME_BYTES} letters each"
    return "a name stands there twice" if len(set(names)) < len(names) else None


def offered(choice: WireChoice, names: Sequence[str] | None = None) -> list[bytes]:
    """
    @param names: those that the user has said; L{None} when he has said nothing.
    @return: the names that a client offers, the best first.  With format 1 alone there
        is nothing to find out: the client offers no name then, as any other client of format 1.
    """
    if names is None:
        names = () if choice is WireChoice.ONE else USUAL_NAMES
    return [name.encode("ascii") for name in names]


def selected(choice: WireChoice, names: Sequence[bytes], ours: Sequence[str] | None = None) -> bytes | None:
    """
    @param names: what a client offers, in its order.
    @param ours: the names that the user has said; L{None} when he has said nothing.
    @return: the name that a server takes, or L{None} to go on without ALPN.  The hello tells
        which format is spoken then.  Who speaks format 1 alone takes none, by which clients know that.
    """
    if ours is not None:
        return next((name for name in names if name in offered(choice, ours)), None)
    usual = next((name for name in names if name in offered(choice)), None)
    older = (name.encode("ascii") for each, name in OLD_NAMES.items() if each in FORMATS[choice])
    return next((name for name in older if name in names), usual)


def formatToDial(choice: WireChoice, negotiated: bytes | None) -> WireFormat:
    """
    @param negotiated: the name that the server took, empty or L{None} when there was
        none, or no TLS.
    @return: the format that a client speaks.  It is format 1 unless the server has chosen a name, other than
        the one for that, or the user has chosen format 2.
    """
    if choice is WireChoice.AUTO and negotiated:
        isOne = negotiated == OLD_NAMES[WireFormat.ONE].encode("ascii")
        return WireFormat.ONE if isOne else WireFormat.TWO
    return WireFormat.TWO if choice is WireChoice.TWO else WireFormat.ONE
