"""
Connections of ours on loopback, in this process, in a reactor that takes a turn when
it is told to.  It knows nothing of tunnels.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from functools import cache, partial
from random import Random
from typing import Any

from twisted.internet.interfaces import IHandshakeListener, IPushProducer
from twisted.internet.protocol import ClientFactory, Factory, Protocol
from twisted.internet.selectreactor import SelectReactor
from twisted.python.failure import Failure
from zope.interface import implementer

from bench.rig.ports import LOOPBACK, Address
from bench.rig.programs import HANG_SECONDS
from tests.doubles.sockets import Diarist
from uotp.net.sockopts import TunnelSocketOptions
from uotp.tls.credentials import ClientCredentials, ServerCredentials
from uotp.transport.accepted import AcceptedTcpStream, AcceptedTlsStream
from uotp.transport.dialer import connectTunnel
from uotp.transport.dialled import DialledTcpStream, DialledTlsStream
from uotp.transport.handshakes import HandshakeQueue
from uotp.transport.preamble import Preamble

TURN_SECONDS = 0.01
"""How long a turn waits for something to happen."""


@cache
def steppedReactor() -> Any:
    """
    @return: the reactor of all these tests; it is not the global one.
    """
    return SelectReactor()


def stepUntil(condition: Callable[[], object], what: str, seconds: float = HANG_SECONDS) -> None:
    """
    Let turns pass until something is so.

    @param what: what it is, for the failure.
    @raise AssertionError: at the deadline.
    """
    reactor = steppedReactor()
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            reason = f"not so in {seconds} s: {what}"
            raise AssertionError(reason)
        reactor.runUntilCurrent()
        reactor.doIteration(TURN_SECONDS)


def stepWithin(turns: int, condition: Callable[[], object], what: str) -> None:
    """
    Let turns pass until something is so, which hangs on no timer: a turn in which nothing happens takes
    L{TURN_SECONDS}, and on a slow machine longer.

    @param turns: of these it takes no more.
    @param what: what it is, for the failure.
    @raise AssertionError: when it is not so by then.
    """
    reactor = steppedReactor()
    for _ in range(turns):
        if condition():
            return
        reactor.runUntilCurrent()
        reactor.doIteration(TURN_SECONDS)
    reason = f"not so in {turns} turns: {what}"
    raise AssertionError(reason)


def step(turns: int = 10) -> None:
    """
    Let some turns pass.
    """
    for _ in range(turns):
        steppedReactor().runUntilCurrent()
        steppedReactor().doIteration(0)


@implementer(IHandshakeListener, IPushProducer)
class Talker(Protocol):
    """
    Says what it has to say as fast as it may, and remembers a digest of what it hears.

    @ivar ready: whether it may speak.
    @ivar full: whether the connection takes no more.
    @ivar said: bytes that it has written.
    @ivar heard: bytes that it has received.
    @ivar refusal: why it was refused, in words, when the connection is lost.
    """

    transport: Any

    def __init__(self, seed: int = 0, amount: int = 0) -> None:
        """
        @param seed: of what it says.
        @param amount: how much that is, in bytes.
        """
        self._dice = Random(seed)  # noqa: S311 - not for secrets
        self._amount = amount
        self.ready = self.full = False
        self.said = self.heard = self.pauses = 0
        self.saidDigest, self.heardDigest = hashlib.sha256(), hashlib.sha256()
        self.lost: Failure | None = None
        self.refusal: str | None = None

    def connectionMade(self) -> None:
        """
        Ready at once, without TLS.
        """
        self.transport.registerProducer(self, True)
        self.transport.admit()
        if self.transport.security is None:
            self.handshakeCompleted()

    def handshakeCompleted(self) -> None:
        """
        Speak.
        """
        self.ready = True
        self.speak()

    def speak(self) -> None:
        """
        Write until the connection is full, or all is said.
        """
        while not self.full and self.said < self._amount:
            self.say(self._dice.randbytes(min(self._dice.randint(1, 40000), self._amount - self.said)))

    def say(self, data: bytes) -> None:
        """
        Write this.
        """
        self.said += len(data)
        self.saidDigest.update(data)
        self.transport.write(data)

    def pauseProducing(self) -> None:
        """
        The connection is full.
        """
        self.full = True
        self.pauses += 1

    def resumeProducing(self) -> None:
        """
        Go on.
        """
        self.full = False
        self.speak()

    def stopProducing(self) -> None:
        """
        The connection is gone.
        """

    def dataReceived(self, data: bytes) -> None:
        """
        Remember it.
        """
        self.heard += len(data)
        self.heardDigest.update(data)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """
        Put it in words.
        """
        self.lost = reason
        security = self.transport.security
        self.refusal = None if security is None else security.refusal


class RecordingTalker(Diarist):
    """
    Writes down all that becomes of it.
    """

    @property
    def ready(self) -> bool:
        """
        Whether it may speak.
        """
        return self.transport is not None and ("secured" in self.says or self.transport.security is None)

    @property
    def lost(self) -> Failure | None:
        """
        Why the connection is gone, if it is.
        """
        return self.reason


AnyTalker = Talker | RecordingTalker
"""Who may have a connection here."""


class Listener:
    """
    Accepts connections.

    @ivar accepted: who got one, the oldest first.
    """

    def __init__(
        self,
        credentials: ServerCredentials | None,
        tuning: TunnelSocketOptions,
        make: Callable[[], AnyTalker],
        makePreamble: Callable[[], Preamble] | None = None,
    ) -> None:
        """
        @param credentials: L{None} for plain TCP.
        @param make: makes who gets a connection.
        @param makePreamble: makes what comes before each, if anything does.
        """
        self.accepted: list[AnyTalker] = []

        def build() -> AnyTalker:
            self.accepted.append(make())
            return self.accepted[-1]

        handshakes = HandshakeQueue(steppedReactor())
        factory: Any = Factory.forProtocol(build)
        factory.noisy = False
        self._port = steppedReactor().listenTCP(0, factory, interface=LOOPBACK)
        plain: type[AcceptedTcpStream] = AcceptedTcpStream
        secured: type[AcceptedTlsStream] = AcceptedTlsStream
        if makePreamble is not None:
            choices = {"makePreamble": staticmethod(makePreamble)}
            plain, secured = type("Plain", (plain,), choices), type("Secured", (secured,), choices)
        self._port.transport = (
            partial(plain, handshakes, tuning)
            if credentials is None
            else partial(secured, credentials.connection, handshakes, tuning)
        )
        self.address: Address = (LOOPBACK, self._port.getHost().port)

    def close(self) -> None:
        """
        Abort all, and let them be gone.
        """
        self._port.stopListening()
        for each in self.accepted:
            if each.lost is None:
                each.transport.abort()
        stepUntil(lambda: all(each.lost is not None for each in self.accepted), "all connections are gone")


def dial(
    address: Address,
    credentials: ClientCredentials | None,
    tuning: TunnelSocketOptions,
    talker: AnyTalker,
    makePreamble: Callable[[], Preamble] | None = None,
) -> None:
    """
    Connect to it.

    @param credentials: L{None} for plain TCP.
    @param talker: who gets the connection.
    @param makePreamble: makes what comes before it, if anything does.
    """
    choices: dict[str, Any] = {"tuning": tuning}
    if makePreamble is not None:
        choices["makePreamble"] = staticmethod(makePreamble)
    kind: type[DialledTcpStream] = DialledTcpStream
    if credentials is not None:
        kind = DialledTlsStream
        choices["handshakes"] = HandshakeQueue(steppedReactor())
        choices["creator"] = staticmethod(credentials.creatorFor(address[0]))
    factory: Any = ClientFactory.forProtocol(lambda: talker)
    factory.noisy = False
    factory.reached = lambda: None  # where a preamble comes first, the connection is made behind it
    connectTunnel(type("OurConnection", (kind,), choices), steppedReactor(), *address, factory)
