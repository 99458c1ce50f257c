"""
A client's files for its proxy: read again with all others, or not at all.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from OpenSSL import SSL

from tests.doubles.certificates import DAY, NOW, Authority
from tests.doubles.tlspairs import GOOD, STRANGER, TRUSTED, TlsTestCase, meet
from uotp.errors import ConfigurationError
from uotp.net import ProxyKind, ProxyLogin, ProxyPlace
from uotp.tls.credentials import ClientCredentials, ClientTls
from uotp.tls.files import CopiedFiles
from uotp.tls.proxies import MOST_LOGIN_BYTES, ProxyChoices, proxyCreator, withProxyFiles

OLD, NEW = ProxyLogin(b"alice", b"old-w0rd"), ProxyLogin(b"bob", b"new-w0rd")
PLAIN = ProxyPlace(ProxyKind.HTTP, "good.test", 3128)
SECURE = ProxyPlace(ProxyKind.HTTPS, "good.test", 3129)


class ProxyFilesTestCase(TlsTestCase):
    """
    Has files for a proxy.
    """

    def setUp(self) -> None:
        self.word = self.path(b"alice:old-w0rd\n")
        self.cas = self.cafile(TRUSTED)

    def credentials(
        self, place: ProxyPlace = SECURE, tls: ClientTls | None = None, **choices: Any
    ) -> ClientCredentials:
        """
        @return: those of a client that goes through a proxy.
        """
        cafile = self.cas if place.kind is ProxyKind.HTTPS else None
        return ClientCredentials(tls, proxy=ProxyChoices(place, self.word, cafile), **choices)


class ProxyLoginTests(ProxyFilesTestCase):
    """
    Read user and password.
    """

    def test_newOnesAreShownFromTheReloadOn(self) -> None:
        client = self.credentials(PLAIN)
        self.assertEqual((client.isPlain, client.proxy().login, client.proxy().address), (True, OLD, PLAIN.address))
        Path(self.word).write_bytes(b"bob:new-w0rd")
        self.assertNotEqual(client.stamp(), client.stampRead)
        self.assertEqual(client.proxy().login, OLD)
        client.reload()
        self.assertEqual(client.proxy().login, NEW)
        self.assertEqual(client.stamp(), client.stampRead)

    def test_oneThatCannotBeUsedKeepsAllOldFiles(self) -> None:
        """
        A password that can be used does not come into use beside a key that cannot either.
        """
        shown = self.path(GOOD.certificatePem() + GOOD.keyPem())
        client = self.credentials(tls=ClientTls(self.cas, shown))
        for word, key in ((b"no password", GOOD.keyPem()), (b"bob:new-w0rd", b"")):
            Path(self.word).write_bytes(word)
            Path(shown).write_bytes(TRUSTED.issue().certificatePem() if not key else GOOD.certificatePem() + key)
            pin = client.ownPin
            self.assertRaises(ConfigurationError, client.reload)
            self.assertEqual((client.proxy().login, client.ownPin), (OLD, pin))

    def test_whatIsInTheFileIsInNoError(self) -> None:
        for content in (
            b"secret",
            b"",
            b"secret:\n",
            b"alice:secret\nbob:secret",
            b"a:" + b"secret" * MOST_LOGIN_BYTES,
        ):
            Path(self.word).write_bytes(content)
            place = ProxyPlace(ProxyKind.SOCKS5, "p", 1)
            error = self.assertRaises(ConfigurationError, self.credentials, place)
            self.assertTrue(
                str(error).startswith(f"the file with the password for the proxy {self.word}: "), str(error)
            )
            self.assertNotIn("secret", f"{error} {error!r} {error.__cause__}")

    def test_fileThatEveryUserCanReadIsTold(self) -> None:
        client = self.credentials()
        self.assertEqual(client.prepare().exposed, ())
        os.chmod(self.word, 0o644)
        self.assertEqual(client.prepare().exposed, (("password for the proxy", self.word),))

    def test_aWorkerHasThemFromItsParent(self) -> None:
        """
        At its start, and later; it needs no files.
        """
        parent = self.credentials(keepsContents=True)
        contents = parent.contents
        self.assertEqual(set(contents), {self.word, self.cas})
        self.assertNotIn("w0rd", repr(contents))
        worker = self.credentials(files=CopiedFiles(contents))
        self.assertEqual(worker.proxy().login, OLD)
        Path(self.word).write_bytes(b"bob:new-w0rd")
        parent.reload()
        worker.adopt(worker.prepare(parent.contents))
        self.assertEqual(worker.proxy().login, NEW)

    def test_whatHoldsTheSameIsNotParsedAgain(self) -> None:
        client = self.credentials()
        self.patch(client, "_load", lambda *_: self.fail("it is parsed"))
        os.utime(self.word)
        self.assertTrue(client.prepare().isInUse)

    def test_whatStandsInTheUrlStays(self) -> None:
        place = ProxyPlace(ProxyKind.HTTP, "p", 1, OLD)
        client = ClientCredentials(None, proxy=ProxyChoices(place))
        client.reload()
        self.assertEqual((client.proxy(), client.stamp()), (place, ()))


class ProxyTlsTests(ProxyFilesTestCase):
    """
    Speak TLS with a proxy.
    """

    def test_certificateOfTheProxyIsForItsName(self) -> None:
        client = self.credentials()
        self.assertWelcome(meet(self.server(), client.proxyConnection))
        pair = meet(self.server(TRUSTED.issue("other.test")), client.proxyConnection)
        self.assertIn("wrong name: expected good.test", str(pair.client.refusal))
        self.assertIn("if one of them is the proxy, say so by proxy", str(pair.client.refusal), "no setting of servers")
        address = self.credentials(ProxyPlace(ProxyKind.HTTPS, "127.0.0.1", 1))
        self.assertWelcome(meet(self.server(), address.proxyConnection))

    def test_wordsAreAboutTheProxy(self) -> None:
        """
        What can be done about a server is of no use here: no certificate of ours is shown to a proxy.
        """
        client = self.credentials()
        stranger = self.server(STRANGER.issue("good.test"))
        words = "unknown issuer 'CN=Stranger CA'; proxyCafile makes that CA trusted; "
        words += "if it should be known, the proxy may not send its whole chain"
        self.assertEqual(meet(stranger, client.proxyConnection).client.refusal, words)
        asking = meet(self.server(clientsFrom=TRUSTED), client.proxyConnection)
        words = "the proxy wants a client certificate, and none is shown to a proxy here"
        self.assertEqual(asking.client.refusal, words)
        noTls = SSL.Error([("SSL routines", "", "wrong version number")])
        self.assertIn("begins with http://", str(client.proxyConnection().refusalWords(noTls)))

    def test_newCasAreTrustedFromTheReloadOn(self) -> None:
        """
        And those that are gone are not, also in a handshake that has begun.
        """
        client = self.credentials()
        stranger = self.server(STRANGER.issue("good.test"))
        self.assertIsNotNone(meet(stranger, client.proxyConnection).client.refusal)
        begun = client.proxyConnection()
        Path(self.cas).write_bytes(Path(self.cafile(STRANGER)).read_bytes())
        client.reload()
        self.assertWelcome(meet(stranger, client.proxyConnection))
        self.assertIsNotNone(meet(self.server(), client.proxyConnection).client.refusal)
        pair = meet(self.server(), lambda _: begun)
        self.assertIn("the CA of the certificate was taken out of the CA file", str(pair.client.refusal))

    def test_casThatCannotBeUsedKeepTheOld(self) -> None:
        client = self.credentials()
        Path(self.cas).write_bytes(b"none")
        error = self.assertRaises(ConfigurationError, client.reload)
        self.assertIn(f"CA file for the proxy {self.cas}", str(error))
        self.assertWelcome(meet(self.server(), client.proxyConnection))

    def test_casOfTheSystemAreReadAgain(self) -> None:
        client = ClientCredentials(None, proxy=ProxyChoices(SECURE))
        before = client.prepare().loaded.proxy
        self.assertIsNot(client.prepare().loaded.proxy, before)

    def test_endOfItsCaIsToldOnce(self) -> None:
        """
        Also where the same file is for the server.
        """
        Path(self.cas).write_bytes(Path(self.cafile(Authority("Old CA", ends=NOW + DAY))).read_bytes())
        for tls in (None, ClientTls(self.cas)):
            client = self.credentials(tls=tls, now=lambda: NOW)
            self.assertEqual([each.file for each in client.prepare().endings], [self.cas])
            self.assertEqual([each.file for each in client.expiring()], [self.cas])

    def test_whoExaminesTheWayHasTheSame(self) -> None:
        place = withProxyFiles(SECURE, self.word, self.cas)
        self.assertEqual(place.login, OLD)
        creator: Any = proxyCreator(place)
        self.assertWelcome(meet(self.server(), creator))
        self.assertEqual((proxyCreator(PLAIN), proxyCreator(None)), (None, None))
