"""
How OpenSSL is told to ask about each certificate of a peer, and what it is told when one is refused: by that number
it chooses the alert that the peer gets.
"""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from OpenSSL.crypto import X509

from uotp.tls.records import foreign, library
from uotp.tls.verification import VerifyingConnection


class PeerVerdict:
    """
    Judges certificates.  This is the verify callback of a context.

    @ivar error: OpenSSL's number for what was wrong with the last certificate; 0 for nothing, or nothing that it
        has a number for.
    """

    def __init__(self) -> None:
        self.error = 0

    def verifyPeer(self, connection: SSL.Connection, certificate: X509, error: int, depth: int, ok: int) -> bool:
        """
        Judge a certificate.

        @param connection: a L{VerifyingConnection}; on any other the peer is refused.
        @param certificate: see L{VerifyingConnection.examine}, as for the rest.
        @param error: OpenSSL's number.
        @param depth: the place in the chain.
        @param ok: 1 when OpenSSL has no objection.
        @return: whether to go on.
        """
        self.error = 0
        if not isinstance(connection, VerifyingConnection):
            return False
        isGood = connection.examine(certificate, error, depth, ok=ok == 1)
        self.error = 0 if isGood else connection.alertError
        return isGood


def verifyPeers(context: Any) -> None:
    """
    Ask every peer for a certificate, and judge it.  The library leaves OpenSSL without a number where it had no
    objection of its own, and a peer that is refused would be told of an internal error.

    @param context: a new context.
    """
    verdict = PeerVerdict()
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, verdict.verifyPeer)
    judge = context._verify_callback  # noqa: SLF001 - a test tells when it is gone

    @foreign.callback("int (*)(int, X509_STORE_CTX *)", error=0)  # type: ignore[untyped-decorator]
    def verify(ok: int, store: Any) -> int:
        isGood: int = judge(ok, store)
        if not isGood and verdict.error:
            library.X509_STORE_CTX_set_error(store, verdict.error)
        return isGood

    context.verifyCallback = verify  # it has to live as long
    library.SSL_CTX_set_verify(context._context, context.get_verify_mode(), verify)  # noqa: SLF001 - the same
