"""
Who is worth a session, how large its pool is, and when it ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from ipaddress import ip_network

from twisted.logger import capturedLogs, formatEvent

from tests.doubles.contracts import TimerTestCase
from tests.doubles.dialling import Attempt, MemoryContext, serversOf
from tests.doubles.udp import MemoryUdp, Receiver
from uotp.boundaries import Address
from uotp.client.sources.admission import NEW_AT_ONCE, NEW_PER_SECOND, STRANGERS_AT_ONCE, AdmissionLimits
from uotp.client.sources.places import PAID_SHARE, SPARE_SECONDS, UNPROVED_SHARE
from uotp.client.sources.proof import MOMENT_SECONDS, TUNNEL_BYTES, UNANSWERED_BYTES
from uotp.client.sources.sessions import UNPROVED_SECONDS, SessionsBySource, SessionsBySourceStatistics
from uotp.client.sources.source import LASTING_SECONDS, SourceSession
from uotp.net.networks import Network
from uotp.process.steps import APART_SECONDS, STEPS
from uotp.session.demand import MAX_LINKS, WANTED_SECONDS
from uotp.session.pacer import TICK_SECONDS
from uotp.telemetry.drops import Drop, Drops
from uotp.telemetry.ratelimit import MAX_LINES_PER_QUIET
from uotp.train import TakeTrains, Train

EXPIRE = 120.0
POOL = 4
PING = Train(4, b"ping")
CLIENT = ("127.0.0.1", 8911)


def source(number: int) -> Address:
    """
    @return: the address of a source.
    """
    return (f"192.0.2.{number // 60000 + 1}", number % 60000 + 1)


class _SessionsTestCase(TimerTestCase):
    """
    Puts a client in memory, which dials when the test says so, and keeps how that goes.
    """

    def setUp(self) -> None:
        """
        Make what its pools share, and let every test check the invariant.
        """
        super().setUp()
        self.context = MemoryContext(self.clock)
        self.context.choose(poolSize=POOL)
        self.servers = serversOf(self.context)
        self.drops = Drops()
        self.delivered: list[tuple[Address, Train]] = []
        self.made: list[SourceSession] = []
        self.lost: list[str] = []
        self.sessions = self.makeSessions()
        self.addCleanup(self.end)

    def makeSessions(
        self, maxSessions: int = 1024, expire: float = EXPIRE, allow: Iterable[Network] = ()
    ) -> SessionsBySource:
        """
        @return: no sessions yet.
        """
        sessions = SessionsBySource(self.openSession, self.clock, self.drops, expire, maxSessions, allow)
        self.port = sessions.newPort(self.lost.append)
        self.port.sendTrains = self.sendTrains
        return sessions

    def sendTrains(self, trains: list[Train], destination: Address) -> None:
        """
        In place of a port, until a test opens one.
        """
        self.delivered.extend((destination, train) for train in trains)

    def openSession(self, deliver: TakeTrains) -> SourceSession:
        """
        As the client's service does it.
        """
        session = SourceSession(self.servers, self.drops, deliver)
        self.made.append(session)
        return session

    def end(self) -> None:
        """
        End all, and let what was closed be gone.
        """
        self.sessions.endAll()
        self.clock.advance(0)  # those that are too many for one turn
        self.context.settle()
        self.assertEqual((len(self.sessions), len(self.context.liveTunnels)), (0, 0))

    def send(self, number: int, train: Train = PING) -> None:
        """
        Let a source send.
        """
        self.port.trainsReceived([train], source(number))
        self.sessions.checkInvariant()

    def pass_(self, seconds: float) -> None:
        """
        Let time pass, with what the service does periodically.
        """
        self.clock.pump([1.0] * int(seconds))
        self.clock.advance(seconds % 1)
        self.sessions.endIdle()
        self.sessions.checkInvariant()

    def answer(self, attempt: Attempt) -> None:
        """
        Let the target answer over a tunnel.
        """
        attempt.open().dataReceived(b"\0\4pong")

    def proveLast(self, size: int = 1) -> None:
        """
        Let the newest source be answered, and send a little after that.

        @param size: payload in bytes.
        """
        entry = self.made[-1]
        self.answer(next(attempt for attempt in self.context.attempts[::-1] if not attempt.done.called))
        self.clock.advance(MOMENT_SECONDS)
        entry.send([Train(size, bytes(size))])
        self.assertTrue(entry.proof.isProved)

    def payLast(self, size: int = TUNNEL_BYTES) -> None:
        """
        Let the newest source be answered, and send as much after that as a second tunnel costs.

        @param size: payload in bytes.
        """
        self.proveLast(size)
        self.assertTrue(self.made[-1].proof.hasPaid)


class SourceSessionTests(_SessionsTestCase):
    """
    Follow the session of one source.
    """

    def test_firstDatagramOpensOneTunnelOnly(self) -> None:
        """
        Its source may be forged; and it is not lost.
        """
        self.send(1)
        self.assertEqual(len(self.context.attempts), 1)
        tunnel = self.context.attempts[0]
        tunnel.open()
        self.assertEqual(tunnel.transport.getOutBuffer()[16:], b"\0\4ping")

    def test_answerAloneProvesNothing(self) -> None:
        """
        A forged source never gets it.
        """
        self.send(1)
        self.send(2)
        self.answer(self.context.attempts[1])
        self.assertEqual(self.delivered, [(source(2), Train(4, b"pong"))])
        self.clock.advance(10.0)
        self.context.attempts[1].tunnel.dataReceived(b"\0\4pong" * 100)
        self.assertEqual(len(self.context.attempts), 2)
        self.assertEqual([session.proof.isProved for session in self.made], [False, False])

    def test_datagramAfterAnAnswerProvesItsSource(self) -> None:
        """
        Yet it is one tunnel's worth only.
        """
        self.send(1)
        self.answer(self.context.attempts[0])
        self.clock.advance(MOMENT_SECONDS)
        self.send(1)
        self.assertEqual((self.made[0].proof.isProved, len(self.context.attempts)), (True, 1))

    def test_whatWasUnderWayWhenTheAnswerCameDoesNotCount(self) -> None:
        """
        However much it is.
        """
        self.send(1)
        self.answer(self.context.attempts[0])
        for _ in range(4):
            self.clock.advance(MOMENT_SECONDS / 5)
            self.send(1, Train(1024, bytes(2048)))
        self.assertEqual((self.made[0].proof.isProved, len(self.context.attempts)), (False, 1))
        self.clock.advance(MOMENT_SECONDS)
        self.send(1)
        self.assertEqual((self.made[0].proof.isProved, len(self.context.attempts)), (True, 1))

    def test_eachFurtherTunnelIsPaidFor(self) -> None:
        """
        With so much payload after the answer, and not a byte earlier.
        """
        self.context.choose(minPool=POOL)
        self.send(1, Train(1024, bytes(2048)))
        self.answer(self.context.attempts[0])
        self.clock.advance(MOMENT_SECONDS)
        self.send(1, Train(1024, bytes(TUNNEL_BYTES - 1)))
        for tunnels in range(2, POOL + 1):
            self.assertEqual(len(self.context.attempts), tunnels - 1)
            self.send(1, Train(1, b"x"))
            self.assertEqual(len(self.context.attempts), tunnels)
            self.send(1, Train(1024, bytes(TUNNEL_BYTES - 1)))
        self.send(1, Train(1024, bytes(65000)))
        self.assertEqual(len(self.context.attempts), POOL)

    def test_questionCostsOneConnection(self) -> None:
        """
        However long it is waited, and also a second one; so do the keepalives of a VPN.
        """
        for _ in range(3):
            self.send(1, Train(60, bytes(60)))
            for attempt in self.context.attempts:
                if not attempt.done.called:
                    self.answer(attempt)
            self.pass_(25.0)
            self.sessions.review()
            self.clock.advance(0)
        self.assertEqual((self.made[0].proof.isProved, len(self.context.attempts)), (True, 1))

    def test_lightFlowHasTwoTunnels(self) -> None:
        """
        One that turns out dead can be left at once, and more of them are of no use to it.
        """
        self.send(1)
        self.answer(self.context.attempts[0])
        for _ in range(200):
            self.clock.advance(0.02)
            self.send(1, Train(160, bytes(160)))
        self.assertEqual(len(self.context.attempts), 2)

    def test_tunnelsAreGivenUpWhenTheLoadIsOver(self) -> None:
        """
        A minute after it has become light, and the second one a minute after nothing to speak of flows.
        """
        self.send(1)
        self.answer(self.context.attempts[0])
        self.clock.advance(MOMENT_SECONDS)
        self.send(1, Train(1400, bytes(65000)))
        for attempt in self.context.attempts[1:]:
            attempt.open()
        counts: list[int] = []
        for _ in range(450):
            self.clock.advance(1.0)
            if len(counts) < 90:
                self.send(1, Train(160, bytes(160)))
            elif len(counts) % 25 == 0:
                self.send(1)  # a keepalive
            self.sessions.review()
            self.clock.advance(0)
            counts.append(self.made[0].pool.statistics().tunnels)
        changes = [(second, count) for second, count in enumerate(counts) if second == 0 or count != counts[second - 1]]
        self.assertEqual([count for _, count in changes], [POOL, 3, 2, 1])
        self.assertTrue(WANTED_SECONDS - 2 <= changes[1][0] <= changes[2][0] <= WANTED_SECONDS + 10, changes)
        self.assertGreater(changes[3][0], WANTED_SECONDS)

    def test_muchAtOnceOpensThePoolAtOnce(self) -> None:
        """
        A heavy flow has all its tunnels with the first train after an answer.
        """
        self.send(1)
        self.answer(self.context.attempts[0])
        self.clock.advance(MOMENT_SECONDS)
        self.send(1, Train(1400, bytes(14000)))
        self.assertEqual(len(self.context.attempts), POOL)

    def test_muchSentOpensThePoolWithoutAnAnswer(self) -> None:
        """
        More than the pool costs, and not a byte earlier.  What is answered later changes
        nothing.
        """
        self.send(1, Train(1024, bytes(UNANSWERED_BYTES - 1025)))
        self.context.attempts[0].open()
        self.send(1, Train(1024, bytes(1024)))
        self.assertEqual((self.made[0].proof.isProved, len(self.context.attempts)), (False, 1))
        self.send(1, Train(1, b"x"))
        self.assertEqual((self.made[0].proof.isProved, len(self.context.attempts)), (True, POOL))
        self.send(1, Train(1024, bytes(65000)))
        self.context.attempts[0].tunnel.dataReceived(b"\0\4pong")
        self.send(1)
        self.assertEqual((self.made[0].proof.isProved, len(self.context.attempts)), (True, POOL))

    def test_muchUnansweredPaysForALargePoolToo(self) -> None:
        """
        Of which the first tunnels are paid for, and each of the others costs as much as ever.
        """
        self.context.choose(poolSize=256)
        self.send(1, Train(1024, bytes(UNANSWERED_BYTES)))
        self.made[0].session.outbound.demand.wantsAtLeast(MAX_LINKS, self.clock.seconds())
        self.context.attempts[0].open()
        allowed = 1 + UNANSWERED_BYTES // TUNNEL_BYTES
        for attempt in self.context.attempts:
            if not attempt.done.called:
                attempt.open()
        self.assertEqual(len(self.context.attempts), allowed)
        self.send(1, Train(1024, bytes(1024)))
        self.assertEqual(len(self.context.attempts), allowed + 1)

    def test_oneSourceHasOneSession(self) -> None:
        for address in (("192.0.2.1", 1), ("192.0.2.1", 1), ("192.0.2.1", 2), ("192.0.2.2", 1), ("::1", 1, 0, 0)):
            self.port.trainsReceived([PING], address)
        self.assertEqual(len(self.sessions), 4)

    def test_sourceThatIsNotAllowedCostsNothing(self) -> None:
        """
        What it sends is counted, and takes no allowance from others.
        """
        self.sessions = self.makeSessions(allow=[ip_network("192.0.2.0/24")])
        for number in range(1000):
            self.port.trainsReceived([Train(1, b"xyz")], ("198.51.100.1", number + 1))
        self.assertEqual((len(self.sessions), self.drops.totals), (0, {Drop.SOURCE_NOT_ALLOWED: 3000}))
        for number in range(100):
            self.send(number)
        self.assertEqual(len(self.sessions), 100)

    def test_addressesThatAreNotAllowedAreSaidNowAndThen(self) -> None:
        """
        Each once, and no more of them than anything else may be said.
        """
        self.sessions = self.makeSessions(allow=[ip_network("192.0.2.0/24")])
        with capturedLogs() as events:
            for number in range(1000):
                self.port.trainsReceived([PING], ("198.51.100.1", number + 1))
            for number in range(250):
                self.port.trainsReceived([PING], (f"203.0.113.{number}", 1))
        lines = [formatEvent(event) for event in events]
        self.assertEqual(lines[0], "198.51.100.1 is not served: no network of allow has it")
        self.assertEqual(len(lines), MAX_LINES_PER_QUIET)

    def test_everySessionHasAnIdOfItsOwn(self) -> None:
        ids = []
        for number in (1, 2, 3, 1):
            self.send(number)
            self.context.attempts[-1].open()
            ids.append(self.context.attempts[-1].transport.getOutBuffer()[:16])
            if number == 3:
                self.sessions.endAll()
        self.assertEqual(len(set(ids)), 4)
        self.assertEqual({len(one) for one in ids}, {16})


class SourcesOnAPortTests(_SessionsTestCase):
    """
    Open a port in memory for the sessions, which are its protocol.
    """

    def setUp(self) -> None:
        super().setUp()
        self.network = MemoryUdp(self.drops)
        self.transport = self.network.open(CLIENT, self.port)
        self.receiver = Receiver()
        self.sender = self.network.open(("127.0.0.1", 7), self.receiver)

    def test_sourcesAreToldApartByTheirAddress(self) -> None:
        """
        Whether the port hands on trains, or datagrams as Twisted's does.
        """
        self.sender.sendTrains([Train(1, b"xyz")], CLIENT)
        self.network.settle()
        self.port.datagramReceived(b"x", ("127.0.0.1", 8))
        self.port.datagramReceived(b"y", ("127.0.0.1", 7))
        self.assertEqual([entry.session.statistics().counts.bytesOut for entry in self.made], [4, 1])

    def test_sourcesAreIgnoredUntilAnotherPortIsBound(self) -> None:
        self.port.ignoreSources()
        for _ in range(2):
            self.sender.sendTrains([PING], CLIENT)
            self.network.settle()
        self.assertEqual((len(self.sessions), dict(self.drops.totals)), (0, {}))
        self.port.stopListening()
        self.network.open(CLIENT, self.port)
        self.sender.sendTrains([PING], CLIENT)
        self.network.settle()
        self.assertEqual((len(self.sessions), self.lost), (1, []))

    def test_portThatIsLostIsSaid(self) -> None:
        """
        So that it is bound again; the sessions live on.
        """
        self.sender.sendTrains([PING], CLIENT)
        self.network.settle()
        self.transport.lose("it broke")
        self.assertEqual((self.lost, len(self.sessions)), (["it broke"], 1))

    def test_answersGoByThePortThatIsBound(self) -> None:
        """
        Straight to it; while there is none they are lost, and after that they go by the next.
        """
        self.sender.sendTrains([PING], CLIENT)
        self.network.settle()
        straight = self.made[0].session.inbound._pacer.deliver
        assert isinstance(straight, partial)
        self.assertEqual(straight.func, self.transport.sendTrains)
        tunnel = self.context.attempts[0].open()
        tunnel.dataReceived(b"\0\1a")
        self.network.settle()
        self.transport.lose("it broke")
        tunnel.dataReceived(b"\0\1b")
        self.network.settle()
        self.network.open(CLIENT, self.port)
        tunnel.dataReceived(b"\0\1c")
        self.network.settle()
        self.assertEqual(self.receiver.trains, [(Train(1, b"a"), CLIENT), (Train(1, b"c"), CLIENT)])


class SeveralPortsTests(_SessionsTestCase):
    """
    Let sources send to several ports of one client, or to several addresses at one.
    """

    def setUp(self) -> None:
        super().setUp()
        self.network = MemoryUdp(self.drops)
        self.application = self.open("198.51.100.1", 7)
        self.ports = [self.sessions.newPort(self.lost.append) for _ in range(2)]
        self.transports = [
            self.network.open((f"192.0.2.{number}", 8911), port) for number, port in enumerate(self.ports, 1)
        ]

    def open(self, host: str, number: int) -> Receiver:
        """
        @return: an application.
        """
        receiver = Receiver()
        self.network.open((host, number), receiver)
        return receiver

    def ask(self, port: int, words: bytes) -> None:
        """
        Let the application send to one of our ports.
        """
        self.application.sendTrains([Train(len(words), words)], self.transports[port].name)
        self.network.settle()
        self.sessions.checkInvariant()

    def test_sourceHasOneSessionAtEachPort(self) -> None:
        """
        And is answered from where it has sent to.
        """
        for _ in range(2):
            for port in (0, 1):
                self.ask(port, b"hello")
        self.assertEqual([entry.session.statistics().counts.bytesOut for entry in self.made], [10, 10])
        for attempt, words in zip(list(self.context.attempts), (b"\0\1a", b"\0\1b"), strict=True):
            attempt.open().dataReceived(words)
        self.network.settle()
        answers = [(train.payload, source[0]) for train, source in self.application.trains]
        self.assertEqual(answers, [(b"a", "192.0.2.1"), (b"b", "192.0.2.2")])

    def test_portThatIsLostCostsTheOthersNothing(self) -> None:
        """
        Its sessions live on, and send by the port that is bound in its place.
        """
        for port in (0, 1):
            self.ask(port, b"hello")
        tunnels = [attempt.open() for attempt in list(self.context.attempts)]
        self.transports[0].lose("it broke")
        for tunnel in tunnels:
            tunnel.dataReceived(b"\0\1a")
        self.network.settle()
        self.assertEqual([source[0] for _, source in self.application.trains], ["192.0.2.2"])
        self.network.open(("192.0.2.1", 8911), self.ports[0])
        for tunnel in tunnels:
            tunnel.dataReceived(b"\0\1b")
        self.network.settle()
        self.assertEqual([source[0] for _, source in self.application.trains[1:]], ["192.0.2.1", "192.0.2.2"])
        self.assertEqual((len(self.sessions), self.lost), (2, ["it broke"]))

    def test_sourceThatEndsAtOnePortStaysAtTheOther(self) -> None:
        self.ask(0, b"hello")
        self.clock.advance(UNPROVED_SECONDS - 1)
        self.ask(1, b"hello")
        self.pass_(2)
        self.assertEqual([len(port.bySource) for port in self.ports], [0, 1])

    def test_manyAddressesOfOursGiveASourceNoMoreThanManyPortsOfItsOwn(self) -> None:
        """
        Forged ones are most, and one place in four is for them, whatever they send to.
        """
        self.sessions = self.makeSessions(maxSessions=40)
        ports = [self.sessions.newPort(self.lost.append) for _ in range(30)]
        for _ in range(10):
            for number, port in enumerate(ports):
                for own in range(10):
                    port.trainsReceived([PING], ("198.51.100.1", 7, bytes([number, own])))
            self.clock.advance(1)
            self.sessions.checkInvariant()
        self.assertEqual(len(self.sessions), 40 // UNPROVED_SHARE)
        self.assertLessEqual(len(self.made), NEW_AT_ONCE + 10 * NEW_PER_SECOND)


class SessionsBySourceTests(_SessionsTestCase):
    """
    Let many sources share the bounds that a client has.
    """

    def test_statisticsCountSessionsPoolsAndBytes(self) -> None:
        nothing = SessionsBySourceStatistics(sessions=0, proved=0, closing=0, bytesOut=0, bytesIn=0)
        self.assertEqual(self.sessions.statistics(), nothing)
        self.send(1)
        self.send(2)
        self.send(2)
        self.proveLast()
        standing = SessionsBySourceStatistics(sessions=2, proved=1, closing=0, bytesOut=13, bytesIn=4)
        self.assertEqual(self.sessions.statistics(), standing)
        self.made[1].session.inbound.unnumbered([Train(1400, bytes(1400 * 200))], self.clock.seconds())
        self.sessions.endAll()
        ended = replace(standing, sessions=0, proved=0, closing=1, bytesIn=4 + 1400 * 200)
        self.assertEqual(self.sessions.statistics(), ended)
        self.clock.pump([TICK_SECONDS] * 100)
        self.assertEqual(self.sessions.statistics(), replace(ended, closing=0))

    def test_anOperatorEndsTheSessionThatItNames(self) -> None:
        """
        By the beginning of its id.  The source gets a new one when it sends again.
        """
        for number in range(3):
            self.send(number)
        name = self.made[1].name
        self.assertEqual(self.successResultOf(self.sessions.disconnect("")), 0)
        self.assertEqual(self.successResultOf(self.sessions.disconnect(f"{name}0")), 0)
        self.assertEqual(self.successResultOf(self.sessions.disconnect(name)), 1)
        self.sessions.checkInvariant()
        self.assertEqual(len(self.sessions), 2)
        self.send(1)
        self.assertEqual((len(self.sessions), len(self.made)), (3, 4))

    def test_idleSessionOfAProvedSourceEndsAfterItsTime(self) -> None:
        self.send(1)
        self.proveLast()
        self.pass_(EXPIRE - 1)
        self.assertEqual(len(self.sessions), 1)
        self.pass_(1)
        self.assertEqual(len(self.sessions), 0)
        self.assertTrue(self.context.attempts[0].transport.disconnecting)

    def test_regularWorkDoesNotPileUp(self) -> None:
        """
        While turns are so slow that a round takes longer than the time to the next one, each
        session is looked at no more than once in a round.
        """
        many = 3 * STEPS
        looks = Counter[int]()
        for number in range(many):
            self.send(number)
            self.patch(self.made[-1].pool, "renewOld", partial(looks.update, [number]))
        self.clock.advance(APART_SECONDS)
        for _ in range(10):
            self.sessions.renewOld()
        self.assertEqual(len(looks), STEPS)
        for _ in range(2):
            self.clock.turn()
        self.assertEqual((len(looks), looks.total()), (many, many))
        self.clock.turn()
        self.assertEqual(looks.total(), many)

    def test_eitherSideKeepsASessionAlive(self) -> None:
        self.send(1)
        self.proveLast()
        for _ in range(3):
            self.pass_(EXPIRE - 1)
            self.send(1)
            self.pass_(EXPIRE - 1)
            self.context.attempts[0].tunnel.dataReceived(b"\0\4pong")
        self.assertEqual(len(self.sessions), 1)

    def test_sourceThatIsNotProvedIsForgottenSooner(self) -> None:
        """
        Whether it was answered or not.
        """
        self.send(1)
        self.send(2)
        self.answer(self.context.attempts[1])
        self.pass_(UNPROVED_SECONDS - 1)
        self.assertEqual(len(self.sessions), 2)
        self.pass_(1)
        self.assertEqual(len(self.sessions), 0)
        self.assertLess(UNPROVED_SECONDS, EXPIRE)

    def test_shorterTimeOfTheUserHoldsForAll(self) -> None:
        self.sessions = self.makeSessions(expire=5.0)
        self.send(1)
        self.pass_(4)
        self.assertEqual(len(self.sessions), 1)
        self.pass_(1)
        self.assertEqual(len(self.sessions), 0)

    def test_newSourcesAreTakenOnAtABoundedRate(self) -> None:
        """
        Those beyond it are dropped and counted; known ones are not concerned.
        """
        self.sessions = self.makeSessions(maxSessions=UNPROVED_SHARE * 1024)
        taken = int(NEW_AT_ONCE)
        for number in range(taken + 10):
            self.send(number)
        self.assertEqual(len(self.sessions), taken)
        self.send(0, Train(1, b"xyz"))
        self.assertEqual(self.drops.totals, {Drop.TOO_MANY_SESSIONS: 10})
        self.clock.advance(0.5)
        more = int(NEW_PER_SECOND / 2) - 10
        for number in range(taken, taken + 10):
            self.send(number, Train(1, b"xyz"))
        for number in range(1000, 1100):
            self.send(number, Train(1, b"xyz"))
        self.assertEqual(len(self.sessions), taken + 10 + more)
        self.assertEqual(self.drops.totals, {Drop.TOO_MANY_SESSIONS: 10 + 3 * (100 - more)})

    def serve(self, number: int) -> None:
        """
        Let a source send, be answered, and be idle for a second.
        """
        self.send(number)
        self.answer(self.context.attempts[-1])
        self.clock.advance(1)

    def test_placesOfTheUnprovedAreFew(self) -> None:
        """
        The idlest that was answered gives its place up, and only then one that still waits.
        Those that are proved stay.
        """
        self.sessions = self.makeSessions(maxSessions=4 * UNPROVED_SHARE)
        self.send(0)
        self.proveLast()
        self.send(1)
        self.clock.advance(1)
        self.serve(2)
        self.serve(3)
        self.send(4)
        self.clock.advance(1)
        self.port.bySource[source(2)].session.inbound.unnumbered([PING], self.clock.seconds())
        for number, gone in ((5, 3), (6, 2), (7, 1), (8, 4)):
            self.assertIn(source(gone), self.port.bySource)
            self.clock.advance(1)
            self.send(number)
            self.assertNotIn(source(gone), self.port.bySource)
        self.assertEqual(set(self.port.bySource), {source(number) for number in (0, 5, 6, 7, 8)})
        self.assertEqual(self.drops.totals, {})

    def test_unprovedMakeWayWhenThoseThatHavePaidAreMany(self) -> None:
        self.sessions = self.makeSessions(maxSessions=UNPROVED_SHARE * 2)
        for number in range(UNPROVED_SHARE * 2 - 1):
            self.send(number)
            self.payLast()
        for number in (100, 101):
            self.send(number)
            self.assertEqual(len(self.sessions), UNPROVED_SHARE * 2)
        self.assertNotIn(source(100), self.port.bySource)
        self.assertIn(source(101), self.port.bySource)

    def test_fullTableOfSourcesThatHavePaidTakesNobodyOn(self) -> None:
        """
        What the stranger sends is dropped and counted, as long as nobody has been idle for
        long.
        """
        self.sessions = self.makeSessions(maxSessions=2)
        for number in (1, 2):
            self.send(number)
            self.payLast()
        for number in range(3, 3 + 50):
            self.send(number)
        self.assertEqual(set(self.port.bySource), {source(1), source(2)})
        self.assertEqual(self.drops.totals, {Drop.TOO_MANY_SESSIONS: 50})
        self.clock.advance(SPARE_SECONDS - 1)
        self.send(2)
        self.clock.advance(1)
        self.send(3)
        self.assertEqual(set(self.port.bySource), {source(2), source(3)})

    def test_placesThatHaveBecomeFewer(self) -> None:
        """
        Nobody is sent away for that alone: who comes then takes the place of two, until it is enough.
        """
        self.sessions = self.makeSessions(maxSessions=64)
        for number in range(10):
            self.send(number)
            self.clock.advance(0.1)
        self.sessions.setMost(12)
        self.sessions.checkInvariant()
        self.assertEqual(len(self.sessions), 10)
        counts = []
        for number in range(100, 110):
            self.send(number)
            counts.append(len(self.sessions))
        self.assertEqual(counts, [9, 8, 7, 6, 5, 4, 3, 3, 3, 3])  # a fourth of the places is for these
        self.sessions.setMost(64)
        for number in range(200, 210):
            self.send(number)
        self.assertEqual(len(self.sessions), 13)
        self.assertEqual(self.drops.totals, {})

    def test_placesThatHaveBecomeFewerThanThoseThatHavePaid(self) -> None:
        """
        They keep their sessions while they are active, and nobody else comes in.
        """
        self.sessions = self.makeSessions(maxSessions=8)
        for number in range(4):
            self.send(number)
            self.payLast()
        self.sessions.setMost(2)
        self.send(9)
        self.assertEqual((len(self.sessions), self.drops.totals), (4, {Drop.TOO_MANY_SESSIONS: 1}))
        self.clock.advance(SPARE_SECONDS)
        self.send(9)
        self.assertEqual(len(self.sessions), 3)
        self.assertIn(source(9), self.port.bySource)

    def test_thoseThatComeAtOnceHavePlacesInASmallPart(self) -> None:
        """
        Of several processes each may have few places, and the sources of a browser come to all of them.
        """
        limits = AdmissionLimits.of(8)
        sessions = SessionsBySource(self.openSession, self.clock, self.drops, EXPIRE, 64, admission=limits)
        sessions.setMost(32)
        self.port, self.sessions = sessions.newPort(self.lost.append), sessions
        for number in range(limits.places):
            self.send(number)
        self.assertEqual(len(sessions), limits.places)

    def test_ofThoseThatHavePaidWhoHasSentLeastGoesFirst(self) -> None:
        """
        And not the idlest, which may have sent a thousand times as much.
        """
        self.sessions = self.makeSessions(maxSessions=2)
        self.send(1)
        self.payLast(60000)
        self.clock.advance(1)
        self.send(2)
        self.payLast()
        self.clock.advance(SPARE_SECONDS)
        self.send(3)
        self.assertEqual(set(self.port.bySource), {source(1), source(3)})

    def flood(self, seconds: int, asOften: int = 20) -> None:
        """
        Let one forged source more come in each second, be answered, and send once more, not
        knowing when; and each again now and then.

        @param seconds: how long.
        @param asOften: seconds between two datagrams of the same.
        """
        for second in range(seconds):
            number = 1000 + len(self.made)
            self.send(number, Train(60, bytes(60)))
            self.answer(next(attempt for attempt in self.context.attempts[::-1] if not attempt.done.called))
            self.clock.advance(0.08)
            self.send(number, Train(60, bytes(60)))
            for address in list(self.port.bySource):
                forged = address[1] - 1001
                age = len(self.made) - forged
                if forged >= 0 and age and not age % asOften:
                    self.port.trainsReceived([Train(60, bytes(60))], address)
            self.clock.advance(0.92)
            if second % 15 == 0:
                self.sessions.endIdle()
            self.sessions.checkInvariant()

    def test_forgedSourcesThatSendTwiceEndNobodyWhoHasPaid(self) -> None:
        """
        However long he was idle, as long as his session does not expire.
        """
        self.context.choose(poolSize=1)
        self.sessions = self.makeSessions(maxSessions=64, expire=300.0)
        for number in range(20):
            self.send(number)
            self.payLast()
        self.flood(200)
        self.assertEqual([number for number in range(20) if source(number) not in self.port.bySource], [])

    def test_forgedSourcesThatSendTwiceHaveABoundedPart(self) -> None:
        """
        Also where all other places are free.
        """
        self.sessions = self.makeSessions(maxSessions=64)
        self.flood(100, asOften=10)
        self.assertEqual(len(self.sessions), 64 - 64 // PAID_SHARE)

    def test_lightSourceThatHasSentMoreStaysBesideForgedOnes(self) -> None:
        """
        Though it is idle for longer than they are.
        """
        self.sessions = self.makeSessions(maxSessions=64)
        self.send(1)
        self.proveLast(300)
        self.flood(100, asOften=10)
        self.assertIn(source(1), self.port.bySource)

    def test_lightSourceThatHasJustBegunIsNotTheFirstToGo(self) -> None:
        """
        Though all others have sent more.
        """
        self.sessions = self.makeSessions(maxSessions=64)
        self.flood(60, asOften=10)
        self.clock.advance(1)
        self.send(1)
        self.proveLast()
        for _ in range(10):
            self.flood(1, asOften=10)
            self.send(1, Train(1, b"!"))
        self.assertIn(self.port.bySource.get(source(1)), self.made)
        self.assertEqual(sum(entry.session.outbound.bytes == 4 + 1 + 10 for entry in self.made), 1)

    def test_keepalivesCountWhenTheyHaveGoneOnForLong(self) -> None:
        """
        A peer of WireGuard that has nothing to say sends 32 bytes each 25 seconds.  After some
        minutes it stays, though forged sources have sent more.
        """
        self.sessions = self.makeSessions(maxSessions=64)
        self.send(1)
        self.proveLast(32)
        answered = self.made[0].session.inbound
        while not self.made[0].lasts:
            self.assertLess(self.clock.seconds(), LASTING_SECONDS + 60)
            self.pass_(25)
            self.send(1, Train(32, bytes(32)))
            answered.unnumbered([Train(32, bytes(32))], self.clock.seconds())
        self.assertGreater(self.clock.seconds(), LASTING_SECONDS)
        self.assertFalse(self.made[0].proof.hasPaid)
        self.flood(100, asOften=5)
        self.assertIn(source(1), self.port.bySource)

    def test_idleSourceDoesNotLastByTimeAlone(self) -> None:
        """
        It has to be answered, and to send.
        """
        self.sessions = self.makeSessions(expire=2 * LASTING_SECONDS)
        self.send(1)
        self.proveLast()
        self.clock.advance(LASTING_SECONDS)
        self.assertFalse(self.made[0].lasts)
        self.send(1)
        self.assertFalse(self.made[0].lasts)
        self.made[0].session.inbound.unnumbered([PING], self.clock.seconds())
        self.assertTrue(self.made[0].lasts)

    def test_newcomersHaveTheirPartBesideLightSources(self) -> None:
        """
        Where many have paid, a third of what these leave.
        """
        self.context.choose(poolSize=1)
        self.sessions = self.makeSessions(maxSessions=64)
        for number in range(40):
            self.send(number)
            self.payLast()
        for number in range(100, 124):
            self.send(number)
            self.proveLast()
        for number in range(200, 220):
            self.clock.advance(1)
            self.send(number)
        unproved = [entry for entry in self.port.bySource.values() if not entry.proof.isProved]
        self.assertEqual((len(self.sessions), len(unproved)), (64, 8))
        self.assertEqual(self.sessions.statistics().proved, 56)

    def test_sourceThatWasProvedIsWelcomeAgain(self) -> None:
        """
        Also while a crowd of strangers is there.
        """
        self.sessions = self.makeSessions(expire=5.0)
        self.send(1)
        self.proveLast()
        self.pass_(6)
        self.assertEqual(len(self.sessions), 0)
        for number in range(1000, 1000 + int(NEW_AT_ONCE + STRANGERS_AT_ONCE)):
            self.send(number)
        self.clock.advance(1)
        self.send(2)
        self.send(1)
        self.assertNotIn(source(2), self.port.bySource)
        self.assertIn(source(1), self.port.bySource)

    def test_placesAreNotLookedForMoreOftenThanSessionsMayBeOpened(self) -> None:
        """
        To look for a place costs time, and forged sources are many.
        """
        self.sessions = self.makeSessions(maxSessions=0)
        looked: list[int] = []

        def noRoom() -> bool:
            looked.append(1)
            return False

        self.patch(self.sessions, "_makeRoom", noRoom)
        for number in range(1000):
            self.send(number)
        self.assertEqual(len(looked), NEW_AT_ONCE)
        self.assertEqual(self.drops.totals[Drop.TOO_MANY_SESSIONS], 1000)

    def test_logOfManySessionsIsBounded(self) -> None:
        """
        Who can reach the port cannot fill the disk.
        """
        with capturedLogs() as events:
            for number in range(2 * MAX_LINES_PER_QUIET):
                self.send(number)
                self.clock.advance(0.1)
            self.sessions.endAll()
        self.assertEqual(len(events), MAX_LINES_PER_QUIET)

    def test_endOfAllLeavesNothing(self) -> None:
        """
        No session, no tunnel, no timer; and then one can begin again.
        """
        for number in range(5):
            self.send(number)
        self.answer(self.context.attempts[0])
        self.made[0].session.inbound.unnumbered([Train(1400, bytes(1400 * 200))], self.clock.seconds())
        ended = self.sessions.endAll()
        self.assertNoResult(ended)
        self.clock.pump([TICK_SECONDS] * 100)
        self.successResultOf(ended)
        self.end()
        self.assertNoTimer()
        self.send(1)
        self.assertEqual(len(self.sessions), 1)

    def test_aSourceByIPv4IsToldAsSuch(self) -> None:
        """
        Also where the port is for both families.
        """
        self.sessions = self.makeSessions(allow=[ip_network("192.0.2.0/24")])
        with capturedLogs() as events:
            self.port.trainsReceived([PING], ("::ffff:192.0.2.1", 2, 0, 0))
            self.port.trainsReceived([PING], ("::ffff:198.51.100.1", 2, 0, 0))
            self.sessions.endAll()
        self.assertEqual([event["host"] for event in events], ["192.0.2.1", "198.51.100.1", "192.0.2.1"])

    def test_logTellsOfEachSessionAndNeverItsId(self) -> None:
        with capturedLogs() as events:
            self.send(1)
            self.answer(self.context.attempts[0])
            self.sessions.endAll()
        lines = [formatEvent(event) for event in events]
        sessionId = self.context.attempts[0].transport.getOutBuffer()[:16]
        name = sessionId[:4].hex()
        self.assertEqual(
            lines,
            [
                f"session {name} for 192.0.2.1 port 2 opened, 1 in all",
                f"session {name} for 192.0.2.1 port 2 ended: the client stops; 4 bytes from it, 4 to it",
            ],
        )
        self.assertNotIn(sessionId.hex(), "".join(lines))
