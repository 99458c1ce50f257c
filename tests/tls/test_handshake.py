"""
Who gets in and who does not, with real TLS in memory, in both versions of TLS.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.hashes import SHA256
from OpenSSL import SSL
from OpenSSL.crypto import X509
from twisted.internet.error import ConnectionDone, ConnectionLost, TCPTimedOutError
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.certificates import CLIENT, DAY, NOW, SERVER, Authority, Issued, selfSigned
from tests.doubles.clienthello import PRE_SHARED_KEY, SESSION_TICKET, seenHello
from tests.doubles.streams import Creator
from tests.doubles.tlspairs import GOOD, STRANGER, TRUSTED, TlsTestCase, causeIn, meet, shake
from uotp.tls import contexts, peernames, reasons, verification
from uotp.tls.alerts import errorWords
from uotp.tls.credentials import ClientCredentials, ClientTls, ServerCredentials, ServerTls
from uotp.tls.pins import publicKeyPin
from uotp.tls.verification import VerifyingConnection
from uotp.tls.verifying import PeerVerdict

YESTERDAY, TOMORROW = NOW - DAY, NOW + DAY
LONG_AGO = NOW - 30 * DAY
OWN_CHECK = "the peer refused the handshake: wrong name or pin, or an internal error"
UNKNOWN_CA = "the peer refused our certificate: unknown CA"
EXPIRED = "the peer refused our certificate: expired"
WRONG_PURPOSE = "the peer refused our certificate: wrong purpose"
PIN = publicKeyPin(GOOD.certificate)
OTHER_PIN = bytes(32)

RECORD = 16384
"""Bytes that are carried at one go."""


def below(name: str, **choices: Any) -> Authority:
    """
    @return: a CA that the trusted one has signed.
    """
    return Authority(name, issuer=TRUSTED, **choices)


# What is tried in both versions of TLS is no test case before it has one.
if TYPE_CHECKING:
    _Case = TlsTestCase
else:
    _Case = object


class _Handshakes(_Case):
    """
    Tries what must hold in every version of TLS.
    """

    version = 0
    versionName = ""

    def setUp(self) -> None:
        self.limit(SSL.TLS_SERVER_METHOD, version=self.version)


class _ServerVerification(_Handshakes):
    """
    Has a client decide about a server.
    """

    def assertServerRefused(self, issued: Issued, words: str, alert: str = OWN_CHECK) -> None:
        """
        @param issued: what the server shows.
        @param words: what the client has against it.
        @param alert: what the server is told.
        """
        self.assertRefused(meet(self.server(issued), self.client()), client=words, server=alert)

    def test_rightCertificateIsAccepted(self) -> None:
        pair = meet(self.server(), self.client())
        self.assertWelcome(pair)
        assert pair.client.handle is not None
        self.assertEqual(pair.client.handle.get_protocol_version_name(), self.versionName)

    def test_addressIsAccepted(self) -> None:
        for address in ("127.0.0.1", "::1", "0:0::1", "::1%lo"):
            self.assertWelcome(meet(self.server(), self.client(address)))

    def test_otherAddressIsRefused(self) -> None:
        self.assertRefused(
            meet(self.server(), self.client("127.0.0.2")),
            client="wrong name: expected 127.0.0.2, certificate has good.test, 127.0.0.1, ::1",
            server=OWN_CHECK,
        )

    def test_wholeChainIsSent(self) -> None:
        """
        A client that knows only the root accepts what intermediate CAs signed.
        """
        upper = Authority("Upper", issuer=TRUSTED)
        lower = Authority("Lower", issuer=upper)
        self.assertWelcome(meet(self.server(lower.issue("good.test")), self.client()))

    def test_wildcardIsAccepted(self) -> None:
        """
        C{*.example.test} is good for the hosts of that domain, and for no other.
        """
        server = self.server(TRUSTED.issue("*.example.test"))
        self.assertWelcome(meet(server, self.client("a.example.test")))
        for host in ("example.test", "a.b.example.test", "a.example.org"):
            self.assertRefused(
                meet(server, self.client(host)),
                client=f"wrong name: expected {host}, certificate has *.example.test",
                server=OWN_CHECK,
            )

    def test_wildcardIsGoodForInternationalNamesToo(self) -> None:
        """
        Its star stands for a whole label, whatever is in that.
        """
        server = self.server(TRUSTED.issue("*.example.test", "other.test"))
        for host in ("B\u00fccher.example.test", "xn--bcher-kva.example.test."):
            self.assertWelcome(meet(server, self.client(host)))
        for host in ("xn--bcher-kva.example.org", "a.xn--bcher-kva.example.test", "xn--bcher-kva.other.test"):
            self.assertRefused(
                meet(server, self.client(host)),
                client=f"wrong name: expected {host}, certificate has *.example.test, other.test",
                server=OWN_CHECK,
            )
        self.assertRefused(
            meet(self.server(TRUSTED.issue("*.test")), self.client("xn--bcher-kva.test")),
            client="wrong name: expected xn--bcher-kva.test, certificate has *.test"
            " (Certificate's DNS-ID b'*.test' has too few host components for wildcard usage.)",
            server=OWN_CHECK,
        )

    def test_namesThatRegistriesDoNotGiveOutAreNames(self) -> None:
        """
        Private networks have them, and DNS does not mind.
        """
        for name in ("wg_server", "ab--cd.example.test", "a-.test", "a" * 63 + ".test", "box"):
            pair = meet(self.server(TRUSTED.issue(name)), self.client(name.upper()))
            self.assertWelcome(pair)
            assert pair.server.handle is not None
            self.assertEqual(pair.server.handle.get_servername(), name.encode())

    def test_addressesAreThoseThatOthersKnow(self) -> None:
        """
        No certificate has the zone of an address, and none writes IPv4 as IPv6.
        """
        server = self.server(TRUSTED.issue("fe80::2", "192.0.2.1"))
        for host in ("fe80::2%eth0", "FE80::2%7", "::ffff:192.0.2.1"):
            self.assertWelcome(meet(server, self.client(host)))

    def test_namesAreComparedInLowerCaseAndPunycode(self) -> None:
        """
        People may type capitals, umlauts and a final dot.
        """
        server = self.server(TRUSTED.issue("xn--bcher-kva.test"))
        self.assertWelcome(meet(server, self.client("Bücher.test.")))

    def test_everyCaOfTheBundleCounts(self) -> None:
        bundle = self.cafile(STRANGER, TRUSTED)
        creator = ClientCredentials(ClientTls(cafile=bundle)).creatorFor("good.test")
        self.assertWelcome(meet(self.server(), creator))
        self.assertWelcome(meet(self.server(STRANGER.issue("good.test")), creator))

    def test_systemCasCountWithoutCafile(self) -> None:
        """
        Without a CA file it is the system that says whom to trust.
        """
        self.setEnvironment("SSL_CERT_FILE", self.cafile(TRUSTED))
        self.assertWelcome(meet(self.server(), self.client(trusts=None)))
        self.setEnvironment("SSL_CERT_FILE", self.cafile(STRANGER))
        self.assertRefused(
            meet(self.server(), self.client(trusts=None)), client="unknown issuer 'CN=Trusted CA'", server=UNKNOWN_CA
        )

    def test_systemCasGetTheNameVerified(self) -> None:
        """
        A certificate of a public CA for somebody else is no good.
        """
        self.setEnvironment("SSL_CERT_FILE", self.cafile(TRUSTED))
        self.assertRefused(
            meet(self.server(TRUSTED.issue("evil.test")), self.client(trusts=None)),
            client="wrong name: expected good.test, certificate has evil.test",
            server=OWN_CHECK,
        )

    def test_cafileReplacesTheSystemsCas(self) -> None:
        self.setEnvironment("SSL_CERT_FILE", self.cafile(STRANGER))
        self.assertServerRefused(STRANGER.issue("good.test"), "unknown issuer 'CN=Stranger CA'", UNKNOWN_CA)

    def test_wrongCertificatesOfServersAreRefusedInWords(self) -> None:
        """
        The client's log says what is wrong and with what, and the server's as much of it as TLS has a word for.
        """
        refused = "the peer refused our certificate: "
        wrongName = "wrong name: expected good.test, certificate has "
        for issued, words, alert in (
            (STRANGER.issue("good.test"), "unknown issuer 'CN=Stranger CA'", UNKNOWN_CA),
            # a server cannot make its CA trusted by sending it
            (
                replace(STRANGER.issue("good.test"), intermediates=(STRANGER.certificate,)),
                "unknown issuer 'CN=Stranger CA' (self-signed, not one of the trusted CAs)",
                UNKNOWN_CA,
            ),
            # the client does not guess what stands between
            (replace(below("Lower").issue("good.test"), intermediates=()), "unknown issuer 'CN=Lower'", UNKNOWN_CA),
            # names of CAs prove nothing
            (
                Authority("Trusted CA").issue("good.test"),
                "certificate refused: cert signature failure",
                "the peer refused the handshake: decrypt error",
            ),
            # what most people meet first
            (selfSigned("good.test"), "self-signed certificate 'CN=alone'", UNKNOWN_CA),
            (
                TRUSTED.issue("good.test", begins=LONG_AGO, ends=YESTERDAY),
                f"certificate expired (on {YESTERDAY:%Y-%m-%d})",
                EXPIRED,
            ),
            # often it is a clock that is wrong
            (
                TRUSTED.issue("good.test", begins=TOMORROW),
                f"certificate not yet valid (before {TOMORROW:%Y-%m-%d %H:%M} UTC)",
                refused + "bad certificate",
            ),
            # it is not the server's own certificate that must be renewed
            (
                below("Old CA", begins=LONG_AGO, ends=YESTERDAY).issue("good.test"),
                f"issuer's certificate 'CN=Old CA' expired (on {YESTERDAY:%Y-%m-%d})",
                EXPIRED,
            ),
            # whoever has a certificate of the CA is no CA
            (
                below("No CA", isAuthority=False).issue("good.test"),
                "issuer's certificate 'CN=No CA' refused: invalid ca",
                UNKNOWN_CA,
            ),
            # OpenSSL sees to it last of all, when the name was found good already
            (
                below("Limited", permitted="example.test").issue("good.test"),
                "certificate refused: permitted violation",
                refused + "no reason given",
            ),
            # a client's certificate does not make a server
            (TRUSTED.issue("good.test", usages=CLIENT), "not a server certificate (wrong purpose)", WRONG_PURPOSE),
            (
                TRUSTED.issue("a.test", "b.test"),
                "wrong name: expected good.test, certificate has a.test, b.test",
                OWN_CHECK,
            ),
            # a common name is no name
            (TRUSTED.issue(subject="good.test"), wrongName + "no names", OWN_CHECK),
        ):
            self.assertServerRefused(issued, words, alert)

    def test_addressAsDnsNameIsRefused(self) -> None:
        pair = meet(self.server(TRUSTED.issue("DNS:127.0.0.1")), self.client("127.0.0.1"))
        self.assertRefused(
            pair,
            client="wrong name: expected 127.0.0.1, certificate has 127.0.0.1 (Invalid DNS pattern b'127.0.0.1'.)",
            server=OWN_CHECK,
        )

    def test_tooWideWildcardsAreRefused(self) -> None:
        """
        C{*} and C{*.test} would be everybody, even beside a good name.
        """
        for names in (("*",), ("*.test",), ("*.test", "good.test")):
            pair = meet(self.server(TRUSTED.issue(*names)), self.client())
            pattern = names[0].encode()
            self.assertRefused(
                pair,
                client=f"wrong name: expected good.test, certificate has {', '.join(names)}"
                f" (Certificate's DNS-ID {pattern!r} has too few host components for wildcard usage.)",
                server=OWN_CHECK,
            )

    def test_checkThatRaisesRefuses(self) -> None:
        """
        A flaw in the program, or a certificate that nobody has thought of, must not open the door.
        """

        def broken(*_arguments: object) -> None:
            raise ZeroDivisionError

        self.patch(peernames, "verify_certificate_hostname", broken)
        self.assertServerRefused(GOOD, "certificate could not be examined (ZeroDivisionError())")

    def test_everyNameIsAcceptedWithoutHostnameCheck(self) -> None:
        self.assertWelcome(meet(self.server(TRUSTED.issue("evil.test")), self.client(hostnameCheck=False)))
        self.assertRefused(
            meet(self.server(STRANGER.issue("good.test")), self.client(hostnameCheck=False)),
            client="unknown issuer 'CN=Stranger CA'",
            server=UNKNOWN_CA,
        )

    def test_serverNameIsVerifiedInsteadOfTheHost(self) -> None:
        for name in ("good.test", "127.0.0.1"):
            self.assertWelcome(meet(self.server(), self.client("203.0.113.1", serverName=name)))
        self.assertRefused(
            meet(self.server(), self.client("good.test", serverName="other.test")),
            client="wrong name: expected other.test, certificate has good.test, 127.0.0.1, ::1",
            server=OWN_CHECK,
        )

    def test_serverIsAskedForByName(self) -> None:
        for host, serverName, expected in (
            ("good.test", None, b"good.test"),
            ("Bücher.test.", None, b"xn--bcher-kva.test"),
            ("127.0.0.1", None, None),
            ("::1%lo", None, None),
            ("127.0.0.1", "good.test", b"good.test"),
            ("good.test", "127.0.0.1", None),
        ):
            pair = meet(self.server(), self.client(host, serverName=serverName))
            assert pair.server.handle is not None
            self.assertEqual(pair.server.handle.get_servername(), expected)
        pair = meet(self.server(), self.client("any.test", trusts=None, pins=(PIN,)))
        assert pair.server.handle is not None
        self.assertEqual(pair.server.handle.get_servername(), b"any.test")


class _Pinning(_Handshakes):
    """
    Has a client that knows its server's key decide about it.
    """

    def test_pinAloneIsEnough(self) -> None:
        """
        Whatever else the certificate says: the key is what is trusted.
        """
        key = GOOD.key
        for issued in (
            GOOD,
            STRANGER.issue("evil.test", key=key),
            TRUSTED.issue("good.test", key=key, begins=LONG_AGO, ends=YESTERDAY),
            TRUSTED.issue("good.test", key=key, begins=TOMORROW),
            TRUSTED.issue(key=key, usages=CLIENT),
            Authority("Trusted CA").issue("good.test", key=key),
            below("Limited", permitted="example.test").issue("good.test", key=key),
            replace(STRANGER.issue("evil.test", key=key), intermediates=(STRANGER.certificate,)),
        ):
            self.assertWelcome(meet(self.server(issued), self.client(trusts=None, pins=(PIN,))))

    def test_otherKeyIsRefusedInWords(self) -> None:
        """
        With its pin, so that one can compare and take it over.
        """
        pin = publicKeyPin(TRUSTED.issue("good.test", key=TRUSTED.key).certificate)
        for issued in (
            TRUSTED.issue("good.test", key=TRUSTED.key),
            replace(STRANGER.issue("good.test", key=TRUSTED.key), intermediates=(GOOD.certificate,)),
        ):
            self.assertRefused(
                meet(self.server(issued), self.client(trusts=None, pins=(PIN, OTHER_PIN))),
                client=f"public key does not match any pin (certificate has {pin.hex()})",
                server=OWN_CHECK,
            )

    def test_anyOfThePinsMayMatch(self) -> None:
        """
        The next key can be announced before it is used.
        """
        self.assertWelcome(meet(self.server(), self.client(trusts=None, pins=(OTHER_PIN, PIN))))

    def test_allBytesOfThePinCount(self) -> None:
        for almost in (PIN[:-1] + bytes([PIN[-1] ^ 1]), bytes([PIN[0] ^ 128]) + PIN[1:]):
            self.assertRefused(
                meet(self.server(), self.client(trusts=None, pins=(almost,))),
                client=f"public key does not match any pin (certificate has {PIN.hex()})",
                server=OWN_CHECK,
            )

    def test_pinDoesNotReplaceTheChainThatWasAskedFor(self) -> None:
        key = GOOD.key
        self.assertWelcome(meet(self.server(), self.client(pins=(PIN,))))
        for issued, words, alert in (
            (STRANGER.issue("good.test", key=key), "unknown issuer 'CN=Stranger CA'", UNKNOWN_CA),
            (
                TRUSTED.issue("good.test", key=key, begins=LONG_AGO, ends=YESTERDAY),
                f"certificate expired (on {YESTERDAY:%Y-%m-%d})",
                EXPIRED,
            ),
            (
                TRUSTED.issue("evil.test", key=key),
                "wrong name: expected good.test, certificate has evil.test",
                OWN_CHECK,
            ),
        ):
            self.assertRefused(meet(self.server(issued), self.client(pins=(PIN,))), client=words, server=alert)

    def test_chainDoesNotReplaceThePin(self) -> None:
        for hostnameCheck in (True, False):
            self.assertRefused(
                meet(self.server(), self.client(pins=(OTHER_PIN,), hostnameCheck=hostnameCheck)),
                client=f"public key does not match any pin (certificate has {PIN.hex()})",
                server=OWN_CHECK,
            )

    def test_explicitServerNameIsVerifiedBesideThePin(self) -> None:
        """
        Who names the server wants it compared.
        """
        self.assertWelcome(meet(self.server(), self.client(trusts=None, pins=(PIN,), serverName="good.test")))
        self.assertRefused(
            meet(self.server(), self.client(trusts=None, pins=(PIN,), serverName="other.test")),
            client="wrong name: expected other.test, certificate has good.test, 127.0.0.1, ::1",
            server=OWN_CHECK,
        )

    def test_pinThatCannotBeTakenRefuses(self) -> None:
        """
        A key of a kind that is unknown here has no pin.
        """

        def broken(_certificate: object) -> bytes:
            message = "what is this?"
            raise ValueError(message)

        self.patch(verification, "publicKeyPin", broken)
        self.assertRefused(
            meet(self.server(), self.client(trusts=None, pins=(PIN,))),
            client="certificate could not be examined (ValueError('what is this?'))",
            server=OWN_CHECK,
        )

    def test_serverWhosePinNobodyNeedsIsWelcome(self) -> None:
        """
        The library does not know its kind of key, and TLS does; whereas a client without a
        pin would share its sessions with all others like it.
        """

        def broken(_certificate: object) -> bytes:
            message = "what is this?"
            raise ValueError(message)

        self.patch(verification, "publicKeyPin", broken)
        pair = meet(self.server(), self.client())
        self.assertWelcome(pair)
        assert isinstance(pair.client.handle, VerifyingConnection)
        self.assertIsNone(pair.client.handle.peerPin())
        pair = meet(self.server(clientsFrom=TRUSTED), self.client(shows=TRUSTED.issue(usages=CLIENT)))
        self.assertEqual(pair.server.refusal, "certificate could not be examined (ValueError('what is this?'))")

    def test_aClientHasAName(self) -> None:
        """
        And its server has none: the log would not use it.  Nobody is refused for what cannot be read.
        """
        for shown, name in (
            (TRUSTED.issue(subject="laptop", usages=CLIENT), "laptop"),
            (TRUSTED.issue("a.example.com", subject="", usages=CLIENT), "a.example.com"),
            (TRUSTED.issue(subject="", usages=CLIENT), "no name"),
            (TRUSTED.issue(subject="Anna's\u202e notebook\n", usages=CLIENT), r"'Anna\'s? notebook?'"),
            (TRUSTED.issue(subject="x" * 64, usages=CLIENT), "x" * 64),
        ):
            pair = meet(self.server(clientsFrom=TRUSTED), self.client(shows=shown))
            self.assertWelcome(pair)
            assert isinstance(pair.client.handle, VerifyingConnection)
            assert isinstance(pair.server.handle, VerifyingConnection)
            fingerprint = shown.certificate.fingerprint(SHA256()).hex()[:8]
            self.assertEqual(pair.server.handle.peerName(), f"{name}, sha256 {fingerprint}")
            self.assertIsNone(pair.client.handle.peerName())

        def broken(_certificate: object) -> str:
            raise LookupError

        self.patch(reasons, "alternativeNames", broken)
        shown = TRUSTED.issue(subject="", usages=CLIENT)
        pair = meet(self.server(clientsFrom=TRUSTED), self.client(shows=shown))
        self.assertWelcome(pair)
        assert isinstance(pair.server.handle, VerifyingConnection)
        self.assertTrue(str(pair.server.handle.peerName()).startswith("'?', sha256 "))

    def test_goodPeersHavePins(self) -> None:
        leaf = TRUSTED.issue(usages=CLIENT)
        pair = meet(self.server(clientsFrom=TRUSTED), self.client(shows=leaf))
        self.assertWelcome(pair)
        assert isinstance(pair.client.handle, VerifyingConnection)
        assert isinstance(pair.server.handle, VerifyingConnection)
        self.assertEqual(pair.client.handle.peerPin(), publicKeyPin(GOOD.certificate))
        self.assertEqual(pair.server.handle.peerPin(), publicKeyPin(leaf.certificate))
        pair = meet(self.server(), self.client())
        assert isinstance(pair.server.handle, VerifyingConnection)
        self.assertIsNone(pair.server.handle.peerPin())


class _ClientVerification(_Handshakes):
    """
    Has a server decide about a client.
    """

    def test_clientOfTheCaIsAccepted(self) -> None:
        """
        Made for clients, or for nothing in particular, and straight from the CA or from one below it.
        """
        for shows in (
            TRUSTED.issue(usages=CLIENT),
            TRUSTED.issue(usages=()),
            below("Below").issue(usages=CLIENT),
        ):
            self.assertWelcome(meet(self.server(clientsFrom=TRUSTED), self.client(shows=shows)))

    def test_everyClientIsAcceptedWithoutCafile(self) -> None:
        self.assertWelcome(meet(self.server(), self.client()))
        self.assertWelcome(meet(self.server(), self.client(shows=STRANGER.issue(usages=CLIENT))))

    def test_clientOfEveryCaOfTheBundleIsAccepted(self) -> None:
        cert = self.path(GOOD.certificatePem() + GOOD.keyPem())
        server = ServerCredentials(ServerTls(cert, cafile=self.cafile(STRANGER, TRUSTED)))
        for authority in (STRANGER, TRUSTED):
            pair = meet(server, self.client(shows=authority.issue(usages=CLIENT)))
            self.assertWelcome(pair)
            assert pair.client.handle is not None
            names = [name.CN for name in pair.client.handle.get_client_ca_list()]
            self.assertEqual(names, ["Stranger CA", "Trusted CA"])

    def test_wrongCertificatesOfClientsAreRefusedInWords(self) -> None:
        """
        The client learns what it lacks, though in TLS 1.3 only after its own end of the handshake.
        """
        expired = TRUSTED.issue(usages=CLIENT, begins=LONG_AGO, ends=YESTERDAY)
        for shows, client, server in (
            (None, "the server wants a client certificate (cert)", "no client certificate"),
            (STRANGER.issue(usages=CLIENT), UNKNOWN_CA, "unknown issuer 'CN=Stranger CA'"),
            (selfSigned("me"), UNKNOWN_CA, "self-signed certificate 'CN=alone'"),
            (expired, EXPIRED, f"certificate expired (on {YESTERDAY:%Y-%m-%d})"),
            # a server's certificate does not make a client
            (GOOD, WRONG_PURPOSE, "not a client certificate (wrong purpose)"),
        ):
            pair = meet(self.server(clientsFrom=TRUSTED), self.client(shows=shows))
            self.assertRefused(pair, client=client, server=server)
            self.assertEqual((server, pair.server.handshakes), (server, 0))


class _LongChains(_Handshakes):
    """
    Shows more certificates than anybody needs.
    """

    TOO_LONG = "too many certificates between the peer's own and a trusted CA"

    def chain(self, issuers: int, root: Authority = TRUSTED, names: tuple[str, ...] = ("good.test",)) -> Issued:
        """
        @return: a certificate with so many between it and its root.
        """
        for number in range(issuers):
            root = Authority(f"CA {number}", issuer=root)
        return root.issue(*names, usages=(*CLIENT, *SERVER))

    def test_longestHonestChainIsAccepted(self) -> None:
        """
        With many names, too.
        """
        names = ("good.test", *(f"name{number}.of.a.long.domain.example" for number in range(100)))
        shown = self.chain(contexts.MAX_ISSUERS, names=names)
        self.assertWelcome(meet(self.server(shown), self.client()))
        self.assertWelcome(meet(self.server(clientsFrom=TRUSTED), self.client(shows=shown)))

    def refusals(self, server: ServerCredentials, client: Creator) -> tuple[str | None, str | None]:
        """
        @return: what the client and the server have against each other.
        """
        ends: list[Any] = [client(None), server.connection()]
        ends[0].set_connect_state()
        ends[1].set_accept_state()
        for _ in range(4):
            for here, there in (ends, ends[::-1]):
                with contextlib.suppress(SSL.Error):
                    here.do_handshake()
                with contextlib.suppress(SSL.WantReadError):
                    while sent := here.bio_read(RECORD):
                        there.bio_write(sent)
        return ends[0].refusal, ends[1].refusal

    def test_longerChainsAreRefusedBeforeTheyAreVerified(self) -> None:
        """
        Whoever has signed them, since each costs time; also where nothing but a pin is required.
        """
        for issuers in (contexts.MAX_ISSUERS + 1, 280):
            for root in (TRUSTED, STRANGER):
                shown = self.chain(issuers, root)
                for client in (self.client(), self.client(trusts=None, pins=(publicKeyPin(shown.certificate),))):
                    self.assertIn(self.TOO_LONG, self.refusals(self.server(shown), client)[0] or "")
                refusals = self.refusals(self.server(clientsFrom=TRUSTED), self.client(shows=shown))
                self.assertIn(self.TOO_LONG, refusals[1] or "")


class _Sessions(_Handshakes):
    """
    Tries to get through a handshake without certificates.
    """

    def resume(self, server: SSL.Context | ServerCredentials, client: SSL.Connection, again: SSL.Connection) -> None:
        """
        Connect twice, the second time with the session of the first.

        @param server: the one end, both times.
        @param client: the other end, the first time.
        @param again: the other end, the second time.
        """
        session = None
        for there in (client, again):
            here = SSL.Connection(server) if isinstance(server, SSL.Context) else server.connection()
            here.set_accept_state()
            there.set_connect_state()
            if session is not None:
                there.set_session(session)
            shake(here, there)
            there.shutdown()
            here.shutdown()
            session = there.get_session()

    def generousServer(self) -> SSL.Context:
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(self.version)
        context.set_max_proto_version(self.version)
        context.use_certificate(GOOD.certificate)
        context.use_privatekey(GOOD.key)
        context.set_session_id(b"generous")
        return context

    def certificatesSeen(self, server: SSL.Context | ServerCredentials) -> int:
        """
        @param server: whom to connect to, and to come back to.
        @return: how often a certificate was there to look at.
        """
        depths: list[int] = []
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_session_cache_mode(SSL.SESS_CACHE_CLIENT)

        def look(_connection: object, _certificate: object, _error: int, depth: int, _ok: int) -> bool:
            depths.append(depth)
            return True

        context.set_verify(SSL.VERIFY_PEER, look)
        self.resume(server, SSL.Connection(context), SSL.Connection(context))
        return len(depths)

    def test_sessionsAreNotResumedByTheServer(self) -> None:
        """
        A client that comes back goes through a whole handshake, while one that comes back to another server does not.
        """
        once = self.certificatesSeen(self.generousServer())
        self.assertGreater(once, 0)
        self.assertEqual(self.certificatesSeen(self.server()), 2 * once)

    def test_clientNeverAsksToResume(self) -> None:
        """
        Though it says that it could, as others do: a server that would resume gives it tickets, and gets none back.
        """
        creator, server = self.client(), self.generousServer()
        for _ in range(3):
            here, there = SSL.Connection(server), creator(None)
            here.set_accept_state()
            there.set_connect_state()
            with contextlib.suppress(SSL.WantReadError):
                there.do_handshake()
            hello = there.bio_read(1 << 16)
            seen = seenHello(hello)
            self.assertEqual(seen.extension(SESSION_TICKET), b"")
            self.assertNotIn(PRE_SHARED_KEY, seen.types)
            here.bio_write(hello)
            shake(here, there)
            self.assertIsNone(there.refusalWords(ConnectionDone()))

    def test_resumedSessionIsRefusedByTheClient(self) -> None:
        """
        Even with a server that would, for there nobody has been verified.
        """
        creator = self.client()
        first, second = creator(None), creator(None)
        error = self.assertRaises(SSL.Error, self.resume, self.generousServer(), first, second)
        self.assertEqual(second.refusalWords(error), "the peer's certificate was not verified in this handshake")
        self.assertIsNone(first.refusalWords(ConnectionDone()))


class Tls12HandshakeTests(_ServerVerification, _Pinning, _ClientVerification, _LongChains, _Sessions, TlsTestCase):
    """
    Do all of that in TLS 1.2.
    """

    version, versionName = SSL.TLS1_2_VERSION, "TLSv1.2"


class Tls13HandshakeTests(_ServerVerification, _Pinning, _ClientVerification, _LongChains, _Sessions, TlsTestCase):
    """
    Do all of that in TLS 1.3.
    """

    version, versionName = SSL.TLS1_3_VERSION, "TLSv1.3"


class NegotiationTests(TlsTestCase):
    """
    Agree on versions and ciphers.
    """

    def negotiated(self) -> tuple[str, str | None]:
        """
        @return: the version and the cipher that two of ours agree on.
        """
        pair = meet(self.server(), self.client())
        self.assertWelcome(pair)
        assert pair.client.handle is not None
        return pair.client.handle.get_protocol_version_name(), pair.client.handle.get_cipher_name()

    def test_newestVersionIsTaken(self) -> None:
        self.patch(contexts, "aesIsFaster", lambda: True)
        self.assertEqual(self.negotiated(), ("TLSv1.3", "TLS_AES_128_GCM_SHA256"))

    def test_everyCipherHasForwardSecrecyAndAead(self) -> None:
        connection = self.server().connection()
        self.assertEqual(
            set(connection.get_cipher_list()),
            {
                "TLS_AES_128_GCM_SHA256",
                "TLS_AES_256_GCM_SHA384",
                "TLS_CHACHA20_POLY1305_SHA256",
                *(
                    f"ECDHE-{signature}-{cipher}"
                    for signature in ("ECDSA", "RSA")
                    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
                ),
            },
        )

    def test_fasterCipherIsPreferred(self) -> None:
        """
        ChaCha20 where the processor knows nothing of AES, whatever the other end is
        like: a small server has many clients, and a small client a battery.
        """
        for serverHasAes, clientHasAes, expected in (
            (True, True, "AES_128_GCM"),
            (True, False, "CHACHA20"),
            (False, True, "CHACHA20"),
            (False, False, "CHACHA20"),
        ):
            self.patch(contexts, "aesIsFaster", lambda has=serverHasAes: has)
            server = self.server()
            self.patch(contexts, "aesIsFaster", lambda has=clientHasAes: has)
            pair = meet(server, self.client())
            self.assertWelcome(pair)
            assert pair.client.handle is not None
            self.assertIn(expected, str(pair.client.handle.get_cipher_name()))

    def test_cipherIsTriedOnce(self) -> None:
        """
        Not for each connection, or each time that files are read again.
        """
        self.assertIs(contexts.aesIsFaster(), contexts.aesIsFaster())
        self.assertLessEqual(contexts.aesIsFaster.cache_info().misses, 1)

    def test_chachaCanBeHadByWhoWantsIt(self) -> None:
        """
        Small machines are better off with it.
        """
        self.limit(SSL.TLS_CLIENT_METHOD, suites=b"TLS_CHACHA20_POLY1305_SHA256")
        self.assertEqual(self.negotiated(), ("TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256"))
        self.limit(SSL.TLS_CLIENT_METHOD, version=SSL.TLS1_2_VERSION, ciphers=b"ECDHE+CHACHA20")
        self.assertEqual(self.negotiated(), ("TLSv1.2", "ECDHE-ECDSA-CHACHA20-POLY1305"))

    def test_oldVersionIsRefusedInWords(self) -> None:
        words = "no common TLS version (1.2 and 1.3 are known here)"
        server, client = self.server(), self.client()
        self.limit(SSL.TLS_SERVER_METHOD, version=SSL.TLS1_1_VERSION, ciphers=b"ALL:@SECLEVEL=0")
        self.assertRefused(meet(self.server(), client), client=words, server=words)
        self.limit(SSL.TLS_CLIENT_METHOD, version=SSL.TLS1_1_VERSION, ciphers=b"ALL:@SECLEVEL=0")
        self.assertRefused(meet(server, self.client()), client=words, server=words)

    def test_differentVersionsAreRefusedInWords(self) -> None:
        self.limit(SSL.TLS_CLIENT_METHOD, version=SSL.TLS1_3_VERSION)
        self.limit(SSL.TLS_SERVER_METHOD, version=SSL.TLS1_2_VERSION)
        words = "no common TLS version (1.2 and 1.3 are known here)"
        self.assertRefused(meet(self.server(), self.client()), client=words, server=words)

    def test_oldCipherIsRefusedInWords(self) -> None:
        words = "no common cipher"
        cbc = b"ECDHE-ECDSA-AES128-SHA"
        server, client = self.server(), self.client()
        self.limit(SSL.TLS_SERVER_METHOD, version=SSL.TLS1_2_VERSION, ciphers=cbc)
        self.assertRefused(meet(self.server(), client), client=words, server=words)
        self.limit(SSL.TLS_CLIENT_METHOD, version=SSL.TLS1_2_VERSION, ciphers=cbc)
        self.assertRefused(meet(server, self.client()), client=words, server=words)

    def test_weakCipherOfAServerIsRefusedInWords(self) -> None:
        """
        A client offers some, as others do.  It says nothing to a server that takes one.
        """
        for weak in ("ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA384"):
            self.limit(SSL.TLS_SERVER_METHOD, version=SSL.TLS1_2_VERSION, ciphers=weak.encode("ascii"))
            pair = meet(self.server(), self.client())
            self.assertEqual(
                pair.client.refusal,
                f"the server has chosen the cipher {weak}; TLS 1.3 is needed, or ECDHE with AES-GCM or ChaCha20: "
                "others are not taken here",
            )
            self.assertEqual((pair.server.heard, pair.client.heard), (b"", b""))

    def test_whatIsStrongIsKnownByName(self) -> None:
        """
        All that a server of ours takes, and nothing else that a client offers.
        """
        taken = set(self.server().connection().get_cipher_list())
        offered = set(self.client()(None).get_cipher_list())
        self.assertTrue(taken < offered)
        self.assertEqual({cipher for cipher in offered if contexts.isStrong(cipher)}, taken)
        for cipher in (
            None,
            "",
            "AES128-GCM-SHA256",
            "DHE-RSA-AES128-GCM-SHA256",
            "ECDHE-RSA-AES128-SHA",
            "ECDHE-RSA-AES128-GCM-SHA256x",
        ):
            self.assertFalse(contexts.isStrong(cipher))

    def test_renegotiationIsRefused(self) -> None:
        self.limit(SSL.TLS_SERVER_METHOD, version=SSL.TLS1_2_VERSION)
        server = self.server().connection()
        client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD))
        server.set_accept_state()
        client.set_connect_state()
        shake(server, client)
        self.assertTrue(client.renegotiate())
        error = self.assertRaises(SSL.Error, shake, server, client)
        self.assertEqual(error.args[0][-1][2], "no renegotiation")


class PlainPeerTests(TlsTestCase):
    """
    Meet an end without TLS.
    """

    def test_plainClientIsNoticed(self) -> None:
        """
        Somebody gave C{--no-tls} at one end only.
        """
        pair = meet(self.server(), None)
        self.assertRefused(pair, client=None, server="the peer does not speak TLS: was tls=None said there?")

    def test_plainServerIsNoticed(self) -> None:
        pair = meet(None, self.client())
        self.assertEqual(pair.client.heard, b"")
        self.assertEqual(pair.client.refusal, "the peer does not speak TLS: was tls=None said there?")

    def test_webClientIsNoticed(self) -> None:
        for request in (b"GET / HTTP/1.1\r\n\r\n", b"CONNECT a:1 HTTP/1.1\r\n\r\n"):
            connection = self.server().connection()
            connection.set_accept_state()
            connection.bio_write(request)
            error = self.assertRaises(SSL.Error, connection.do_handshake)
            self.assertEqual(connection.refusalWords(error), "the peer does not speak TLS: was tls=None said there?")


class RefusalWordsTests(TlsTestCase):
    """
    Read the words that the handshakes above have not shown.
    """

    def test_lostConnectionIsNoRefusal(self) -> None:
        connection = self.server().connection()
        for value in (
            ConnectionDone(),
            ConnectionLost(),
            TCPTimedOutError(),
            SSL.SysCallError(-1, "Unexpected EOF"),
            SSL.Error([]),
            SSL.ZeroReturnError(),
        ):
            self.assertIsNone(connection.refusalWords(value))
            if isinstance(value, SSL.Error):
                self.assertIsNone(errorWords(value, None, "server"))

    def test_unknownErrorIsGivenAsOpensslHasIt(self) -> None:
        error = SSL.Error([("SSL routines", "", "bad\n\x1b[31mthing " + "x" * 500)])
        words = errorWords(error, None, "server")
        assert words is not None
        self.assertTrue(words.startswith("TLS failed: bad??[31mthing xxx"), words)
        self.assertLessEqual(len(words), 100)
        alert = SSL.Error([("SSL routines", "", "tlsv1 alert user cancelled")])
        self.assertEqual(errorWords(alert, None, "server"), "the peer refused the handshake: user cancelled")

    def test_alertsOfEveryOpensslAreUnderstood(self) -> None:
        """
        Their prefix changes from release to release.
        """
        for prefix in ("sslv3 ", "ssl/tls ", "tls ", "tlsv1 ", "tlsv13 ", ""):
            error = SSL.Error([("SSL routines", "", f"{prefix}alert certificate required")])
            self.assertEqual(errorWords(error, None, "server"), "the server wants a client certificate (cert)", prefix)

    def test_moreThanOpensslReadsIsTooManyCertificates(self) -> None:
        """
        It reads no more than 100 KB of them, and looks at none.
        """
        words = errorWords(SSL.Error([("SSL routines", "", "excessive message size")]), None, "server")
        self.assertEqual(words, "the peer sends too much in its handshake (too many certificates, or too large ones)")

    def test_causeCountsEvenBehindOtherErrors(self) -> None:
        error = SSL.Error([("SSL routines", "", "data length too long"), ("SSL routines", "", "record layer failure")])
        self.assertEqual(errorWords(error, None, "server"), "the peer does not speak TLS: was tls=None said there?")

    def test_peersTextIsHarmless(self) -> None:
        """
        Nobody writes lines into our log, or very long ones, by means of a certificate.
        """
        for issued in (
            Authority("evil\n2026 INFO all is well\x1b[2J\u202e").issue("good.test"),
            TRUSTED.issue(*(f"{'a' * 60}.{'b' * 60}.{'c' * 60}.{number}.test" for number in range(99))),
            TRUSTED.issue("a\nb.test"),
            selfSigned("good.test"),
        ):
            words = meet(self.server(issued), self.client()).client.refusal
            assert words is not None
            self.assertTrue(words.isprintable(), words)
            self.assertLessEqual(len(words), 500)

    def test_manyNamesAreCounted(self) -> None:
        """
        A few of them are enough to see what is wrong.
        """
        issued = TRUSTED.issue("a.test", "b.test", "c.test", "d.test", "e.test", "192.0.2.1")
        self.assertRefused(
            meet(self.server(issued), self.client()),
            client="wrong name: expected good.test, certificate has a.test, b.test, c.test, d.test, 2 more",
            server=OWN_CHECK,
        )

    def test_refusalBelongsToItsConnection(self) -> None:
        creator = self.client()
        bad, good = meet(self.server(STRANGER.issue("good.test")), creator), meet(self.server(), creator)
        self.assertWelcome(good)
        assert bad.client.handle is not None
        assert good.client.handle is not None
        done = ConnectionDone()
        self.assertEqual(causeIn(bad.client.handle.refusalWords(done)), "unknown issuer 'CN=Stranger CA'")
        self.assertIsNone(good.client.handle.refusalWords(done))

    def test_firstObjectionCounts(self) -> None:
        """
        A certificate with several flaws is refused for the first one found.
        """
        issued = STRANGER.issue("evil.test", begins=LONG_AGO, ends=YESTERDAY)
        self.assertRefused(
            meet(self.server(issued), self.client()), client="unknown issuer 'CN=Stranger CA'", server=UNKNOWN_CA
        )


class VerifyPeerTests(SynchronousTestCase):
    """
    Call the callback as no handshake can.
    """

    def test_foreignConnectionIsRefused(self) -> None:
        """
        A connection of which nothing is known lets nobody in.
        """
        self.assertIs(self.step(SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD)), 0, 0), False)

    def test_connectionWithoutDemandsIsRefused(self) -> None:
        connection = verification.VerifyingConnection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
        self.assertIs(self.step(connection, 0, 0), False)

    def connection(self, demands: verification.Requirements) -> verification.VerifyingConnection:
        """
        @param demands: what is demanded of the peer.
        @return: a connection on which the peer has not been seen yet.
        """
        return verification.VerifyingConnection(SSL.Context(SSL.TLS_CLIENT_METHOD), demands)

    def step(self, connection: SSL.Connection, error: int, depth: int) -> bool:
        """
        @param connection: the connection.
        @param error: what OpenSSL objects to; 0 is nothing.
        @param depth: where it is.
        @return: whether it is to go on.
        """
        certificate = X509.from_cryptography(GOOD.certificate)
        return PeerVerdict().verifyPeer(connection, certificate, error, depth, int(error == 0))

    def test_laterObjectionTakesTheAcceptanceBack(self) -> None:
        """
        Being found good once is not enough; and the first objection is the one that is remembered.
        """
        connection = self.connection(verification.Requirements("server"))
        self.assertIs(self.step(connection, 0, 0), True)
        self.assertIs(connection._verified, True)
        self.assertIs(self.step(connection, 26, 1), False)
        self.assertIs(connection._verified, False)
        self.assertIs(self.step(connection, 26, 0), False)
        self.assertEqual(connection.refusal, "issuer's certificate 'CN=leaf' refused: invalid purpose")

    def test_onlyThePeersOwnCertificateVouchesForIt(self) -> None:
        """
        Neither a good issuer nor an objection that was passed over does.
        """
        for demands, error, depth in (
            (verification.Requirements("server"), 0, 1),
            (verification.Requirements("server", chain=False, pins=(OTHER_PIN,)), 0, 1),
            (verification.Requirements("server", chain=False, pins=(PIN,)), 18, 0),
        ):
            connection = self.connection(demands)
            self.assertIs(self.step(connection, error, depth), True)
            self.assertIs(connection._verified, False)
