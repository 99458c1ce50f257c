"""
The credentials of either end: from paths and choices they make TLS connections.  Whatever is
unclear is refused.  How they are read anew is in L{uotp.tls.renewal}.  Files are read by
L{uotp.tls.pem}, OpenSSL is set up by L{uotp.tls.contexts}, peers are judged by
L{uotp.tls.verification}; nothing here knows a tunnel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from OpenSSL import SSL

from uotp.errors import ConfigurationError
from uotp.net import ProxyPlace
from uotp.process import Pausing
from uotp.telemetry import spelled
from uotp.tls import contexts
from uotp.tls.clients import readClients
from uotp.tls.dates import utcNow
from uotp.tls.files import DISK, CredentialFiles
from uotp.tls.peernames import peerNameOf
from uotp.tls.pins import PIN_BYTES, parsePin
from uotp.tls.proxies import ProxyChoices, loadProxy
from uotp.tls.renewal import Loaded, Prepared, RenewableCredentials, identify
from uotp.tls.tokens import FILE_OF_TOKENS, readTokens
from uotp.tls.unusedlist import UnusedList, unusedList
from uotp.tls.verification import Requirements, VerifyingConnection
from uotp.tls.verifying import verifyPeers
from uotp.wire import Token, WireChoice, offered, selected

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
        every client in, as far as C{clients} does.
    @ivar crl: file with revocation lists of these CAs, besides those in C{cafile}.
    @ivar clients: list of the clients that may join, see L{uotp.tls.clients}.  With
        C{cafile} both are required.  Without it the listed keys are what is trusted,
        so neither the chain nor the dates of a certificate matter.
    """

    cert: str
    key: str | None = None
    cafile: str | None = None
    crl: str | None = None
    clients: str | None = None

    @property
    def named(self) -> tuple[tuple[str, str | None], ...]:
        """
        What each file is, in words, and its path.
        """
        return (
            ("certificate file", self.cert),
            ("key file", self.key),
            ("CA file", self.cafile),
            ("revocation file", self.crl),
            ("list of clients", self.clients),
        )

    def requireSense(self) -> None:
        """
        Refuse choices that cannot be used together.  No file is looked at.

        @raise ConfigurationError: when they cannot.
        """
        if self.crl is not None and self.cafile is None:
            message = f"{spelled('crl')} is of no use without {spelled('cafile')}, the CAs whose lists it has"
            raise ConfigurationError(message)


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
    @ivar tokenFile: file with the token to show to the server, see L{uotp.tls.tokens}.
    """

    cafile: str | None = None
    cert: str | None = None
    key: str | None = None
    hostnameCheck: bool = True
    serverName: str | None = None
    pins: tuple[bytes, ...] = ()
    tokenFile: str | None = None

    @property
    def named(self) -> tuple[tuple[str, str | None], ...]:
        """
        What each file is, in words, and its path.
        """
        return (
            ("CA file", self.cafile),
            ("certificate file", self.cert),
            ("key file", self.key),
            (FILE_OF_TOKENS, self.tokenFile),
        )

    def requireSense(self) -> None:
        """
        Refuse choices that cannot be used, alone or together.  No file is looked at.

        @raise ConfigurationError: when they cannot.
        """
        if self.key is not None and self.cert is None:
            message = f"{spelled('key')} is of no use without {spelled('cert')}"
            raise ConfigurationError(message)
        unchecked = spelled("hostnameCheck=False")
        if not self.hostnameCheck and self.cafile is None:
            needed = f"{unchecked} needs {spelled('cafile')}"
            message = f"{needed}: otherwise any certificate of any public CA would do"
            raise ConfigurationError(message)
        if not self.hostnameCheck and self.serverName is not None:
            message = f"{unchecked} and {spelled('serverName')} exclude each other"
            raise ConfigurationError(message)
        if any(not isinstance(pin, bytes) or len(pin) != PIN_BYTES for pin in self.pins):
            message = f"{spelled('pins')} takes the SHA-256 of a public key, {PIN_BYTES} bytes"
            raise ConfigurationError(message)
        if self.serverName is not None:
            peerNameOf(self.serverName, spelled("serverName"))


class ServerCredentials(RenewableCredentials):
    """
    Makes a server's TLS connections, with its certificate and what it knows of its clients.

    @param choices: the files; L{None} for plain TCP, where there are tokens at the most.
    @param wire: which formats to choose from.
    @param alpn: the names to choose from by ALPN; L{None} for the usual ones.
    @param tokenFile: file with the tokens of clients, one of which each must show.
    @param now: the wall clock, for the warning of a certificate's end.
    @param files: where the files are.
    @param keepsContents: whether what was read is kept, for other processes.
    @raise ConfigurationError: when a file is unusable.
    """

    _endsWithCa = True

    def __init__(
        self,
        choices: ServerTls | None,
        *,
        wire: WireChoice = WireChoice.AUTO,
        alpn: tuple[str, ...] | None = None,
        tokenFile: str | None = None,
        now: Callable[[], datetime] = utcNow,
        files: CredentialFiles = DISK,
        keepsContents: bool = False,
    ) -> None:
        if choices is not None:
            choices.requireSense()
        if tokenFile is not None:
            wire = formatsForTokens(wire)
        self._choices = choices
        self._wire = wire
        self._alpn = alpn
        self._tokenFile = tokenFile
        self._requirements: Requirements | None = None
        named = (*(() if choices is None else choices.named), (FILE_OF_TOKENS, tokenFile))
        super().__init__(files, now, keepsContents=keepsContents, named=named)

    def _load(self, files: CredentialFiles, pause: Pausing) -> Loaded:
        choices = self._choices
        tokens = None if self._tokenFile is None else readTokens(self._tokenFile, files)
        if choices is None:
            return Loaded(None, None, contexts.SYSTEM, tokens)
        context = contexts.newContext(SSL.TLS_SERVER_METHOD)
        ours = identify(context, choices.cert, choices.key, files)
        trusted = contexts.SYSTEM
        if choices.cafile is not None:
            trusted = contexts.trust(context, choices.cafile, announce=True, files=files, crl=choices.crl, pause=pause)
        if choices.clients is not None:
            trusted = replace(trusted, clients=readClients(choices.clients, files, pause))
        if self.verifiesClients:
            verifyPeers(context)
        contexts.choose(context, partial(selected, self._wire, ours=self._alpn))
        return Loaded(context, ours, trusted, tokens)

    def adopt(self, prepared: Prepared) -> None:
        """
        See L{RenewableCredentials}.
        """
        super().adopt(prepared)
        choices, clients = self._choices, self._trusted.clients
        if choices is not None and self.verifiesClients:
            self._requirements = Requirements("client", chain=choices.cafile is not None, clients=clients)
        if clients is not None and not clients.names and self._files.isOriginal:
            self._log.warn("the list of clients {file} has no client: nobody is let in", file=clients.file)

    @property
    def isPlain(self) -> bool:
        """
        Whether there is no TLS.
        """
        return self._choices is None

    @property
    def verifiesClients(self) -> bool:
        """
        Whether clients need a certificate.
        """
        return self._choices is not None and (self._choices.cafile is not None or self._choices.clients is not None)

    def unusedList(self) -> UnusedList | None:
        """
        Look at the disk.

        @return: a revocation list that seems to be meant for this server, which has none.
        """
        choices = self._choices
        if choices is None or choices.cafile is None or choices.crl is not None or self._trusted.revocations.ends:
            return None
        return unusedList(choices.cafile, self._files)

    def connection(self, socket: Any = None) -> VerifyingConnection:
        """
        Make one connection, with the newest of the credentials.

        @param socket: what to speak through; L{None} for memory.
        @return: the connection.
        """
        assert self._context is not None
        return VerifyingConnection(self._context, self._requirements, socket, self._trusted, self._newest)


class ClientCredentials(RenewableCredentials):
    """
    Makes a client's TLS connections, with what it knows of its server and its certificate.

    @param choices: the files, and how to check; L{None} for plain TCP, where there is a proxy at the most.
    @param wire: which formats may be spoken.
    @param alpn: the names to offer by ALPN; L{None} for the usual one.
    @param proxy: the proxy on the way to the server, and its files; L{None} for none.
    @param now: the wall clock, for the warning of a certificate's end.
    @param files: where the files are; the system's CAs are on the disk in any case.
    @param keepsContents: whether what was read is kept, for other processes.
    @raise ConfigurationError: when a file is unusable, or choices exclude
        each other.
    """

    def __init__(
        self,
        choices: ClientTls | None,
        *,
        wire: WireChoice = WireChoice.AUTO,
        alpn: tuple[str, ...] | None = None,
        proxy: ProxyChoices | None = None,
        now: Callable[[], datetime] = utcNow,
        files: CredentialFiles = DISK,
        keepsContents: bool = False,
    ) -> None:
        if choices is not None:
            choices.requireSense()
            if choices.tokenFile is not None:
                formatsForTokens(wire)
        self._choices = choices
        self._wire = wire
        self._alpn = alpn
        self._proxyChoices = proxy
        trustsSystem = choices is not None and choices.cafile is None and not choices.pins
        self._readsMore = trustsSystem or (proxy is not None and proxy.trustsSystem)
        named = [pair for each in (choices, proxy) if each is not None for pair in each.named]
        super().__init__(files, now, keepsContents=keepsContents, named=named)

    def _load(self, files: CredentialFiles, pause: Pausing) -> Loaded:
        choices = self._choices
        proxy = None if self._proxyChoices is None else loadProxy(self._proxyChoices, files, pause)
        if choices is None:
            return Loaded(None, None, contexts.SYSTEM, proxy=proxy)
        context = contexts.newContext(SSL.TLS_CLIENT_METHOD)
        contexts.offer(context, offered(self._wire, self._alpn))
        ours = None
        if choices.cert is not None:
            ours = identify(context, choices.cert, choices.key, files)
        trusted = contexts.SYSTEM
        if choices.cafile is not None:
            trusted = contexts.trust(context, choices.cafile, announce=False, files=files, pause=pause)
        elif not choices.pins:
            context.set_default_verify_paths()
        verifyPeers(context)
        tokens = None if choices.tokenFile is None else readTokens(choices.tokenFile, files)
        return Loaded(context, ours, trusted, tokens, proxy)

    @property
    def isPlain(self) -> bool:
        """
        Whether there is no TLS to the server.
        """
        return self._choices is None

    def proxy(self) -> ProxyPlace:
        """
        @return: the proxy, with who we are to it by what the file says now.
        """
        assert self._loaded.proxy is not None
        return self._loaded.proxy.place

    def proxyConnection(self, socket: Any = None) -> VerifyingConnection:
        """
        Make one connection of TLS to the proxy, with the newest of its CAs.

        @param socket: what to speak through; L{None} for memory.
        @return: the connection.
        """
        proxy = self._loaded.proxy
        assert proxy is not None
        assert proxy.tls is not None
        return proxy.tls.connection(socket, self._newestOfProxy)

    def _newestOfProxy(self) -> contexts.Trusted:
        proxy = self._loaded.proxy
        return contexts.SYSTEM if proxy is None else proxy.trusted

    def token(self) -> Token | None:
        """
        @return: what to show to the server, by what the file says now; L{None} without one.
        """
        return None if self._tokens is None else self._tokens.first

    def creatorFor(
        self, host: str, kind: type[VerifyingConnection] = VerifyingConnection
    ) -> Callable[[Any], VerifyingConnection]:
        """
        Prepare for one server.

        @param host: what is dialled, a name or an address.
        @param kind: the kind of connection that is made.
        @return: makes each connection to it, with the newest of the credentials, for a
            socket, or for memory with L{None}.
        @raise ConfigurationError: when C{host} is no name that a certificate
            could have.
        """
        choices = self._choices
        assert choices is not None
        isOther = choices.serverName is not None
        asked = peerNameOf(choices.serverName or host, spelled("serverName") if isOther else "the server")
        chain = choices.cafile is not None or not choices.pins
        named = (chain and choices.hostnameCheck) or isOther
        requirements = Requirements("server", chain=chain, name=asked if named else None, pins=tuple(choices.pins))
        indication = None if asked.isAddress else asked.text.encode("ascii")

        def create(socket: Any = None) -> VerifyingConnection:
            assert self._context is not None
            connection = kind(self._context, requirements, socket, self._trusted, self._newest)
            if indication is not None:
                connection.set_tlsext_host_name(indication)
            return connection

        return create


def formatsForTokens(wire: WireChoice) -> WireChoice:
    """
    @return: which formats may be spoken where there are tokens: format 1 has no place for one.
    @raise ConfigurationError: when that is the only one that may be spoken.
    """
    if wire is WireChoice.ONE:
        message = f"{spelled('tokenFile')} needs format 2, and {spelled('wire')} {wire.value} was said"
        raise ConfigurationError(message)
    return WireChoice.TWO
