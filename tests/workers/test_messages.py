"""
Messages as bytes: each comes out as it went in, and nothing that is wrong comes out at all.
"""

from __future__ import annotations

import contextlib  # trial takes a module's `suppress` for its own
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from uotp.errors import PeerError
from uotp.workers.messages import HEAD, Framed, MessageReader, MessageTable
from uotp.workers.values import asJson, fitsOf, fromJson, isAnything
from uotp.workers.work import TellLine

MOST = 1000


@dataclass(frozen=True, slots=True)
class Everything:
    """
    Has a field of each kind.
    """

    number: int
    share: float
    truth: bool
    text: str
    content: bytes
    nothing: None
    row: tuple[int, ...]
    pair: tuple[str, bytes]
    table: dict[str, tuple[float, ...]]
    maybe: bytes | str | None
    anything: object


class Plain(NamedTuple):
    """
    Is a named tuple.
    """

    number: int = 0


class Empty(NamedTuple):
    """
    Has no field.
    """


@dataclass(frozen=True)
class Picky:
    """
    Refuses some values.
    """

    number: int

    def __post_init__(self) -> None:
        """
        @raise ValueError: for 13.
        """
        if self.number == 13:
            raise ValueError


TABLE = MessageTable(Everything, Plain, Empty, Picky)

SAMPLES: list[object] = [
    Everything(1, 0.5, True, "ä\ud800\x00", b"\x00\xff", None, (), ("", b""), {}, b"x", None),
    Everything(-1, 3, False, "", b"", None, (1, 2), ("a", b"b"), {"b": (1.5,), "d": ()}, "eA==", {"b": "eA=="}),
    Everything(2**64 - 1, -1e300, True, "", b"", None, (0,), ("a", b"b"), {"": ()}, None, ({"d": ({}, b"y", ())},)),
    Plain(7),
    Empty(),
    Picky(12),
]

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64) + 1, 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner),
)


def framed(text: bytes, identities: tuple[int, ...] = ()) -> bytes:
    """
    @return: a text for the wire.
    """
    head = HEAD.pack(len(text), len(identities))
    return head + b"".join(identity.to_bytes(8, "big") for identity in identities) + text


def readAll(reader: MessageReader) -> Iterator[Framed]:
    """
    @return: all messages that are there.
    """
    while (found := reader.read()) is not None:
        yield found


class CodecTests(SynchronousTestCase):
    """
    Encode and decode.
    """

    def test_messagesComeOutAsTheyWentIn(self) -> None:
        """
        Whole, byte by byte, and all at once; with the identities of their descriptors.
        """
        sent = [(message, tuple(range(2**63, 2**63 + n))) for n, message in enumerate(SAMPLES)]
        encoded = [TABLE.encode(message, identities, MOST) for message, identities in sent]
        glued = b"".join(encoded)
        for portions in (encoded, [bytes([byte]) for byte in glued], [glued]):
            reader = MessageReader(TABLE, MOST)
            found: list[Framed] = []
            for portion in portions:
                reader.feed(portion)
                found += readAll(reader)
            self.assertEqual([tuple(each) for each in found], sent)
            self.assertEqual([type(each.message) for each in found], [type(message) for message in SAMPLES])

    @given(VALUES)
    def test_eachValueComesOutAsItWentIn(self, value: object) -> None:
        self.assertTrue(isAnything(value))
        back = fromJson(json.loads(json.dumps(asJson(value))))
        self.assertEqual(repr(back), repr(value))

    @given(st.binary(), st.integers(0, 9))
    def test_anyBytesAreAMessageOrRefused(self, data: bytes, count: int) -> None:
        reader = MessageReader(TABLE, MOST)
        for portion in (data, HEAD.pack(len(data), count), bytes(8 * count), data):
            try:
                reader.feed(portion)
                list(readAll(reader))
            except PeerError:
                return

    @given(VALUES)
    def test_anyJsonIsAMessageOrRefused(self, value: object) -> None:
        for content in (value, ["Plain", asJson(value)], ["Plain", {"number": asJson(value)}], asJson(value)):
            text = json.dumps(content, default=repr).encode()
            try:
                TABLE.decode(text)
            except PeerError:
                continue


class RefusalTests(SynchronousTestCase):
    """
    What is wrong is refused, in words.
    """

    def assertRefused(self, data: bytes, words: str) -> None:
        """
        Read something that is wrong.
        """
        reader = MessageReader(TABLE, MOST)
        reader.feed(data)
        error = self.assertRaises(PeerError, list, readAll(reader))
        self.assertIn(words, str(error))
        self.assertNotIn("\n", str(error))

    def test_lengthOverTheBoundIsRefusedBeforeItHasCome(self) -> None:
        self.assertRefused(HEAD.pack(MOST + 1, 0), "a message of 1001 bytes")
        reader = MessageReader(TABLE, MOST)
        reader.feed(HEAD.pack(MOST, 0))
        self.assertIsNone(reader.read())

    def test_tooManyDescriptorsAreRefused(self) -> None:
        self.assertRefused(HEAD.pack(0, 9), "with 9 descriptors")

    def test_whatIsNoJsonIsRefused(self) -> None:
        for text in (b"", b"x", b"\xff", b'["Empty",{}', b"[" * 900, b'["Plain",{"number":NaN}]'):
            self.assertRefused(framed(text), "no JSON that we read")
        self.assertRefused(framed(b'["Plain",{"number":1,"number":2}]'), "no JSON that we read")
        reader = MessageReader(TABLE, 1 << 20)
        for text in (b"[" * 500_000, b'["Plain",{"number":' + b"9" * 5000 + b"}]"):
            reader.feed(framed(text))
            self.assertRaises(PeerError, reader.read)

    def test_valuesInValuesAreReadOrRefused(self) -> None:
        """
        However deep: some can be parsed, and are too deep to be looked at.
        """
        table = MessageTable(TellLine)
        for depth in range(100, 1200):
            text = '["TellLine",{"values":{"d":{"a":' + "[" * depth + "]" * depth + "}}}]"
            with contextlib.suppress(PeerError):
                table.decode(text.encode())

    def test_otherJsonIsRefused(self) -> None:
        for text in (b"1", b"{}", b"[]", b'["Empty"]', b'["Empty",[]]', b'[{},"Empty"]', b'["Empty",{},1]'):
            self.assertRefused(framed(text), "no name with values")

    def test_unknownKindIsRefused(self) -> None:
        self.assertRefused(framed(b'["Str\\nange",{}]'), "unknown kind: 'Str\\nange'")

    def test_fieldsAreThoseOfTheKindAndNoOthers(self) -> None:
        """
        Also one that has a default has to be there.
        """
        for text in (b'["Plain",{}]', b'["Plain",{"number":1,"more":1}]', b'["Empty",{"number":1}]'):
            self.assertRefused(framed(text), "wrong fields")

    def test_valuesAreOfTheKindOfTheirField(self) -> None:
        right: dict[str, Any] = json.loads(TABLE.encode(SAMPLES[1], (), MOST)[HEAD.size :])[1]
        wrong: dict[str, tuple[Any, ...]] = {
            "number": (True, 1.0, "1", None, 2**64, -(2**64), [1]),
            "share": (True, "1", 2**54, 10**400),
            "truth": (0, 1, None),
            "text": (1, {"b": ""}, None, [], ["a"]),
            "content": ("", None, []),
            "nothing": (0, False, "", []),
            "row": (1, ["1"], [1, True], {"d": {}}, None),
            "pair": ([], ["a"], ["a", "b"], ["a", {"b": ""}, 1]),
            "table": ([], {"d": {"x": [True]}}, {"d": {"x": 1}}, {"d": {"x": ["1"]}}),
            "maybe": (1, False, []),
            "anything": (2**64, [2**64], {"d": {"x": 2**64}}),
        }
        for field, value in ((field, value) for field, values in wrong.items() for value in values):
            text = json.dumps(["Everything", {**right, field: value}]).encode()
            self.assertRefused(framed(text), f"Everything has a wrong value for {field}")

    def test_otherFormsOfValuesAreRefused(self) -> None:
        """
        Each value is written in one way.
        """
        forms: list[Any] = [{}, {"x": 1}, {"b": 1}, {"b": "", "d": {}}, {"d": []}, {"d": {}, "x": 1}]
        for value in forms:
            text = json.dumps(["Plain", {"number": value}]).encode()
            self.assertRefused(framed(text), "an unknown kind of value")
        for base64 in ("x", "eA", "eA==\n", "e A=", "ä", "eA==="):
            self.assertRefused(framed(json.dumps(["Plain", {"number": {"b": base64}}]).encode()), "no base64")

    def test_kindItselfMayRefuse(self) -> None:
        self.assertRefused(framed(b'["Picky",{"number":13}]'), "values that are wrong together")


class MisuseTests(SynchronousTestCase):
    """
    Our own mistakes are found where they are made.
    """

    def test_whatIsNoMessageIsNotSent(self) -> None:
        class Other(NamedTuple):
            number: int

        Other.__name__ = "Plain"
        for message in (None, 1, "Plain", Other(1), Plain):
            self.assertRaises(TypeError, TABLE.encode, message, (), MOST)

    def test_whatDoesNotFitIsNotSent(self) -> None:
        wrong: list[Any] = [True, 1.0, None, [1], 2**64]
        for value in wrong:
            error = self.assertRaises(TypeError, TABLE.encode, Plain(value), (), MOST)
            self.assertIn("Plain.number cannot be", str(error))
        strange: Any = {1: 2}
        for value in (strange, {1, 2}, object(), float("inf"), float("nan")):
            self.assertRaises(
                TypeError,
                TABLE.encode,
                Everything(1, 0.5, True, "", b"", None, (), ("", b""), {}, None, value),
                (),
                MOST,
            )
            self.assertFalse(isAnything(value))
        for value in (strange, {1, 2}, object()):
            self.assertRaises(TypeError, asJson, value)

    def test_whatIsTooLongIsNotSent(self) -> None:
        length = len(TABLE.encode(Plain(1), (), MOST)) - HEAD.size
        TABLE.encode(Plain(1), (), length)
        self.assertRaises(ValueError, TABLE.encode, Plain(1), (), length - 1)
        self.assertRaises(ValueError, TABLE.encode, Plain(1), range(9), MOST)

    def test_kindsAreFrozenAndHaveSuchFields(self) -> None:
        @dataclass
        class Thawed:
            number: int

        self.assertRaises(TypeError, MessageTable, Thawed)
        self.assertRaises(TypeError, MessageTable, int)
        self.assertRaises(ValueError, MessageTable, Plain, Plain)

    def test_annotationsThatNoMessageHas(self) -> None:
        wrong: list[Any] = [list[int], set, complex, dict[int, str], Callable[[], None], tuple[list[int], ...], "int"]
        for annotation in wrong:
            self.assertRaises(TypeError, fitsOf, annotation)
