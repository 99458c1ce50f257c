"""
TLS for whoever examines a server: connections with the choices of a client, and all that they show.

Who examines wants to know more than who connects: what has the server shown, and why is it not trusted?
A connection that is refused tells its first objection alone.  So there is a second kind of connection, on
which everything is let through and written down (L{uotp.tls.looking}).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import NameOID

from uotp.net import ProxyPlace
from uotp.tls.clients import NAME_LETTERS, OPENSSL_PREFIX
from uotp.tls.credentials import ClientCredentials, ClientTls
from uotp.tls.dates import utcNow
from uotp.tls.files import DISK, CredentialFiles
from uotp.tls.looking import Against, Flaw, LookingConnection
from uotp.tls.pins import publicKeyPin
from uotp.tls.proxies import proxyCreator
from uotp.tls.reasons import nameText, plainText
from uotp.tls.talk import HandshakeTrouble, ShownByServer, TlsTalk
from uotp.tls.verification import VerifyingConnection
from uotp.wire import Token, WireChoice

__all__ = [
    "Against",
    "Flaw",
    "HandshakeTrouble",
    "Inspection",
    "OwnCertificate",
    "ShownByServer",
    "TlsTalk",
    "proxyTalk",
]

NAMELESS = "client"
"""What a client is called in a list whose certificate has no name."""


@dataclass(frozen=True, slots=True)
class OwnCertificate:
    """
    Says of the certificate that we show what its reader can do nothing about but replace it.

    @ivar subject: whom it is for.
    @ivar issuer: who has signed it.
    @ivar begins: since when it is valid.
    @ivar ends: until when.
    @ivar listing: the line by which a server's list of clients lets it in; L{None} where its key is of a kind that
        no list can have.
    """

    subject: str
    issuer: str
    begins: datetime
    ends: datetime
    listing: str | None


class Inspection:
    """
    Makes the connections of an examination.
    """

    def __init__(
        self,
        choices: ClientTls,
        host: str,
        wire: WireChoice,
        alpn: tuple[str, ...] | None = None,
        now: Callable[[], datetime] = utcNow,
        files: CredentialFiles = DISK,
    ) -> None:
        """
        @param choices: those of the client that is examined.
        @param host: what is dialled, a name or an address.
        @param wire: which formats may be spoken.
        @param alpn: the names to offer by ALPN; L{None} for the usual one.
        @param now: the wall clock.
        @param files: where the files are.
        @raise ConfigurationError: when a file is unusable, or choices exclude each other.
        """
        self._host = host
        self._credentials = ClientCredentials(choices, wire=wire, alpn=alpn, now=now, files=files)
        bare = replace(choices, cert=None, key=None, tokenFile=None)
        self._bare = ClientCredentials(bare, wire=wire, alpn=alpn, now=now, files=files)
        self._mute = ClientCredentials(bare, wire=wire, alpn=(), now=now, files=files)
        self._credentials.creatorFor(host)

    def trusting(self) -> TlsTalk:
        """
        @return: what lets in a server that the client would let in.
        """
        return TlsTalk(self._credentials.creatorFor(self._host)(None))

    def looking(self, *, shows: bool, offers: bool = True) -> TlsTalk:
        """
        @param shows: whether to show our certificate.
        @param offers: whether to offer protocols by ALPN.
        @return: what lets any server in, and writes down what is wrong.
        """
        credentials = self._credentials if shows else self._bare if offers else self._mute
        return TlsTalk(credentials.creatorFor(self._host, LookingConnection)(None))

    def token(self) -> Token | None:
        """
        @return: what a server is to be shown that is trusted, if anything.
        """
        return self._credentials.token()

    def ours(self) -> OwnCertificate | None:
        """
        @return: what can be said of the certificate that we show; L{None} without one.
        """
        shown = self._credentials.ownCertificate
        if shown is None:
            return None
        begins, ends = shown.not_valid_before_utc, shown.not_valid_after_utc
        return OwnCertificate(nameText(shown.subject), nameText(shown.issuer), begins, ends, listingOf(shown))


def proxyTalk(proxy: ProxyPlace, *, looks: bool) -> TlsTalk | None:
    """
    @param looks: whether to let any proxy in, and write down what is wrong.  Nothing may be asked of it then.
    @return: what speaks TLS with a proxy, L{None} where it speaks none.
    @raise ConfigurationError: when no certificate could name the proxy.
    """
    create = proxyCreator(proxy, LookingConnection if looks else VerifyingConnection)
    return None if create is None else TlsTalk(create(None))


def listingOf(certificate: x509.Certificate) -> str | None:
    """
    @return: the line of a certificate's client in a list of clients, if its key can be in one.
    """
    try:
        pin = publicKeyPin(certificate)
    except UnsupportedAlgorithm:
        return None
    common = [str(each.value) for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    name = plainText(common[0], NAME_LETTERS).strip() if common else ""
    return f"{OPENSSL_PREFIX}{b64encode(pin).decode('ascii')} {name or NAMELESS}"
