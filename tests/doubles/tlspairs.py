"""
Two protocols that talk real TLS to each other in memory, and remember all of it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from OpenSSL import SSL
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from twisted.test.iosim import connectedServerAndClient
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.doubles.certificates import Authority, Issued, pem
from tests.doubles.streams import Creator, InMemory
from uotp.tls import contexts
from uotp.tls.credentials import ClientCredentials, ClientTls, ServerCredentials, ServerTls
from uotp.tls.verification import VerifyingConnection

TRUSTED = Authority("Trusted CA")
STRANGER = Authority("Stranger CA")
GOOD = TRUSTED.issue("good.test", "127.0.0.1", "::1")


@implementer(IHandshakeListener)
class Talker(Protocol):
    """
    Says one thing as soon as it may, and writes down what becomes of it.
    """

    def __init__(self, says: bytes) -> None:
        self.says = says
        self.heard = b""
        self.handshakes = 0
        self.handle: VerifyingConnection | None = None
        self.lost: Failure | None = None
        self.refusal: str | None = None

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.handle = self.transport.getHandle() if isinstance(self.transport, TLSMemoryBIOProtocol) else None
        self.transport.write(self.says)

    def handshakeCompleted(self) -> None:
        self.handshakes += 1

    def dataReceived(self, data: bytes) -> None:
        """
        @param data: kept.
        """
        self.heard += data

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """
        @param reason: put in words, at the only moment when that is possible.
        """
        self.lost = reason
        handle = self.transport.getHandle() if isinstance(self.transport, TLSMemoryBIOProtocol) else None
        self.refusal = None if handle is None else handle.refusalWords(reason.value)


@dataclass(frozen=True)
class Pair:
    """
    Holds both ends, after everything that they had for each other was delivered.
    """

    client: Talker
    server: Talker


def causeIn(words: str | None) -> str | None:
    """
    @return: what was wrong, without what can be done about it.
    """
    return None if words is None else words.partition("; ")[0]


def meet(server: Creator | ServerCredentials | None, client: Creator | None) -> Pair:
    """
    @param server: what makes the server's connection; L{None} is a server without TLS.
    @param client: the same for the client.
    @return: what came of it.
    """
    clock = Clock()
    pair = Pair(Talker(b"the client's secret"), Talker(b"the server's secret"))

    def build(creator: Creator | ServerCredentials | None, talker: Talker, *, isClient: bool) -> object:
        if creator is None:
            return talker
        factory = Factory.forProtocol(lambda: talker)
        return TLSMemoryBIOFactory(InMemory(creator), isClient, factory, clock).buildProtocol(None)

    pump = connectedServerAndClient(
        lambda: build(server, pair.server, isClient=False),
        lambda: build(client, pair.client, isClient=True),
        clock=clock,
    )[2]
    while pump.flush():
        pass
    return pair


def shake(server: SSL.Connection, client: SSL.Connection) -> None:
    """
    Carry a handshake of two bare connections through, and what follows it.

    @param server: the one end.
    @param client: the other end.
    @raise SSL.Error: what either end has against it.
    """
    for _ in range(4):
        for here, there in ((client, server), (server, client)):
            for step in (here.do_handshake, lambda here=here: here.recv(1), lambda h=here, t=there: _carry(h, t)):
                with suppress(SSL.WantReadError):
                    step()


def _carry(here: SSL.Connection, there: SSL.Connection) -> None:
    there.bio_write(here.bio_read(1 << 16))


class TlsTestCase(SynchronousTestCase):
    """
    Makes credentials out of certificates, with one line for each.
    """

    def path(self, content: bytes) -> str:
        """
        @param content: what a file is to hold.
        @return: the name of a new file that does.
        """
        name: str = self.mktemp()
        Path(name).touch(mode=0o600)  # it may hold a key
        Path(name).write_bytes(content)
        return name

    def cafile(self, *authorities: Authority) -> str:
        """
        @param authorities: some CAs.
        @return: the name of a bundle of them.
        """
        return self.path(pem(*(authority.certificate for authority in authorities)))

    def server(self, issued: Issued = GOOD, *, clientsFrom: Authority | None = None) -> ServerCredentials:
        """
        @param issued: the server's certificate.
        @param clientsFrom: who must have signed the clients.
        @return: its credentials.
        """
        cafile = None if clientsFrom is None else self.cafile(clientsFrom)
        return ServerCredentials(ServerTls(self.path(issued.certificatePem() + issued.keyPem()), cafile=cafile))

    def client(
        self,
        host: str = "good.test",
        *,
        trusts: Authority | None = TRUSTED,
        shows: Issued | None = None,
        hostnameCheck: bool = True,
        serverName: str | None = None,
        pins: tuple[bytes, ...] = (),
    ) -> Creator:
        """
        @param host: what is dialled.
        @param trusts: the only CA, if it is not the system's.
        @param shows: the client's certificate.
        @param hostnameCheck: as in L{ClientTls}.
        @param serverName: as in L{ClientTls}.
        @param pins: as in L{ClientTls}.
        @return: what makes its connections.
        """
        choices = ClientTls(
            cafile=None if trusts is None else self.cafile(trusts),
            cert=None if shows is None else self.path(shows.certificatePem() + shows.keyPem()),
            hostnameCheck=hostnameCheck,
            serverName=serverName,
            pins=pins,
        )
        return ClientCredentials(choices).creatorFor(host)

    def limit(self, method: int, *, version: int | None = None, ciphers: bytes = b"", suites: bytes = b"") -> None:
        """
        Have one end of the coming connections know less than it could.

        @param method: which end.
        @param version: the only version of TLS.
        @param ciphers: the ciphers of TLS 1.2.
        @param suites: those of TLS 1.3.
        """
        unlimited = contexts.newContext

        def newContext(asked: int) -> SSL.Context:
            context = unlimited(asked)
            if asked == method:
                if version is not None:
                    context.set_min_proto_version(version)
                    context.set_max_proto_version(version)
                if ciphers:
                    context.set_cipher_list(ciphers)
                if suites:
                    context.set_tls13_ciphersuites(suites)
            return context

        self.patch(contexts, "newContext", newContext)

    def setEnvironment(self, name: str, value: str) -> None:
        """
        @param name: a variable, for this test.
        @param value: its value.
        """
        before = os.environ.get(name)

        def restore() -> None:
            if before is None:
                del os.environ[name]
            else:
                os.environ[name] = before

        os.environ[name] = value
        self.addCleanup(restore)

    def assertWelcome(self, pair: Pair) -> None:
        """
        @param pair: two that must have heard each other.
        """
        self.assertEqual((pair.client.refusal, pair.server.refusal), (None, None))
        self.assertEqual(pair.server.heard, b"the client's secret")
        self.assertEqual(pair.client.heard, b"the server's secret")

    def assertRefused(self, pair: Pair, *, client: str | None, server: str | None) -> None:
        """
        @param pair: two of which neither may have heard a byte.
        @param client: what the client says of it, without what can be done about it.
        @param server: what the server says of it, without the same.
        """
        self.assertEqual((pair.client.heard, pair.server.heard), (b"", b""))
        self.assertEqual(causeIn(pair.client.refusal), client)
        self.assertEqual(causeIn(pair.server.refusal), server)
        self.assertIsNotNone(pair.client.lost)
        self.assertIsNotNone(pair.server.lost)
