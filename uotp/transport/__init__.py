"""
Byte streams: TCP, TLS on the socket, and how they begin.  Nothing here knows a frame or a
session; above this package nobody knows an object of OpenSSL.
"""

from __future__ import annotations

from uotp.transport.accepted import AcceptedTcpStream, AcceptedTlsStream
from uotp.transport.dialer import Dialer
from uotp.transport.handshakes import HandshakeQueue
from uotp.transport.listener import Listener, Newcomer, listen, listenOn
from uotp.transport.pipe import newPipe
from uotp.transport.preamble import Preamble
from uotp.transport.proxies.faults import ProxyFault, ProxyRefused
from uotp.transport.proxies.preambles import preambleFor
from uotp.transport.relay import UNIT_BYTES, Relay
from uotp.transport.relayed import adopt
from uotp.transport.websocket.decoder import FrameDecoder
from uotp.transport.websocket.frames import Opcode, controlMessage, frameHeader
from uotp.transport.websocket.upgrade import UpgradeRefused, WebSocketUpgrade, answerToUpgrade

__all__ = [
    "UNIT_BYTES",
    "AcceptedTcpStream",
    "AcceptedTlsStream",
    "Dialer",
    "FrameDecoder",
    "HandshakeQueue",
    "Listener",
    "Newcomer",
    "Opcode",
    "Preamble",
    "ProxyFault",
    "ProxyRefused",
    "Relay",
    "UpgradeRefused",
    "WebSocketUpgrade",
    "adopt",
    "answerToUpgrade",
    "controlMessage",
    "frameHeader",
    "listen",
    "listenOn",
    "newPipe",
    "preambleFor",
]
