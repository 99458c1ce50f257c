"""
How a CA issues certificates in its directory.  A certificate is recorded before it is of use to
anybody, so that it can be revoked whatever becomes of its own file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from uotp.errors import ConfigurationError
from uotp.net import ServerPlace
from uotp.pki.bundle import bundleContent, keyFor, requireRoom
from uotp.pki.files import Content, replaceFiles, writeNew
from uotp.pki.issue import VALIDITY, Issued, PublicKey, SigningKey, certifyClient, certifyServer, newKey
from uotp.pki.issued import KnownCertificate, Register, hostsOf
from uotp.pki.names import THE_SERVER, clientName
from uotp.pki.revoker import listContents
from uotp.pki.work import AuthorityWork
from uotp.telemetry import spelled


@dataclass(frozen=True, slots=True)
class Granted:
    """
    Holds what was issued.

    @ivar name: to whom.
    @ivar certificate: the new certificate.
    @ivar hosts: of the server, what it is called.
    @ivar bundle: what the client's one file holds, if it was asked for.
    @ivar revoked: the serial numbers that were revoked with it.
    """

    name: str
    certificate: x509.Certificate
    hosts: tuple[str, ...] = ()
    bundle: bytes | None = None
    revoked: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Wish:
    """
    Says what the certificate is to be like, and what is made beside it.

    @ivar validity: for how long; no longer than the CA's own.
    @ivar servers: for the client's one file, where its servers are; empty for no such file.
    @ivar isForced: whether such a file is replaced if it is there.
    @ivar hasNewKey: of a certificate that is renewed, whether the key is a new one.
    @ivar hosts: of the server, what it is called from now on; empty for what it was called.
    @ivar revokesOld: of a certificate that is renewed, whether those before it are revoked.
    """

    validity: timedelta = VALIDITY
    servers: tuple[ServerPlace, ...] = ()
    isForced: bool = False
    hasNewKey: bool = False
    hosts: tuple[str, ...] = ()
    revokesOld: bool = False


NO_WISH = Wish()
"""Nothing in particular."""


class Issuer(AuthorityWork):
    """
    Issues certificates.
    """

    def addClient(self, name: str, wish: Wish = NO_WISH) -> Granted:
        """
        Issue a certificate to a further client, with a new key.

        @raise ConfigurationError: when it has one, or when something cannot be written.  Nothing
            has changed then.
        """
        clientName(name)
        with self.changing() as register:
            isAgain = self._requireFree(register, name, wish)
            self._ensureList(register)
            key = newKey()
            certificate = certifyClient(self._authority, name, key.public_key(), self._now, wish.validity)
            contents, bundle = self._contents(name, Issued(certificate, key), wish)
            if isAgain or wish.isForced:
                replaceFiles(contents)
            else:
                writeNew(self._files.directory, contents)
        return Granted(name, certificate, bundle=bundle)

    def renew(self, name: str, wish: Wish = NO_WISH) -> Granted:
        """
        Issue a new certificate in place of the one that a client or the server has.  With the same
        key, the key itself need not be here.

        @raise ConfigurationError: when there is none, when it is revoked and is to keep its key,
            or when something cannot be written.  Nothing has changed then.
        """
        with self.changing() as register:
            old = self._newestOf(register, name)
            if old.serial in register.revoked.entries and not wish.hasNewKey:
                reason = f"the certificate of {name} is revoked: renew it with a new key, by {spelled('newKey')}"
                raise ConfigurationError(reason)
            key: SigningKey | None = newKey() if wish.hasNewKey else None
            if key is None and wish.servers:
                key = keyFor(self._files.keyOf(name), old.certificate)
            hosts = (wish.hosts or hostsOf(old.certificate)) if name == THE_SERVER else ()
            certificate = self._successor(
                old, hosts, old.certificate.public_key() if key is None else key.public_key(), wish
            )
            older = tuple(sorted(register.serialsOf(name) - register.revoked.entries.keys())) if wish.revokesOld else ()
            if key is not None:
                contents, bundle = self._contents(name, Issued(certificate, key), wish)
            else:
                contents, bundle = self._certificates(name, certificate), None
            self._ensureList(register)
            keeping = {self._files.recordOf(name, old.certificate): Content(old.certificate.public_bytes(Encoding.PEM))}
            replaceFiles({**keeping, **contents, **self._lists(register, older)})
        return Granted(name, certificate, hosts, bundle, older)

    def _ensureList(self, register: Register) -> None:
        """
        Write the list where there is none, so that a server can be told of it: one PKI was made before there
        were lists, and of another it was moved away.
        """
        if not os.path.lexists(self._files.revocationList):
            replaceFiles(listContents(self._files, self._authority, register.revoked, (), self._now))

    def _lists(self, register: Register, serials: Iterable[int]) -> dict[str, Content]:
        new = tuple(serials)
        return listContents(self._files, self._authority, register.revoked, new, self._now) if new else {}

    def _requireFree(self, register: Register, name: str, wish: Wish) -> bool:
        """
        @return: whether the name had a certificate which is revoked, so that its files are replaced.
        @raise ConfigurationError: when a client of this name could not be added.
        """
        alike = next((each.name for each in register.known if each.name.lower() == name.lower()), name)
        if alike != name:
            reason = (
                f"there is a client {alike}, whose files would have the same names on some systems: choose another name"
            )
            raise ConfigurationError(reason)
        serials = register.serialsOf(name)
        if not serials <= register.revoked.entries.keys():
            reason = (
                f"{name} has a certificate already: `uotp cert renew {name}` makes a new one, and "
                f"`uotp cert bundle {name} SERVER` its one file; `uotp cert revoke {name}` shuts it out"
            )
            raise ConfigurationError(reason)
        if not serials:
            for path in (self._files.certificateOf(name), self._files.keyOf(name)):
                if os.path.lexists(path):
                    reason = f"{path} is in the way: nothing was written"
                    raise ConfigurationError(reason)
        if wish.servers:
            requireRoom(self._files.bundleOf(name), isForced=wish.isForced)
        return bool(serials)

    def _newestOf(self, register: Register, name: str) -> KnownCertificate:
        """
        @return: the certificate that a client or the server uses; the newest where it is not here.
        """
        found = register.of(name)
        if not found:
            raise register.unknown(name)
        return found[0]

    def _successor(self, old: KnownCertificate, hosts: Sequence[str], key: object, wish: Wish) -> x509.Certificate:
        if not isinstance(key, PublicKey):
            reason = f"the certificate of {old.name} has a key of another kind: renew it by {spelled('newKey')}"
            raise ConfigurationError(reason)
        if old.name == THE_SERVER:
            if not hosts:
                reason = f"the server's certificate has no names that could be kept: give them by {spelled('hosts')}"
                raise ConfigurationError(reason)
            return certifyServer(self._authority, hosts, key, self._now, wish.validity)
        return certifyClient(self._authority, old.name, key, self._now, wish.validity)

    def _contents(self, name: str, identity: Issued, wish: Wish) -> tuple[dict[str, Content], bytes | None]:
        """
        Tell what is written.  A program that reads a key and its certificate between the two
        finds that they do not match, and keeps those that it has until the next change.

        @return: the contents, the key just before its certificate; and what the one file holds.
        """
        record, inUse = self._certificates(name, identity.certificate).items()
        contents = dict([record, (self._files.keyOf(name), Content(identity.keyPem(), isSecret=True)), inUse])
        if not wish.servers:
            return contents, None
        requireRoom(self._files.bundleOf(name), isForced=wish.isForced)
        bundle = bundleContent(name, wish.servers, self._authority.certificate, identity)
        return {**contents, self._files.bundleOf(name): bundle}, bundle.data

    def _certificates(self, name: str, certificate: x509.Certificate) -> dict[str, Content]:
        content = Content(certificate.public_bytes(Encoding.PEM))
        return {self._files.recordOf(name, certificate): content, self._files.certificateOf(name): content}
