"""
The first packet of a client is that of a common client of the web, as far as OpenSSL lets it be.

The model is Python's own: C{ssl.create_default_context} with C{http/1.1} offered by ALPN, as many programs have it.
"""

from __future__ import annotations

import contextlib
import ssl
from dataclasses import replace

from OpenSSL import SSL

from tests.doubles.clienthello import (
    KEY_SHARE,
    PADDING,
    PROTOCOLS,
    PSK_MODES,
    SERVER_NAME,
    SESSION_TICKET,
    SIGNATURE_ALGORITHMS,
    SUPPORTED_GROUPS,
    SUPPORTED_VERSIONS,
    SeenHello,
    seenHello,
)
from tests.doubles.tlspairs import GOOD, TRUSTED, TlsTestCase
from uotp.tls import contexts
from uotp.tls.credentials import ClientCredentials, ClientTls
from uotp.wire import WireChoice

EMPTY_RENEGOTIATION = 0x00FF
"""What older versions of OpenSSL say by a cipher, and newer ones by the extension L{RENEGOTIATION}."""

RENEGOTIATION = 65281
POINT_FORMATS = 11

OF_THE_VERSION = {RENEGOTIATION, PADDING, POINT_FORMATS}
"""Extensions that differ between versions of OpenSSL in whether they are there, where, or in what is in them."""


def helloOf(connection: SSL.Connection) -> bytes:
    """
    @return: what a client says first.
    """
    connection.set_connect_state()
    with contextlib.suppress(SSL.WantReadError):
        connection.do_handshake()
    hello: bytes = connection.bio_read(1 << 16)
    return hello


def helloOfPython(name: str) -> SeenHello:
    """
    @return: what a client says that takes Python's defaults.
    """
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    outgoing = ssl.MemoryBIO()
    connection = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        connection.do_handshake()
    return seenHello(outgoing.read())


class ClientHelloTests(TlsTestCase):
    """
    Compare what ours says with what others say.
    """

    def setUp(self) -> None:
        self.patch(contexts, "aesIsFaster", lambda: True)

    def bytesOf(self, *, wire: WireChoice = WireChoice.AUTO, alpn: tuple[str, ...] | None = None) -> bytes:
        """
        @return: what a client of ours says first.
        """
        choices = ClientTls(cafile=self.cafile(TRUSTED), cert=self.path(GOOD.certificatePem() + GOOD.keyPem()))
        return helloOf(ClientCredentials(choices, wire=wire, alpn=alpn).creatorFor("vpn.example.com")(None))

    def test_itSaysWhatACommonClientSays(self) -> None:
        ours, model = seenHello(self.bytesOf()), helloOfPython("vpn.example.com")
        self.assertEqual(ours.ciphers, tuple(each for each in model.ciphers if each != EMPTY_RENEGOTIATION))
        self.assertEqual((ours.version, ours.sessionIdBytes), (model.version, model.sessionIdBytes))
        self.assertEqual(set(ours.types) - OF_THE_VERSION, set(model.types) - OF_THE_VERSION)
        for kind in (SERVER_NAME, PROTOCOLS, SESSION_TICKET, SUPPORTED_VERSIONS, PSK_MODES):
            self.assertEqual(ours.extension(kind), model.extension(kind), kind)

    def test_whatElseItSaysIsOfItsOpenSsl(self) -> None:
        """
        Groups, algorithms of signatures, and the order of extensions are what a program gets that asks for nothing.
        """
        ours, bare = seenHello(self.bytesOf()), seenHello(helloOf(SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD))))
        common = tuple(kind for kind in ours.types if kind not in (SERVER_NAME, PROTOCOLS, PADDING))
        self.assertEqual(common, bare.types)
        for kind in (SUPPORTED_GROUPS, SIGNATURE_ALGORITHMS, SUPPORTED_VERSIONS, PSK_MODES, POINT_FORMATS):
            self.assertEqual(ours.extension(kind), bare.extension(kind), kind)
        self.assertEqual(len(ours.extension(KEY_SHARE)), len(bare.extension(KEY_SHARE)))

    def test_nothingOfOursIsInIt(self) -> None:
        for wire in WireChoice:
            hello = self.bytesOf(wire=wire).lower()
            self.assertNotIn(b"uotp", hello)
            self.assertNotIn(b"trusted ca", hello)
            self.assertEqual(b"http/1.1" in hello, wire is not WireChoice.ONE)

    def test_theServersNameIsTheOnlyName(self) -> None:
        name = b"vpn.example.com"
        listed = b"\0" + len(name).to_bytes(2, "big") + name
        self.assertEqual(seenHello(self.bytesOf()).extension(SERVER_NAME), len(listed).to_bytes(2, "big") + listed)

    def test_namesOfTheUserAreOffered(self) -> None:
        hello = seenHello(self.bytesOf(alpn=("h2", "http/1.1")))
        self.assertEqual(hello.extension(PROTOCOLS), b"\0\x0c\2h2\x08http/1.1")
        self.assertNotIn(PROTOCOLS, seenHello(self.bytesOf(alpn=())).types)

    def test_whereAesIsSlowTheOtherCipherComesFirst(self) -> None:
        """
        As common clients do that look for that; all else is the same.
        """
        fast = seenHello(self.bytesOf())
        self.patch(contexts, "aesIsFaster", lambda: False)
        slow = seenHello(self.bytesOf())
        self.assertEqual((hex(slow.ciphers[0]), hex(slow.ciphers[3])), ("0x1303", "0xcca9"))
        self.assertEqual(set(slow.ciphers), set(fast.ciphers))
        self.assertEqual(replace(slow, ciphers=(), extensions=()), replace(fast, ciphers=(), extensions=()))
        self.assertEqual(slow.types, fast.types)
