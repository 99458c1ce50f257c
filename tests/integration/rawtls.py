"""
A client of TLS 1.3 that makes its records by hand once the handshake is done, so that
it can say what OpenSSL would not.
"""

from __future__ import annotations

import socket
import struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from OpenSSL import SSL

from bench.rig.ports import Address
from tests.integration.steppedtcp import stepUntil

HANDSHAKE, APPLICATION_DATA = 22, 23
"""Kinds of record."""

KEY_UPDATE_HEADER = b"\x18\0\0\1"
"""Of the message that says that the sender goes on with new keys; its one byte follows."""

TAG_BYTES = 16


def expand(secret: bytes, label: bytes, size: int) -> bytes:
    """
    @return: RFC 8446's HKDF-Expand-Label, without a context.
    """
    label = b"tls13 " + label
    info = struct.pack(">HB", size, len(label)) + label + b"\0"
    return HKDFExpand(SHA256(), size, info).derive(secret)


class RawTlsClient:
    """
    Shakes hands with a server of the stepped reactor, and is then told what to send.

    @ivar socket: the connection, not blocking.
    """

    def __init__(self, server: Address) -> None:
        """
        @param server: where it listens; it may show any certificate.
        """
        secrets: dict[bytes, bytes] = {}

        def keep(_: SSL.Connection, line: bytes) -> None:
            label, _random, secret = line.split()
            secrets[label] = bytes.fromhex(secret.decode("ascii"))

        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
        context.set_tls13_ciphersuites(b"TLS_AES_128_GCM_SHA256")
        context.set_keylog_callback(keep)
        self.socket = socket.create_connection(server)
        self.socket.setblocking(False)
        self._tls = SSL.Connection(context, self.socket)
        self._tls.set_connect_state()
        stepUntil(self._shakeHands, "the client's handshake is done")
        self._secret = secrets[b"CLIENT_TRAFFIC_SECRET_0"]
        self._deriveKeys()

    def _shakeHands(self) -> bool:
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            return False
        return True

    def _deriveKeys(self) -> None:
        self._cipher = AESGCM(expand(self._secret, b"key", 16))
        self._vector = int.from_bytes(expand(self._secret, b"iv", 12), "big")
        self._records = 0

    def record(self, kind: int, data: bytes) -> bytes:
        """
        @return: the next record.
        """
        header = struct.pack(">BHH", APPLICATION_DATA, 0x0303, len(data) + 1 + TAG_BYTES)
        nonce = (self._vector ^ self._records).to_bytes(12, "big")
        self._records += 1
        return header + self._cipher.encrypt(nonce, data + bytes([kind]), header)

    def keyUpdate(self) -> bytes:
        """
        @return: a record that changes our keys, and asks for nothing in return.
        """
        made = self.record(HANDSHAKE, KEY_UPDATE_HEADER + b"\0")
        self.changeKeys()
        return made

    def changeKeys(self) -> None:
        """
        Go on with the next keys.
        """
        self._secret = expand(self._secret, b"traffic upd", SHA256.digest_size)
        self._deriveKeys()

    def heard(self) -> bytes:
        """
        @return: what the server has said, if anything.
        """
        try:
            return self._tls.recv(65536)
        except SSL.WantReadError:
            return b""

    def close(self) -> None:
        """
        Go.
        """
        self.socket.close()
