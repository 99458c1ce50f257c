"""
Byte streams: TCP, TLS on the socket, and how they begin.
"""

from __future__ import annotations

from uotp.transport.dialer import Dialer
from uotp.transport.tcp import AcceptedConnection
from uotp.transport.tls import AcceptedTlsConnection

__all__ = [
    "AcceptedConnection",
    "AcceptedTlsConnection",
    "Dialer",
]
