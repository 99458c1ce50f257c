"""
What all hostile tests share: a house, attackers, the bystander's verdict, and the end that is
the same for all.  No verdict is a time.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from bench.rig.programs import Program, RigError, until
from tests.hostile.door import addresses
from tests.hostile.house import MOST_ROOM, Certificates, House, countedPrograms
from tests.hostile.orders import Report, Spoken
from tests.hostile.places import placesOfMachine, takePlace
from tests.integration.harness import ProgramTestCase, ourEnvironment, requireProcfs

LONG = os.environ.get("UOTP_HOSTILE") == "long"
"""Whether attacks take as long as they can."""

ATTACKER = "127.0.0.66"
"""Where an attacker is, who has one address."""

LINGER_SECONDS = 1
"""A session without tunnels lingers so long here, so that the end can be seen."""

ROOM = ("--udp-buffer", str(MOST_ROOM))

MEBIBYTE = 1 << 20


Options = dict[str, Any]
"""Of an attack."""


class HostileTestCase(ProgramTestCase):
    """
    A test with an attack.

    @ivar house: what is attacked.
    @cvar workers: how many its server has.
    @cvar clientWorkers: how many its clients have.
    """

    house: House
    workers = clientWorkers = 1

    def setUp(self) -> None:
        requireProcfs()
        super().setUp()
        place = takePlace(Path(gettempdir()), placesOfMachine())
        self.addCleanup(place.close)
        self.failed: list[str] = []

    def startAny(self, name: str, command: list[str], environment: Mapping[str, str], spokenTo: bool) -> Program:  # noqa: FBT001 - see Starter
        """
        Start a program; it is killed at the end of the test.
        """
        program = Program(name, command, environment, spokenTo=spokenTo)
        self._programs.append(program)
        self.addCleanup(program.kill)
        return program

    def certificates(self) -> Certificates:
        """
        @return: new ones.
        """
        return Certificates(Path(self.mktemp()).resolve())

    def build(
        self,
        certificates: Certificates | None = None,
        *,
        wire: int = 2,
        server: Sequence[str] = (),
        client: Sequence[str] = (),
        linger: float = LINGER_SECONDS,
        **options: Any,
    ) -> House:
        """
        Build the house.

        @param server: more options of the server.
        @param client: the same of the client.
        @param options: see L{House}.
        """
        server, client = (words if ROOM[0] in words else (*ROOM, *words) for words in (server, client))
        programs = countedPrograms(server, client, linger, ourEnvironment(), self.workers, self.clientWorkers)
        self.house = House(self.startAny, programs, certificates, wire=wire, **options)
        self.addCleanup(self.house.stopWatching)
        return self.house

    def attack(
        self, kind: str, /, *, what: str = "", share: float = 0.0, during: bool = True, **options: Any
    ) -> tuple[Report, Report]:
        """
        Attack, and see what it does to the bystander.  What is wrong is written down, and told
        at the end of the test: one attack that succeeds does not hide the next.

        @param kind: see L{tests.hostile.attack}.
        @param what: it is called in the failure.
        @param share: of what the bystander sends, that it may lose.
        @param during: whether it has to be carried meanwhile.
        @return: the attack's report, and the bystander's.
        """
        what = what or kind
        attacker = self.house.attack(kind, **options)
        self.house.mark()
        report = attacker.ask("go")
        meanwhile = self.house.sample()
        verdict = self.house.verdict()
        report |= attacker.ask("end")
        attacker.end()
        self.judge(what, verdict, share)
        came = meanwhile["answered"] + verdict["excused"]
        if during and meanwhile["sent"] >= SEEN and came < meanwhile["sent"] / 2:
            self.failed.append(f"{what}: the bystander stood still: {meanwhile}")
        return report, verdict

    def together(self, *attackers: Spoken) -> list[Report]:
        """
        Have several attack at once.

        @return: the report of each.
        """
        with ThreadPoolExecutor(len(attackers)) as pool:
            return list(pool.map(lambda one: one.ask("go"), attackers))

    def judge(self, what: str, verdict: Report, share: float = 0.0) -> None:
        """
        Write it down when the bystander has lost more than a share of what it sent, and the machine is not to blame.
        """
        if verdict["lost"] > share * verdict["sent"] + verdict["excused"]:
            self.failed.append(f"{what}: the bystander has lost more than {share:.1%}: {verdict}")

    def judgeMemory(self, what: str, before: tuple[int, int], most: float) -> None:
        """
        Write it down when a program has more in memory than it may.

        @param before: what server and client had.
        @param most: MiB that each may have more now.
        """
        for end, then, now in zip(("server", "client"), before, self.house.memory(), strict=True):
            grown = (now - then) / MEBIBYTE
            self.demand(grown <= most, f"{what}: the {end} has {grown:.1f} MiB more than before, and may have {most}")

    def demand(self, condition: object, what: str) -> None:
        """
        Write it down when something is not so.
        """
        if not condition:
            self.failed.append(what)

    def assertHouseAsBefore(self) -> None:
        """
        The end of every test: nothing has gone wrong in the programs; descriptors, timers, sessions,
        tunnels and streams are back where they were; a newcomer is welcome, and so is the bystander still.
        """
        house = self.house
        try:
            house.untilReturned(RETURNED_SECONDS)
        except RigError as error:
            self.failed.append(str(error))
        newcomer = house.attack("newcomers", door=house.door("newcomer"), source=addresses(1, 77)[0], number=1)
        self.demand(newcomer.ask("go")["came"], "a newcomer is not served")
        house.mark()
        until(lambda: house.sample()["sent"] > SEEN, "the bystander goes on")
        self.judge("afterwards", house.verdict())
        self.failed += house.faults()
        self.assertEqual(self.failed, [])


RETURNED_SECONDS = 60.0
"""Sessions and tunnels are gone by then: a tunnel that does not answer is given up in half a minute."""

SEEN = 50
"""Datagrams of a bystander that show that it goes on, or does not."""
