"""
The command line of C{uotp doctor}, and how it tells what it has found.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from twisted.logger import LogLevel
from twisted.trial.unittest import SkipTest

from tests.doubles.commands import CommandTestCase
from tests.pages import DOCS, printedBlocks
from uotp.cli.client import Options as ClientOptions
from uotp.cli.doctor import DoctorOptions, doctor, line, parseProbe
from uotp.doctor.findings import ExamStep, Finding, doubtful, faulty, notReached, well
from uotp.doctor.settings import PROBE, RATE_TEST_SECONDS, DoctorSettings
from uotp.telemetry import spelled
from uotp.telemetry.log import Logger

NAMED = well(ExamStep.NAME, "found")
REFUSED = faulty(ExamStep.TCP, "refused", "look there")
LATER = faulty(ExamStep.MARK, "no", "be root")
LOSES = doubtful(ExamStep.LOSS, "much", "take another path")
NEVER = notReached(ExamStep.TLS, "there is no TCP connection")


class Terminal(io.StringIO):
    """
    Shows colours.
    """

    def isatty(self) -> bool:
        return True


class DoctorCommandTests(CommandTestCase):
    """
    Run the command with findings that are known.
    """

    def setUp(self) -> None:
        super().setUp()
        self.patch(Logger, "threshold", LogLevel.info)
        self.asked: list[DoctorSettings] = []
        self.found: Iterable[Finding] = [NAMED]

    def examine(self, settings: DoctorSettings) -> Iterable[Finding]:
        self.asked.append(settings)
        return self.found

    def printed(self, *words: str, found: Iterable[Finding]) -> tuple[int, str]:
        """
        @return: the exit status, and what is printed.
        """
        self.found = found
        out = io.StringIO()
        return doctor(["vpn.test", "8443", *words], self.examine, out), out.getvalue()

    def test_eachFindingIsALineAndEachRemedy(self) -> None:
        status, text = self.printed(found=[NAMED, REFUSED, NEVER])
        self.assertEqual(
            text.splitlines(),
            [
                "ok           name                found",
                "fault        TCP                 refused",
                "             remedy              look there",
                "not reached  TLS                 because there is no TCP connection",
            ],
        )
        self.assertEqual(status, 11)

    def test_theFirstFaultIsTheExitStatus(self) -> None:
        """
        Unless a fault at another step is the cause of it.
        """
        for found, status in (
            ([NAMED], 0),
            ([NAMED, LOSES], 0),
            ([NAMED, LOSES, LATER], 25),
            ([REFUSED, NEVER, LATER], 11),
            ([replace(REFUSED, cause=ExamStep.MARK), NEVER, LATER], 25),
            ([replace(REFUSED, cause=ExamStep.LOSS), NEVER, LOSES], 11),
        ):
            self.assertEqual(self.printed(found=found)[0], status)
            self.assertEqual(self.printed("--json", found=found)[0], status)

    def test_eachServerIsExamined(self) -> None:
        """
        And named before what is found, where there are several.
        """
        asked: list[tuple[str, int]] = []

        def examine(settings: DoctorSettings) -> Iterable[Finding]:
            asked.append(settings.server)
            return []

        out = io.StringIO()
        words = ["a.test:8443", "b.test:443", "wss://[2001:db8::7]/5a1dd0f5"]
        self.assertEqual(doctor(words, examine, out), 0)
        self.assertEqual(asked, [("a.test", 8443), ("b.test", 443), ("2001:db8::7", 443)])
        self.assertEqual(out.getvalue(), "a.test:8443\nb.test:443\nwss://[2001:db8::7]:443/...\n")

    def test_helpShowsItsOwnOptionsFirst(self) -> None:
        lines = self.outputOf(lambda: doctor(["--help"])).splitlines()
        own = lines[lines.index("Options:") : lines.index("Options of uotp-client:")]
        named = {match[1] for line in own if (match := re.match(r" +(?:-\w, +)?--([a-z-]+)", line))}
        self.assertEqual(named, {"help", "version", "json", "no-rate", "probe", "size"})
        self.assertEqual(sum("--cafile=" in line for line in lines), 1)

    def test_jsonForPrograms(self) -> None:
        text = self.printed("--json", found=[REFUSED, NEVER])[1]
        self.assertEqual(
            json.loads(text),
            {
                "findings": [
                    {
                        "server": "vpn.test:8443",
                        "step": "TCP",
                        "verdict": "fault",
                        "facts": "refused",
                        "remedy": "look there",
                    },
                    {
                        "server": "vpn.test:8443",
                        "step": "TLS",
                        "verdict": "not reached",
                        "facts": "because there is no TCP connection",
                        "remedy": None,
                    },
                ]
            },
        )

    def test_jsonNamesTheServerOfEachFinding(self) -> None:
        """
        Without its path, which may be a secret.  The first server with a fault decides the exit status.
        """
        found = {"a.test": [NAMED, LATER], "b.test": [REFUSED]}
        out = io.StringIO()
        words = ["--json", "wss://a.test/5a1dd0f5", "b.test:443"]
        self.assertEqual(doctor(words, lambda settings: found[settings.place.host], out), LATER.step.exitStatus)
        self.assertEqual(
            [(each["server"], each["step"]) for each in json.loads(out.getvalue())["findings"]],
            [("wss://a.test:443/...", "name"), ("wss://a.test:443/...", "mark"), ("b.test:443", "TCP")],
        )
        self.assertNotIn("5a1dd0f5", out.getvalue())

    def test_remediesNameOptionsOfTheServerToo(self) -> None:
        self.printed(found=[])
        self.assertEqual((spelled("proxyProtocol"), spelled("httpPath")), ("--proxy-protocol", "--http-path"))
        self.assertEqual((spelled("proxyAuthFile"), spelled("proxyCafile")), ("--proxy-auth-file", "--proxy-cafile"))

    def test_coloursAreForTerminals(self) -> None:
        self.assertNotIn("\x1b", self.printed(found=[REFUSED])[1])
        self.assertEqual(line(REFUSED, isColoured=True).count("\x1b["), 2)
        terminal = Terminal()
        self.patch(os, "environ", {})
        doctor(["vpn.test", "8443"], lambda _: [REFUSED], terminal)
        self.assertIn("\x1b[1;31mfault", terminal.getvalue())
        self.patch(os, "environ", {"NO_COLOR": "1"})
        plain = Terminal()
        doctor(["vpn.test", "8443"], lambda _: [REFUSED], plain)
        self.assertNotIn("\x1b", plain.getvalue())

    def test_whatIsFoundIsToldAtOnce(self) -> None:
        """
        Also when somebody interrupts what takes long.
        """

        def slow() -> Iterator[Finding]:
            yield NAMED
            raise KeyboardInterrupt

        self.assertEqual(self.printed(found=slow()), (130, line(NAMED, isColoured=False)))

    def test_commandLineOfTheClientIsTaken(self) -> None:
        words = ["--pool-size", "4", "-a", "127.0.0.1", "-p", "9000", "--mark", "0xca6c", "--mss", "1200", "-w", "2"]
        self.printed(*words, "--udp-buffer", "1M", "--no-tls", "--wire", "2", found=[])
        [settings] = self.asked
        self.assertEqual(settings.server, ("vpn.test", 8443))
        self.assertEqual((settings.mark, settings.mss, settings.timeout), (0xCA6C, 1200, 2.0))
        self.assertEqual((settings.listen, settings.udpBuffer, settings.tls), (("127.0.0.1", 9000), 1 << 20, None))
        self.assertEqual((settings.probe, settings.largest, settings.rateSeconds), (None, 1500, RATE_TEST_SECONDS))
        names = {row.name for row in ClientOptions.rows}
        self.assertEqual({row.name for row in DoctorOptions.rows} - names, {"json", "no-rate", "probe", "size"})

    def test_wayThroughAProxyInsideWebSocketIsTaken(self) -> None:
        """
        A server that is reached without the proxy has none.
        """
        self.patch(os, "environ", {"HTTPS_PROXY": "http://p.test:3128", "NO_PROXY": "b.test"})
        doctor(["wss://a.test/5a1dd0f5", "b.test:443", "--proxy", "env"], self.examine, io.StringIO())
        first, second = self.asked
        self.assertEqual(
            (first.place.path, first.server, first.dialled), ("/5a1dd0f5", ("a.test", 443), ("p.test", 3128))
        )
        self.assertEqual((second.isInside, second.dialled, second.proxy), (False, ("b.test", 443), None))
        self.assertFalse(first.hasLoginFile)
        self.assertNotIn("5a1dd0f5", repr(first))

    def test_fileWithThePasswordForTheProxyIsKnown(self) -> None:
        file = Path(self.mktemp())
        file.touch(mode=0o600)
        file.write_text("alice:s3cr3t\n", encoding="ascii")
        self.printed("--proxy", "http://p.test", "--proxy-auth-file", str(file), found=[])
        [settings] = self.asked
        self.assertTrue(settings.hasLoginFile)
        self.assertNotIn("s3cr3t", repr(settings))

    def test_optionsOfItsOwn(self) -> None:
        self.printed("--no-rate", "--probe", "70696e67", "--size", "9000", found=[])
        [settings] = self.asked
        self.assertEqual((settings.probe, settings.largest, settings.rateSeconds), (b"ping", 9000, 0.0))

    def test_remediesNameOptionsOfItsOwn(self) -> None:
        self.printed(found=[])
        self.assertEqual(spelled("probe"), "--probe")

    def test_probesThatCannotBeSent(self) -> None:
        self.assertEqual(parseProbe("00"), PROBE)
        for word in ("", "0", "xy", "00" * 1401):
            self.assertRaises(ValueError, parseProbe, word)
        found = self.refusalOf(lambda: doctor(["vpn.test", "8443", "--probe", "hello"], self.examine))
        self.assertIn("--probe hello: a datagram in hexadecimal", found)

    def test_theLogStaysSilent(self) -> None:
        """
        What credentials would warn of is told by a step.
        """
        self.printed(found=[])
        self.assertIs(Logger.threshold, LogLevel.critical)


class DoctorPagesTests(CommandTestCase):
    """
    The pages say what the program does.
    """

    def setUp(self) -> None:
        super().setUp()
        if not DOCS.exists():
            reason = "the pages are not here: run the tests in a checkout"
            raise SkipTest(reason)

    def test_exitStatusesArePrinted(self) -> None:
        text = (DOCS / "reference" / "exit-codes.rst").read_text("utf-8")
        printed = re.findall(r"^(\d\d)  +(.*?)  +\S", text, re.MULTILINE)
        self.assertEqual(printed, [(str(step.exitStatus), step.title) for step in ExamStep])

    def test_theOutputThatIsPrintedHasEachStep(self) -> None:
        printed = printedBlocks()["doctor-well"].splitlines()
        begins = [line(well(step, ""), isColoured=False).rstrip("\n") for step in ExamStep]
        self.assertEqual([each[: len(begin)] for each, begin in zip(printed, begins, strict=True)], begins)

    def test_eachStepIsExplained(self) -> None:
        text = (DOCS / "howto" / "no-traffic.rst").read_text("utf-8")
        explained = {title for found in re.findall(r"^(\S.*)\n    ", text, re.MULTILINE) for title in found.split(", ")}
        self.assertLessEqual({step.title for step in ExamStep}, explained)
