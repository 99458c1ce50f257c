"""
Two sessions and the links between them, on a path that loses: what goes twice or again, seen from both ends.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.streams import RecordingStream
from tests.doubles.tunnels import RecordingLinkOwner
from uotp.duplicate import Duplicate
from uotp.order import Order
from uotp.path import PathStats
from uotp.process.turns import Unlimited
from uotp.session.recovery.grant import GRANTED_BYTES_PER_SECOND, SAVED_SECONDS
from uotp.session.session import Session
from uotp.telemetry.drops import Drops
from uotp.train import Train, cut
from uotp.tunnel.link2 import Format2Link

ONE_WAY = 0.02
"""Seconds from the one end to the other."""

REPAIR = 2 * ONE_WAY + 0.01
"""What is lost comes so much later, if its connection has something to send behind it."""

TIMEOUT = 0.22
"""The same if not."""

LINKS = 4

EVERY = 0.01
"""Seconds from one datagram to the next."""

IN_ORDER = Order.within(1.0)
"""Nothing is given up that comes late."""

Lose = Callable[[float], bool]
"""Decides whether a segment is lost, by the time."""


class LossyStream(RecordingStream):
    """
    Carries each write as one segment to the link at the other end, and as TCP does: in order, and what is
    lost late.

    @ivar other: the link at the other end.
    """

    other: Format2Link

    def __init__(self, clock: Clock, lose: Lose) -> None:
        super().__init__()
        self._clock = clock
        self._lose = lose
        self._arrivesAt = 0.0
        self._sent = self._repeated = self._acknowledged = self._written = 0
        self._inFlight: list[tuple[float, bytes]] = []

    def write(self, data: bytes) -> None:
        super().write(data)
        self._sent += 1
        self._written += len(data)
        now = self._clock.seconds()
        at = now + ONE_WAY
        if self._lose(now):
            self._repeated += 1
            at += TIMEOUT if self._arrivesAt < now + ONE_WAY else REPAIR
        elif self._arrivesAt > now + ONE_WAY + REPAIR:
            self._arrivesAt = now + ONE_WAY + REPAIR  # what comes behind the hole tells of it
            self._inFlight = [(min(due, self._arrivesAt), each) for due, each in self._inFlight]
        self._arrivesAt = max(self._arrivesAt, at)
        self._inFlight.append((self._arrivesAt, data))
        self._clock.callLater(self._arrivesAt - now, self._arrive)

    def _arrive(self) -> None:
        now = self._clock.seconds()
        while self._inFlight and self._inFlight[0][0] <= now + 1e-9:
            data = self._inFlight.pop(0)[1]
            self._clock.callLater(ONE_WAY, self._acknowledge, len(data))
            self.other.received(data)

    def _acknowledge(self, size: int) -> None:
        self._acknowledged += size

    def unacknowledged(self) -> int | None:
        return self._written - self._acknowledged

    def pathStats(self) -> PathStats | None:
        return PathStats(
            self._sent,
            self._repeated,
            2 * ONE_WAY,
            2 * ONE_WAY,
            acknowledged=self._acknowledged,
            isWaiting=self._written > self._acknowledged,
        )


class End:
    """
    Is one end: a session, and what it delivers.

    @ivar delays: of each datagram that was delivered, in order.
    @ivar numbers: what each of them tells.
    """

    def __init__(self, clock: Clock, duplicate: Duplicate, order: Order) -> None:
        self._clock = clock
        self.numbers: list[int] = []
        self.delays: list[float] = []
        self.session = Session(self._deliver, Drops(), clock, Unlimited(), order=order, duplicate=duplicate)
        self.links: list[Format2Link] = []
        self.streams: list[LossyStream] = []

    def join(self, lose: Lose) -> Format2Link:
        """
        @return: one more link.
        """
        stream = LossyStream(self._clock, lose)
        link = Format2Link(stream, RecordingLinkOwner(), self.session, self._clock)
        self.streams.append(stream)
        self.links.append(link)
        return link

    def send(self, number: int, size: int) -> None:
        """
        Send a datagram that tells its number and the time.
        """
        words = number.to_bytes(8, "big") + int(self._clock.seconds() * 1e6).to_bytes(8, "big")
        self.session.outbound.send([Train(size, words.ljust(size, b"."))])

    def _deliver(self, trains: list[Train]) -> None:
        for train in trains:
            for datagram in cut(train):
                self.numbers.append(int.from_bytes(datagram[:8], "big"))
                self.delays.append(self._clock.seconds() - int.from_bytes(datagram[8:16], "big") / 1e6)

    def written(self) -> int:
        """
        @return: bytes that were written, in all.
        """
        return sum(stream._written for stream in self.streams)


class LossyPathTests(SynchronousTestCase):
    """
    Let datagrams go from the one end to the other, over links that lose.
    """

    def correspond(
        self, seconds: float, lose: Lose, duplicate: Duplicate, size: int = 200, order: Order = IN_ORDER
    ) -> tuple[End, End]:
        """
        @return: both ends, after so long; all has arrived by then, once.
        """
        clock = Clock()
        clock.advance(1000.0)
        here, there = End(clock, duplicate, order), End(clock, duplicate, order)
        for _ in range(LINKS):
            one, other = here.join(lose), there.join(lose)
            here.streams[-1].other, there.streams[-1].other = other, one
            for link in (one, other):
                link.start()
        total = round(seconds / EVERY)
        for number in range(total):
            here.send(number, size)
            if number % 2:
                there.send(number // 2, size)
            for _ in range(10):
                clock.advance(EVERY / 10)
        for _ in range(2000):
            clock.advance(0.001)
        for end in (here, there):
            for link in end.links:
                link.end(isLost=False)
            end.session.finish(lambda: None)
        clock.advance(30.0)
        self.assertEqual([str(call) for call in clock.getDelayedCalls()], [])
        for end, expected in ((there, total), (here, total // 2)):
            self.assertEqual(end.numbers if order is IN_ORDER else sorted(end.numbers), list(range(expected)))
            self.assertEqual(end.session.inbound.late, 0)
        return here, there

    def lateShare(self, end: End) -> float:
        """
        @return: how many of the datagrams came later than by half a round trip and a bit.
        """
        return sum(delay > 1.4 * ONE_WAY for delay in end.delays) / len(end.delays)

    def byChance(self, share: float) -> Lose:
        """
        @return: loses so many segments, each for itself, and the same ones each time.
        """
        dice = Random(7)  # noqa: S311 - no secret
        return lambda _: dice.random() < share

    def test_eachIsDeliveredOnceAndInOrder(self) -> None:
        """
        Whether or not it goes twice, and however much is lost.
        """
        for duplicate in Duplicate:
            for share in (0.0, 0.03):
                self.correspond(5.0, self.byChance(share), duplicate)

    def test_lossesDelayFew(self) -> None:
        """
        Of those that would be late.  Before the first loss is seen nothing goes twice.
        """
        without = self.lateShare(self.correspond(20.0, self.byChance(0.02), Duplicate.OFF)[1])
        twice = self.lateShare(self.correspond(20.0, self.byChance(0.02), Duplicate.AUTO)[1])
        self.assertGreater(without, 0.02)
        self.assertLess(twice, 0.75 * without)

    def test_lightFlowIsInTimeRatherThanInOrder(self) -> None:
        """
        Unless the user wants that.
        """
        waiting = self.correspond(20.0, self.byChance(0.03), Duplicate.ALWAYS)[1]
        there = self.correspond(20.0, self.byChance(0.03), Duplicate.ALWAYS, order=Order())[1]
        self.assertNotEqual(there.numbers, sorted(there.numbers))
        self.assertLess(self.lateShare(there), 0.95 * self.lateShare(waiting))
        self.assertLess(sorted(there.delays)[-20], sorted(waiting.delays)[-20])

    def test_whereNothingIsLostNothingGoesTwice(self) -> None:
        plain = self.correspond(5.0, self.byChance(0.0), Duplicate.OFF)
        auto = self.correspond(5.0, self.byChance(0.0), Duplicate.AUTO)
        self.assertEqual([end.written() for end in plain], [end.written() for end in auto])

    def test_whatIsMissedGoesAgain(self) -> None:
        """
        Also where nothing goes twice: what is behind a hole is not waited for until a timer runs out.
        """
        at: list[float] = []

        def once(now: float) -> bool:
            if now > 1002.0 and not at:
                at.append(now)
            return bool(at) and now == at[0]

        _, there = self.correspond(4.0, once, Duplicate.OFF)
        self.assertTrue(at)
        self.assertLess(max(there.delays), TIMEOUT / 2)
        self.assertGreater(max(there.delays), ONE_WAY + REPAIR / 2)

    def test_copiesAreBoundedWithTheFlow(self) -> None:
        """
        A flow of a megabit in a second is sent twice, and again, only as far as that is granted.
        """
        seconds = 30.0
        here, _ = self.correspond(seconds, self.byChance(0.03), Duplicate.ALWAYS, 1400, Order())
        more = here.written() - 1410 * round(seconds / EVERY)
        granted = GRANTED_BYTES_PER_SECOND * (SAVED_SECONDS + seconds)
        self.assertGreater(more, granted / 2)
        self.assertLess(more, 2.1 * granted)  # for both, and pings and reports
