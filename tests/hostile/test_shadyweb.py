"""
A client beside a web server that wants to wear it out: what it does for that is bounded.
"""

from __future__ import annotations

import time

from bench.rig.ports import LOOPBACK
from bench.rig.procfs import memoryBytes, processorSeconds
from bench.rig.programs import Program, until
from tests.hostile.crowd import openUdp
from tests.hostile.house import countedPrograms
from tests.hostile.orders import Orders
from tests.hostile.shadyweb import ATTACKS, ShadyWeb
from tests.hostile.trial import LONG, MEBIBYTE
from tests.integration.harness import LISTENING, ProgramTestCase, ourEnvironment, requireProcfs

SECONDS = 20.0 if LONG else 3.0
"""For so long each attack goes on."""

MOST_DIALS = 120
"""Of eight tunnels, each of which may try some times at once, and then has to wait."""

MOST_SHARE = 0.5
"""Of one processor.  An honest server that is away costs a hundredth."""

MOST_MEBIBYTES = 16

ASK_SECONDS = 0.02


class ShadyWebTests(ProgramTestCase):
    """
    The client has eight tunnels, and sends all the time.
    """

    def setUp(self) -> None:
        requireProcfs()
        super().setUp()

    def startClient(self, web: ShadyWeb) -> tuple[Program, tuple[str, int]]:
        """
        @return: a client that is told the URL, and where it listens.
        """
        programs = countedPrograms((), ("--no-tls",), 0.0, ourEnvironment())
        url = f"ws://{web.address[0]}:{web.address[1]}/path"
        command = [*programs.words["client"], "-a", LOOPBACK, "-p", "0", *programs.client, url]
        program = Program("client", command, programs.environment, spokenTo=True)
        self._programs.append(program)
        self.addCleanup(program.kill)
        match = program.waitForLine(LISTENING)
        return program, (match[1], int(match[2]))

    def wearOut(self, web: ShadyWeb, what: str) -> None:
        """
        Let a web server have its way with a client, and see what that costs.
        """
        self.addCleanup(web.close)
        program, client = self.startClient(web)
        pid = program.process.pid
        application = openUdp()
        self.addCleanup(application.close)

        def ask() -> bool:
            application.sendto(bytes(1100), client)
            return web.dials > 0

        until(ask, f"{what}: the client dials", look=ASK_SECONDS)
        began, spent, memory = time.monotonic(), processorSeconds(pid), memoryBytes(pid)
        answers = 0
        while time.monotonic() - began < SECONDS:
            ask()
            Orders(program).ask("count")
            answers += 1
            time.sleep(ASK_SECONDS)
        share = (processorSeconds(pid) - spent) / (time.monotonic() - began)
        grown = (memoryBytes(pid) - memory) / MEBIBYTE
        told = f"{what}: {web.dials} dials, {share:.0%} of a processor, {grown:.1f} MiB, {answers} answers"
        self.assertLessEqual(web.dials, MOST_DIALS, told)
        self.assertLessEqual(share, MOST_SHARE, told)
        self.assertLessEqual(grown, MOST_MEBIBYTES, told)
        self.assertEqual([line for line in program.lines if "Traceback" in line or "#critical" in line], [], told)
        program.kill()

    def test_whatNeverEnds(self) -> None:
        for what, attack in ATTACKS.items():
            self.wearOut(ShadyWeb(attack), what)

    def test_aBalancerThatLeadsToAnotherServerEachTime(self) -> None:
        """
        The session stays at the first one that is there.
        """
        self.wearOut(ShadyWeb(None), "another server each time")
