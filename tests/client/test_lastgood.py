"""
Good addresses, remembered for the next start.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from uotp.client.lookup.lastgood import MAX_FILE_BYTES, MAX_REMEMBERED_HOSTS, WRITE_SECONDS, LastGood, hostsIn
from uotp.process.statefile import StateDirectory

SERVER = ("Vpn.Test.", 8443)
FILE = "vpn.test-8443.json"


class LastGoodTests(SynchronousTestCase):
    """
    Let tunnels open, and begin again.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.directory = Path(self.mktemp())
        capture = capturedLogs()
        self.events: Sequence[dict[str, Any]] = capture.__enter__()
        self.addCleanup(capture.__exit__, None, None, None)

    def lastGood(self, server: tuple[str, int] = SERVER) -> LastGood:
        remembered = LastGood(server, str(self.directory), self.clock.seconds)
        self.addCleanup(remembered.close)
        return remembered

    def lines(self) -> list[str]:
        return [str(formatEvent(event)) for event in self.events]

    def test_whatWasGoodIsKnownAfterAnotherStart(self) -> None:
        """
        Also when the program was killed: it is written when the tunnel opens.
        """
        self.lastGood().note("192.0.2.1")
        self.assertEqual(self.lastGood().hosts, ("192.0.2.1",))
        self.assertEqual(self.lines(), [])

    def test_fileIsSmallAndNobodyElses(self) -> None:
        self.lastGood().note("192.0.2.1")
        file = self.directory / FILE
        self.assertEqual(
            json.loads(file.read_text()), {"version": 1, "host": "vpn.test", "port": 8443, "addresses": ["192.0.2.1"]}
        )
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
        self.assertEqual([each.name for each in self.directory.iterdir()], [FILE])

    def test_theLastOneIsFirstAndOldOnesGo(self) -> None:
        remembered = self.lastGood()
        for number in range(2 * MAX_REMEMBERED_HOSTS):
            remembered.note(f"192.0.2.{number}")
        remembered.note("192.0.2.14")
        self.assertEqual(remembered.hosts[:2], ("192.0.2.14", "192.0.2.15"))
        self.assertEqual(len(set(remembered.hosts)), MAX_REMEMBERED_HOSTS)

    def test_nameWithManyAddressesDoesNotWriteAllDay(self) -> None:
        written: list[bytes] = []
        self.patch(StateDirectory, "replace", lambda _, __, content: written.append(content))
        remembered = self.lastGood()
        for second in range(600):
            self.clock.advance(1)
            remembered.note(f"192.0.2.{second % 200}")
        self.assertLessEqual(len(written), 600 / WRITE_SECONDS)
        self.assertGreater(len(written), 1)
        for _ in range(600):
            self.clock.advance(1)
            remembered.note("192.0.2.1")
        count = len(written)
        remembered.note("192.0.2.1")
        self.assertEqual(len(written), count)

    def test_whatIsNotWrittenYetIsWrittenAtTheEnd(self) -> None:
        remembered = self.lastGood()
        remembered.note("192.0.2.1")
        remembered.note("192.0.2.2")
        self.assertEqual(self.lastGood().hosts, ("192.0.2.1",))
        remembered.close()
        self.assertEqual(self.lastGood().hosts, ("192.0.2.2", "192.0.2.1"))

    def test_whatIsNotWrittenYetIsWrittenInTime(self) -> None:
        """
        The next tunnel may open days later, and the power may fail before.
        """
        remembered = self.lastGood()
        remembered.note("192.0.2.1")
        remembered.note("192.0.2.2")
        remembered.save()
        self.assertEqual(self.lastGood().hosts, ("192.0.2.1",))
        self.clock.advance(WRITE_SECONDS)
        remembered.save()
        self.assertEqual(self.lastGood().hosts, ("192.0.2.2", "192.0.2.1"))

    def test_serviceThatIsStartedAgainGoesOnRemembering(self) -> None:
        remembered = self.lastGood()
        remembered.close()
        remembered.open()
        remembered.note("192.0.2.1")
        self.assertEqual(self.lastGood().hosts, ("192.0.2.1",))

    def test_twoServersDoNotDisturbEachOther(self) -> None:
        self.lastGood().note("192.0.2.1")
        for other in (("vpn.test", 443), ("other.test", 8443)):
            self.lastGood(other).note("192.0.2.2")
            self.assertEqual(self.lastGood(other).hosts, ("192.0.2.2",))
        self.assertEqual(self.lastGood().hosts, ("192.0.2.1",))
        longest = ".".join(["a" * 63] * 3 + ["a" * 61])
        self.lastGood((longest, 8443)).note("192.0.2.3")
        self.assertEqual(self.lastGood((longest, 8443)).hosts, ("192.0.2.3",))

    def test_garbageIsLeftOutWithALineAndReplaced(self) -> None:
        self.directory.mkdir()
        for content in (b"", b"\0\xff", b"{}", b"[" * 4096, b'{"version": 2}', b" " * (MAX_FILE_BYTES + 1)):
            (self.directory / FILE).write_bytes(content)
            remembered = self.lastGood()
            self.assertEqual(remembered.hosts, ())
            words = f"the addresses remembered in {self.directory}/{FILE} cannot be read, and are not used"
            self.assertEqual(self.lines()[-1], words)
            remembered.note("192.0.2.1")
            self.assertEqual(self.lastGood().hosts, ("192.0.2.1",))

    def test_onlyAddressesOfOneHostAreTaken(self) -> None:
        for listed, taken in (
            (["192.0.2.1", "2001:DB8::1", "fe80::1%eth0"], ("192.0.2.1", "2001:db8::1", "fe80::1%eth0")),
            (["0.0.0.0", "a.test", 7, None, "224.0.0.1", "192.0.2.1", "192.0.2.1"], ("192.0.2.1",)),  # noqa: S104
            ("192.0.2.1", ()),
            ({}, ()),
        ):
            fields = {"version": 1, "host": "vpn.test", "port": 8443, "addresses": listed}
            self.assertEqual(hostsIn(json.dumps(fields).encode(), *SERVER), taken)
            for name, value in (("version", 0), ("host", "other.test"), ("port", 1)):
                self.assertEqual(hostsIn(json.dumps(fields | {name: value}).encode(), *SERVER), ())

    def test_diskThatTakesNothingIsSaidOnce(self) -> None:
        def full(*_: object, **__: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        remembered = self.lastGood()
        self.patch(StateDirectory, "replace", full)
        for number in range(5):
            self.clock.advance(WRITE_SECONDS)
            remembered.note(f"192.0.2.{number}")
        remembered.close()
        reason = f"cannot be remembered in {self.directory} (stateDirectory): No space left on device"
        self.assertEqual(self.lines(), [f"the server's addresses {reason}"])
        self.assertEqual(remembered.hosts[0], "192.0.2.4")

    def test_directoryThatCannotBeHadIsSaidOnce(self) -> None:
        self.directory.write_text("a file")
        remembered = self.lastGood()
        remembered.note("192.0.2.1")
        remembered.open()
        self.assertEqual(len(self.lines()), 1)
        self.assertIn("(stateDirectory): ", self.lines()[0])
        self.assertEqual(remembered.hosts, ("192.0.2.1",))

    def test_directoryOfAnotherUserIsSaidWithTheRemedy(self) -> None:
        """
        It may have been made before the program became that user.
        """

        def forbidden(*_: object, **__: object) -> None:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

        remembered = self.lastGood()
        self.patch(StateDirectory, "replace", forbidden)
        remembered.note("192.0.2.1")
        reason = "Permission denied; it has to belong to the user that this program runs as"
        self.assertEqual(
            self.lines(),
            [f"the server's addresses cannot be remembered in {self.directory} (stateDirectory): {reason}"],
        )

    def test_addressNeedsNoFile(self) -> None:
        self.lastGood(("192.0.2.1", 8443)).note("192.0.2.1")
        self.assertFalse(self.directory.exists())

    def test_withoutADirectoryItIsKeptInMemory(self) -> None:
        remembered = LastGood(SERVER, None, self.clock.seconds)
        remembered.note("192.0.2.1")
        self.assertEqual(remembered.hosts, ("192.0.2.1",))
        remembered.close()

    def test_anotherProcessMayWriteIt(self) -> None:
        """
        Then it is told what is good, no more often than it would be written, and says what is wrong with the file.
        """
        self.lastGood().note("192.0.2.1")
        told: list[tuple[str, ...]] = []
        remembered = LastGood(SERVER, str(self.directory), self.clock.seconds, told.append)
        self.assertEqual(remembered.hosts, ("192.0.2.1",))
        for number in (1, 2, 3):
            remembered.note(f"192.0.2.{number}")
        self.assertEqual(told, [("192.0.2.2", "192.0.2.1")])
        self.clock.advance(WRITE_SECONDS)
        remembered.save()
        self.assertEqual(told[1:], [("192.0.2.3", "192.0.2.2", "192.0.2.1")])
        remembered.close()
        self.assertEqual(self.lastGood().hosts, ("192.0.2.1",))
        (self.directory / FILE).write_text("spoiled")
        LastGood(SERVER, str(self.directory), self.clock.seconds, told.append).close()
        self.assertEqual(self.lines(), [])

    def test_whatAnotherProcessHasFoundIsWritten(self) -> None:
        """
        Of that nothing is trusted: what is no address is left out, and what is too much.
        """
        remembered = self.lastGood()
        remembered.note("192.0.2.99")
        self.clock.advance(WRITE_SECONDS)
        remembered.learn(["192.0.2.1", "no address", "0.0.0.0", *(f"192.0.2.{number}" for number in range(2, 50))])  # noqa: S104
        self.assertEqual(len(remembered.hosts), MAX_REMEMBERED_HOSTS)
        self.assertEqual(self.lastGood().hosts[:2], ("192.0.2.1", "192.0.2.2"))
