"""
TLS spoken in memory, as a client: bytes come in, and bytes go out.  What the server shows is told as plain values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from OpenSSL import SSL
from OpenSSL.crypto import X509, X509Name

from uotp.tls.alerts import OWN_CHECK, WANTS_OTHER_PROTOCOL, WANTS_OTHER_VERSION, alertOf, isAboutOurs
from uotp.tls.dates import utcNow
from uotp.tls.looking import Flaw, LookingConnection
from uotp.tls.pem import quietly
from uotp.tls.pins import publicKeyPin
from uotp.tls.reasons import NAME_LIMIT, alternativeNames, nameText, plainText
from uotp.tls.records import ROOM_BYTES
from uotp.tls.verification import VerifyingConnection

MOST_WANTED = 4
"""So many of the CAs are told that a server names."""


@dataclass(frozen=True, slots=True)
class ShownByServer:
    """
    Holds what a server has shown in its handshake.

    @ivar version: of TLS.
    @ivar cipher: its name.
    @ivar protocol: what was agreed on by ALPN; L{None} for nothing.
    @ivar subject: whom its certificate is for.
    @ivar issuer: who has signed that.
    @ivar names: the host names and addresses in it.
    @ivar begins: since when it is valid.
    @ivar ends: until when.
    @ivar root: who has signed the last certificate that the server sends.
    @ivar pin: the SHA-256 of its public key.
    @ivar wanted: the CAs of which it accepts clients, as far as it has named them.
    """

    version: str
    cipher: str
    protocol: bytes | None
    subject: str
    issuer: str
    names: str
    begins: datetime
    ends: datetime
    root: str
    pin: bytes
    wanted: tuple[str, ...]


class HandshakeTrouble(Exception):
    """
    Is raised when TLS has come to its end.

    @ivar words: why one end refuses the other; L{None} when the connection just ended.
    @ivar isAboutUs: whether the server has something against our certificate, or misses one.
    @ivar isAboutList: whether that may be that we are not in its list of clients.
    @ivar isAboutProtocol: whether it wants another protocol by ALPN.
    @ivar isAboutVersion: whether it says that it speaks no version of TLS that we offer.
    """

    def __init__(
        self,
        words: str | None,
        *,
        isAboutUs: bool = False,
        isAboutList: bool = False,
        isAboutProtocol: bool = False,
        isAboutVersion: bool = False,
    ) -> None:
        super().__init__(words or "the connection ended")
        self.words = words
        self.isAboutUs = isAboutUs
        self.isAboutList = isAboutList
        self.isAboutProtocol = isAboutProtocol
        self.isAboutVersion = isAboutVersion


class TlsTalk:
    """
    Speaks TLS in memory, as a client: bytes come in, and bytes go out.
    """

    def __init__(self, connection: VerifyingConnection) -> None:
        """
        @param connection: one in memory.
        """
        self._connection = connection
        connection.set_connect_state()

    def shakeHands(self) -> bool:
        """
        Go on with the handshake, as far as what has come reaches.

        @return: whether it is done.
        @raise HandshakeTrouble: when it failed.
        """
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return False
        except SSL.Error as error:
            raise self._trouble(error) from error
        return True

    def take(self, data: bytes) -> None:
        """
        Take what has come from the server.
        """
        self._connection.bio_write(data)

    def outgoing(self) -> bytes:
        """
        @return: what has to be sent to the server now.
        """
        pieces = []
        while True:
            try:
                pieces.append(self._connection.bio_read(ROOM_BYTES))
            except SSL.WantReadError:
                return b"".join(pieces)

    def write(self, data: bytes) -> None:
        """
        Encrypt some bytes, for L{outgoing}.

        @raise HandshakeTrouble: when TLS has come to its end before.
        """
        try:
            for start in range(0, len(data), ROOM_BYTES):
                self._connection.send(data[start : start + ROOM_BYTES])
        except SSL.Error as error:
            raise self._trouble(error) from error

    def read(self) -> bytes | None:
        """
        @return: what has come, decrypted; none when nothing has, L{None} when the server has said farewell.
        @raise HandshakeTrouble: when the server refuses us after all, or what comes is no TLS.
        """
        pieces = []
        while True:
            try:
                pieces.append(self._connection.recv(ROOM_BYTES))
            except SSL.WantReadError:
                return b"".join(pieces)
            except SSL.ZeroReturnError:
                return b"".join(pieces) or None
            except SSL.Error as error:
                raise self._trouble(error) from error

    def _trouble(self, error: SSL.Error) -> HandshakeTrouble:
        isAboutUs = self._connection.refusal is None and isAboutOurs(error, self._connection)
        alert = alertOf(error)
        return HandshakeTrouble(
            self._connection.refusalWords(error),
            isAboutUs=isAboutUs,
            isAboutList=isAboutUs and alert == OWN_CHECK,
            isAboutProtocol=alert == WANTS_OTHER_PROTOCOL,
            isAboutVersion=alert == WANTS_OTHER_VERSION,
        )

    @property
    def refusal(self) -> str | None:
        """
        Why we refuse the server, or L{None}.
        """
        return self._connection.refusal

    @property
    def flaws(self) -> tuple[Flaw, ...]:
        """
        What is wrong with the server, where everything is let through.
        """
        return tuple(self._connection.flaws) if isinstance(self._connection, LookingConnection) else ()

    def shown(self) -> ShownByServer | None:
        """
        @return: what the server has shown, or L{None} while it has not.
        """
        connection = self._connection
        chain = connection.get_peer_cert_chain()
        if not chain:
            return None
        return ShownByServer(
            version=connection.get_protocol_version_name(),
            cipher=connection.get_cipher_name() or "?",
            protocol=connection.get_alpn_proto_negotiated() or None,
            wanted=tuple(_authorityName(each) for each in (connection.get_client_ca_list() or ())[:MOST_WANTED]),
            **_factsOf(chain),
        )


def _factsOf(chain: Sequence[X509]) -> dict[str, Any]:
    """
    @return: what certificates say, as fields of L{ShownByServer}.  Anybody may have written them.
    """
    try:
        leaf, last = quietly(chain[0].to_cryptography), quietly(chain[-1].to_cryptography)
        return {
            "subject": nameText(leaf.subject),
            "issuer": nameText(leaf.issuer),
            "names": alternativeNames(leaf),
            "begins": leaf.not_valid_before_utc,
            "ends": leaf.not_valid_after_utc,
            "root": nameText(last.issuer),
            "pin": publicKeyPin(leaf),
        }
    except Exception:  # noqa: BLE001 - nobody who shows such a certificate is trusted
        now = utcNow()
        unknown = dict.fromkeys(("subject", "issuer", "root"), "that cannot be read")
        return {**unknown, "names": "", "begins": now, "ends": now, "pin": b""}


def _authorityName(name: X509Name) -> str:
    """
    @return: what a server calls a CA, fit to be shown.
    """
    try:
        return f"'{plainText(str(name.CN or '?'), NAME_LIMIT)}'"
    except Exception:  # noqa: BLE001 - whatever stands there, it decides nothing
        return "'?'"
