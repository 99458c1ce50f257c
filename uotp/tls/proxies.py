"""
What a client has for a proxy besides its place: a user and a password from a file, and whom to trust where TLS is
spoken with the proxy itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from uotp.errors import ConfigurationError
from uotp.net import ProxyKind, ProxyPlace, parseLogin
from uotp.telemetry import Logger
from uotp.tls.credentials import ClientCredentials, ClientTls
from uotp.tls.files import DISK, CopiedFiles, CredentialFiles
from uotp.tls.pem import readAuthorities, readFile
from uotp.tls.verification import VerifyingConnection
from uotp.wire import WireChoice

MOST_LOGIN_BYTES = 4096
"""A longer file has more than a user and a password."""

AUTHORITIES = "the CAs of the proxy"
"""What the file of these is called where only its contents are known."""

_log = Logger()


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
        content = readFile(authFile, "file with the password for the proxy", files)
        try:
            login = parseLogin(content if len(content) <= MOST_LOGIN_BYTES else b"", proxy.kind)
        except ValueError as error:
            message = f"the file with the password for the proxy {authFile}: {error}"
            raise ConfigurationError(message) from error
        found = replace(found, login=login)
        if files.isOpenToAll(authFile):
            words = "every user of this machine can read the password for the proxy: {file}"
            _log.warn(words, file=files.onDisk(authFile))
    if cafile is not None:
        readAuthorities(cafile, "CA file for the proxy", files)
        found = replace(found, authorities=readFile(cafile, "CA file for the proxy", files))
    return found


def proxyCreator(
    proxy: ProxyPlace | None, kind: type[VerifyingConnection] = VerifyingConnection
) -> Callable[[object], VerifyingConnection] | None:
    """
    @param kind: what each connection is.
    @return: makes each connection of TLS to a proxy, for a socket; L{None} where there is none.
    @raise ConfigurationError: when no certificate could name the proxy.
    """
    if proxy is None or proxy.kind is not ProxyKind.HTTPS:
        return None
    files: CredentialFiles = DISK if proxy.authorities is None else CopiedFiles({AUTHORITIES: proxy.authorities})
    choices = ClientTls(cafile=None if proxy.authorities is None else AUTHORITIES)
    return ClientCredentials(choices, wire=WireChoice.ONE, files=files).creatorFor(proxy.host, kind)
