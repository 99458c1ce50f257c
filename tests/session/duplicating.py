"""
A session's links, of which a test says how they are, and what goes over two of them or again.
"""

from __future__ import annotations

from tests.doubles.contracts import TimerTestCase
from tests.doubles.sessions import MemoryLink, RecordingSession
from uotp.duplicate import Duplicate
from uotp.path import PathStats
from uotp.process.turns import Unlimited
from uotp.session.backlog import SMALL_BYTES
from uotp.session.demand import Demand
from uotp.session.recovery.duplication import (
    Duplication,
)
from uotp.session.recovery.grant import GRANTED_BYTES_PER_SECOND, SAVED_SECONDS
from uotp.session.recovery.repairs import (
    SAME_REPORT_SECONDS,
)
from uotp.session.scheduling.scheduler import Scheduler
from uotp.train import LAST_NUMBER, Missing, Numbering, Train

ROUND_TRIP = 0.04

SMALL = Train(SMALL_BYTES, bytes(SMALL_BYTES))
LARGE = Train(1400, bytes(1400))

SAVED = int(GRANTED_BYTES_PER_SECOND * SAVED_SECONDS)


class CountingAllowance(Unlimited):
    """
    Counts what is spent.
    """

    def __init__(self) -> None:
        super().__init__()
        self.spent = 0

    def spend(self, units: int) -> None:
        self.spent += units


class DuplicationTestCase(TimerTestCase):
    """
    Has a session's links, of which a test says how they are.

    @ivar links: all of them.
    @ivar bytes: payload that came from UDP so far.
    """

    choice = Duplicate.AUTO

    def setUp(self) -> None:
        super().setUp()
        self.clock.advance(1000.0)
        self.begin(self.choice)
        self.addCleanup(self.finish)

    def finish(self) -> None:
        self.duplication.finish()

    def begin(self, choice: Duplicate, links: int = 4) -> None:
        """
        Begin a session with so many links.
        """
        self.scheduler: Scheduler[MemoryLink] = Scheduler(lambda link: link.costs)
        self.numbering = Numbering(LAST_NUMBER - 5)
        self.demand = Demand(self.clock.seconds())
        self.allowance = CountingAllowance()
        self.links: list[MemoryLink] = []
        self.bytes = 0
        self.duplication = Duplication(
            self.scheduler,  # type: ignore[arg-type]
            self.numbering,
            self.clock,
            choice,
            self.demand,
            self.allowance,
        )
        for _ in range(links):
            self.open()

    def open(self) -> MemoryLink:
        """
        @return: one more link.
        """
        link = MemoryLink()
        link.carryFor(RecordingSession())
        self.stands(link)
        self.links.append(link)
        self.scheduler.offer(link)
        return link

    def stands(self, link: MemoryLink, repeated: int = 0, *, isWaiting: bool = False) -> None:
        """
        Say how a link stands.
        """
        link.stands = PathStats(99, repeated, ROUND_TRIP, ROUND_TRIP, isWaiting=isWaiting)

    def look(self, *, isFull: bool = False, isLossyIn: bool = False, roundTrip: float = ROUND_TRIP) -> None:
        """
        Look when it is time.
        """
        self.clock.rightNow = max(self.clock.seconds(), self.duplication.lookAt)
        now = self.clock.seconds()
        self.duplication.look(self.bytes, roundTrip, now, isFull=isFull, isLossyIn=isLossyIn)

    def lose(self) -> None:
        """
        See a loss on one of the links.
        """
        self.look()
        stands = self.links[-1].stands
        assert stands is not None
        self.stands(self.links[-1], stands.repeated + 1)
        self.look()
        self.look()  # it is still lost then

    def send(self, train: Train = SMALL) -> int:
        """
        Send a train as a session does.

        @return: its number.
        """
        number, size = self.numbering.next, len(train.payload)
        self.bytes += size
        link = self.scheduler.current
        assert link is not None
        for each in self.links:
            each.whenSent = self.count
        if self.duplication.isOn:
            self.duplication.send([train], link, self.clock.seconds())
        else:
            link.send([train], self.clock.seconds())
        return number

    def count(self) -> None:
        """
        A link gives the next number.
        """
        self.numbering.next = self.numbering.next + 1 & LAST_NUMBER

    def shares(self, seconds: float = 0.0) -> list[list[int]]:
        """
        Send something and let some time pass.

        @return: how much of it each link was given first, and how much each was given again.
        """
        sent = [len(link.sent) for link in self.links]
        again = [len(link.again) for link in self.links]
        self.send()
        self.clock.advance(seconds)
        return [
            [len(link.sent) - before for link, before in zip(self.links, sent, strict=True)],
            [len(link.again) - before for link, before in zip(self.links, again, strict=True)],
        ]

    def copies(self) -> list[int]:
        """
        @return: numbers of what was sent again, link by link.
        """
        return [number for link in self.links for number, _ in link.again]

    def missed(self, *missing: Missing) -> None:
        """
        The other end says what it misses, in good time.
        """
        self.clock.rightNow += SAME_REPORT_SECONDS + 0.0001
        self.duplication.missed(list(missing), ROUND_TRIP)
