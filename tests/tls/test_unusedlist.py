"""
A revocation list beside the file of CAs that a server was not told of.
"""

from __future__ import annotations

import os
from pathlib import Path
from unittest import SkipTest

from twisted.logger import LogLevel, capturedLogs, formatEvent

from tests.doubles.certificates import Authority, pem
from tests.doubles.tlspairs import TlsTestCase
from tests.pages import EXAMPLES, blocks, pages
from uotp.tls.credentials import ServerCredentials, ServerTls
from uotp.tls.files import DISK, CopiedFiles
from uotp.tls.unusedlist import UnusedList, unusedList


class UnusedListTests(TlsTestCase):
    """
    Look for one.
    """

    def setUp(self) -> None:
        super().setUp()
        self.authority = Authority("Test CA")
        self.folder = Path(os.path.abspath(self.mktemp()))
        self.folder.mkdir()
        self.authorities, self.crl = str(self.folder / "ca.pem"), str(self.folder / "crl.pem")
        Path(self.authorities).write_bytes(pem(self.authority.certificate))
        Path(self.crl).write_bytes(self.authority.revocationList())
        issued = self.authority.issue("example.com")
        self.cert = self.path(issued.certificatePem() + issued.keyPem())

    def credentials(self, cafile: str | None, crl: str | None = None) -> ServerCredentials:
        """
        @return: those of a server.
        """
        return ServerCredentials(ServerTls(self.cert, cafile=cafile, crl=crl))

    def test_itIsFound(self) -> None:
        unused = self.credentials(self.authorities).unusedList()
        self.assertEqual(unused, UnusedList(self.crl, self.authorities))
        assert unused is not None
        words = (
            f"{self.crl} beside {self.authorities} is not used: whoever is revoked there still gets in; give it by crl"
        )
        self.assertEqual(unused.words, words)
        with capturedLogs() as events:
            unused.warn()
        self.assertEqual([(e["log_level"], formatEvent(e)) for e in events], [(LogLevel.warn, words)])

    def test_whereThereAreListsNobodyIsTold(self) -> None:
        """
        Whoever gives another list, or puts one into the file of CAs, knows what he does.
        """
        self.assertIsNone(self.credentials(self.authorities, self.crl).unusedList())
        self.assertIsNone(self.credentials(None).unusedList())
        both = self.folder / "both.pem"
        both.write_bytes(pem(self.authority.certificate) + self.authority.revocationList())
        self.assertIsNone(self.credentials(str(both)).unusedList())
        self.assertIsNone(ServerCredentials(None).unusedList())

    def test_whereThereIsNoneNobodyIsTold(self) -> None:
        os.unlink(self.crl)
        self.assertIsNone(self.credentials(self.authorities).unusedList())

    def test_copiesHaveNoneBesideThem(self) -> None:
        """
        Whoever has read the files themselves has said it.
        """
        self.assertIsNone(unusedList(self.authorities, CopiedFiles({self.authorities: b""})))
        self.assertIsNone(unusedList(self.crl, DISK))


class ExampleTests(TlsTestCase):
    """
    Read the pages and the examples.
    """

    def test_eachServerWithACaHasItsList(self) -> None:
        if not pages() or not EXAMPLES.exists():
            reason = "the pages are not here: run the tests in a checkout"
            raise SkipTest(reason)
        commands = [line for block in blocks() for line in block.text.replace("\\\n", "").splitlines()]
        commands += (EXAMPLES / "systemd" / "uotp-server.service").read_text().splitlines()
        servers = [line for line in commands if "uotp-server" in line and "ca.pem" in line and " -C " in line]
        self.assertGreater(len(servers), 5)
        self.assertEqual([line for line in servers if "--crl " not in line], [])
        files = [block.text for block in blocks() if block.language in {"toml", "python"}]
        files += [each.read_text() for each in (EXAMPLES / "server.toml", EXAMPLES / "both_ends.tac")]
        servers = [text for text in files if "server.key" in text and "ca.pem" in text]
        self.assertGreater(len(servers), 2)
        self.assertEqual([text for text in servers if "crl.pem" not in text], [])
