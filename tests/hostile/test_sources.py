"""
A source of datagrams is proved by what it sends, and none takes the client from the others.
"""

from __future__ import annotations

import contextlib  # trial takes a module's `suppress` for its own
import json

from bench.rig.namespaces import command
from bench.rig.ports import LOOPBACK
from tests.hostile.orders import Report
from tests.hostile.trial import LONG, HostileTestCase, Options
from tests.integration.hosts import needTwoHosts, newNamespace

FORGED, FORGED_SECONDS = (2000, 10.0) if LONG else (400, 2.0)

ASKS = 3 if LONG else 12
"""
So often a newcomer asks at the most, a second apart.  While other tests use the processors, the client may not
run for so long that the kernel drops what it is asked.
"""

ASKING, ASKED_RATE = (1400, 20.0) if LONG else (60, 25.0)

ASKED_SECONDS = 30 if LONG else 5
"""
A session is over when it has been idle for so long.  The first is what there is for sources that
ask once.
"""

BURST = 50
"""Questions at once, as when a browser starts."""

SECONDS = 10.0 if LONG else 2.0

MEBIBYTES = 64

LOST_SHARE = 0.05
"""Of a flow that runs, that may be lost beside forged sources."""

BESIDE_HEAVY_SHARE = LOST_SHARE if LONG else 0.25
"""
Of light flows, that may be lost beside a heavy one.  While other tests use the processors, the
client may not run for so long that the kernel drops of all alike.
"""

FULL_BYTES = 1400
"""Of a datagram that fills a packet."""

AMPLIFIED = 10
"""Bytes that a client may send for one that a forged source has sent."""

LIGHT_RATE = 50
"""Datagrams a second of a bystander whose bytes shall not count for much."""

FORGED_BYTES = 60

EACH = 1 if LONG else 10
"""Datagrams of each forged source; a few more in a short time, of which much is a beginning."""

HEADERS = 28
"""Bytes of IPv4 and UDP before each datagram."""


class ForgedTests(HostileTestCase):
    """
    Datagrams from addresses that belong to nobody who would read an answer.
    """

    def assertLittleDone(self, *, answered: bool) -> None:
        """
        The flow of another source goes on, and newcomers are served who ask again.
        """
        house = self.house
        before = house.memory()
        options: Options = {
            "sources": FORGED,
            "seconds": FORGED_SECONDS,
            "size": FORGED_BYTES,
            "answered": answered,
        }
        attacker = house.attack("forged", client=house.clientAddress, **options)
        newcomers = house.attack("questions", client=house.clientAddress, number=6, rate=6 / FORGED_SECONDS, asks=ASKS)
        house.mark()
        report, came = self.together(attacker, newcomers)
        self.judge("forged sources", house.verdict(), LOST_SHARE)
        self.demand(came["answered"] == came["of"], f"newcomers: {came}, while {report}")
        self.judgeMemory("forged sources", before, MEBIBYTES)
        for one in (attacker, newcomers):
            one.end()

    def test_flowsGoOn(self) -> None:
        """
        The target is silent, and then it answers.
        """
        self.build(client=("--expire", "3"))
        self.assertLittleDone(answered=False)
        self.assertLittleDone(answered=True)
        self.assertHouseAsBefore()


class AmplifiedTests(HostileTestCase):
    """
    What a forged datagram costs, in bytes.  In a network namespace that counts them, as root.
    """

    def setUp(self) -> None:
        needTwoHosts("nft")
        super().setUp()
        life = contextlib.ExitStack()
        life.enter_context(newNamespace(self, "forged").inside())
        self.addCleanup(life.close)

    def sentBytes(self) -> int:
        """
        @return: what has gone to the server and from it until now.
        """
        told = json.loads(command("nft", "-j", "list", "table", "inet", "hostile"))["nftables"]
        rules = [expression for one in told for expression in one.get("rule", {}).get("expr", ())]
        return sum(one["counter"]["bytes"] for one in rules if "counter" in one)

    def count(self, port: int) -> None:
        """
        Begin to count.

        @param port: of the server.
        """
        rules = f"tcp dport {port} counter; tcp sport {port} counter;"
        command("nft", f"table inet hostile {{ chain c {{ type filter hook output priority 0; {rules} }}; }}")

    def measured(self, attack: str, **options: object) -> tuple[Report, int]:
        """
        @return: an attack's report, and the bytes that were sent between client and server.
        """
        attacker = self.house.attack(attack, **options)
        before = self.sentBytes()
        report = attacker.ask("go")
        self.house.settle()
        attacker.end()
        return report, self.sentBytes() - before

    def test_itIsNoAmplifier(self) -> None:
        """
        With certificates, whose exchange costs most; and the target answers.
        """
        house = self.build(self.certificates(), rate=LIGHT_RATE, client=("--expire", "3"))
        self.count(house.serverAddress[1])
        options: Options = {
            "seconds": FORGED_SECONDS,
            "size": FORGED_BYTES,
            "client": house.clientAddress,
            "answered": True,
        }
        _, idle = self.measured("forged", sources=1, **options)
        report, sent = self.measured("forged", sources=FORGED, each=EACH, **options)
        given = report["bytes"] + HEADERS * report["datagrams"]
        times = (sent - idle) / given
        self.demand(times <= AMPLIFIED, f"for {given} bytes {sent} were sent, {idle} of them by others: {times:.1f}")
        self.assertHouseAsBefore()


class ManyTests(HostileTestCase):
    """
    Honest sources.
    """

    def test_eachQuestionIsAnswered(self) -> None:
        """
        Each comes from a port of its own, as those of a resolver do.
        """
        house = self.build(wire=1, client=("--expire", str(ASKED_SECONDS), "--udp-buffer", "4M"))
        report, _ = self.attack("questions", client=house.clientAddress, number=BURST, rate=10000.0)
        self.demand(report["answered"] == report["of"], f"a burst of questions: {report}")
        report, _ = self.attack("questions", client=house.clientAddress, number=ASKING, rate=ASKED_RATE)
        self.demand(report["answered"] == report["of"], f"questions at a rate: {report}")
        self.assertHouseAsBefore()

    def assertLightFlowsGoOn(self, *, trains: bool) -> None:
        """
        One source sends more than can be carried; others at the same port send little.
        """
        house = self.house
        options: Options = {"size": FULL_BYTES, "seconds": SECONDS, "trains": trains}
        heavy = house.attack("heavy", to=house.clientAddress, host=LOOPBACK, **options)
        lights = house.attack("lights", client=house.clientAddress, seconds=SECONDS - 1)
        house.mark()
        sent, report = self.together(heavy, lights)
        verdict = house.verdict()
        self.judge("beside a heavy source", verdict, BESIDE_HEAVY_SHARE)
        lost = report["sent"] - report["answered"]
        share = BESIDE_HEAVY_SHARE + verdict["starved"] / (SECONDS - 1)
        self.demand(lost <= share * report["sent"], f"light flows: {report}, beside {sent}; the bystander: {verdict}")
        for one in (heavy, lights):
            one.ask("end")
            one.end()

    def test_oneSourceSendsTooMuch(self) -> None:
        """
        One by one; and many at a time, where there is time.
        """
        self.build(client=("--expire", "5", "--udp-buffer", "4M"))
        for trains in (False, True)[: 2 if LONG else 1]:
            self.assertLightFlowsGoOn(trains=trains)
        self.assertHouseAsBefore()
