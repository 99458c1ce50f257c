"""
What a client has for a proxy besides its place: a user and a password from a file, and whom to trust where TLS is
spoken with the proxy itself.  Both are read again with all other files (L{uotp.tls.renewal}).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from OpenSSL import SSL

from uotp.errors import ConfigurationError
from uotp.net import ProxyKind, ProxyPlace, parseLogin
from uotp.process import Pausing, noPause
from uotp.tls import contexts
from uotp.tls.files import DISK, CopiedFiles, CredentialFiles
from uotp.tls.peernames import PeerName, peerNameOf
from uotp.tls.pem import readAuthorities, readFile
from uotp.tls.verification import Requirements, VerifyingConnection
from uotp.tls.verifying import verifyPeers

MOST_LOGIN_BYTES = 4096
"""A longer file has more than a user and a password."""

PASSWORD_FILE, CA_FILE = "file with the password for the proxy", "CA file for the proxy"
"""What both files are called."""

AUTHORITIES = "the CAs of the proxy"
"""What the file of these is called where only its contents are known."""


@dataclass(frozen=True, slots=True)
class ProxyChoices:
    """
    Holds a client's choices for its proxy.

    @ivar place: where it is.
    @ivar authFile: file with user and password; L{None} for what the place has already.
    @ivar cafile: PEM file with the CAs to trust for TLS to the proxy; L{None} for the system's.
    """

    place: ProxyPlace
    authFile: str | None = None
    cafile: str | None = None

    @property
    def named(self) -> tuple[tuple[str, str | None], ...]:
        """
        What each file is, in words, and its path.
        """
        return (PASSWORD_FILE, self.authFile), (CA_FILE, self.cafile)

    @property
    def trustsSystem(self) -> bool:
        """
        Whether there is TLS to the proxy, and no file says whom to trust for it.
        """
        return self.place.kind is ProxyKind.HTTPS and self.cafile is None


class ProxyTls:
    """
    Makes connections of TLS to a proxy.

    @ivar trusted: whom it trusts by a file.
    """

    def __init__(
        self,
        proxy: ProxyPlace,
        file: str = AUTHORITIES,
        pause: Pausing = noPause,
        kind: type[VerifyingConnection] = VerifyingConnection,
    ) -> None:
        """
        @param file: what to call that of the proxy's CAs.
        @param pause: called between the parts.
        @param kind: the kind of connection that is made.
        @raise ConfigurationError: when no certificate could name the proxy, and for CAs that cannot be used.
        """
        self._kind = kind
        self._name: PeerName = replace(peerNameOf(proxy.host, "the proxy"), whose="proxy", setting="proxy")
        self._context = context = contexts.newContext(SSL.TLS_CLIENT_METHOD)
        self.trusted = contexts.SYSTEM
        if proxy.authorities is None:
            context.set_default_verify_paths()
        else:
            files = CopiedFiles({file: proxy.authorities})
            self.trusted = contexts.trust(context, file, announce=False, files=files, pause=pause)
        verifyPeers(context)

    def connection(
        self, socket: Any = None, newest: Callable[[], contexts.Trusted] | None = None
    ) -> VerifyingConnection:
        """
        @param socket: what to speak through; L{None} for memory.
        @param newest: tells who is trusted now; those of the file when left out.
        @return: a new connection.
        """
        requirements = Requirements("server", name=self._name, isProxy=True)
        connection = self._kind(self._context, requirements, socket, self.trusted, newest)
        if not self._name.isAddress:
            connection.set_tlsext_host_name(self._name.text.encode("ascii"))
        return connection


@dataclass(frozen=True, slots=True)
class LoadedProxy:
    """
    Holds what the files for a proxy have led to.

    @ivar place: the proxy, with who we are to it.
    @ivar tls: makes connections of TLS to it; L{None} where there is no TLS to it.
    @ivar secretFile: the file with the password, if there is one.
    """

    place: ProxyPlace
    tls: ProxyTls | None
    secretFile: str | None = None

    @property
    def trusted(self) -> contexts.Trusted:
        """
        Whom we trust by a file.
        """
        return contexts.SYSTEM if self.tls is None else self.tls.trusted


def loadProxy(choices: ProxyChoices, files: CredentialFiles = DISK, pause: Pausing = noPause) -> LoadedProxy:
    """
    @param files: where the files are.
    @param pause: called between the parts.
    @return: what they lead to.
    @raise ConfigurationError: when one cannot be used.
    """
    place = withProxyFiles(choices.place, choices.authFile, choices.cafile, files)
    tls = ProxyTls(place, choices.cafile or AUTHORITIES, pause) if place.kind is ProxyKind.HTTPS else None
    return LoadedProxy(place, tls, choices.authFile)


def withProxyFiles(
    proxy: ProxyPlace, authFile: str | None, cafile: str | None, files: CredentialFiles = DISK
) -> ProxyPlace:
    """
    @param authFile: has user and password; L{None} for what the proxy has already.
    @param cafile: has the CAs to trust; L{None} for the system's.
    @param files: where both are.
    @return: the same proxy, with what is in the files.
    @raise ConfigurationError: when one cannot be used.
    """
    found = proxy
    if authFile is not None:
        found = replace(found, login=None)
        content = readFile(authFile, PASSWORD_FILE, files)
        try:
            login = parseLogin(content if len(content) <= MOST_LOGIN_BYTES else b"", proxy.kind)
        except ValueError as error:
            message = f"the {PASSWORD_FILE} {authFile}: {error}"
            raise ConfigurationError(message) from error
        found = replace(found, login=login)
    if cafile is not None:
        readAuthorities(cafile, CA_FILE, files)
        found = replace(found, authorities=readFile(cafile, CA_FILE, files))
    return found


def proxyCreator(
    proxy: ProxyPlace | None, kind: type[VerifyingConnection] = VerifyingConnection
) -> Callable[[object], VerifyingConnection] | None:
    """
    @param kind: what each connection is.
    @return: makes each connection of TLS to a proxy, for a socket; L{None} where there is none.
    @raise ConfigurationError: when no certificate could name the proxy.
    """
    return None if proxy is None or proxy.kind is not ProxyKind.HTTPS else ProxyTls(proxy, kind=kind).connection
