"""
Padding as it is seen from outside: two pairs of tunnels carry the same, one with padding and one without, and what each
end writes is laid side by side.
"""

from __future__ import annotations

from collections.abc import Iterator

from twisted.test.iosim import IOPump, connect

from tests.doubles.contracts import TimerTestCase
from tests.doubles.sessions import RecordingSession
from tests.doubles.streams import MemoryStream
from tests.doubles.tunnels import RecordingOwner
from tests.tunnel.test_upgrade import REQUEST, YES, MemoryUpgrade
from uotp.boundaries import Security
from uotp.train import Train
from uotp.tunnel.accepted import AcceptedTunnel
from uotp.tunnel.dialled import DialledTunnel
from uotp.tunnel.heartbeat import GIVE_UP_SECONDS
from uotp.tunnel.tunnel import Tunnel
from uotp.wire.hello import PADDED_HELLO_BYTES, Token, newSessionId
from uotp.wire.negotiation import WireChoice
from uotp.wire.padding import MOST_PADDING_BYTES, PADDED_SIZES, PADDED_WRITES

SIZES = (1, 20, 148, 700, 1100, 1420, 5000, 12000, 65507, 92, 1, 1420, 32)
"""Of the datagrams, in bytes: more of them than writes are padded."""


class WrittenStream(MemoryStream):
    """
    Keeps the length of each write.
    """

    def __init__(self, protocol: Tunnel, *, isServer: bool) -> None:
        """
        TLS is no business of this test.
        """
        super().__init__(protocol, isServer, secured=True)
        self.security = Security(b"http/1.1")
        self.sizes: list[int] = []

    def write(self, data: bytes) -> None:
        self.sizes.append(len(data))
        super().write(data)


class Answering(AcceptedTunnel):
    """
    Goes on with WebSocket when it is asked to.
    """

    def dataReceived(self, data: bytes) -> None:
        if data == REQUEST:
            MemoryStream.write(self.transport, YES)  # type: ignore[arg-type]  # of the web server, and no tunnel's
        else:
            super().dataReceived(data)


class PaddedTunnelsTests(TimerTestCase):
    """
    Lay what is written with padding beside what is written without.
    """

    def carried(
        self,
        *,
        pads: tuple[bool, bool],
        token: Token | None = None,
        wire: WireChoice = WireChoice.AUTO,
        isUpgraded: bool = False,
    ) -> tuple[list[int], list[int]]:
        """
        Carry the datagrams both ways.

        @param pads: whether the client pads, and the server.
        @return: the length of each write of the client, and of the server.
        """
        sessions = [RecordingSession(), RecordingSession()]
        owners = [RecordingOwner(each) for each in sessions]
        upgrade = MemoryUpgrade() if isUpgraded else None
        here = DialledTunnel(self.clock, owners[0], newSessionId(), wire, token=token, upgrade=upgrade, pads=pads[0])
        there = Answering(self.clock, owners[1], pads=pads[1])
        ours, theirs = WrittenStream(here, isServer=False), WrittenStream(there, isServer=True)
        pump = connect(there, theirs, here, ours, clock=self.clock, greet=False)
        for tunnel in (here, there):
            tunnel.handshakeCompleted()
        pump.flush()
        self.assertEqual((len(owners[0].opened), len(owners[1].hellos)), (1, 1))
        for size in SIZES:
            for tunnel in (here, there):
                assert tunnel.link is not None
                tunnel.link.send([Train(size, bytes(size))], self.clock.seconds())
                pump.flush()
        for session in sessions:
            self.assertEqual([len(each) for each in session.datagrams()], list(SIZES))
        self.part(pump, here)
        asked = [len(REQUEST)] if isUpgraded else []
        self.assertEqual(ours.sizes[: len(asked)], asked)
        return ours.sizes[len(asked) :], theirs.sizes

    def part(self, pump: IOPump, tunnel: Tunnel) -> None:
        """
        Leave no timer.
        """
        tunnel.close()
        pump.flush()
        self.clock.advance(GIVE_UP_SECONDS)

    def mixes(self) -> Iterator[dict[str, object]]:
        """
        @return: with what padding is mixed.
        """
        for token in (None, Token(b"a" * 16), Token(b"b" * 255)):
            for isUpgraded in (False, True):
                yield {"token": token, "isUpgraded": isUpgraded}

    def test_onlyTheFirstWritesDiffer(self) -> None:
        """
        The hello, and so many writes behind it, have a few lengths, and all together grow no more than may be.  What
        follows is as long as without padding.
        """
        for mix in self.mixes():
            plain, padded = (
                self.carried(pads=(pads, pads), **mix)  # type: ignore[arg-type]
                for pads in (False, True)
            )
            for before, after in zip(plain, padded, strict=True):
                self.assertEqual(len(before), len(after), mix)
                self.assertGreater(len(after), 1 + PADDED_WRITES)
                first, later = after[: 1 + PADDED_WRITES], after[1 + PADDED_WRITES :]
                self.assertEqual(later, before[1 + PADDED_WRITES :], mix)
                self.assertEqual(first[0], PADDED_HELLO_BYTES)
                self.assertEqual([size for size in first if not isPadded(size)], [], mix)
                grown = sum(after) - sum(before)
                self.assertLessEqual(grown, PADDED_HELLO_BYTES + PADDED_WRITES * MOST_PADDING_BYTES)

    def test_lengthsTellNothingOfTheToken(self) -> None:
        found = {tuple(map(tuple, self.carried(pads=(True, True), **mix))) for mix in self.mixes()}  # type: ignore[arg-type]
        self.assertEqual(len(found), 1)

    def test_eachEndPadsForItself(self) -> None:
        """
        Whatever the other end does.
        """
        plain, padded = (self.carried(pads=(pads, pads)) for pads in (False, True))
        self.assertEqual(self.carried(pads=(True, False)), (padded[0], plain[1]))
        self.assertEqual(self.carried(pads=(False, True)), (plain[0], padded[1]))

    def test_format1IsNotPadded(self) -> None:
        """
        At a server that pads, and where a client would if it could.
        """
        for isUpgraded in (False, True):
            plain, padded = (
                self.carried(pads=(pads, pads), wire=WireChoice.ONE, isUpgraded=isUpgraded) for pads in (False, True)
            )
            self.assertEqual(plain, padded)


def isPadded(size: int) -> bool:
    """
    @return: whether a write is as long as one that was padded.
    """
    return size in PADDED_SIZES or size % PADDED_SIZES[-1] == 0
