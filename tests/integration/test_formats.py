"""
Which formats meet: ours as it is, ours told to speak one of the two, and
C{udp-over-tls-pool} 0.1.1, each at either end, with TLS and without.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass

from bench.rig.ports import LOOPBACK, Address, freePort
from bench.rig.programs import Program, environmentFor
from tests.integration import rig
from tests.integration.correspondence import Correspondent, Target
from tests.integration.harness import LISTENING, ourCommand
from tests.integration.original import READY, originalProgram
from tests.integration.pairs import numbered
from uotp.pki.directory import Pki

THEIRS = "the original"
AUTO, ONE, TWO = "auto", "1", "2"

ENDS = (AUTO, ONE, TWO, THEIRS)
"""What may stand at either end; the first has no option."""

MEETINGS: dict[tuple[str, str], tuple[int, int]] = {
    (AUTO, AUTO): (2, 1),
    (AUTO, ONE): (1, 1),
    (AUTO, TWO): (2, 0),
    (AUTO, THEIRS): (1, 1),
    (ONE, AUTO): (1, 1),
    (ONE, ONE): (1, 1),
    (ONE, TWO): (0, 0),
    (ONE, THEIRS): (1, 1),
    (TWO, AUTO): (2, 2),
    (TWO, ONE): (0, 0),
    (TWO, TWO): (2, 2),
    (TWO, THEIRS): (0, 0),
    (THEIRS, AUTO): (1, 1),
    (THEIRS, ONE): (1, 1),
    (THEIRS, TWO): (0, 0),
}
"""Client and server: the format that is spoken over TLS, and on plain TCP; 0 when they do not understand each other."""

SIZES = (1, 300, 1400, 8193, 60000)

QUICKLY = ("-B", "0.2", "-w", "10")
"""
A client's options, so that it has soon been refused more than once, and gives up an end that never answers.  One that
is slow, since fifteen clients come to a busy machine at once, it does not give up.
"""


@dataclass(frozen=True)
class Meeting:
    """
    A client that runs, and what is to become of it.

    @ivar spoken: the format, or 0.
    """

    client: str
    server: str
    spoken: int
    program: Program
    address: Address

    def __str__(self) -> str:
        """
        For a failure.
        """
        return f"client {self.client}, server {self.server}"


def wireWords(which: str) -> list[str]:
    """
    @return: the option that makes an end of ours what it is to be.
    """
    return [] if which == AUTO else ["--wire", which]


class MeetingTests(rig.RigTestCase):
    """
    All clients and all servers, at once: a server has clients of both formats on one
    port.
    """

    def setUp(self) -> None:
        super().setUp()
        for end in ("client", "server"):
            originalProgram(end)

    def begin(self, end: str, which: str, words: list[str]) -> Program:
        """
        Start one end, and do not wait for it.

        @param end: C{client} or C{server}.
        @param which: one of L{ENDS}.
        @param words: of a command line that both projects understand.
        """
        if which == THEIRS:
            return self.start(f"the original's {end}", [originalProgram(end), *words], environmentFor())
        return self.start(f"our {end} {which}", ourCommand(end, *wireWords(which), *words))

    def beginServers(self, target: Target, pki: Pki | None) -> dict[str, Address]:
        """
        @return: where each of L{ENDS} listens.
        """
        addresses = {which: (LOOPBACK, freePort(socket.SOCK_STREAM)) for which in ENDS}
        self.servers = {}
        for which, address in addresses.items():
            words = ["-a", address[0], "-p", str(address[1]), *rig.serverWords(pki), *map(str, target.address)]
            self.servers[which] = self.begin("server", which, words)
        self.servers[THEIRS].waitForLine(READY["server"])
        for which in (AUTO, ONE, TWO):
            self.listening(self.servers[which])
        return addresses

    def beginClients(self, servers: dict[str, Address], pki: Pki | None) -> list[Meeting]:
        """
        @return: all meetings, the clients listening.
        """
        meetings = []
        for (client, server), spoken in MEETINGS.items():
            address = (LOOPBACK, freePort(socket.SOCK_DGRAM))
            quickly = () if client == THEIRS else QUICKLY
            words = ["-a", address[0], "-p", str(address[1]), *quickly, *rig.clientWords(pki)]
            program = self.begin("client", client, [*words, *map(str, servers[server])])
            meetings.append(Meeting(client, server, spoken[pki is None], program, address))
        for meeting in meetings:
            meeting.program.waitForLine(READY["client"] if meeting.client == THEIRS else LISTENING)
        return meetings

    def assertMeet(self, pki: Pki | None) -> None:
        """
        Those that are to understand each other do, in the format that is expected;
        those that are not say so.
        """
        target = self.target()
        meetings = self.beginClients(self.beginServers(target, pki), pki)
        applications = [self.correspondent(meeting.address) for meeting in meetings]
        for application in applications:
            application.send(b"anybody there?")
        for turn in range(2):
            for meeting, application in zip(meetings, applications, strict=True):
                if meeting.spoken:
                    self.exchangeAll(turn, application)
        for meeting, application in zip(meetings, applications, strict=True):
            if meeting.client != THEIRS:
                self.assertSaid(meeting)
            if not meeting.spoken:
                self.assertIsNone(application.receive(0.01), str(meeting))
        self.assertServersSaid(meetings)

    def exchangeAll(self, turn: int, application: Correspondent) -> None:
        """
        Datagrams of several sizes pass both ways.
        """
        for size in SIZES:
            application.exchange(numbered(turn, size))

    def assertSaid(self, meeting: Meeting) -> None:
        """
        A client of ours has said what is spoken, or once why nothing is.
        """
        if meeting.spoken:
            line = meeting.program.waitForLine(r"connected to .* port \d+(.*)")
            self.assertEqual("which speaks format 2" in line[1], meeting.spoken == int(TWO), str(meeting))
            return
        words = {
            (TWO, ONE): "the server refuses the session; its log says why",
            (
                TWO,
                THEIRS,
            ): r"connected to \S+, but no answer to the hello after \d+ s: is that a uotp-server, and no web server\?",
            (AUTO, TWO): "connection lost|it answers in HTTP: .*",
            (ONE, TWO): "connection lost|it answers in HTTP: .*",
        }[meeting.client, meeting.server]
        # Who is sent away without a word sees the one or the other, as it has sent or not.
        expected = rf"({words}|closed by the other end)( (during|before|in) .*)?"
        meeting.program.waitForLine(rf"a tunnel to .* failed: {expected}")
        reasons = [line.rsplit("failed: ")[-1] for line in rig.said(meeting.program, " failed: ")]
        for reason in reasons:
            self.assertRegex(reason, rf"^{expected}$", str(meeting))
        self.assertEqual(len(reasons), len(set(reasons)), f"{meeting}: {reasons}")

    def assertServersSaid(self, meetings: list[Meeting]) -> None:
        """
        Each server of ours has said of each format that it does not speak that it was
        asked for, once; and it has sessions for those that it understands, no more.
        """
        for which, refused in ((ONE, [2]), (TWO, [1]), (AUTO, [])):
            for one in refused:
                self.servers[which].waitForLine(f"it speaks format {one}, and --wire {which} was said here")
            lines = rig.said(self.servers[which], "refused a connection")
            self.assertEqual(len(lines), len(refused), f"{which}: {lines}")
            understood = [one for one in meetings if one.server == which and one.spoken]
            self.assertEqual(len(rig.said(self.servers[which], "opened from")), len(understood), which)

    def test_whoUnderstandsWhomOverTls(self) -> None:
        """
        Format 2 wherever both ends know it and nobody says otherwise.
        """
        self.assertMeet(self.newPki())

    def test_whoUnderstandsWhomOnPlainTcp(self) -> None:
        """
        Format 1 unless the client is told to speak the other.
        """
        self.assertMeet(None)
