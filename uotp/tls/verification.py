"""
What is required of a peer's certificate, and the TLS connection that checks it within the
handshake.  Whatever is not clearly right is refused, also when a check raises, or when no
check took place in the handshake.  Nothing here knows files or contexts;
L{uotp.tls.reasons} has the words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from cryptography import x509
from OpenSSL import SSL
from OpenSSL.crypto import X509
from OpenSSL.SSL import X509VerificationCodes

from uotp.errors import Refusal
from uotp.tls.alerts import errorKind, errorWords
from uotp.tls.clients import ClientList
from uotp.tls.contexts import SYSTEM, Trusted, isStrong
from uotp.tls.dates import utcNow
from uotp.tls.judging import JudgedChain
from uotp.tls.names import KnownChain
from uotp.tls.peernames import PeerName
from uotp.tls.pem import quietly
from uotp.tls.pins import publicKeyPin
from uotp.tls.reasons import certificateName, plainText, verificationKind, verificationWords
from uotp.tls.records import RecordConnection

NEEDED_STRENGTH = "TLS 1.3 is needed, or ECDHE with AES-GCM or ChaCha20: others are not taken here"
"""What a server is told by its log's reader that has chosen a weak cipher."""


class Objection(NamedTuple):
    """
    Says what is wrong with a peer.

    @ivar words: that, in words.
    @ivar kind: what kind of reason it is.
    """

    words: str
    kind: Refusal = Refusal.CERTIFICATE


@dataclass(frozen=True, slots=True)
class Requirements:
    """
    Says what is required of a peer's certificate.

    @ivar peer: what it must be made for, C{server} or C{client}.
    @ivar chain: whether it must lead to a trusted CA, be within its dates and
        be made for this purpose.
    @ivar name: whom it must be for, if that matters.
    @ivar pins: the keys, one of which it must have; none means any.
    @ivar clients: the list in which its key must be, if there is one.
    @ivar isProxy: whether it is the proxy on the way to a server, which the words for the log call it then.
    """

    peer: str
    chain: bool = True
    name: PeerName | None = None
    pins: tuple[bytes, ...] = ()
    clients: ClientList | None = None
    isProxy: bool = False

    @property
    def shownPeer(self) -> str:
        """
        What the peer is to be called.
        """
        return "proxy" if self.isProxy else self.peer

    def objection(self, certificate: x509.Certificate) -> Objection | None:
        """
        Judge the peer's own certificate, apart from its chain.

        @param certificate: the certificate at depth 0.
        @return: what is wrong with it, or L{None}.
        """
        mismatch = self.name.mismatch(certificate) if self.name is not None else None
        if mismatch is not None:
            return Objection(mismatch)
        if self.pins:
            pin = publicKeyPin(certificate)
            if pin not in self.pins:
                return Objection(f"public key does not match any pin (certificate has {pin.hex()})")
        if self.clients is not None:
            pin = publicKeyPin(certificate)
            if pin not in self.clients.names:
                words = f"public key is not in the list of clients, {self.clients.file}; its pin is {pin.hex()}"
                return Objection(words, Refusal.NOT_LISTED)
        return None


def weaknessWords(cipher: str | None) -> str:
    """
    @return: what is wrong with a server's choice of a cipher.
    """
    return f"the server has chosen the cipher {cipher}; {NEEDED_STRENGTH}"


class VerifyingConnection(RecordConnection):
    """
    Checks within its handshake what is required of its peer, and remembers why it refused.

    @param context: one that was given to L{uotp.tls.verifying.verifyPeers}.
    @param requirements: what is required; L{None} lets any peer in, which is a client then.
    @param socket: what to speak through; L{None} for memory.
    @param trusted: whom OpenSSL has been told to trust.
    @param newest: tells who is trusted now.
    @ivar refusal: the first thing that was wrong with the peer, in words.
    """

    def __init__(
        self,
        context: SSL.Context,
        requirements: Requirements | None,
        socket: Any = None,
        trusted: Trusted = SYSTEM,
        newest: Callable[[], Trusted] | None = None,
    ) -> None:
        super().__init__(context, socket)
        self.refusal: str | None = None
        self._kind: Refusal | None = None
        self._requirements = requirements
        self._trusted = trusted
        self._newest = newest
        self._verified = False
        self._peerPin: bytes | None = None
        self._peerName: str | None = None
        self._judged = JudgedChain(trusted.revocations)
        self._alertError = 0

    def do_handshake(self) -> None:
        """
        Go on with the handshake.  When it completes without the peer having been examined,
        as in a resumed session, refuse the peer.

        @raise SSL.Error: as usual, and when the peer was not examined.
        """
        super().do_handshake()
        if self._requirements is not None and not self._verified:
            self._refuse("the peer's certificate was not verified in this handshake")
            raise SSL.Error([("uotp", "", "peer not verified")])
        self._requireStrength(self.get_cipher_name())
        objection = self._objectionMeanwhile()
        if objection is not None:
            self._refuse(*objection)
            raise SSL.Error([("uotp", "", "peer may join no more")])

    def _requireStrength(self, cipher: str | None) -> None:
        """
        Refuse a server that has chosen a weak cipher.  We offer some, since others do.

        @raise SSL.Error: then.
        """
        if self._requirements is not None and self._requirements.peer == "server" and not isStrong(cipher):
            self._refuse(weaknessWords(cipher), Refusal.HANDSHAKE)
            raise SSL.Error([("uotp", "", "cipher too weak")])

    def _objectionMeanwhile(self) -> Objection | None:
        """
        @return: what is wrong with the peer by what was read since this connection was made.
            Otherwise whoever begins a handshake, and waits for a reload, would get in by the old files.
        """
        newest = self._trusted if self._newest is None else self._newest()
        chain = self._judged.chain
        if newest is self._trusted or self._requirements is None or not chain:
            return None
        if self._requirements.chain and newest.revocations.revokes(chain):
            return Objection("certificate was revoked during the handshake; it has to be replaced", Refusal.REVOKED)
        if self._requirements.chain and not newest.holds(chain, self._peerPin):
            return Objection("the CA of the certificate was taken out of the CA file", Refusal.UNKNOWN_ISSUER)
        if newest.clients is not None and self._peerPin not in newest.clients.names:
            return Objection("public key was taken out of the list of clients", Refusal.NOT_LISTED)
        return None

    def _listedName(self) -> str | None:
        clients = None if self._requirements is None else self._requirements.clients
        return None if clients is None or self._peerPin is None else clients.names.get(self._peerPin)

    def examine(self, certificate: X509, error: int, depth: int, *, ok: bool) -> bool:
        """
        Judge one certificate of the peer's chain, as OpenSSL walks along it.

        @param certificate: the certificate.
        @param error: the number of OpenSSL's objection.
        @param depth: the place in the chain; 0 is the peer's own certificate, the last.
        @param ok: whether OpenSSL has no objection.
        @return: whether to go on.
        """
        try:
            examined = quietly(certificate.to_cryptography)
            error, ok = self._afterLists(examined, error, depth, ok=ok)
            if depth == 0 and self._requirements is not None and self._requirements.peer == "client":
                self._peerName = certificateName(examined)
            objection = self._objection(examined, error, depth, ok=ok)
            if objection is None and ok and depth == 0:
                self._peerPin = self._pinOf(examined)
                self._peerName = self._listedName() or self._peerName
        except Exception as problem:  # noqa: BLE001 - whatever it is, a check that fails to run must refuse
            objection = Objection(f"certificate could not be examined ({plainText(repr(problem))})")
        if objection is not None:
            self._refuse(*objection)
            self._alertError = error
            return False
        if ok and depth == 0:
            self._verified = True
        return True

    def peerPin(self) -> bytes | None:
        """
        @return: the L{publicKeyPin} of the peer's certificate, or L{None} when it was not
            examined, or is a server's with a key of an unknown kind.
        """
        return self._peerPin

    def peerName(self) -> str | None:
        """
        @return: the L{certificateName} of a client's certificate, also where that was refused;
            L{None} when none was shown, and for a server's.
        """
        return self._peerName

    def peerChain(self) -> KnownChain:
        """
        @return: the peer's certificate and those above it, by which their CAs may revoke them; nothing before
            all were examined.
        """
        return self._judged.chain

    @property
    def alertError(self) -> int:
        """
        OpenSSL's number for what was wrong with the certificate that was examined last, by which it tells the
        peer; 0 where it has none for that.
        """
        return self._alertError

    def refusalWords(self, error: BaseException | None = None) -> str | None:
        """
        Say in words why one end refused the other.

        @param error: what has ended the connection, if anything has.
        @return: one line, or L{None} when it was no refusal.
        """
        if self.refusal is not None:
            return self.refusal
        return errorWords(error, self, self._shownPeer) if isinstance(error, SSL.Error) else None

    def refusalKind(self, error: BaseException | None = None) -> Refusal | None:
        """
        @param error: see L{refusalWords}.
        @return: what kind of reason that is, or L{None} when it was no refusal.
        """
        if self.refusal is not None:
            return self._kind
        return None if self.refusalWords(error) is None or not isinstance(error, SSL.Error) else errorKind(error)

    @property
    def _shownPeer(self) -> str:
        return "client" if self._requirements is None else self._requirements.shownPeer

    def _afterLists(self, certificate: x509.Certificate, error: int, depth: int, *, ok: bool) -> tuple[int, bool]:
        """
        @return: OpenSSL's number and its verdict, as if it had looked the certificate up in the lists, too.
        """
        if not ok:
            self._judged.doubt(error)
            return error, ok
        found = self._judged.errorOf(certificate, depth)
        return (error, ok) if found == X509VerificationCodes.OK else (found, False)

    def _objection(self, certificate: x509.Certificate, error: int, depth: int, *, ok: bool) -> Objection | None:
        requirements = self._requirements
        if requirements is None:
            return Objection("nothing is known about who may connect")
        if not ok:
            # Where only a pin is required, OpenSSL's objections do not count, but for the one
            # that bounds its work.  It calls for the peer's own certificate once more, without one.
            if not requirements.chain and error != X509VerificationCodes.ERR_CERT_CHAIN_TOO_LONG:
                return None
            words = verificationWords(error, depth, certificate, requirements.shownPeer, utcNow())
            return Objection(words, verificationKind(error))
        return requirements.objection(certificate) if depth == 0 else None

    def _pinOf(self, certificate: x509.Certificate) -> bytes | None:
        """
        A session belongs to the key of its client, so a client's has to be known.  Of a
        server's key nothing hangs on it here: where pins are required, they were compared.
        """
        assert self._requirements is not None
        try:
            return publicKeyPin(certificate)
        except Exception:
            if self._requirements.peer == "client":
                raise
            return None

    def _refuse(self, words: str, kind: Refusal = Refusal.CERTIFICATE) -> None:
        self._verified = False
        if self.refusal is None:
            self.refusal, self._kind = words, kind
