"""
Byte streams: TCP, TLS on the socket, and how they begin.  Nothing here knows a frame or a
session; above this package nobody knows an object of OpenSSL.
"""

from __future__ import annotations

from uotp.transport.dialer import Dialer
from uotp.transport.tcp import AcceptedTcpStream
from uotp.transport.tls import AcceptedTlsStream

__all__ = [
    "AcceptedTcpStream",
    "AcceptedTlsStream",
    "Dialer",
]
