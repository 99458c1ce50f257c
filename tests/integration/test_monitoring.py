"""
Real programs that show how they do, and whoever looks.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
from http.client import HTTPConnection
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from bench.rig.ports import LOOPBACK, Address, freePort
from bench.rig.programs import HANG_SECONDS, Program, until
from tests.integration.harness import needed, ourCommand, runToEnd
from tests.integration.rig import Pair, RigTestCase
from tests.integration.udpends import UdpEnd
from tests.pages import README, printedBlocks

SHOWS = r"shows metrics at http://127\.0\.0\.1:(\d+)/"


class MonitoringTests(RigTestCase):
    """
    Ask over HTTP, as Prometheus and orchestrators do.
    """

    def get(self, address: Address, path: str, **headers: str) -> tuple[int, str]:
        """
        @return: the status and the text of an answer.
        """
        connection = HTTPConnection(*address, timeout=HANG_SECONDS)
        self.addCleanup(connection.close)
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def shownBy(self, program: Program) -> Address:
        return LOOPBACK, int(program.waitForLine(SHOWS)[1])

    def value(self, address: Address, name: str, **labels: str) -> float:
        """
        @return: the value of one sample; 0 while there is none.
        """
        status, text = self.get(address, "/metrics")
        self.assertEqual(status, 200)
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        return sum(each.value for each in samples if each.name == name and labels.items() <= each.labels.items())

    def exchange(self, pair: Pair, target: UdpEnd) -> None:
        """
        Let three datagrams pass each way.
        """
        flow = self.flow(pair, target)
        for _ in range(3):
            flow.both(b"x" * 100)

    def assertCounts(self, pair: Pair) -> None:
        """
        Both ends count what has passed, and are well.
        """
        for program, way in ((pair.client, "to_tunnels"), (pair.server, "to_udp")):
            place = self.shownBy(program)
            self.assertEqual(self.get(place, "/healthz"), (200, "ok\n"))
            until(
                lambda place=place, way=way: self.value(place, "uotp_datagrams_total", direction=way) == 3,  # type: ignore[misc]
                "what has passed is counted",
            )
            self.assertEqual(self.value(place, "uotp_payload_bytes_total", direction=way), 300)
            self.assertEqual(self.value(place, "uotp_sessions"), 1)
            self.assertEqual(self.get(place, "/metrics", Host="stranger.test")[0], 421)

    def test_bothEndsShowWhatHasPassed(self) -> None:
        """
        A server whose port is taken says so in one line and ends.
        """
        target = self.udpEnd()
        options = ("--metrics", "0")
        pair = self.pair(target.address, self.newPki(), server=options, client=options)
        self.exchange(pair, target)
        self.assertCounts(pair)
        taken = self.shownBy(pair.server)[1]
        other = self.startServer(target.address, "--no-tls", "--metrics", str(taken))
        self.assertEqual(other.waitForExit(), 1)
        self.assertIn(
            f"cannot listen on 127.0.0.1 port {taken} (TCP, for metrics): Address already in use", other.story()
        )

    def browse(self, *options: str) -> str:
        """
        @param options: the last is what to look at.
        @return: what a browser without a window prints.
        """
        browser = shutil.which("chromium")
        if browser is None:
            needed("chromium is missing: apt-get install chromium")
        folder = os.path.abspath(self.mktemp())
        done = runToEnd([browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}", *options])
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_browserShowsThePage(self) -> None:
        """
        The script runs under the policy that the page has, and asks for the body again.  Without it it is the
        same page.
        """
        server = self.startServer((LOOPBACK, 9), "--no-tls", "--metrics", "0")
        url = f"http://127.0.0.1:{self.shownBy(server)[1]}/"
        text = self.browse("--virtual-time-budget=12000", "--dump-dom", url)
        self.assertIn('<p class="state">ready</p>', text)
        self.assertIn("There is none.", text)
        self.assertRegex(text, r'<span id="fresh"[^>]*>As of [0-9]')
        copy = Path(os.path.abspath(self.mktemp())).with_suffix(".html")
        copy.write_text(self.get(self.shownBy(server), "/")[1].replace('<script src="page.js" defer></script>', ""))
        text = self.browse("--dump-dom", copy.as_uri())
        self.assertNotIn("<script", text)
        self.assertIn('<p class="state">ready</p>', text)
        self.assertIn("As of when the page was loaded.", text)

    def test_thePagesServerIsWell(self) -> None:
        """
        Started as it is printed, but for its files and ports.
        """
        if not README.exists():
            self.skipTest("README.rst is not here: run the tests in a checkout")
        pki, port = self.newPki(), freePort(socket.SOCK_STREAM)
        folder = Path(pki.serverCertificate).parent
        _, *words = shlex.split(printedBlocks()["monitor-server"].replace("pki/", f"{folder}/"))
        words[words.index("9100")] = str(port)
        self.start("our server", ourCommand("server", "-p", "0", *words)).waitForLine(SHOWS)
        status, text = self.get((LOOPBACK, port), "/healthz", Accept="application/json")
        self.assertEqual((status, json.loads(text)["ready"]), (200, True))
