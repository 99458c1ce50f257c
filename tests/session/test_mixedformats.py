"""
A session whose tunnels speak different formats, as where two servers of different age stand behind one name.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.streams import RecordingStream
from tests.doubles.tunnels import RecordingLinkOwner
from uotp.duplicate import Duplicate
from uotp.path import PathStats
from uotp.process.turns import Unlimited
from uotp.session.session import Session
from uotp.telemetry.drops import Drops
from uotp.train import Train, cut
from uotp.tunnel.link1 import Format1Link
from uotp.tunnel.link2 import Format2Link

ROUND_TRIP = 0.04
EVERY = 0.05
"""Seconds from one datagram to the next."""


class MixedFormatsTests(SynchronousTestCase):
    """
    Two sessions and the links between them: two of format 2, and one of format 1.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000.0)
        self.delivered: list[bytes] = []
        self.here = self.session([])
        self.there = self.session(self.delivered)
        self.ends: list[tuple[RecordingStream, Format1Link | Format2Link, RecordingStream, Format1Link | Format2Link]]
        self.ends = []
        for isOld in (False, False, True):
            ours, theirs = RecordingStream(), RecordingStream()
            ours.path = PathStats(20, 0, ROUND_TRIP, ROUND_TRIP)
            link, other = self.link(ours, self.here, isOld=isOld), self.link(theirs, self.there, isOld=isOld)
            link.start()
            other.start()
            self.ends.append((ours, link, theirs, other))
        self.addCleanup(self.finish)

    def session(self, delivered: list[bytes]) -> Session:
        """
        @param delivered: takes the datagrams that come.
        """

        def deliver(trains: list[Train]) -> None:
            delivered.extend(datagram for train in trains for datagram in cut(train))

        return Session(deliver, Drops(), self.clock, Unlimited(), duplicate=Duplicate.ALWAYS)

    def link(self, stream: RecordingStream, session: Session, *, isOld: bool) -> Format1Link | Format2Link:
        """
        @return: a link of one of the formats.
        """
        if isOld:
            return Format1Link(stream, RecordingLinkOwner(), session, self.clock.seconds)
        return Format2Link(stream, RecordingLinkOwner(), session, self.clock)

    def finish(self) -> None:
        for _, link, _, other in self.ends:
            link.end(isLost=True)
            other.end(isLost=True)
        for session in (self.here, self.there):
            session.finish(lambda: None)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def carry(self) -> None:
        """
        Bring to each end what the other has written.
        """
        for ours, link, theirs, other in self.ends:
            for said, taker in ((ours.said, other), (theirs.said, link)):
                written = list(said)
                del said[:]
                for data in written:
                    taker.received(data)

    def test_eachDatagramArrivesOnceThoughSomeGoTwice(self) -> None:
        """
        No copy goes by the tunnel that numbers nothing, where it would take the number of the next one.
        """
        self.carry()
        sent = [b"%06d" % number for number in range(200)]
        for datagram in sent:
            self.clock.advance(EVERY)
            self.carry()
            self.here.outbound.send([Train(len(datagram), datagram)])
            self.carry()
        for _ in range(40):
            self.clock.advance(EVERY)
            self.carry()
        self.assertEqual(sorted(self.delivered), sent)
