"""
The values that a message may hold, as JSON has them, and what an annotation allows of them.

JSON has no bytes, and one kind of list.  So bytes are C{{"b": "base64"}}, a dictionary is
C{{"d": {...}}}, and a list is a tuple: each JSON text means one value.
"""

from __future__ import annotations

import binascii
import math
from base64 import b64decode, b64encode
from collections.abc import Callable
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from uotp.errors import PeerError

Fits = Callable[[object], bool]

INT_LIMIT = 1 << 64
"""Numbers are smaller, either way: they count bytes, seconds and such."""

EXACT_LIMIT = 1 << 53
"""An int that stands for a float is not larger: above, floats are coarser than ints."""

FORM = 2
"""Parts of a pair of annotations: C{tuple[X, ...]} and C{dict[str, X]}."""


def asJson(value: object) -> object:
    """
    @return: a value as JSON has it.
    @raise TypeError: for a kind of value that no message holds.
    """
    if value is None or type(value) in {bool, int, float, str}:
        return value
    if type(value) is bytes:
        return {"b": b64encode(value).decode("ascii")}
    if type(value) is tuple:
        return [asJson(part) for part in value]
    if type(value) is dict and all(type(key) is str for key in value):
        return {"d": {key: asJson(part) for key, part in value.items()}}
    reason = f"no message holds a {type(value).__name__}"
    raise TypeError(reason)


def fromJson(found: object) -> object:
    """
    @param found: what a JSON parser has made.
    @return: the value.
    @raise PeerError: when there is none that is written so.
    """
    if isinstance(found, list):
        return tuple(map(fromJson, found))
    if not isinstance(found, dict):
        return found
    match found:
        case {"b": str(text), **others} if not others:
            try:
                return b64decode(text, validate=True)
            except (binascii.Error, ValueError):
                reason = "bytes in a message are no base64"
                raise PeerError(reason) from None
        case {"d": dict(parts), **others} if not others:
            return {key: fromJson(part) for key, part in parts.items()}
    reason = "a message holds an unknown kind of value"
    raise PeerError(reason)


def isInt(value: object) -> bool:
    """
    @return: whether this is a number that an C{int} field may hold.
    """
    return type(value) is int and -INT_LIMIT < value < INT_LIMIT


def isFloat(value: object) -> bool:
    """
    @return: whether this is a number that a C{float} field may hold.  As for Python's type
        checkers, that may be an int.
    """
    if type(value) is int:
        return -EXACT_LIMIT <= value <= EXACT_LIMIT
    return type(value) is float and math.isfinite(value)


def isAnything(value: object) -> bool:
    """
    @return: whether this is a value that some field may hold.
    """
    if type(value) is tuple:
        return all(map(isAnything, value))
    if type(value) is dict:
        return all(type(key) is str for key in value) and all(map(isAnything, value.values()))
    return value is None or type(value) in {bool, str, bytes} or isInt(value) or isFloat(value)


def isExactly(kind: type) -> Fits:
    """
    @return: tells whether a value is of one kind, and of no other that is derived from it.
    """
    return lambda value: type(value) is kind


SIMPLE: dict[Any, Fits] = {
    object: isAnything,
    Any: isAnything,
    None: isExactly(NoneType),
    NoneType: isExactly(NoneType),
    bool: isExactly(bool),
    int: isInt,
    float: isFloat,
    str: isExactly(str),
    bytes: isExactly(bytes),
}
"""What tells whether a value fits an annotation that has no parts."""


def fitsOf(annotation: Any) -> Fits:
    """
    @param annotation: of a field of a message.
    @return: tells whether a value fits it.
    @raise TypeError: for an annotation that no message may have.
    """
    try:
        return SIMPLE[annotation]
    except (KeyError, TypeError):
        pass
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin in {Union, UnionType}:
        choices = tuple(map(fitsOf, parts))
        return lambda value: any(fits(value) for fits in choices)
    if origin is dict and parts[0] is str:
        ofPart = fitsOf(parts[1])
        return lambda value: (
            type(value) is dict and all(type(key) is str for key in value) and all(map(ofPart, value.values()))
        )
    if origin is tuple and len(parts) == FORM and parts[1] is ...:
        ofEach = fitsOf(parts[0])
        return lambda value: type(value) is tuple and all(map(ofEach, value))
    if origin is tuple:
        row = tuple(map(fitsOf, parts))
        return lambda value: (
            type(value) is tuple
            and len(value) == len(row)
            and all(fits(part) for fits, part in zip(row, value, strict=True))
        )
    reason = f"no message has a field of type {annotation}"
    raise TypeError(reason)
