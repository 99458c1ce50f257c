"""
Lists of clients: who is in one comes in, whoever has signed it, and nobody else.
"""

from __future__ import annotations

import base64
from pathlib import Path

from twisted.logger import LogLevel, capturedLogs, formatEvent

from tests.doubles.certificates import CLIENT, DAY, NOW, Issued, selfSigned
from tests.doubles.tlspairs import GOOD, STRANGER, TRUSTED, TlsTestCase, causeIn, meet
from uotp.errors import ConfigurationError, Refusal
from uotp.tls.clients import LIST_BYTES, MOST_CLIENTS, readClients
from uotp.tls.credentials import ServerCredentials, ServerTls
from uotp.tls.files import DISK, CopiedFiles
from uotp.tls.pins import publicKeyPin

LAPTOP, PHONE = (TRUSTED.issue(usages=CLIENT) for _ in range(2))


def pinOf(issued: Issued) -> str:
    """
    @return: the pin as `uotp cert` prints it.
    """
    return "sha256//" + base64.b64encode(publicKeyPin(issued.certificate)).decode("ascii")


class ReadingTests(TlsTestCase):
    """
    Read a list.
    """

    def read(self, content: bytes) -> dict[bytes, str]:
        return dict(readClients("FILE", CopiedFiles({"FILE": content})).names)

    def test_aPinIsWrittenAsPeopleDo(self) -> None:
        """
        The rest of the line is the name, in letters of any script.
        """
        pin = publicKeyPin(LAPTOP.certificate)
        colons = ":".join(f"{byte:02X}" for byte in pin)
        for word in (pinOf(LAPTOP), pin.hex(), colons, f"sha256:{pin.hex()}", f"SHA256//{pin.hex()}"):
            for name in ("laptop", "laptop of Anna", "Bücherwurm"):
                line = f"  {word} \t {name}\r\n".encode()
                self.assertEqual(self.read(b"# who may\n\n  # come\n" + line), {pin: name}, line)

    def test_twoKeysMayHaveOneName(self) -> None:
        content = f"{pinOf(LAPTOP)} laptop\n{pinOf(PHONE)} laptop".encode()
        self.assertEqual(sorted(self.read(content).values()), ["laptop", "laptop"])

    def test_whatCannotBeReadIsNamedByItsLine(self) -> None:
        good = pinOf(LAPTOP)
        for line, words in (
            (b"laptop", "'laptop' is no SHA-256 pin"),
            (good.encode(), "there is no name behind the pin"),
            (good.encode() + b" \xff", "it is no text in UTF-8"),
            (good.encode() + b" a\x1b[0m", "a name has up to 64 letters that can be printed, and this is 'a?[0m'"),
            (good.encode() + b" " + b"a" * 65, "a name has up to 64 letters that can be printed"),
            (f"{'00' * 32} other\n{good} laptop\n{publicKeyPin(LAPTOP.certificate).hex()} x".encode(), "'laptop' is"),
        ):
            error = self.assertRaises(ConfigurationError, self.read, b"# first\n" + line)
            number = 2 + line.count(b"\n")
            self.assertTrue(str(error).startswith(f"the list of clients FILE, line {number}: "), str(error))
            self.assertIn(words, str(error))

    def test_aListHasABound(self) -> None:
        """
        In bytes and in clients; what has as many is read before anybody gets tired.
        """
        error = self.assertRaises(ConfigurationError, self.read, b"#" * (LIST_BYTES + 1))
        self.assertIn(f"has more than {LIST_BYTES >> 20} MiB", str(error))
        lines = [b"%064x laptop-of-anna.vpn.example.com\n" % number for number in range(MOST_CLIENTS + 1)]
        self.assertEqual(len(self.read(b"".join(lines[:-1]))), MOST_CLIENTS)
        error = self.assertRaises(ConfigurationError, self.read, b"".join(lines).replace(b"laptop-of-", b""))
        self.assertIn("has more than 65536 clients", str(error))

    def test_aListThatIsNotThereIsRefused(self) -> None:
        error = self.assertRaises(ConfigurationError, readClients, "/nowhere", DISK)
        self.assertEqual(str(error), "cannot read the list of clients /nowhere: No such file or directory")


class JoiningTests(TlsTestCase):
    """
    Come in by a list.
    """

    def setUp(self) -> None:
        self.list = self.path(b"")

    def write(self, **clients: Issued) -> None:
        """
        List these.
        """
        Path(self.list).write_text("".join(f"{pinOf(each)} {name}\n" for name, each in clients.items()), "ascii")

    def listing(self, *, cas: bool = False) -> ServerCredentials:
        """
        @param cas: whether a CA has to have signed a client, too.
        """
        cafile = self.cafile(TRUSTED) if cas else None
        cert = self.path(GOOD.certificatePem() + GOOD.keyPem())
        return ServerCredentials(ServerTls(cert, cafile=cafile, clients=self.list))

    def refusalOf(self, server: ServerCredentials, shown: Issued | None) -> str | None:
        """
        @return: what a server has against a client that shows this.
        """
        pair = meet(server, self.client(shows=shown))
        if pair.server.refusal is None:
            self.assertWelcome(pair)
        else:
            self.assertEqual(pair.server.heard, b"")
        return causeIn(pair.server.refusal)

    def test_withoutACaTheListAloneDecides(self) -> None:
        """
        Whoever has signed a certificate, whatever it is for, and whenever it is good.
        """
        alone, old = selfSigned("somebody"), STRANGER.issue(ends=NOW - DAY, begins=NOW - 9 * DAY)
        self.write(alone=alone, old=old, laptop=LAPTOP)
        server = self.listing()
        self.assertTrue(server.verifiesClients)
        for shown in (alone, old, LAPTOP):
            self.assertIsNone(self.refusalOf(server, shown))
        words = f"public key is not in the list of clients, {self.list}"
        for shown in (PHONE, selfSigned("somebody")):
            self.assertEqual(self.refusalOf(server, shown), words)
        self.assertEqual(self.refusalOf(server, None), "no client certificate")

    def test_withACaBothAreRequired(self) -> None:
        stranger = STRANGER.issue(usages=CLIENT)
        self.write(laptop=LAPTOP, stranger=stranger)
        server = self.listing(cas=True)
        self.assertIsNone(self.refusalOf(server, LAPTOP))
        self.assertEqual(self.refusalOf(server, stranger), "unknown issuer 'CN=Stranger CA'")
        self.assertIn("not in the list", str(self.refusalOf(server, PHONE)))

    def test_theLogCallsAClientByItsListedName(self) -> None:
        """
        And one that is not listed by its certificate, with the pin to list it by.
        """
        self.write(laptop=LAPTOP)
        server = self.listing()
        names = []
        for shown in (LAPTOP, PHONE):
            pair = meet(server, self.client(shows=shown))
            handle = pair.server.handle
            assert handle is not None
            names.append((handle.peerName(), handle.refusalKind()))
        self.assertEqual(names[0], ("laptop", None))
        self.assertIn("leaf, sha256 ", str(names[1][0]))
        self.assertIs(names[1][1], Refusal.NOT_LISTED)
        self.assertIn(publicKeyPin(PHONE.certificate).hex(), str(pair.server.refusal))
        self.assertIn("our key is not in its list of clients", str(pair.client.refusal))

    def test_anEmptyListLetsNobodyInAndSaysSo(self) -> None:
        Path(self.list).write_bytes(b"# nobody yet\n")
        with capturedLogs() as events:
            server = self.listing()
        said = [formatEvent(event) for event in events if event["log_level"] is LogLevel.warn]
        self.assertEqual(said, [f"the list of clients {self.list} has no client: nobody is let in"])
        self.assertIn("not in the list", str(self.refusalOf(server, LAPTOP)))

    def test_aListIsReadAgain(self) -> None:
        """
        Who is taken out may not go on, and who is put in may come.
        """
        self.write(laptop=LAPTOP)
        server = self.listing()
        key = publicKeyPin(LAPTOP.certificate)
        self.assertIsNone(server.objection(key, LAPTOP.known(), None))
        self.write(phone=PHONE)
        server.reload()
        self.assertIsNone(self.refusalOf(server, PHONE))
        self.assertIn("not in the list", str(self.refusalOf(server, LAPTOP)))
        error = server.objection(key, LAPTOP.known(), None)
        assert error is not None
        self.assertEqual(str(error), "its key has been taken out of the list of clients")
        self.assertIs(error.kind, Refusal.NOT_LISTED)

    def test_aListThatCannotBeReadLeavesTheOldOne(self) -> None:
        self.write(laptop=LAPTOP)
        server = self.listing()
        Path(self.list).write_bytes(b"rubbish\n")
        self.assertRaises(ConfigurationError, server.reload)
        self.assertIsNone(self.refusalOf(server, LAPTOP))
