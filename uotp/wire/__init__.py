"""
What both programs must agree on, byte for byte: how a tunnel begins
(L{uotp.wire.hello}), and the two formats of what follows (L{uotp.wire.format1},
L{uotp.wire.format2}).  Nothing here knows a connection: bytes come in and values go out,
or the other way.  C{docs/wire.rst} says the same for readers who write another program.
"""

from __future__ import annotations

from uotp.wire.foreign import SHOWN_BYTES, answersAsWebServer, foreignSpeech
from uotp.wire.format1 import Format1Codec
from uotp.wire.format2 import (
    PING_BYTES,
    Format2Codec,
    Kind,
    controlFrame,
    frameAgain,
    missingFrame,
    missingOf,
)
from uotp.wire.hello import (
    CROSSED_OUT,
    MAX_TOKEN_BYTES,
    MIN_TOKEN_BYTES,
    SESSION_ID_BYTES,
    ClientHello,
    ClientHelloDecoder,
    ServerHello,
    ServerHelloDecoder,
    Token,
    WireFormat,
    beginsName,
    crossedOut,
    encodeClientHello,
    encodeServerHello,
    mayBeSessionId,
    newInstance,
    newSessionId,
    sessionName,
)
from uotp.wire.negotiation import (
    FORMATS,
    HTTP_2_NAME,
    WireChoice,
    formatToDial,
    namesTrouble,
    offered,
    parseNames,
    parseWire,
    selected,
)
from uotp.wire.padding import PADDED_WRITES, padded
from uotp.wire.status import ServerStatus, encodeStatus, statusOf

__all__ = [
    "CROSSED_OUT",
    "FORMATS",
    "HTTP_2_NAME",
    "MAX_TOKEN_BYTES",
    "MIN_TOKEN_BYTES",
    "PADDED_WRITES",
    "PING_BYTES",
    "SESSION_ID_BYTES",
    "SHOWN_BYTES",
    "ClientHello",
    "ClientHelloDecoder",
    "Format1Codec",
    "Format2Codec",
    "Kind",
    "ServerHello",
    "ServerHelloDecoder",
    "ServerStatus",
    "Token",
    "WireChoice",
    "WireFormat",
    "answersAsWebServer",
    "beginsName",
    "controlFrame",
    "crossedOut",
    "encodeClientHello",
    "encodeServerHello",
    "encodeStatus",
    "foreignSpeech",
    "formatToDial",
    "frameAgain",
    "mayBeSessionId",
    "missingFrame",
    "missingOf",
    "namesTrouble",
    "newInstance",
    "newSessionId",
    "offered",
    "padded",
    "parseNames",
    "parseWire",
    "selected",
    "sessionName",
    "statusOf",
]
