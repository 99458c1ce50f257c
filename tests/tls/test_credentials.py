"""
What is read from files and chosen by options, before anybody connects; and what reading them again changes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from itertools import permutations
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import skipIf

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import load_pem_x509_certificate
from OpenSSL import SSL
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.certificates import CLIENT, DAY, NOW, Authority, Issued, Key, pem
from tests.doubles.streams import Creator
from tests.doubles.tlspairs import GOOD, STRANGER, TRUSTED, TlsTestCase, causeIn, meet
from uotp.errors import ConfigurationError
from uotp.tls.credentials import ClientCredentials, ClientTls, ServerCredentials, ServerTls, parsePin
from uotp.tls.expiry import FEW_AUTHORITIES
from uotp.tls.pem import readIdentity
from uotp.tls.pins import publicKeyPin

# Made by openssl, as what follows.  Its key is for RSA-PSS and nothing else.
PSS_ALONE = b"""-----BEGIN CERTIFICATE-----
MIIDZzCCAhqgAwIBAgIUbfXXfePr9OkGczbM8rlkxgEZhSAwQgYJKoZIhvcNAQEK
MDWgDzANBglghkgBZQMEAgEFAKEcMBoGCSqGSIb3DQEBCDANBglghkgBZQMEAgEF
AKIEAgIA3jAOMQwwCgYDVQQDDANwc3MwIBcNMjYxMTI2MTM0NjAzWhgPMjEyNjEx
MDIxMzQ2MDNaMA4xDDAKBgNVBAMMA3BzczCCASAwCwYJKoZIhvcNAQEKA4IBDwAw
ggEKAoIBAQDzEe+ZMHyNr69MMWfdUJlwgjq5XAnRNT8LgAjCIzMqvR7AkdwJ9TRE
8Qy5HjK5he6gvwpaHKPcvau3eScoYp3T4dIAp6/oWTxUMIuwCiNbgKPYfcGBnN/G
gdVdgwTBKE/kVE7zRSN7M4MFNxWor8izidFwIaqxvP4t4yokFDdC2o8QfsF2wYxa
O9Mv+5nitS4Far5ZNrHq2uULHRBVc+3rdgDc2SuJLgCyirSinkjcGnhThTfsQ61f
fNLEnh51gbn9S6a3bRJthGMg8HWThwS8gTNumlSySm/UuPWcoXaOQZgnhqjzjso0
HKeyQJ7BaBP0bDc/tbRaW7cuRZk/7ui3AgMBAAGjUzBRMB0GA1UdDgQWBBS0rf/r
OtrqIingUvKrOIA397a7KDAfBgNVHSMEGDAWgBS0rf/rOtrqIingUvKrOIA397a7
KDAPBgNVHRMBAf8EBTADAQH/MEIGCSqGSIb3DQEBCjA1oA8wDQYJYIZIAWUDBAIB
BQChHDAaBgkqhkiG9w0BAQgwDQYJYIZIAWUDBAIBBQCiBAICAN4DggEBAIz5YqEv
10OkY/UlJQBuUBtTRHWHkwkyn5OLQFwifPUUkhUVL4v/52w7hdnZyRX92qjXLUni
bE4fAh3V3n6Ha7wIZ3Rh3+e7zN4LbBXaYyqV7UQXa3jq+CtupmX55/4wWwkaUYhM
IIF9I52chqKPqZ57vP8ZGNwY+rZJWMwP2bN3D/AAiG9aOz2NnYuXrh31miDec4vf
2vKUfC8JODV/YtjO6fE7L7sMl2WjPG5JLXChoHSYkx7AxbBPuBAyC13W5nAXdqMy
J5hDcTANa5VhL2GCEqS8UOGoKYKnRoVvktQlsxJCgJOjTce+f1vVcykqW+uf4PlU
o/aJsOm7B1jwQwc=
-----END CERTIFICATE-----
"""

# Openssl was asked for the pin too.
PINNED = b"""-----BEGIN CERTIFICATE-----
MIIBeTCCAR+gAwIBAgIUCNn91xVlm4UtGsm0tS7g1O1lOiowCgYIKoZIzj0EAwIw
ETEPMA0GA1UEAwwGcGlubmVkMCAXDTI2MTEyMjEzNDMzM1oYDzIxMjYxMDI5MTM0
MzMzWjARMQ8wDQYDVQQDDAZwaW5uZWQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AATE58C/pZN9luIU8BMyWerEUMy94Q9iMspCyaXDqJmy4i3LGy5PQ1dZfgc1t18h
r6a2Jc/IDQJVuSBk5ch5zRM4o1MwUTAdBgNVHQ4EFgQUJGaYGf1x8n9LFbVufGbv
zYoWiOYwHwYDVR0jBBgwFoAUJGaYGf1x8n9LFbVufGbvzYoWiOYwDwYDVR0TAQH/
BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiEAo6jOJqvSgmBMPDEaw1PWUHSfzKzz
s8nOkzxkgYTpqzoCIFm5d2H9oHHQhD2MMNJUDnNRfqqXc53WZpKvS7IuFG2i
-----END CERTIFICATE-----
"""
PIN_HEX = "37c3000d90be44c6b19cac25486db1ec00515198ca960a92b1d831296b6fa23f"
PIN_BASE64 = "N8MADZC+RMaxnKwlSG2x7ABRUZjKlgqSsdgxKWtvoj8="


class IdentityTests(TlsTestCase):
    """
    Load certificates and keys of our own, which are read alike at both ends.
    """

    def assertUnusable(self, message: str, cert: str, key: str | None = None) -> None:
        """
        @param message: what the user is told, of a server and of a client.
        @param cert: the certificate file.
        @param key: the key file.
        """
        for attempt in (
            lambda: ServerCredentials(ServerTls(cert, key)),
            lambda: ClientCredentials(ClientTls(cert=cert, key=key)),
        ):
            error = self.assertRaises(ConfigurationError, attempt)
            self.assertEqual(str(error), message)

    def test_keyMayStandInAFileOfItsOwn(self) -> None:
        cert, key = GOOD.certificatePem(), GOOD.keyPem()
        for choices in (
            ServerTls(self.path(cert), self.path(key)),
            ServerTls(self.path(cert + key)),
            ServerTls(self.path(key + b"some text\n" + cert)),
        ):
            self.assertWelcome(meet(ServerCredentials(choices), self.client()))

    def test_everyUsualFormOfKeyIsRead(self) -> None:
        cert = self.path(GOOD.certificatePem())
        old = GOOD.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
        for key in (old, parameters + old, GOOD.keyPem()):
            self.assertWelcome(meet(ServerCredentials(ServerTls(cert, self.path(key))), self.client()))

    def test_missingFileIsNamed(self) -> None:
        cert, absent = self.path(GOOD.certificatePem()), self.mktemp()
        self.assertUnusable(f"cannot read the certificate file {absent}: No such file or directory", absent)
        self.assertUnusable(f"cannot read the key file {absent}: No such file or directory", cert, absent)

    @skipIf(os.name == "nt", "directories are refused in other words there")
    def test_directoryIsNoFile(self) -> None:
        self.assertUnusable("cannot read the certificate file .: Is a directory", ".")
        self.assertUnusable("cannot read the certificate file 'a\\x00b': embedded null byte", "a\0b")

    def test_emptyFileIsNamed(self) -> None:
        empty, cert = self.path(b" \n"), self.path(GOOD.certificatePem())
        self.assertUnusable(f"the certificate file {empty} is empty", empty)
        self.assertUnusable(f"the key file {empty} is empty", cert, empty)

    def test_otherContentIsNamed(self) -> None:
        cert, key = self.path(GOOD.certificatePem()), self.path(GOOD.keyPem())
        self.assertUnusable(f"the certificate file {key} has a private key and no certificate", key, cert)
        self.assertUnusable(f"the key file {cert} has certificates and no private key: key names the key's file", cert)

    def test_damagedCertificateIsNamed(self) -> None:
        whole = GOOD.certificatePem()
        for damaged in (whole[:200], whole + whole[:200], whole.replace(b"MII", b"AAA")):
            path = self.path(damaged)
            self.assertUnusable(f"the certificate file {path} has a damaged certificate", path)

    def test_damagedKeyIsNamed(self) -> None:
        cert, key = self.path(GOOD.certificatePem()), self.path(GOOD.keyPem()[:60] + b"\n-----END PRIVATE KEY-----\n")
        self.assertUnusable(f"the key in {key} is damaged or of unknown kind", cert, key)

    def test_hugeFileIsNotReadToItsEnd(self) -> None:
        path = self.mktemp()
        with Path(path).open("wb") as stream:
            stream.truncate((8 << 20) + 1)
        self.assertUnusable(f"the certificate file {path} is far too large", path)

    def test_encryptedKeyIsRefusedWithoutAsking(self) -> None:
        cert = self.path(GOOD.certificatePem())
        old = GOOD.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"x"))
        for content in (GOOD.keyPem(b"x"), old):
            key = self.path(content)
            message = (
                f"the key in {key} is encrypted: store it without a pass phrase, readable by its user alone "
                f"(openssl pkey -in {key} -out new.key; chmod 600 new.key)"
            )
            self.assertUnusable(message, cert, key)

    def test_keyOfAnotherCertificateIsRefused(self) -> None:
        cert, key = self.path(GOOD.certificatePem()), self.path(TRUSTED.issue("good.test").keyPem())
        self.assertUnusable(f"{key} does not match the certificate in {cert}", cert, key)

    def test_chainInTheWrongOrderIsPutInOrder(self) -> None:
        """
        Whatever order a file has: the certificate of the key is sent first, and each issuer behind what it has signed.
        """
        upper = Authority("Upper", issuer=TRUSTED)
        below = Authority("Below", issuer=upper)
        issued = below.issue("good.test")
        wanted = [issued.certificate, below.certificate, upper.certificate, TRUSTED.certificate]
        for order in permutations([*wanted, STRANGER.certificate]):
            path = self.path(pem(*order) + issued.keyPem())
            chain = readIdentity(path, None).chain
            self.assertEqual(chain, (*wanted, STRANGER.certificate))
        self.assertWelcome(meet(ServerCredentials(ServerTls(path)), self.client()))

    def test_keyForRsaPssAloneIsRefusedInWords(self) -> None:
        """
        The libraries take the restriction off the key, so that it does not fit the certificate any more.
        """
        path = self.path(PSS_ALONE + GOOD.keyPem())
        message = f"the certificate in {path} has a key for RSA-PSS alone: make one with an EC or RSA key"
        self.assertUnusable(message, path)

    def test_keyThatCannotSignIsRefused(self) -> None:
        key = x25519.X25519PrivateKey.generate()
        path = self.path(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        cert = self.path(GOOD.certificatePem())
        self.assertUnusable(f"the key in {path} is of a kind that TLS cannot use", cert, path)

    def test_weakKeyIsRefused(self) -> None:
        """
        OpenSSL would not use it in a handshake either.
        """
        key = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - the very point
        path = TRUSTED.issue("good.test", key=key).write(Path(self.mktemp()))
        self.assertUnusable(f"the certificate in {path} is unusable: ee key too small", path)

    def test_otherKindsOfKeyWork(self) -> None:
        keys: tuple[Key, ...] = (
            rsa.generate_private_key(public_exponent=65537, key_size=2048),
            ed25519.Ed25519PrivateKey.generate(),
            ec.generate_private_key(ec.SECP384R1()),
        )
        for key in keys:
            path = TRUSTED.issue("good.test", key=key).write(Path(self.mktemp()))
            self.assertWelcome(meet(ServerCredentials(ServerTls(path)), self.client()))


class CafileTests(TlsTestCase):
    """
    Load files of CAs, which are read alike at both ends.
    """

    def assertUnusable(self, message: str, cafile: str) -> None:
        """
        @param message: what the user is told, of a server and of a client.
        @param cafile: the file.
        """
        cert = self.path(GOOD.certificatePem() + GOOD.keyPem())
        for attempt in (
            lambda: ServerCredentials(ServerTls(cert, cafile=cafile)),
            lambda: ClientCredentials(ClientTls(cafile=cafile)),
        ):
            error = self.assertRaises(ConfigurationError, attempt)
            self.assertEqual(str(error), message)

    def test_unusableFileIsNamed(self) -> None:
        absent, empty, other = self.mktemp(), self.path(b""), self.path(b"CA")
        damaged = self.path(pem(TRUSTED.certificate) + pem(STRANGER.certificate)[:100])
        self.assertUnusable(f"cannot read the CA file {absent}: No such file or directory", absent)
        self.assertUnusable(f"the CA file {empty} is empty", empty)
        self.assertUnusable(f"the CA file {other} has no certificate in PEM format", other)
        self.assertUnusable(f"the CA file {damaged} has a damaged certificate", damaged)

    def test_emptyNameIsNoFile(self) -> None:
        """
        An option that was left empty does not mean: without CAs.
        """
        cert = self.path(GOOD.certificatePem() + GOOD.keyPem())
        self.assertRaises(ConfigurationError, ServerCredentials, ServerTls(cert, cafile=""))
        self.assertRaises(ConfigurationError, ClientCredentials, ClientTls(cafile=""))


class ClientChoicesTests(TlsTestCase):
    """
    Choose options of a client that exclude or need each other.
    """

    def assertUnusable(self, message: str, choices: ClientTls) -> None:
        """
        @param message: what the user is told.
        @param choices: what the user wanted.
        """
        error = self.assertRaises(ConfigurationError, ClientCredentials, choices)
        self.assertEqual(str(error), message)

    def test_keyNeedsCertificate(self) -> None:
        """
        A key alone proves nothing to anybody.
        """
        self.assertUnusable("key is of no use without cert", ClientTls(key=self.path(GOOD.keyPem())))

    def test_hostnameCheckIsOnlyGivenUpForAPrivateCa(self) -> None:
        """
        With the system's CAs it would let in half of the world; a pin does not need it.
        """
        message = "hostnameCheck=False needs cafile: otherwise any certificate of any public CA would do"
        self.assertUnusable(message, ClientTls(hostnameCheck=False))
        self.assertUnusable(message, ClientTls(hostnameCheck=False, pins=(bytes(32),)))

    def test_serverNameExcludesNoCheck(self) -> None:
        choices = ClientTls(cafile=self.cafile(TRUSTED), hostnameCheck=False, serverName="good.test")
        self.assertUnusable("hostnameCheck=False and serverName exclude each other", choices)

    def test_pinsAreWhole(self) -> None:
        """
        Half a fingerprint would be easy to find a key for.
        """
        message = "pins takes the SHA-256 of a public key, 32 bytes"
        halves: Sequence[object] = ((b"",), (bytes(31),), (bytes(32), bytes(33)), bytes(32), (PIN_HEX[:32],))
        for pins in halves:
            self.assertUnusable(message, ClientTls(pins=pins))  # type: ignore[arg-type]

    def test_serverNameIsAName(self) -> None:
        """
        A pattern or a sentence is in no certificate.
        """
        for name in ("", "*.test", "two words", "a/b", "12345", "ü" * 70):
            message = f"serverName {name!r}: "
            error = self.assertRaises(ConfigurationError, ClientCredentials, ClientTls(serverName=name))
            self.assertIn(message, str(error))

    def test_hostIsAName(self) -> None:
        credentials = ClientCredentials(ClientTls(cafile=self.cafile(TRUSTED)))
        error = self.assertRaises(ConfigurationError, credentials.creatorFor, "*.test")
        self.assertEqual(str(error), "the server '*.test': a host name or an IP address is needed")


class ReloadTests(TlsTestCase):
    """
    Renew certificates without a stop.
    """

    def test_newConnectionsGetTheNewCertificate(self) -> None:
        cert = self.path(GOOD.certificatePem() + GOOD.keyPem())
        server, client = ServerCredentials(ServerTls(cert)), self.client()
        before = meet(server, client)
        renewed = TRUSTED.issue("good.test")
        Path(cert).write_bytes(renewed.certificatePem() + renewed.keyPem())
        self.assertEqual(self.shown(server, client), publicKeyPin(GOOD.certificate))
        server.reload()
        self.assertEqual(self.shown(server, client), publicKeyPin(renewed.certificate))
        self.assertIsNone(before.client.lost)

    def shown(self, server: ServerCredentials, client: Creator) -> bytes:
        """
        @param server: whom to connect to.
        @param client: what makes the client's connections.
        @return: the pin of the certificate that the server shows.
        """
        pair = meet(server, client)
        self.assertWelcome(pair)
        assert pair.client.handle is not None
        certificate = pair.client.handle.get_peer_certificate(as_cryptography=True)
        assert certificate is not None
        return publicKeyPin(certificate)

    def test_creatorsOfAClientFollow(self) -> None:
        """
        A pool that has been given one keeps it for ever.
        """
        cafile = self.cafile(STRANGER)
        credentials = ClientCredentials(ClientTls(cafile=cafile))
        creator = credentials.creatorFor("good.test")
        self.assertEqual(causeIn(meet(self.server(), creator).client.refusal), "unknown issuer 'CN=Trusted CA'")
        Path(cafile).write_bytes(pem(TRUSTED.certificate))
        credentials.reload()
        self.assertWelcome(meet(self.server(), creator))
        self.assertEqual(
            causeIn(meet(self.server(STRANGER.issue("good.test")), creator).client.refusal),
            "unknown issuer 'CN=Stranger CA'",
        )

    def test_clientsOfARemovedCaAreRefused(self) -> None:
        """
        A reload trusts what the file says now, not what it said once.
        """
        cert, cafile = self.path(GOOD.certificatePem() + GOOD.keyPem()), self.cafile(STRANGER, TRUSTED)
        server = ServerCredentials(ServerTls(cert, cafile=cafile))
        client = self.client(shows=STRANGER.issue(usages=CLIENT))
        self.assertWelcome(meet(server, client))
        Path(cafile).write_bytes(pem(TRUSTED.certificate))
        server.reload()
        self.assertEqual(causeIn(meet(server, client).server.refusal), "unknown issuer 'CN=Stranger CA'")

    def test_failedReloadKeepsTheOld(self) -> None:
        """
        A renewal that went wrong costs nobody the connection.
        """
        cert, cafile = self.path(GOOD.certificatePem() + GOOD.keyPem()), self.cafile(TRUSTED)
        server = ServerCredentials(ServerTls(cert, cafile=cafile))
        shown = TRUSTED.issue(usages=CLIENT).write(Path(self.mktemp()))
        credentials = ClientCredentials(ClientTls(cafile=cafile, cert=shown))
        creator = credentials.creatorFor("good.test")
        Path(cert).write_bytes(GOOD.certificatePem())
        self.assertRaises(ConfigurationError, server.reload)
        Path(cafile).write_bytes(b"")
        self.assertRaises(ConfigurationError, server.reload)
        self.assertRaises(ConfigurationError, credentials.reload)
        self.assertWelcome(meet(server, creator))

    def reloadingOf(self, used: Issued, found: Issued) -> list[str]:
        """
        Let a server and a client that show a certificate find another in its file.

        @param used: the certificate at their start.
        @param found: the certificate at the reload, with the same key.
        @return: why they did not take it, without the file's name; nothing when they did.
        """
        refused = []
        for make, show in (
            (lambda path: ServerCredentials(ServerTls(path), now=lambda: NOW), ServerCredentials.connection),
            (lambda path: ClientCredentials(ClientTls(cert=path), now=lambda: NOW), _connectionOfAClient),
        ):
            path = self.path(used.certificatePem() + used.keyPem())
            credentials: Any = make(path)
            before = show(credentials).get_context()
            Path(path).write_bytes(found.certificatePem() + found.keyPem() + b"\n")  # another content in any case
            try:
                credentials.reload()
            except ConfigurationError as error:
                refused.append(str(error).replace(path, "FILE"))
            self.assertEqual(show(credentials).get_context() is before, len(refused) > 0)
        return refused

    def test_certificateThatHasExpiredDoesNotReplaceAGoodOne(self) -> None:
        """
        Somebody has copied the wrong file: what works goes on, at both ends.
        """
        expired = TRUSTED.issue("good.test", begins=NOW - 3 * DAY, ends=NOW - DAY, key=GOOD.key)
        line = f"the certificate in FILE expired on {NOW - DAY:%Y-%m-%d}"
        self.assertEqual(self.reloadingOf(GOOD, expired), [line, line])

    def test_certificateThatIsNotValidYetDoesNotReplaceAGoodOne(self) -> None:
        early = TRUSTED.issue("good.test", begins=NOW + DAY, key=GOOD.key)
        line = f"the certificate in FILE is not valid before {NOW + DAY:%Y-%m-%d %H:%M} UTC"
        self.assertEqual([causeIn(words) for words in self.reloadingOf(GOOD, early)], [line, line])

    def test_whereNoneIsGoodTheNewOneIsTaken(self) -> None:
        """
        There is nothing to lose, and a peer with a pin takes it whatever its dates.
        """
        expired = TRUSTED.issue("good.test", begins=NOW - 3 * DAY, ends=NOW - DAY, key=GOOD.key)
        later = TRUSTED.issue("good.test", begins=NOW - 3 * DAY, ends=NOW - DAY / 2, key=GOOD.key)
        early = TRUSTED.issue("good.test", begins=NOW + DAY, key=GOOD.key)
        for used in (expired, early):
            for found in (expired, later, early, GOOD):
                self.assertEqual(self.reloadingOf(used, found), [])

    def test_refusedReloadChangesNothingElse(self) -> None:
        """
        All or nothing: the CAs that were read beside the expired certificate are not taken either.
        """
        cert, cafile = self.path(GOOD.certificatePem() + GOOD.keyPem()), self.cafile(TRUSTED)
        server = ServerCredentials(ServerTls(cert, cafile=cafile), now=lambda: NOW)
        expired = TRUSTED.issue("good.test", begins=NOW - 3 * DAY, ends=NOW - DAY)
        Path(cert).write_bytes(expired.certificatePem() + expired.keyPem())
        Path(cafile).write_bytes(pem(STRANGER.certificate))
        self.assertRaises(ConfigurationError, server.reload)
        self.assertWelcome(meet(server, self.client(shows=TRUSTED.issue(usages=CLIENT))))
        with capturedLogs() as events:
            server.warnOfDates()
        self.assertEqual(events, [])

    def test_everyLoadMakesANewContext(self) -> None:
        """
        One that has been used may not be changed.
        """
        path = self.path(GOOD.certificatePem() + GOOD.keyPem())
        server = ServerCredentials(ServerTls(path))
        first = server.connection().get_context()
        self.assertIs(server.connection().get_context(), first)
        Path(path).write_bytes(GOOD.certificatePem() + GOOD.keyPem() + b"\n")
        server.reload()
        self.assertIsNot(server.connection().get_context(), first)


class ContextTests(TlsTestCase):
    """
    Look at what no handshake shows.
    """

    def test_idleConnectionsGiveTheirBuffersBack(self) -> None:
        """
        Most of the memory that a connection needs; and nothing is compressed, or stored to be resumed.
        """
        contexts: list[SSL.Context] = []

        class Recording(SSL.Context):
            def __init__(self, method: int) -> None:
                super().__init__(method)
                contexts.append(self)

        self.patch(SSL, "Context", Recording)
        self.server(clientsFrom=TRUSTED)
        self.client()
        self.assertEqual(len(contexts), 2)
        self.assertTrue(contexts[0].set_options(0) & SSL.OP_NO_TICKET, "a server gives no tickets away")
        for context in contexts:
            self.assertTrue(context.set_mode(0) & SSL.MODE_RELEASE_BUFFERS)
            wanted = SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION
            self.assertEqual(context.set_options(0) & wanted, wanted)
            self.assertEqual(context.get_session_cache_mode(), SSL.SESS_CACHE_OFF)
            self.assertEqual(
                context.get_verify_mode() & ~SSL.VERIFY_CLIENT_ONCE, SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT
            )

    def test_connectionsOnSocketsReadOneRecordAtATime(self) -> None:
        """
        By default they read on until one brings data, and pyOpenSSL has no way out:
        this tells when our way to do so is gone.
        """
        internals: Any = SSL
        onSocket = SimpleNamespace(fileno=lambda: 99)
        for create in (self.server().connection, self.client()):
            for through, readsOn in ((None, True), (onSocket, False)):
                connection: Any = create(through)
                mode = internals._lib.SSL_clear_mode(connection._ssl, 0)
                self.assertEqual(bool(mode & internals._lib.SSL_MODE_AUTO_RETRY), readsOn)
                self.assertTrue(mode & SSL.MODE_RELEASE_BUFFERS)


def _connectionOfAClient(credentials: ClientCredentials) -> SSL.Connection:
    """
    @return: a new connection, as a client makes it.
    """
    return credentials.creatorFor("good.test")(None)


@skipIf(os.name == "nt", "permissions are something else there")
class KeyPermissionsTests(TlsTestCase):
    """
    A private key that everybody can read is none.
    """

    def warnings(self, cert: str, key: str | None = None) -> list[str]:
        """
        @return: what a server and a client that load these files, and load them again, say.
        """
        with capturedLogs() as events:
            for credentials in (ServerCredentials(ServerTls(cert, key)), ClientCredentials(ClientTls(None, cert, key))):
                credentials.reload()
        self.assertEqual({event["log_level"] for event in events} - {LogLevel.warn}, set())
        return [formatEvent(event) for event in events]

    def test_keyThatEverybodyCanReadIsNamedAtStartAndReload(self) -> None:
        cert, key = self.path(GOOD.certificatePem()), self.path(GOOD.keyPem())
        for mode in (0o644, 0o604, 0o664):
            Path(key).chmod(mode)
            line = f"the private key in {key} may be read by every user who can reach the file: chmod 600 {key}"
            self.assertEqual(self.warnings(cert, key), [line] * 4, oct(mode))

    def test_keyBesideItsCertificateIsAKeyToo(self) -> None:
        both = self.path(GOOD.certificatePem() + GOOD.keyPem())
        self.assertEqual(self.warnings(both), [])
        Path(both).chmod(0o644)
        self.assertEqual(len(self.warnings(both)), 4)

    def test_ownersAndTheirGroupsMayReadIt(self) -> None:
        """
        C{ssl-cert} of Debian is such a group; and a certificate may be read by everybody.
        """
        cert, key = self.path(GOOD.certificatePem()), self.path(GOOD.keyPem())
        Path(cert).chmod(0o644)
        for mode in (0o400, 0o600, 0o440, 0o640):
            Path(key).chmod(mode)
            self.assertEqual(self.warnings(cert, key), [], oct(mode))

    def test_remedyCanBePastedIntoAShell(self) -> None:
        both = Path(self.path(GOOD.certificatePem() + GOOD.keyPem()))
        odd = both.rename(both.with_name("my key.pem"))
        odd.chmod(0o644)
        self.assertTrue(self.warnings(str(odd))[0].endswith(f": chmod 600 '{odd}'"))


class ExpiryWarningTests(TlsTestCase):
    """
    A certificate does not run out unannounced.
    """

    def warnings(self, begins: datetime, ends: datetime) -> list[str]:
        """
        @param begins: from when our certificate is valid.
        @param ends: until when.
        @return: what a server and a client that load it have to say, without the file's name.
        """
        issued = TRUSTED.issue("good.test", begins=begins, ends=ends)
        path = self.path(issued.certificatePem() + issued.keyPem())
        with capturedLogs() as events:
            ServerCredentials(ServerTls(path), now=lambda: NOW)
            ClientCredentials(ClientTls(cert=path), now=lambda: NOW)
        self.assertEqual({event["log_level"] for event in events} - {LogLevel.warn}, set())
        return [formatEvent(event).replace(path, "FILE") for event in events]

    def test_endIsAnnouncedTwoWeeksAhead(self) -> None:
        for days in (1, 14):
            ends = NOW + days * DAY
            line = f"the certificate in FILE expires on {ends:%Y-%m-%d}"
            self.assertEqual(self.warnings(NOW - DAY, ends), [line, line])
        self.assertEqual(self.warnings(NOW - DAY, NOW + 15 * DAY), [])

    def test_clockIsDoubtedWhenOursHasLongEnded(self) -> None:
        for days, isDoubted in ((30, False), (31, True)):
            for line in self.warnings(NOW - 99 * DAY, NOW - days * DAY):
                self.assertEqual("is it right?" in line, isDoubted, line)

    def test_endIsNoticed(self) -> None:
        """
        It can be loaded all the same: the peer may look at the key alone.
        """
        ends = NOW - DAY
        line = f"the certificate in FILE expired on {ends:%Y-%m-%d}"
        self.assertEqual(self.warnings(NOW - 2 * DAY, ends), [line, line])

    def test_beginIsNoticed(self) -> None:
        """
        Either the certificate or the clock is wrong.
        """
        begins = NOW + DAY
        line = f"the certificate in FILE is not valid before {begins:%Y-%m-%d %H:%M} UTC; this machine's clock says "
        for warning in self.warnings(begins, NOW + 50 * DAY):
            self.assertTrue(warning.startswith(line) and warning.endswith(" UTC: is it right?"), warning)

    def test_casOfAShortFileAreWatchedToo(self) -> None:
        """
        A private CA ends one day as well, and then nobody is let in.  One that has a successor in the
        file is passed over, and so are those of a long collection.
        """
        expired = Authority("Old CA", begins=NOW - 9 * DAY, ends=NOW - DAY)
        ending = Authority("Ending CA", ends=NOW + 3 * DAY)
        replaced = Authority("Trusted CA", begins=NOW - 9 * DAY, ends=NOW - DAY)
        following = Authority("Trusted CA", begins=NOW + DAY)
        others = [Authority(f"CA {number}") for number in range(FEW_AUTHORITIES)]
        said = {}
        for what, authorities in (
            ("short", [TRUSTED, expired, ending, replaced, following]),
            ("long", [expired, *others]),
        ):
            cafile = self.cafile(*authorities)
            with capturedLogs() as events:
                ClientCredentials(ClientTls(cafile=cafile))
            said[what] = [formatEvent(event).replace(cafile, "FILE") for event in events]
        lines = [
            f"the CA 'CN=Old CA' in FILE expired on {NOW - DAY:%Y-%m-%d}",
            f"the CA 'CN=Ending CA' in FILE expires on {NOW + 3 * DAY:%Y-%m-%d}",
        ]
        self.assertEqual(said, {"short": lines, "long": []})

    def test_clockIsTheRealOneByDefault(self) -> None:
        issued = TRUSTED.issue("good.test", ends=NOW - DAY / 2)
        with capturedLogs() as events:
            self.server(issued)
        self.assertEqual(len(events), 1)


class PinTests(SynchronousTestCase):
    """
    Read fingerprints of keys, as people exchange them.
    """

    def test_pinIsWhatOtherProgramsCompute(self) -> None:
        """
        C{openssl pkey -pubin -outform der | sha256sum} says the same.
        """
        self.assertEqual(publicKeyPin(load_pem_x509_certificate(PINNED)).hex(), PIN_HEX)

    def test_everyUsualWayOfWritingIsRead(self) -> None:
        pin = bytes.fromhex(PIN_HEX)
        colons = ":".join(PIN_HEX[at : at + 2] for at in range(0, 64, 2))
        for text in (
            PIN_HEX,
            PIN_HEX.upper(),
            colons,
            colons.upper(),
            f" {PIN_HEX}\n",
            f"sha256:{PIN_HEX}",
            f"SHA256:{colons}",
            PIN_BASE64,
            f"sha256//{PIN_BASE64}",
            f"SHA256:{PIN_BASE64}",
            f"sha256:{PIN_BASE64}",
            f"SHA2-256(stdin)= {PIN_HEX}",
            f"SHA256(stdin)= {colons}",
            f"{PIN_HEX}  -",
            f"{PIN_HEX} *-",
        ):
            self.assertEqual(parsePin(text), pin, text)

    def test_whatIsTakenForAPinIsNamed(self) -> None:
        colons = ":".join(PIN_HEX[at : at + 2] for at in range(0, 64, 2)).upper()
        key = "and a pin is of its public key: `uotp cert` prints it"
        for text, end in (
            (
                f"sha256 Fingerprint={colons}",
                f"; this is of the certificate, {key}",
            ),
            (PIN_HEX[:40], "; this has the length of a SHA-1"),
            (colons[:59], "; this has the length of a SHA-1"),
            (f"sha256//{PIN_BASE64};sha256//{PIN_BASE64}", ", one alone"),
            (f"{PIN_HEX},{PIN_HEX}", ", one alone"),
        ):
            error = self.assertRaises(ValueError, parsePin, text)
            self.assertTrue(str(error).endswith(f"64 hexadecimal digits, or base64 of 32 bytes{end}"), str(error))

    def test_unpaddedBase64IsRead(self) -> None:
        self.assertEqual(parsePin("SHA256:" + PIN_BASE64.rstrip("=")), bytes.fromhex(PIN_HEX))

    def test_everythingElseIsRefused(self) -> None:
        for text in (
            "",
            "sha256:",
            "sha256//",
            PIN_HEX[:-1],
            PIN_HEX[:-2],
            PIN_HEX + "00",
            PIN_HEX[:-1] + "g",
            PIN_BASE64[4:],
            "AAAA" + PIN_BASE64,
            PIN_BASE64[:-2],
            PIN_BASE64[:9] + "!" + PIN_BASE64[9:],
            "sha1:" + PIN_HEX,
            "ü" * 64,
            "sha256//sha256//" + PIN_BASE64,
        ):
            error = self.assertRaises(ValueError, parsePin, text)
            self.assertIn("is no SHA-256 pin", str(error))
