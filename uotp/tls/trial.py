"""
Tries files of credentials, each apart, to say all that is wrong with them.  A program that starts needs all of
them, and tells of the first that it cannot use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from OpenSSL import SSL

from uotp.errors import ConfigurationError
from uotp.tls import contexts
from uotp.tls.clients import readClients
from uotp.tls.dates import Ending
from uotp.tls.expiry import Ours, endings
from uotp.tls.files import CredentialFiles
from uotp.tls.pem import readAuthorities, readCertificates, readKey, readRevocationLists
from uotp.tls.renewal import identify
from uotp.tls.tokens import readTokens

FILE_FIELDS = ("cert", "key", "cafile", "crl", "clients", "tokenFile")
"""The fields of the choices for TLS, and of settings, that name files."""


@dataclass(slots=True)
class FileTrial:
    """
    Holds what was found of files.

    @ivar faults: for each that cannot be used its field, one of L{FILE_FIELDS}, and the reason.
    """

    faults: list[tuple[str, str]] = field(default_factory=list)
    _ours: Ours | None = None
    _trusted: contexts.Trusted = contexts.SYSTEM

    def endings(self, now: datetime) -> list[Ending]:
        """
        @return: see L{uotp.tls.Prepared.endings}, of the files that can be used.
        """
        return list(endings(self._ours, self._trusted, now))

    def tryIdentity(self, named: Mapping[str, str], files: CredentialFiles) -> None:
        """
        Try the certificate and its key.
        """
        cert, key = named.get("cert"), named.get("key")
        keyField = "cert" if key is None else "key"
        isGood = cert is not None and self._read("cert", partial(readCertificates, cert, "certificate file", files))
        keyFile = key or (cert if isGood else None)
        isGood = keyFile is not None and self._read(keyField, partial(readKey, keyFile, files)) and isGood
        if cert is None or keyFile is None or not isGood:
            return
        context = contexts.newContext(SSL.TLS_SERVER_METHOD)
        try:
            self._ours = identify(context, cert, key, files).certificate
        except ConfigurationError as error:
            isOfKey = str(error).startswith(f"{keyFile} ")
            self.faults.append((keyField if isOfKey else "cert", str(error)))

    def tryTrusted(self, named: Mapping[str, str], files: CredentialFiles) -> None:
        """
        Try whom we trust.
        """
        cafile, crl = named.get("cafile"), named.get("crl")
        isGood = cafile is not None and self._read("cafile", partial(readAuthorities, cafile, "CA file", files))
        if crl is not None and not self._read("crl", partial(readRevocationLists, crl, files)):
            crl = None
        if cafile is None or not isGood:
            return
        context = contexts.newContext(SSL.TLS_SERVER_METHOD)
        try:
            self._trusted = contexts.trust(context, cafile, announce=True, files=files, crl=crl)
        except ConfigurationError as error:
            isOfList = crl is not None and f" {crl} " in str(error)
            self.faults.append(("crl" if isOfList else "cafile", str(error)))

    def tryLists(self, named: Mapping[str, str], files: CredentialFiles) -> None:
        """
        Try lists of clients and of tokens.
        """
        readers: dict[str, Callable[[str, CredentialFiles], object]] = {"clients": readClients, "tokenFile": readTokens}
        for name, read in readers.items():
            if name in named:
                self._read(name, partial(read, named[name], files))

    def _read(self, name: str, read: Callable[[], object]) -> bool:
        """
        @return: whether a file can be used.
        """
        try:
            read()
        except ConfigurationError as error:
            self.faults.append((name, str(error)))
            return False
        return True


def tried(named: Mapping[str, str], files: CredentialFiles) -> FileTrial:
    """
    @param named: paths by their field, one of L{FILE_FIELDS}.
    @param files: where they are.
    @return: what was found of them.
    """
    trial = FileTrial()
    trial.tryIdentity(named, files)
    trial.tryTrusted(named, files)
    trial.tryLists(named, files)
    return trial
