"""
Messages between two processes of ours, as bytes.

A message is a frozen dataclass or a named tuple, of a kind that both ends know by its name.  On
the wire it is a head and a JSON text: C{["Name", {"field": value, ...}]}.  The head tells the
length of the text, how many descriptors belong to the message, and the identity of each of
them (L{uotp.workers.descriptors}).

The one end does not trust the other: a worker that somebody has taken over must be able to do
nothing in its parent but send messages.  So nothing is unpickled, all is checked, and what is
wrong raises L{PeerError}.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple, NoReturn, get_type_hints

from uotp.errors import PeerError
from uotp.workers.values import Fits, asJson, fitsOf, fromJson

MAX_DESCRIPTORS_EACH = 8
"""So many descriptors may belong to one message."""

HEAD = struct.Struct("!IH")
"""The length of the text, and the number of descriptors..."""

IDENTITY_BYTES = 8
"""...and so long is the identity of each, which follow."""


class Framed(NamedTuple):
    """
    Is a message that has come.

    @ivar message: it.
    @ivar identities: those of the descriptors that belong to it, in order.
    """

    message: object
    identities: tuple[int, ...]


def fieldsOf(kind: type) -> dict[str, Fits]:
    """
    @return: the fields of a kind of message, each with what tells whether a value fits.
    @raise TypeError: when messages cannot be of this kind.
    """
    names: Sequence[str]
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        names = kind._fields
    elif is_dataclass(kind) and kind.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        names = [field.name for field in fields(kind)]
    else:
        reason = f"{kind.__name__} is neither a frozen dataclass nor a named tuple"
        raise TypeError(reason)
    hints = get_type_hints(kind)
    return {name: fitsOf(hints[name]) for name in names}


class MessageTable:
    """
    Knows the kinds of messages that two ends may send each other.
    """

    def __init__(self, *kinds: type) -> None:
        """
        @param kinds: dataclasses and named tuples, with different names.
        @raise TypeError: when one of them cannot be a message.
        @raise ValueError: when two have the same name.
        """
        self._kinds: dict[str, type] = {kind.__name__: kind for kind in kinds}
        self._fields = {name: fieldsOf(kind) for name, kind in self._kinds.items()}
        if len(self._kinds) < len(kinds):
            reason = "two kinds of messages have the same name"
            raise ValueError(reason)

    def encode(self, message: object, identities: Sequence[int], most: int) -> bytes:
        """
        @param identities: those of the descriptors that belong to it.
        @param most: bytes that the other end reads.
        @return: the message for the wire.
        @raise TypeError: for what is no message, or has a value that does not fit.
        @raise ValueError: when it is too long, or has too many descriptors.
        """
        name = type(message).__name__
        if self._kinds.get(name) is not type(message):
            reason = f"{name} is no message here"
            raise TypeError(reason)
        values = {field: getattr(message, field) for field in self._fields[name]}
        wrong = self._misfit(name, values)
        if wrong is not None:
            reason = f"{name}.{wrong} cannot be {values[wrong]!r:.100}"
            raise TypeError(reason)
        content = [name, {field: asJson(value) for field, value in values.items()}]
        text = json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")
        if len(text) > most or len(identities) > MAX_DESCRIPTORS_EACH:
            reason = f"{name} has {len(text)} bytes and {len(identities)} descriptors"
            raise ValueError(reason)
        head = HEAD.pack(len(text), len(identities))
        return b"".join((head, *(identity.to_bytes(IDENTITY_BYTES, "big") for identity in identities), text))

    def decode(self, text: bytes | bytearray) -> object:
        """
        @param text: a JSON text.
        @return: the message.
        @raise PeerError: when there is none that is written so.
        """
        try:
            found = json.loads(text.decode("utf-8"), object_pairs_hook=withoutRepetition, parse_constant=refuseConstant)
            name, values = self._opened(found)
            wrong = self._misfit(name, values)
        except (ValueError, RecursionError):
            reason = "a message is no JSON that we read"
            raise PeerError(reason) from None
        if wrong is not None:
            reason = f"a message {name} has a wrong value for {wrong}"
            raise PeerError(reason)
        try:
            return self._kinds[name](**values)
        except (TypeError, ValueError):
            reason = f"a message {name} has values that are wrong together"
            raise PeerError(reason) from None

    def _opened(self, found: object) -> tuple[str, dict[str, Any]]:
        match found:
            case [str(name), dict(parts)]:
                pass
            case _:
                reason = "a message is no name with values"
                raise PeerError(reason)
        if name not in self._kinds:
            reason = f"a message of an unknown kind: {name!a:.50}"
            raise PeerError(reason)
        if parts.keys() != self._fields[name].keys():
            reason = f"a message {name} has wrong fields"
            raise PeerError(reason)
        return name, {field: fromJson(part) for field, part in parts.items()}

    def _misfit(self, name: str, values: Mapping[str, object]) -> str | None:
        """
        @return: a field whose value does not fit, if there is one.
        """
        return next((field for field, fits in self._fields[name].items() if not fits(values[field])), None)


def withoutRepetition(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """
    @return: the pairs of a JSON object.
    @raise ValueError: when a key is there twice, since readers disagree about which one counts.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        reason = "a key is there twice"
        raise ValueError(reason)
    return found


def refuseConstant(name: str) -> NoReturn:
    """
    @param name: infinity or the like, which Python's JSON has.
    @raise ValueError: always.
    """
    reason = f"{name} is no number"
    raise ValueError(reason)


class MessageReader:
    """
    Finds messages in bytes that come in any portions.
    """

    def __init__(self, table: MessageTable, most: int) -> None:
        """
        @param table: the messages that may come.
        @param most: so many bytes the text of one may have.
        """
        self._table = table
        self._most = most
        self._bytes = bytearray()
        self._start = 0  # where in these the next message begins

    def feed(self, data: bytes) -> None:
        """
        Bytes have come.
        """
        del self._bytes[: self._start]
        self._start = 0
        self._bytes += data

    def read(self) -> Framed | None:
        """
        @return: the next message, or L{None} when it is not there whole.
        @raise PeerError: when something else is there.
        """
        start = self._start + HEAD.size
        if len(self._bytes) < start:
            return None
        length, count = HEAD.unpack_from(self._bytes, self._start)
        if length > self._most or count > MAX_DESCRIPTORS_EACH:
            reason = f"a message of {length} bytes with {count} descriptors"
            raise PeerError(reason)
        textAt = start + count * IDENTITY_BYTES
        if len(self._bytes) < textAt + length:
            return None
        identities = struct.unpack_from(f"!{count}Q", self._bytes, start)
        self._start = textAt + length
        return Framed(self._table.decode(self._bytes[textAt : self._start]), identities)
