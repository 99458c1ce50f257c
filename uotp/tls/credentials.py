"""
The credentials of either end: from paths and choices they make TLS connections, and they can
be renewed.  Whatever is unclear is refused.  Files are read by L{uotp.tls.pem}, OpenSSL is set
up by L{uotp.tls.contexts}, peers are judged by L{uotp.tls.verification}; nothing here knows a
tunnel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from shlex import quote
from typing import Any

from cryptography import x509
from OpenSSL import SSL

from uotp.errors import ConfigurationError
from uotp.telemetry import Logger, spelled
from uotp.tls import contexts
from uotp.tls.dates import outOfDate, utcNow
from uotp.tls.expiry import Ours, endings
from uotp.tls.pem import isOpenToAll, readIdentity
from uotp.tls.reasons import plainText
from uotp.tls.revocation import Revocations
from uotp.tls.verification import (
    PIN_BYTES,
    PeerName,
    Requirements,
    VerifyingConnection,
    parsePin,
    publicKeyPin,
    verifyPeer,
)
from uotp.wire import WireChoice, offered, selected

__all__ = [
    "ClientCredentials",
    "ClientTls",
    "ServerCredentials",
    "ServerTls",
    "parsePin",
]


@dataclass(frozen=True, slots=True)
class ServerTls:
    """
    Holds a server's choices for TLS.

    @ivar cert: PEM file with the server's certificate first and the
        intermediate ones after it.
    @ivar key: PEM file with its key; L{None} when that is in C{cert}.
    @ivar cafile: PEM file with all the CAs that may sign clients; L{None} lets
        every client in.
    """

    cert: str
    key: str | None = None
    cafile: str | None = None


@dataclass(frozen=True, slots=True)
class ClientTls:
    """
    Holds a client's choices for TLS.

    @ivar cafile: PEM file with all the CAs that may sign the server, in place
        of the system's.  (Python finds no CAs of the system on Windows, and on
        macOS only those of Homebrew's OpenSSL: give this there, or C{pins}.)
    @ivar cert: PEM file with the client's certificate and chain, if the server
        wants one.
    @ivar key: PEM file with its key; L{None} when that is in C{cert}.
    @ivar hostnameCheck: L{False} lets in any server that a CA of C{cafile} has
        signed.
    @ivar serverName: the host name or address to find in the certificate, and
        the name to ask for, in place of the host that is dialled.
    @ivar pins: L{publicKeyPin}s, one of which the server must have.  Without
        C{cafile} they are all that is checked, besides C{serverName} if that
        is given: the key is what is trusted, so neither the chain nor the
        dates of the certificate matter.
    """

    cafile: str | None = None
    cert: str | None = None
    key: str | None = None
    hostnameCheck: bool = True
    serverName: str | None = None
    pins: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Loaded:
    """
    Holds what the files of one end have led to.

    @ivar context: OpenSSL's.
    @ivar ours: the certificate that we show, if any.
    @ivar trusted: whom we trust by a file.
    """

    context: SSL.Context
    ours: Ours | None
    trusted: contexts.Trusted


class _Credentials:
    """
    Reads and renews the credentials of either end, and warns of certificates that end.
    """

    _log = Logger()

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._ours: Ours | None = None
        self._trusted = contexts.SYSTEM
        self.reload()

    def _load(self) -> Loaded:
        raise NotImplementedError

    def reload(self) -> None:
        """
        Read the files again.  New connections use what they say.

        @raise ConfigurationError: when they have become unusable, or hold a certificate that
            is out of date while the one in use is not; what was read before stays in use.
        """
        loaded = self._load()
        if loaded.ours is not None:
            self._refuseWorse(*loaded.ours)
        self._context, self._ours, self._trusted = loaded.context, loaded.ours, loaded.trusted
        self.warnOfDates()

    def _refuseWorse(self, file: str, certificate: x509.Certificate) -> None:
        """
        Do not give up a certificate that is good for one that is not.  When none is good, the
        new one may be what the administrator wants: a peer that has a pin takes it.
        """
        if self._ours is None or outOfDate(self._ours[1], self._now()) is not None:
            return
        reason = outOfDate(certificate, self._now())
        if reason is not None:
            message = f"the certificate in {file} {reason}"
            raise ConfigurationError(message)

    def _identify(self, context: SSL.Context, certificateFile: str, keyFile: str | None) -> Ours:
        identity = readIdentity(certificateFile, keyFile)
        contexts.present(context, identity, certificateFile)
        self._warnOfExposure(certificateFile if keyFile is None else keyFile)
        return certificateFile, identity.chain[0]

    def _warnOfExposure(self, keyFile: str) -> None:
        if isOpenToAll(keyFile):
            words = "the private key in {file} may be read by every user who can reach the file: chmod 600 {quoted}"
            self._log.warn(words, file=keyFile, quoted=quote(keyFile))

    def revokes(self, certificate: tuple[bytes, int]) -> bool:
        """
        @param certificate: the issuer of a certificate and its serial number.
        @return: whether its CA has revoked it.
        """
        return self._revocations().revokes(*certificate)

    def _revocations(self) -> Revocations:
        return self._trusted.revocations

    @property
    def ownPin(self) -> bytes | None:
        """
        The L{publicKeyPin} of the certificate that we show; L{None} without one.
        """
        return None if self._ours is None else publicKeyPin(self._ours[1])

    def warnOfDates(self) -> None:
        """
        Log a warning when the certificate that we show is out of date, or soon will be, and for
        each CA of our own file and each revocation list alike.
        """
        for what, reason in endings(self._ours, self._trusted, self._now()):
            self._log.warn("{what} {reason}", what=what, reason=reason)


class ServerCredentials(_Credentials):
    """
    Makes a server's TLS connections, with its certificate and the CAs of its clients.

    @param choices: the files.
    @param wire: which formats to choose from.
    @param now: the wall clock, for the warning of a certificate's end.
    @raise ConfigurationError: when a file is unusable.
    """

    def __init__(
        self,
        choices: ServerTls,
        *,
        wire: WireChoice = WireChoice.AUTO,
        now: Callable[[], datetime] = utcNow,
    ) -> None:
        self._choices = choices
        self._wire = wire
        self._requirements = Requirements("client") if choices.cafile is not None else None
        super().__init__(now)

    def _load(self) -> Loaded:
        choices = self._choices
        context = contexts.newContext(SSL.TLS_SERVER_METHOD)
        ours = self._identify(context, choices.cert, choices.key)
        trusted = contexts.SYSTEM
        if choices.cafile is not None:
            trusted = contexts.trust(context, choices.cafile, announce=True)
            context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, verifyPeer)
        contexts.choose(context, partial(selected, self._wire))
        return Loaded(context, ours, trusted)

    @property
    def verifiesClients(self) -> bool:
        """
        Whether clients need a certificate.
        """
        return self._requirements is not None

    def connection(self, socket: Any = None) -> VerifyingConnection:
        """
        Make one connection, with the newest of the credentials.

        @param socket: what to speak through; L{None} for memory.
        @return: the connection.
        """
        known = self._revocations()
        return VerifyingConnection(self._context, self._requirements, socket, known, self._revocations)


class ClientCredentials(_Credentials):
    """
    Makes a client's TLS connections, with what it knows of its server and its certificate.

    @param choices: the files, and how to check.
    @param wire: which formats to offer.
    @param now: the wall clock, for the warning of a certificate's end.
    @raise ConfigurationError: when a file is unusable, or choices exclude
        each other.
    """

    def __init__(
        self,
        choices: ClientTls,
        *,
        wire: WireChoice = WireChoice.AUTO,
        now: Callable[[], datetime] = utcNow,
    ) -> None:
        if choices.key is not None and choices.cert is None:
            message = f"{spelled('key')} is of no use without {spelled('cert')}"
            raise ConfigurationError(message)
        unchecked = spelled("hostnameCheck=False")
        if not choices.hostnameCheck and choices.cafile is None:
            needed = f"{unchecked} needs {spelled('cafile')}"
            message = f"{needed}: otherwise any certificate of any public CA would do"
            raise ConfigurationError(message)
        if not choices.hostnameCheck and choices.serverName is not None:
            message = f"{unchecked} and {spelled('serverName')} exclude each other"
            raise ConfigurationError(message)
        if any(not isinstance(pin, bytes) or len(pin) != PIN_BYTES for pin in choices.pins):
            message = f"{spelled('pins')} takes the SHA-256 of a public key, {PIN_BYTES} bytes"
            raise ConfigurationError(message)
        self._serverName = None if choices.serverName is None else _peerName(choices.serverName, spelled("serverName"))
        self._choices = choices
        self._wire = wire
        super().__init__(now)

    def _load(self) -> Loaded:
        choices = self._choices
        context = contexts.newContext(SSL.TLS_CLIENT_METHOD)
        contexts.offer(context, offered(self._wire))
        ours = None
        if choices.cert is not None:
            ours = self._identify(context, choices.cert, choices.key)
        trusted = contexts.SYSTEM
        if choices.cafile is not None:
            trusted = contexts.trust(context, choices.cafile, announce=False)
        elif not choices.pins:
            context.set_default_verify_paths()
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, verifyPeer)
        return Loaded(context, ours, trusted)

    def creatorFor(self, host: str) -> Callable[[Any], VerifyingConnection]:
        """
        Prepare for one server.

        @param host: what is dialled, a name or an address.
        @return: makes each connection to it, with the newest of the credentials, for a
            socket, or for memory with L{None}.
        @raise ConfigurationError: when C{host} is no name that a certificate
            could have.
        """
        choices = self._choices
        asked = self._serverName or _peerName(host, "the server")
        chain = choices.cafile is not None or not choices.pins
        named = (chain and choices.hostnameCheck) or self._serverName is not None
        requirements = Requirements("server", chain=chain, name=asked if named else None, pins=tuple(choices.pins))
        indication = None if asked.isAddress else asked.text.encode("ascii")

        def create(socket: Any = None) -> VerifyingConnection:
            known = self._revocations()
            connection = VerifyingConnection(self._context, requirements, socket, known, self._revocations)
            if indication is not None:
                connection.set_tlsext_host_name(indication)
            return connection

        return create


def _peerName(host: str, what: str) -> PeerName:
    try:
        return PeerName.parse(host)
    except ValueError as problem:
        message = f"{what} {plainText(host)!r}: {problem}"
        raise ConfigurationError(message) from problem
