"""
What tests of slots and of pools have in common.
"""

from __future__ import annotations

from tests.doubles.contracts import TimerTestCase
from tests.doubles.dialling import Attempt, MemoryContext
from tests.doubles.sessions import RecordingSession
from tests.doubles.streams import MemoryStream
from tests.doubles.tunnels import RecordingOwner
from uotp.client.dial.dialqueue import Urgency
from uotp.client.pool import Pool
from uotp.client.slot import Slot, SlotOwner
from uotp.tunnel.dialled import DialledTunnel
from uotp.tunnel.tunnel import CLOSE_SECONDS, DRAIN_SECONDS
from uotp.wire.hello import ServerHello, encodeServerHello
from uotp.wire.negotiation import WireChoice

SESSION_ID = b"a session's id !"

WELCOME = encodeServerHello(ServerHello(True, False, 150))
WELCOME_NEW = encodeServerHello(ServerHello(True, True, 150))
WELCOME_AT_FIRST, WELCOME_AT_SECOND = (
    encodeServerHello(ServerHello(True, False, 150, bytes([number]) * 8)) for number in (1, 2)
)
"""What two servers say."""

REFUSAL = encodeServerHello(ServerHello(False))

PING = b"\1\0\0\0\0\x08" + bytes(4)
DRAIN = b"\3" + bytes(9)
BYE = b"\4" + bytes(9)
"""What format 2 says besides trains; a ping has eight bytes more."""


class RecordingSlotOwner:
    """
    Stands for the pool of a slot, which may always dial.

    @ivar up: the slots that have a tunnel.
    @ivar welcomes: what the server has answered.
    @ivar refusals: how often it has let nobody in.
    @ivar stopped: of each attempt that was stopped on the way, when it was begun.
    @ivar instance: of the server that the session is at, once one was named.
    """

    urgency = Urgency.FIRST
    isDown: bool = False
    isHeld: bool = False

    def __init__(self, context: MemoryContext) -> None:
        self._context = context
        self.up: list[Slot] = []
        self.welcomes: list[ServerHello] = []
        self.refusals = 0
        self.stopped: list[float] = []
        self.instance: bytes | None = None

    @property
    def longestWait(self) -> float:
        """
        As the user says.
        """
        return self._context.settings.backoff

    def mayDial(self, slot: Slot) -> bool:
        return True

    def dialStopped(self, begunAt: float) -> None:
        self.stopped.append(begunAt)

    def admits(self, slot: Slot, answer: ServerHello) -> bool:
        self.instance = self.instance or answer.instance
        return not self.isElsewhere(answer)

    def strayed(self) -> None:
        self._context.reachability.leadsToSeveral()

    def isElsewhere(self, answer: ServerHello) -> bool:
        return answer.instance != self.instance

    def sendAway(self, tunnel: DialledTunnel, inARow: int) -> None:
        tunnel.bye()

    def welcomed(self, answer: ServerHello) -> None:
        self.welcomes.append(answer)

    def refused(self) -> None:
        self.refusals += 1

    def slotUp(self, slot: Slot) -> None:
        self.up.append(slot)

    def slotDown(self, slot: Slot) -> None:
        self.up.remove(slot)


class SlotTestCase(TimerTestCase):
    """
    Puts a client in memory, which dials when the test says so, and keeps how that goes.
    """

    def setUp(self) -> None:
        super().setUp()
        self.context = MemoryContext(self.clock)
        self.session = RecordingSession()
        self.owner = RecordingSlotOwner(self.context)
        self.welcomes = self.owner.welcomes

    @property
    def last(self) -> Attempt:
        return self.context.attempts[-1]

    def openLast(self) -> None:
        """
        Let the newest attempt succeed.
        """
        self.last.open()

    def slot(self) -> Slot:
        """
        @return: a slot, which is stopped in the end.
        """
        slot = Slot(self.context, self.session, SESSION_ID, self.owner)
        self.addCleanup(self.end, slot)
        return slot

    def end(self, stoppable: Slot | Pool) -> None:
        """
        Stop, and let what was closed be gone.
        """
        stoppable.leave()
        for seconds in (CLOSE_SECONDS, DRAIN_SECONDS):
            self.clock.advance(seconds)
            self.context.settle()

    def useFormat2(self) -> None:
        """
        Let the tunnels to come speak format 2.
        """
        self.context.choose(wire=WireChoice.TWO)

    def welcomeLast(self, hello: bytes = WELCOME) -> Attempt:
        """
        Let the newest attempt succeed, in format 2.

        @return: it.
        """
        self.last.open()
        self.last.tunnel.dataReceived(hello)
        return self.last

    def waitForDial(self) -> float:
        """
        @return: how long it takes to the next attempt.
        """
        attempts = len(self.context.attempts)
        started = self.clock.seconds()
        while len(self.context.attempts) == attempts:
            calls = self.clock.getDelayedCalls()
            self.assertTrue(calls, "nobody is going to dial")
            self.clock.advance(calls[0].getTime() - self.clock.seconds())
        return self.clock.seconds() - started

    def assertReasons(self, *beginnings: str) -> None:
        """
        See how the reasons begin why tunnels failed.
        """
        reasons = self.context.reachability.reasons
        self.assertEqual([said[: len(word)] for said, word in zip(reasons, beginnings, strict=True)], list(beginnings))

    def stranger(self) -> DialledTunnel:
        """
        @return: a tunnel that is no slot's own.
        """
        tunnel = DialledTunnel(self.clock, RecordingOwner(), SESSION_ID)
        tunnel.makeConnection(MemoryStream(tunnel))
        return tunnel


# It fits its seam.
_owner: type[SlotOwner] = RecordingSlotOwner
