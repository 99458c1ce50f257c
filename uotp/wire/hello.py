"""
How a tunnel begins: the client says which format it speaks and shows its session id.  In
format 2 the server answers.

A session id is a random UUID, of version 4, sixteen bytes.  In format 1 the client sends it,
and there is no answer.

In format 2 both hellos begin with L{MAGIC}, the format, one byte, and the length of the
extensions, two bytes.  The one byte is 0 from the client and the L{Answer} from the server.
The client's session id follows, and then the extensions.  Each extension is a type of one
byte, a length of two, and a value; types that are not known are skipped.

The first seven bytes tell the formats apart.  Where a UUID of version 4 has its version,
format 2 has the upper half of a length that is never so large.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from enum import Enum, IntEnum
from struct import Struct
from typing import NamedTuple

from uotp.errors import PeerError
from uotp.order import AUTO_ORDER, MAX_REORDER_SECONDS, MIN_REORDER_SECONDS, Order, OrderMode
from uotp.wire.foreign import foreignSpeech

MAGIC = b"uotp"

SESSION_ID_BYTES = 16
"""Length of a UUID."""

FORMAT_2 = 2
"""The byte behind the L{MAGIC}."""

OPENING = Struct("!4sBBH")
"""Magic, format, flags or answer, length of the extensions."""

MAX_EXTENSIONS_BYTES = 4095
"""The limit keeps byte 6 of a hello below 0x10, which no UUID of version 4 has there."""

TELLING_BYTES = 7
"""So many bytes tell the two hellos of a client apart."""

EXTENSION = Struct("!BH")
"""Type and length of an extension."""

INSTANCE_BYTES = 8
"""Length of what names one start of a server: two of them are never the same by chance."""

MAX_KEPT_SECONDS = 0xFFFFFFFF
"""The most that the extension KEPT can tell; a longer time is told as this."""


class Extension(IntEnum):
    """
    Names the types of extensions: C{STATE}, C{KEPT} and C{INSTANCE} in the server's hello, C{ORDER},
    C{TOKEN} and C{QUICKACK} in the client's, and C{PAD}, which is skipped, in either.
    """

    STATE = 1
    KEPT = 2
    ORDER = 3
    TOKEN = 4
    INSTANCE = 5
    PAD = 6
    QUICKACK = 7


ORDER_MODES = {OrderMode.AUTO: 0, OrderMode.TIME: 1, OrderMode.OFF: 2, OrderMode.BULK: 3}
"""The first byte of the extension ORDER.  Two bytes with milliseconds follow after that of a time."""

ORDER_MODE_OF = {number: mode for mode, number in ORDER_MODES.items()}

MAX_ORDER_MILLISECONDS = 0xFFFF
"""The most that the extension ORDER can tell."""


PADDED_HELLO_BYTES = 1024
"""
To so many bytes a hello is filled up by the extension PAD, where that is wanted.  With all that it can say it has some
three hundred.
"""

MIN_TOKEN_BYTES = 16
"""A shorter token could be guessed: this one, of random letters, cannot."""

MAX_TOKEN_BYTES = 255
"""Long enough for any."""


class Token(bytes):
    """
    Is a secret that a client shows.  It does not show in a log or a traceback.
    """

    def __repr__(self) -> str:
        """
        @return: nothing of what it is.
        """
        return "<a token>"

    __str__ = __repr__


class WireFormat(Enum):
    """
    Names the format that is spoken on a tunnel.
    """

    ONE = 1
    TWO = 2


class Answer(IntEnum):
    """
    Tells what a server answers to a client's hello.  It never tells why it refuses.
    """

    WELCOME = 0
    REFUSED = 1


class ClientHello(NamedTuple):
    """
    Holds what a client's hello says.

    @ivar wireFormat: the format that it speaks.
    @ivar sessionId: L{SESSION_ID_BYTES} bytes.
    @ivar order: how the client wants the datagrams of its session to be put in order, both
        ways; only format 2 can tell.
    @ivar token: by what the client may join, if it shows that; only format 2 can.
    @ivar quickAcks: whether the client asks that the kernel acknowledges at once what comes, since a proxy may hold
        back what follows until then; only format 2 can.
    """

    wireFormat: WireFormat
    sessionId: bytes
    order: Order = AUTO_ORDER
    token: Token | None = None
    quickAcks: bool = False


class ServerHello(NamedTuple):
    """
    Holds what a server's answer says, in format 2.

    @ivar welcome: whether the tunnel may carry.
    @ivar isNew: whether the session is new to the server, so that its numbers begin anew;
        L{None} when the server does not say.
    @ivar keptSeconds: for how long the server keeps a session that has no tunnel;
        L{None} when the server does not say.
    @ivar instance: what names this start of the server, L{INSTANCE_BYTES} bytes that all its workers
        share; L{None} when the server does not say.
    """

    welcome: bool
    isNew: bool | None = None
    keptSeconds: int | None = None
    instance: bytes | None = None


def newInstance() -> bytes:
    """
    @return: what names one start of a server.
    """
    return uuid.uuid4().bytes[-INSTANCE_BYTES:]


def newSessionId() -> bytes:
    """
    @return: an id that nobody can guess: whoever shows it joins the session.
    """
    return uuid.uuid4().bytes


def sessionName(sessionId: bytes) -> str:
    """
    @return: enough of an id to tell sessions apart in a log, and too little to join
        one.
    """
    return sessionId[:4].hex()


LEAST_NAME_LENGTH = 4
"""So much of a session's name has to be said at least: with less, a slip of the finger means the sessions of many."""


def beginsName(name: str, word: str) -> bool:
    """
    @param name: of a session.
    @return: whether a word is the beginning of it, and long enough to mean that session.
    """
    return len(word) >= LEAST_NAME_LENGTH and name.startswith(word)


VERSION_AT, VERSION = 6, 4
VARIANT_AT, VARIANT = 8, 2
"""
Where a UUID has its version, in the upper half of a byte, and its variant, in the two upper
bits of another; and what stands there in a random one (RFC 9562).  The other bytes may be any.
"""

NO_SESSION_ID = "its first 16 bytes are no session id"


NOT_FORMAT_2 = "it does not answer in format 2"

SHORTEST_SPEECH = 3
"""Fewer bytes than this tell nothing of another protocol."""


def mayBeSessionId(shown: bytes) -> bool:
    """
    @param shown: the first bytes of what stands in place of a session id, or all of them.
    @return: whether it may be a random UUID, which every client shows.
    """
    return (len(shown) <= VERSION_AT or shown[VERSION_AT] >> 4 == VERSION) and (
        len(shown) <= VARIANT_AT or shown[VARIANT_AT] >> 6 == VARIANT
    )


def encodeClientHello(hello: ClientHello, *, pads: bool = False) -> bytes:
    """
    @param pads: whether to fill it up, in format 2.
    @return: the first bytes of a client's tunnel.
    """
    if hello.wireFormat is WireFormat.ONE:
        return hello.sessionId
    extensions = b"" if hello.order == AUTO_ORDER else _orderExtension(hello.order)
    if hello.token is not None:
        extensions += EXTENSION.pack(Extension.TOKEN, len(hello.token)) + hello.token
    if hello.quickAcks:
        extensions += EXTENSION.pack(Extension.QUICKACK, 0)
    if pads:
        extensions += _padExtension(OPENING.size + SESSION_ID_BYTES + len(extensions))
    return OPENING.pack(MAGIC, FORMAT_2, 0, len(extensions)) + hello.sessionId + extensions


def _padExtension(size: int) -> bytes:
    """
    @param size: how many bytes the hello has without it.
    @return: what makes it L{PADDED_HELLO_BYTES} long, or nothing where it is longer.
    """
    missing = PADDED_HELLO_BYTES - size - EXTENSION.size
    return EXTENSION.pack(Extension.PAD, missing) + bytes(missing) if missing >= 0 else b""


def _orderExtension(order: Order) -> bytes:
    value = bytes([ORDER_MODES[order.mode]])
    if order.seconds is not None:
        milliseconds = min(max(round(order.seconds * 1000), 1), MAX_ORDER_MILLISECONDS)
        value += milliseconds.to_bytes(2, "big")
    return EXTENSION.pack(Extension.ORDER, len(value)) + value


def encodeServerHello(hello: ServerHello, *, pads: bool = False) -> bytes:
    """
    @param pads: whether to fill it up.
    @return: the first bytes of a server's end of a tunnel in format 2.
    """
    extensions = b""
    if hello.isNew is not None:
        extensions += EXTENSION.pack(Extension.STATE, 1) + bytes([not hello.isNew])
    if hello.keptSeconds is not None:
        kept = min(hello.keptSeconds, MAX_KEPT_SECONDS)
        extensions += EXTENSION.pack(Extension.KEPT, 4) + kept.to_bytes(4, "big")
    if hello.instance is not None:
        extensions += EXTENSION.pack(Extension.INSTANCE, len(hello.instance)) + hello.instance
    if pads:
        extensions += _padExtension(OPENING.size + len(extensions))
    answer = Answer.WELCOME if hello.welcome else Answer.REFUSED
    return OPENING.pack(MAGIC, FORMAT_2, answer, len(extensions)) + extensions


CROSSED_OUT = b"x"
"""What stands in place of each byte that nobody else is to see."""


def crossedOut(shown: bytes) -> tuple[bytes, int]:
    """
    Make a client's hello fit for the eyes of others: whoever sees the session id and the token may use them.

    @param shown: what has come first on a connection.
    @return: the same, but for all behind the opening of a hello of format 2, which is crossed out; and how many bytes
        that are to be crossed out are still to come.
    """
    if len(shown) < OPENING.size or not looksLikeFormat2(shown):
        return shown, 0
    _, wireFormat, _, size = OPENING.unpack_from(shown)
    if wireFormat != FORMAT_2 or size > MAX_EXTENSIONS_BYTES:
        return shown, 0
    end = OPENING.size + SESSION_ID_BYTES + size
    secret = shown[OPENING.size : end]
    return shown[: OPENING.size] + CROSSED_OUT * len(secret) + shown[end:], max(end - len(shown), 0)


class _HelloDecoder:
    """
    Keeps the part of a hello that has come.  It never keeps more than the longest hello,
    and what was read together with its last byte.
    """

    def __init__(self) -> None:
        self._held = b""

    def _take(self, size: int) -> tuple[bytes, bytes] | None:
        """
        @return: a hello of this length and what came behind it, or L{None} while it is
            not complete.
        """
        if len(self._held) < size:
            return None
        held, self._held = self._held, b""
        return held[:size], held[size:]


class ClientHelloDecoder(_HelloDecoder):
    """
    Takes the hello off the front of what a client sends, of either format.
    """

    def feed(self, data: bytes) -> tuple[ClientHello, bytes] | None:
        """
        @param data: the next bytes of the stream, cut anywhere.
        @return: the hello and the bytes that came behind it, or L{None} while it is
            not complete.
        @raise PeerError: for bytes that can be no hello, as soon as one of them gives that
            away.  In format 1 that is the seventh or the ninth.
        """
        self._held += data
        if len(self._held) < TELLING_BYTES:
            return None
        if not looksLikeFormat2(self._held):
            if not mayBeSessionId(self._held):
                raise PeerError(foreignSpeech(self._held) or NO_SESSION_ID)
            taken = self._take(SESSION_ID_BYTES)
            return None if taken is None else (ClientHello(WireFormat.ONE, taken[0]), taken[1])
        if len(self._held) < OPENING.size:
            return None
        flags, size = openingOf(self._held)
        if flags:
            reason = f"its hello has flags that there are not: {flags:#x}"
            raise PeerError(reason)
        if not mayBeSessionId(self._held[OPENING.size :]):
            reason = "what its hello has for a session id is no random UUID"
            raise PeerError(reason)
        extensionsAt = OPENING.size + SESSION_ID_BYTES
        taken = self._take(extensionsAt + size)
        if taken is None:
            return None
        hello, rest = taken
        asked = _askedIn(hello[extensionsAt:])
        return ClientHello(WireFormat.TWO, hello[OPENING.size : extensionsAt], *asked), rest


class ServerHelloDecoder(_HelloDecoder):
    """
    Takes the answer off the front of what a server sends, in format 2.
    """

    def feed(self, data: bytes) -> tuple[ServerHello, bytes] | None:
        """
        @param data: the next bytes of the stream, cut anywhere.
        @return: the answer and the bytes that came behind it, or L{None} while it is
            not complete.
        @raise PeerError: for bytes that are no answer.
        """
        self._held += data
        if self._held[:5] != (MAGIC + bytes([FORMAT_2]))[: len(self._held)]:
            raise PeerError(_notFormat2(self._held))
        if len(self._held) < OPENING.size:
            return None
        answer, size = openingOf(self._held)
        taken = self._take(OPENING.size + size)
        if taken is None:
            return None
        hello, rest = taken
        isNew = kept = instance = None
        for kind, value in extensionsOf(hello[OPENING.size :]):
            if kind == Extension.STATE:
                isNew = not number(value, 1)
            elif kind == Extension.KEPT:
                kept = number(value, 4)
            elif kind == Extension.INSTANCE:
                instance = value
                number(value, INSTANCE_BYTES)
        return ServerHello(answer == Answer.WELCOME, isNew, kept, instance), rest


def _notFormat2(held: bytes) -> str:
    speech = foreignSpeech(held) if len(held) >= SHORTEST_SPEECH else None
    return NOT_FORMAT_2 if speech is None else f"{NOT_FORMAT_2}: {speech}"


def looksLikeFormat2(opening: bytes) -> bool:
    """
    @param opening: L{TELLING_BYTES} of a client's hello, or more.
    @return: whether it has the magic and is no UUID of version 4.  Any length that is not
        allowed is seen as such, and is not taken for a part of an id.
    """
    return opening.startswith(MAGIC) and opening[VERSION_AT] >> 4 != VERSION


def openingOf(hello: bytes) -> tuple[int, int]:
    """
    @return: flags or answer, and the length of the extensions.
    @raise PeerError: for a format that we do not know, or a length that is not allowed.
    """
    _, wireFormat, flags, size = OPENING.unpack_from(hello)
    if wireFormat != FORMAT_2:
        reason = f"its hello is of format {wireFormat}, which is not known here"
        raise PeerError(reason)
    if size > MAX_EXTENSIONS_BYTES:
        reason = f"its hello has {size} bytes of extensions, and {MAX_EXTENSIONS_BYTES} are allowed"
        raise PeerError(reason)
    return flags, size


def extensionsOf(data: bytes) -> Iterator[tuple[int, bytes]]:
    """
    @return: type and value of each extension.
    @raise PeerError: when the last is cut off.
    """
    start = 0
    while start < len(data):
        begin = start + EXTENSION.size
        if begin > len(data):
            reason = "an extension of its hello is cut off"
            raise PeerError(reason)
        kind, size = EXTENSION.unpack_from(data, start)
        start = begin + size
        if start > len(data):
            reason = "an extension of its hello is longer than all of them"
            raise PeerError(reason)
        yield kind, data[begin:start]


def _askedIn(extensions: bytes) -> tuple[Order, Token | None, bool]:
    """
    @return: what a client's extensions say, as far as they are known.
    @raise PeerError: when one of them says what it may not say.
    """
    order, token, quickAcks = AUTO_ORDER, None, False
    for kind, value in extensionsOf(extensions):
        if kind == Extension.ORDER:
            order = _orderOf(value)
        elif kind == Extension.TOKEN:
            token = _tokenOf(value, token)
        elif kind == Extension.QUICKACK:
            number(value, 0)
            quickAcks = True
    return order, token, quickAcks


def _orderOf(value: bytes) -> Order:
    """
    @return: what the extension ORDER says.  A way that is not known here counts as none that
        was chosen, and a time outside of the limits as the nearest within.
    @raise PeerError: when it has no way, or more or less behind that than belongs there.
    """
    mode = ORDER_MODE_OF.get(value[0]) if value else OrderMode.AUTO
    if mode is None:
        return AUTO_ORDER
    told = number(value, 3 if mode is OrderMode.TIME else 1)
    if mode is not OrderMode.TIME:
        return Order(mode)
    return Order.within(min(max((told & MAX_ORDER_MILLISECONDS) / 1000, MIN_REORDER_SECONDS), MAX_REORDER_SECONDS))


def _tokenOf(value: bytes, before: Token | None) -> Token:
    """
    @param before: what another extension of the same hello has said.
    @return: what the extension TOKEN says.
    @raise PeerError: when there are two of them, or it has a length that no token has.
    """
    if before is not None:
        reason = "its hello has two tokens"
        raise PeerError(reason)
    if not MIN_TOKEN_BYTES <= len(value) <= MAX_TOKEN_BYTES:
        reason = f"the token of its hello has {len(value)} bytes"
        raise PeerError(reason)
    return Token(value)


def number(value: bytes, size: int) -> int:
    """
    @return: an extension's value as a number.
    @raise PeerError: when it does not have this length.
    """
    if len(value) != size:
        reason = f"an extension of its hello has {len(value)} bytes instead of {size}"
        raise PeerError(reason)
    return int.from_bytes(value, "big")
