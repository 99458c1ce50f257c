"""
A report as tables, on terminals of several widths.
"""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

from rich.console import Console
from twisted.trial.unittest import SynchronousTestCase

from tests.doubles.reports import CLIENT_REPORT, NOW, SERVER_REPORT, SESSION
from tests.doubles.tlspairs import TRUSTED
from uotp.cli.operate.rates import ProgramRates, Rate, sessionKey
from uotp.cli.operate.tables import brief, consoleFor, glance, kinds, sessionTable
from uotp.monitoring import CertificateReport, SessionReport
from uotp.tls.reasons import certificateName

LONG = replace(
    SESSION,
    name="00112233",
    client="a-very-long-name-of-a-client-indeed, sha256 1a2b3c4d",
    peer="[2001:db8:1111:2222:3333:4444:5555:6666]:51000",
    tunnelsReady=1,
    tunnelsWanted=16,
)


class TablesTests(SynchronousTestCase):
    """
    Print to a file.
    """

    def printed(self, part: Any, width: int = 80, *, isTerminal: bool = False) -> list[str]:
        """
        @return: the lines of it.
        """
        out = io.StringIO()
        console = Console(file=out, width=width, force_terminal=isTerminal, highlight=False, emoji=False, markup=False)
        console.print(part)
        return [line.rstrip() for line in out.getvalue().splitlines()]

    def test_aNameIsShownWholeAndWithoutItsFingerprint(self) -> None:
        """
        By what is shown an operator ends the sessions of a client.
        """
        for client, who in (
            ("laptop, sha256 1a2b3c4d", "laptop"),
            (certificateName(TRUSTED.issue("good.test").certificate), "leaf"),
            ("laptop, x", "laptop, x"),
            ("", "192.0.2.7:51000"),
        ):
            line = self.printed(sessionTable([replace(SESSION, client=client)], 80))[1]
            self.assertEqual(line[len("1f2e3d4c ") :].partition("  ")[0].partition(" 61m")[0], who)

    def test_allIsSeenAtAGlance(self) -> None:
        self.assertEqual(
            self.printed(glance(SERVER_REPORT, "server-8443"), 120),
            [
                "uotp-server 0.1.0, pid 4711, up 1d 2h, ready  [server-8443]",
                "listens     0.0.0.0:8443, [::]:8443",
                "target      127.0.0.1:51820",
                "sessions    2 (17 since the start), tunnels 3 of 3",
                "traffic     out 8.6MB in 12; back 143MB in 24",
                (
                    "queues      2.7KB wait; 11 datagrams were held, 23ms each; resent 9 by TCP, 3 by us; worst delay "
                    "3.1ms"
                ),
                "drops       backlog_full 2, send_refused 1",
                "handshakes  done 12, failed 3",
                "refusals    certificate 3",
                "visitors    page 1",
                "reloads     done 1",
                "expiry      own vpn.example.com in 800 days, ca uotp in 12 days",
            ],
        )

    def test_aClientNamesItsServerAndWorkers(self) -> None:
        lines = self.printed(glance(CLIENT_REPORT, "client-8911"), 120)
        words = "vpn.example.com:8443: 2 sessions; vpn.example.org:8443: 0 sessions, stands by for 1"
        self.assertIn(f"servers     {words}", lines)
        away = replace(CLIENT_REPORT, serversAway={"vpn.example.org:8443": 1}, serversReady={})
        words = "vpn.example.com:8443: 2 sessions; vpn.example.org:8443: 0 sessions, away"
        self.assertIn(f"servers     {words}", self.printed(glance(away, "client-8911"), 120))
        one = replace(CLIENT_REPORT, serversUsed={"vpn.example.com:8443": 1, "vpn.example.org:8443": 0})
        self.assertEqual(one.serverWords("vpn.example.com:8443"), "1 session")
        lone = replace(CLIENT_REPORT, serversUsed={CLIENT_REPORT.remote: 2})
        self.assertIn("server      vpn.example.com:8443", self.printed(glance(lone, "client-8911"), 120))
        self.assertIn("workers     1 ready 26h, 2 ready 40s, restarted 1x", lines)
        lost = replace(CLIENT_REPORT.workers[0], state="starting", isTold=False)
        lines = self.printed(glance(replace(CLIENT_REPORT, workers=(lost,)), "client-8911"), 120)
        self.assertIn("workers     1 starting 26h, has not answered", lines)

    def test_whyItIsNotReadyIsSaid(self) -> None:
        report = replace(SERVER_REPORT, isReady=False, trouble="the server's name is not found yet")
        self.assertIn("not ready: the server's name is not found yet", self.printed(glance(report, "x"), 120)[0])

    def test_filesThatCannotBeUsedAreTold(self) -> None:
        report = replace(SERVER_REPORT, filesTrouble="crl.pem: it is empty")
        words = "files       cannot be used, so the old ones stay in use: crl.pem: it is empty"
        self.assertIn(words, self.printed(glance(report, "x"), 120))
        rates = ProgramRates(Rate(0, 0), {})
        self.assertIn("files cannot be used", self.printed(brief(report, "x", rates), 120)[1])

    def test_whatEndsSoonIsColoured(self) -> None:
        for days, words, colour in (
            (29, "in 29 days", "\x1b[33m"),
            (31, "in 31 days", None),
            (-2, "expired 2 days ago", "\x1b[1;31m"),
        ):
            report = replace(SERVER_REPORT, certificates=(CertificateReport("own", "x", "/x", NOW + days * 86400),))
            (line,) = [each for each in self.printed(glance(report, "x"), isTerminal=True) if "expiry" in each]
            self.assertIn(words, line)
            self.assertEqual("\x1b[33m" in line or "\x1b[1;31m" in line, colour is not None)
            self.assertIn(colour or "", line)

    def test_sessionsFitInto80Columns(self) -> None:
        """
        With a name or an address that is too long it is cut, and no number is.
        """
        for expand in (False, True):
            lines = self.printed(sessionTable((SESSION, LONG), 80, expand=expand))
            self.assertEqual(len(lines), 3)
            self.assertLessEqual(max(map(len, lines)), 80)
            self.assertEqual(
                lines[0].split(), ["SESSION", "WHO", "AGE", "IDLE", "OUT", "BACK", "RTT", "TUN", "RESENT", "DROPS"]
            )
            self.assertEqual(
                lines[1].split(), ["1f2e3d4c", "laptop", "61m", "0s", "137K", "2.3M", "21ms", "2/2", "12", "2"]
            )
            self.assertEqual(lines[2].split()[-8:], ["61m", "0s", "137K", "2.3M", "21ms", "1/16", "12", "2"])
            self.assertIn("\u2026", lines[2])

    def test_aWideTerminalTellsMore(self) -> None:
        lines = self.printed(sessionTable((SESSION,), 140), 140)
        self.assertEqual(
            lines[0].split(),
            [
                *("SESSION", "CLIENT", "PEER", "AGE", "IDLE", "OUT", "BACK"),
                *("RTT", "TUN", "RESENT", "LATE", "QUEUE", "DROPS"),
            ],
        )
        self.assertIn("laptop, sha256 1a2b3c4d", lines[1])
        self.assertIn("192.0.2.7:51000", lines[1])

    def test_whichWorkerHasASessionIsTold(self) -> None:
        lines = self.printed(sessionTable((replace(SESSION, worker=12), SESSION), 80))
        self.assertEqual(lines[0].split()[:3], ["SESSION", "W", "WHO"])
        self.assertLessEqual(max(map(len, lines)), 80)
        self.assertEqual(lines[1].split()[:2], ["1f2e3d4c", "12"])

    def test_ratesStandInPlaceOfSums(self) -> None:
        rates = ProgramRates(Rate(1000, 2000), {sessionKey(SESSION): Rate(125_000, 1_250_000)})
        lines = self.printed(sessionTable((SESSION,), 80, rates, expand=True))
        self.assertEqual(lines[0].split()[4:6], ["OUTbit/s", "BACKbit/s"])
        self.assertEqual(lines[1].split()[4:6], ["1.0M", "10M"])
        self.assertIn("out 8.0kbit/s, 8.6MB in 12", "\n".join(self.printed(glance(SERVER_REPORT, "x", rates))))

    def test_nothingThatAPeerSaysIsAnOrder(self) -> None:
        """
        Neither for the terminal nor for rich.
        """
        evil = "\x1b[2J[red]\n\u202etxt"
        session: SessionReport = replace(SESSION, client=evil, peer=evil)
        certificate = CertificateReport(evil, evil, evil, NOW)
        report = replace(
            SERVER_REPORT,
            sessions=(session,),
            trouble=evil,
            isReady=False,
            certificates=(certificate,),
            drops={evil: 1},
        )
        for part in (glance(report, evil), sessionTable((session,), 140)):
            text = "\n".join(self.printed(part, 140))
            self.assertNotIn("\x1b", text)
            self.assertNotIn("\u202e", text)
            self.assertIn("[red]", text)

    def test_manyKindsAreSummedUp(self) -> None:
        self.assertEqual(kinds({}), "")
        self.assertEqual(kinds({"a": 0}), "")
        self.assertEqual(
            kinds({f"k{number}": number for number in range(9)}), "k8 8, k7 7, k6 6, k5 5, k4 4, k3 3, others 3"
        )

    def test_whatGoesToAFileIsPlainAndWide(self) -> None:
        out = io.StringIO()
        console = consoleFor(out)
        console.print(glance(SERVER_REPORT, "x"))
        console.print(sessionTable((LONG,), console.width))
        self.assertNotIn("\x1b", out.getvalue())
        self.assertIn(LONG.peer, out.getvalue())
        self.assertIn(LONG.client, out.getvalue())
