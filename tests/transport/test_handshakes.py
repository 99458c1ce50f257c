"""
The queue of handshakes: whose turn it is.
"""

from __future__ import annotations

from random import Random

from tests.doubles.contracts import TimerTestCase
from tests.doubles.handshakes import RecordingStep
from uotp.transport import handshakes
from uotp.transport.handshakes import HandshakeQueue


class HandshakeQueueTests(TimerTestCase):
    """
    Wait, and take turns.
    """

    def setUp(self) -> None:
        super().setUp()
        self.queue = HandshakeQueue(self.clock)
        self.journal: list[str] = []
        self.addCleanup(lambda: self.assertEqual(len(self.queue), 0))

    def wait(self, owner: str, name: str, *, begun: bool = False) -> RecordingStep:
        """
        @return: what waits for a turn now.
        """
        step = RecordingStep(name, self.journal)
        self.queue.join(owner, step, begun=begun)
        self.queue.checkInvariant()
        return step

    def oneTurn(self) -> list[str]:
        """
        @return: who had a turn in one turn of the reactor.
        """
        self.journal.clear()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.turn()
        self.queue.checkInvariant()
        return list(self.journal)

    def turns(self, number: int) -> list[str]:
        """
        @return: who had a turn in so many turns of the reactor.
        """
        return [name for _ in range(number) for name in self.oneTurn()]

    def test_nothingGoesOnAtOnce(self) -> None:
        """
        The reactor has other things to do first.
        """
        self.wait("a", "one")
        self.assertEqual(self.journal, [])
        self.clock.advance(0)
        self.assertEqual(self.journal, ["one"])

    def test_otherProgramsRunBetweenTheStepsOfMany(self) -> None:
        """
        A lone handshake has no reason to wait for them.
        """
        self.patch(handshakes, "offerProcessor", lambda: self.journal.append("others"))
        self.wait("a", "one")
        self.assertEqual(self.turns(1), ["one"])
        for name in ("two", "three", "four"):
            self.wait("a", name)
        self.assertEqual(self.turns(3), ["four", "others", "three", "others", "two"])

    def test_whoHasFewestWaitingComesFirst(self) -> None:
        """
        Whoever sends a hundred makes nobody wait but himself.
        """
        for number in range(100):
            self.wait("many", f"many {number}")
        for number in range(3):
            self.wait("few", f"few {number}")
        self.wait("one", "one")
        self.assertEqual(self.turns(104)[:5], ["one", "few 2", "few 1", "few 0", "many 99"])

    def test_ofSeveralWithAsManyTheNewestComesFirst(self) -> None:
        for owner in "abc":
            self.wait(owner, owner)
        self.assertEqual(self.turns(3), ["c", "b", "a"])

    def test_ofOneOwnerWhatHasBegunGoesOnFirstAndTheOldestOfIt(self) -> None:
        """
        What is new begins with the newest.
        """
        for name, begun in (("new 1", False), ("old 1", True), ("new 2", False), ("old 2", True)):
            self.wait("a", name, begun=begun)
        self.assertEqual(self.turns(4), ["old 1", "old 2", "new 2", "new 1"])

    def test_oneTurnOfTheReactorTakesOneStep(self) -> None:
        """
        The rest goes on in the next, and whoever has come meanwhile may come first.
        """
        for number in range(3):
            self.wait("a", str(number))
        self.assertEqual(self.oneTurn(), ["2"])
        self.wait("b", "b")
        self.assertEqual([self.oneTurn(), self.oneTurn(), self.oneTurn()], [["b"], ["1"], ["0"]])

    def test_othersAreServedBetween(self) -> None:
        """
        What the reactor was asked for meanwhile is done before the next turn.
        """
        for number in range(2):
            self.wait("a", str(number))
        self.clock.callLater(0, self.journal.append, "other")
        self.clock.advance(0)
        self.assertEqual(self.journal, ["1", "other", "0"])

    def test_whoLeavesHasNoTurn(self) -> None:
        """
        And with the last of them the timer goes.
        """
        steps = [self.wait(owner, owner) for owner in "aab"]
        self.queue.leave("a", steps[0])
        self.queue.leave("a", steps[0])
        self.queue.leave("unknown", steps[0])
        self.queue.checkInvariant()
        self.assertEqual(self.turns(2), ["a", "b"])
        self.queue.leave("b", self.wait("b", "b"))
        self.assertNoTimer()

    def test_whoWaitsAlreadyGoesOnWaiting(self) -> None:
        step = self.wait("a", "one")
        self.queue.join("a", step, begun=True)
        self.assertEqual((len(self.queue), self.oneTurn()), (1, ["one"]))

    def test_whoComesAgainInItsTurnWaitsForAnother(self) -> None:
        step = self.wait("a", "again")
        takeTurn = step.goOn

        def comeAgain() -> None:
            takeTurn()
            self.queue.join("a", step, begun=True)

        step.goOn = comeAgain  # type: ignore[method-assign]
        self.assertEqual([self.oneTurn(), self.oneTurn()], [["again"]] * 2)
        self.queue.leave("a", step)

    def test_errorCostsOneConnectionAndNoOther(self) -> None:
        broken = RecordingStep("broken", self.journal, error=LookupError("a bug"))
        self.wait("a", "sound")
        self.queue.join("b", broken, begun=False)
        self.assertEqual(self.turns(2), ["broken", "abort broken", "sound"])
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 1)

    def test_lastOneMayLeaveInTheTurnOfAnother(self) -> None:
        """
        So it is when a newcomer takes the place of a connection that waits.  The queue goes on
        for those who come later.
        """
        last = self.wait("a", "last")
        step = self.wait("b", "newcomer")
        takeTurn = step.goOn

        def takePlace() -> None:
            takeTurn()
            self.queue.leave("a", last)

        step.goOn = takePlace  # type: ignore[method-assign]
        self.assertEqual(self.oneTurn(), ["newcomer"])
        self.wait("c", "later")
        self.assertEqual(self.oneTurn(), ["later"])

    def test_whoFailsMayLeaveToo(self) -> None:
        """
        A connection that is aborted says that it does not wait, whether or not it does.
        """
        step = RecordingStep("broken", self.journal, error=LookupError("a bug"))
        abort = step.abort

        def leave() -> None:
            abort()
            self.queue.leave("a", step)

        step.abort = leave  # type: ignore[method-assign]
        self.queue.join("a", step, begun=False)
        self.assertEqual(self.oneTurn(), ["broken", "abort broken"])
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 1)
        self.wait("b", "later")
        self.assertEqual(self.oneTurn(), ["later"])

    def test_errorInAnEndCostsNoOther(self) -> None:
        step = RecordingStep("broken", self.journal, error=LookupError("a bug"))

        def fail() -> None:
            reason = "another bug"
            raise ArithmeticError(reason)

        step.abort = fail  # type: ignore[method-assign]
        self.wait("a", "sound")
        self.queue.join("b", step, begun=False)
        self.assertRaises(ArithmeticError, self.oneTurn)
        self.assertEqual(len(self.flushLoggedErrors(LookupError)), 1)
        self.assertEqual(self.oneTurn(), ["sound"])

    def test_anyNumberMayComeAndGo(self) -> None:
        """
        In any order; and it always knows who has fewest.
        """
        dice = Random(13)  # noqa: S311 - not for secrets
        waiting: list[tuple[str, RecordingStep]] = []
        for number in range(2000):
            if waiting and dice.random() < 0.45:
                self.queue.leave(*waiting.pop(dice.randrange(len(waiting))))
            else:
                owner = dice.choice("aaaaaabbbccd")
                waiting.append((owner, self.wait(owner, str(number), begun=dice.random() < 0.3)))
            self.queue.checkInvariant()
        counts = {owner: sum(each == owner for each, _ in waiting) for owner, _ in waiting}
        first = self.turns(len(waiting))[0]
        names = {step.name: owner for owner, step in waiting}
        self.assertEqual(counts[names[first]], min(counts.values()))
