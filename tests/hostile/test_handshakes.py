"""
Handshakes are low-priority work, and who says nothing takes no room from others.
"""

from __future__ import annotations

from tests.hostile.atthedoor import ASKING, NOTHING
from tests.hostile.door import addresses
from tests.hostile.trial import ATTACKER, LONG, HostileTestCase, Options

SECONDS = 30.0 if LONG else 1.5

RATE = 300.0 if LONG else 100.0
"""Handshakes in a second.  On a slow machine the lower one takes half of a processor, too."""

LOST_SHARE = 0.0 if LONG else 0.05
"""Of the bystander's datagrams, that may be lost meanwhile: other tests may use the processors, too."""

HELD = 10000 if LONG else 2000
"""Connections that stall: more than a server keeps that have not said hello."""

FAR_SECONDS = 0.4
"""From a newcomer's connection to its first word: it is far away, or its line is slow."""

ELSEWHERE = addresses(1, 99)[0]
"""Where newcomers are, while somebody attacks from another address."""

MEBIBYTES = 48
"""As many connections as are kept that have not said who they are take 32, within their handshakes with TLS."""

VISITORS_MEBIBYTES = 96
"""More than 1024 visitors take, as many as a worker has at the most, and 512 who have not said yet what they are."""


class HandshakeTests(HostileTestCase):
    """
    At a server with TLS that asks for certificates.
    """

    def test_flowsGoOnWhileManyShakeHands(self) -> None:
        """
        400 ClientHellos at once, and whole handshakes all the time, from few addresses and
        from many; and somebody who shows very many certificates.
        """
        certificates = self.certificates()
        house = self.build(certificates)
        before = house.memory()
        report, _ = self.attack("hellos", door=house.door(), source=ATTACKER, number=400)
        self.demand(report["answered"], f"nobody was answered: {report}")
        for number in (8, 50):
            options: Options = {"rate": RATE, "seconds": SECONDS, "from_": number}
            what = f"from {number} addresses"
            report, _ = self.attack(
                "handshakes", what=what, share=LOST_SHARE, door=house.door(), source=ATTACKER, **options
            )
            self.demand(report["done"], f"nobody came in: {report}")
        door = house.door()
        door[3] = certificates.longChain()
        report, _ = self.attack("chain", door=door, source=ATTACKER)
        self.demand(not report["letIn"], f"an unknown authority's client was let in: {report}")
        self.judgeMemory("handshakes", before, MEBIBYTES)
        self.assertHouseAsBefore()


class StalledTests(HostileTestCase):
    """
    Connections at which nothing more is said, from one address, and newcomers from another.
    """

    def assertNewcomersComeIn(
        self, what: str, kinds: list[str] | None, rate: float, mebibytes: float = MEBIBYTES
    ) -> None:
        """
        While they come, and while as many are there as there can be, newcomers are served.

        @param mebibytes: how much more memory that may take.
        """
        house = self.house
        before = house.memory()
        options: Options = {} if kinds is None else {"kinds": kinds}
        attacker = house.attack("stalled", door=house.door(), source=ATTACKER, number=HELD, rate=rate, **options)
        newcomers = house.attack(
            "newcomers", door=house.door("newcomer"), source=ELSEWHERE, interval=0.1, far=FAR_SECONDS
        )
        house.mark()
        stalled, came = self.together(attacker, newcomers)
        self.demand(came["came"] == came["of"], f"{what}: newcomers: {came}, while {stalled}")
        late = house.attack("newcomers", door=house.door("newcomer"), source=ELSEWHERE, number=2, interval=0.1)
        came = late.ask("go")
        self.demand(came["came"] == came["of"], f"{what}: newcomers beside those who are there: {came}")
        self.judge(what, house.verdict(), LOST_SHARE)
        self.judgeMemory(what, before, mebibytes)
        for one in (attacker, newcomers, late):
            one.ask("end")
            one.end()

    def test_ofFourKinds(self) -> None:
        self.build(self.certificates())
        self.assertNewcomersComeIn("stalled handshakes", None, HELD / (60 if LONG else 4))
        self.assertHouseAsBefore()

    def test_visitorsWhoAreSlow(self) -> None:
        """
        Each has shaken hands, and asks for a page, a byte at a time.
        """
        self.build(self.certificates())
        self.assertNewcomersComeIn("slow visitors", [ASKING], HELD / (60 if LONG else 8), VISITORS_MEBIBYTES)
        self.assertHouseAsBefore()

    def test_silent(self) -> None:
        """
        Without TLS; and with it, where there is time.
        """
        if LONG:
            self.build(self.certificates())
            self.assertNewcomersComeIn("silent connections", [NOTHING], 2000.0)
            self.assertHouseAsBefore()
        self.assertSilentWithoutTls()

    def assertSilentWithoutTls(self) -> None:
        self.build(wire=1)
        self.assertNewcomersComeIn("silent connections", [NOTHING], 2000.0)
        self.assertHouseAsBefore()
