"""
Credentials of several processes, of which one reads the files.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest import skipIf

from twisted.logger import capturedLogs, formatEvent

from tests.doubles.certificates import CLIENT, DAY, NOW, Issued, pem
from tests.doubles.credentialfiles import CountingFiles
from tests.doubles.tlspairs import GOOD, STRANGER, TRUSTED, TlsTestCase, meet
from uotp.errors import ConfigurationError
from uotp.net import ProxyKind, ProxyPlace
from uotp.tls.credentials import ClientCredentials, ClientTls, ServerCredentials, ServerTls
from uotp.tls.files import SIZE_LIMIT, CopiedFiles, FilesReadOnce
from uotp.tls.names import nameDigest
from uotp.tls.pins import publicKeyPin
from uotp.tls.proxies import ProxyChoices
from uotp.tls.renewal import RenewableCredentials

RENEWED = TRUSTED.issue("good.test")
EXPIRED = TRUSTED.issue("good.test", begins=NOW - 3 * DAY, ends=NOW - DAY)
ENDING = TRUSTED.issue("good.test", ends=NOW + DAY)
LAPTOP = TRUSTED.issue(usages=CLIENT, subject="laptop")


class RenewalTestCase(TlsTestCase):
    """
    Has the files of a server, and a process that has read them.
    """

    def setUp(self) -> None:
        self.cert, self.key = self.path(GOOD.certificatePem()), self.path(GOOD.keyPem())
        self.cas = self.cafile(TRUSTED)
        self.choices = ServerTls(self.cert, self.key, self.cas)
        self.parent = ServerCredentials(self.choices, now=lambda: NOW, keepsContents=True)

    def worker(self, contents: dict[str, bytes], now: Callable[[], datetime] = lambda: NOW) -> ServerCredentials:
        """
        @return: the credentials of a process that was handed these files.
        """
        return ServerCredentials(self.choices, now=now, files=CopiedFiles(contents), keepsContents=True)

    def renew(self, issued: Issued = RENEWED) -> None:
        """
        Replace the certificate and its key.
        """
        Path(self.cert).write_bytes(issued.certificatePem())
        Path(self.key).write_bytes(issued.keyPem())

    def said(self, act: Callable[[], object]) -> list[str]:
        """
        @return: what is logged while something is done.
        """
        with capturedLogs() as events:
            act()
        return [formatEvent(event) for event in events]

    def holding(self, issued: Issued) -> dict[str, bytes]:
        """
        @return: what the files hold with this certificate.
        """
        return {self.cert: issued.certificatePem(), self.key: issued.keyPem(), self.cas: pem(TRUSTED.certificate)}

    def assertShows(self, issued: Issued, *several: ServerCredentials) -> None:
        """
        Each shows this certificate, and lets in whom the CAs of the file have signed.
        """
        for credentials in several:
            self.assertEqual(credentials.ownPin, publicKeyPin(issued.certificate))
            pair = meet(credentials, self.client(shows=TRUSTED.issue(usages=CLIENT)))
            self.assertWelcome(pair)
            handle: Any = pair.client.handle
            self.assertEqual(handle.get_peer_certificate(as_cryptography=True), issued.certificate)


class HandedOverTests(RenewalTestCase):
    """
    Hand what one process has read to others.
    """

    def test_contentsAreTheFilesOfTheCredentials(self) -> None:
        """
        All of them, and nothing else.
        """
        self.assertEqual(self.parent.contents, self.holding(GOOD))
        both = self.path(GOOD.certificatePem() + GOOD.keyPem())
        self.assertEqual(
            ServerCredentials(ServerTls(both), keepsContents=True).contents, {both: Path(both).read_bytes()}
        )
        self.assertEqual(ClientCredentials(ClientTls()).contents, {})
        client = ClientCredentials(ClientTls(self.cas, self.cert, self.key), keepsContents=True)
        self.assertEqual(client.contents, self.holding(GOOD))

    def test_aWorkerNeedsNoFiles(self) -> None:
        """
        It may run as a user who may not read them, or in a directory that has no others.
        """
        contents = self.parent.contents
        for path in contents:
            Path(path).unlink()
        self.assertShows(GOOD, self.worker(contents))
        client = ClientCredentials(ClientTls(self.cas, self.cert, self.key), files=CopiedFiles(contents))
        self.assertEqual(client.ownPin, publicKeyPin(GOOD.certificate))
        self.assertWelcome(meet(self.worker(contents), self.client(shows=TRUSTED.issue(usages=CLIENT))))

    def test_aWorkerThatIsStartedLaterUsesWhatTheOthersUse(self) -> None:
        """
        Though the files have changed, and also where they are good for nothing any more.
        """
        self.renew()
        self.assertShows(GOOD, self.worker(self.parent.contents))
        Path(self.key).write_bytes(b"")
        self.assertRaises(ConfigurationError, self.parent.reload)
        self.assertShows(GOOD, self.worker(self.parent.contents))

    def test_whoHandsNothingOverKeepsNothing(self) -> None:
        """
        A private key is among it.
        """
        alone = ServerCredentials(self.choices, now=lambda: NOW)
        alone.reload()
        self.assertEqual(alone.contents, {})

    def test_contentsFollowAReload(self) -> None:
        self.renew()
        self.parent.reload()
        self.assertEqual(self.parent.contents, self.holding(RENEWED))
        self.assertShows(RENEWED, self.worker(self.parent.contents))

    def test_whoeverChangesWhatHeWasGivenChangesNothingElse(self) -> None:
        self.parent.contents.clear()
        self.assertEqual(self.parent.contents, self.holding(GOOD))

    def test_aFileThatWasNotHandedOverIsNamed(self) -> None:
        for path, what in ((self.cert, "certificate file"), (self.key, "key file"), (self.cas, "CA file")):
            contents = self.parent.contents
            del contents[path]
            error = self.assertRaises(ConfigurationError, self.worker, contents)
            reason = "it is not among the files that were handed over"
            self.assertEqual(str(error), f"cannot read the {what} {path}: {reason}")

    def test_hugeContentsAreRefusedToo(self) -> None:
        contents = {**self.parent.contents, self.cas: bytes(SIZE_LIMIT + 1)}
        error = self.assertRaises(ConfigurationError, self.worker, contents)
        self.assertEqual(str(error), f"the CA file {self.cas} is far too large")

    def test_certificateAndKeyOfOneFileAreOfOneMoment(self) -> None:
        """
        Somebody may replace the file while it is read.
        """

        class Replaced(CountingFiles):
            def read(self, path: str, *, isReadAgain: bool = False) -> bytes:
                self.reads += 1
                issued = (GOOD, RENEWED)[self.reads % 2]
                return issued.certificatePem() + issued.keyPem()

        credentials = ServerCredentials(ServerTls("both"), files=Replaced(), keepsContents=True)
        self.assertEqual(credentials.contents, {"both": RENEWED.certificatePem() + RENEWED.keyPem()})
        self.assertEqual(credentials.ownPin, publicKeyPin(RENEWED.certificate))


class TwoStepsTests(RenewalTestCase):
    """
    Prepare new credentials, and adopt them later.
    """

    def test_whatIsPreparedIsNotUsedBeforeItIsAdopted(self) -> None:
        self.renew()
        prepared = self.parent.prepare()
        self.assertShows(GOOD, self.parent)
        self.assertEqual(self.parent.contents, self.holding(GOOD))
        self.parent.adopt(prepared)
        self.assertShows(RENEWED, self.parent)
        self.assertEqual(self.parent.contents, self.holding(RENEWED))

    def test_allProcessesChangeToTheSame(self) -> None:
        """
        Also when the files change once more while they prepare.
        """
        workers = [self.worker(self.parent.contents) for _ in range(2)]
        self.renew()
        prepared = self.parent.prepare()
        Path(self.key).unlink()
        ready = [(each, each.prepare(prepared.contents)) for each in workers]
        self.assertShows(GOOD, self.parent, *workers)
        for credentials, theirs in [(self.parent, prepared), *ready]:
            credentials.adopt(theirs)
        self.assertShows(RENEWED, self.parent, *workers)
        self.assertEqual([each.contents for each in workers], [self.parent.contents] * 2)

    def test_theCasThatArePreparedCountWhenTheyAreAdopted(self) -> None:
        worker = self.worker(self.parent.contents)
        prepared = worker.prepare({**self.parent.contents, self.cas: pem(STRANGER.certificate)})
        client = self.client(shows=STRANGER.issue(usages=CLIENT))
        self.assertIsNotNone(meet(worker, client).server.refusal)
        worker.adopt(prepared)
        self.assertWelcome(meet(worker, client))

    def test_aRevocationHoldsFromWhenItIsAdopted(self) -> None:
        issued = TRUSTED.issue(usages=CLIENT)
        worker = self.worker(self.parent.contents)
        cas = pem(TRUSTED.certificate) + TRUSTED.revocationList(issued.certificate)
        prepared = worker.prepare({**self.parent.contents, self.cas: cas})
        self.assertFalse(worker.revokes(issued.known()))
        worker.adopt(prepared)
        self.assertTrue(worker.revokes(issued.known()))

    def test_whatAReloadRefusesIsRefusedWhenItIsPrepared(self) -> None:
        """
        And what another process has read is not believed more than a file.
        """
        self.renew(EXPIRED)
        handed = self.holding(EXPIRED)
        expired = f"the certificate in {self.cert} expired on {NOW - DAY:%Y-%m-%d}"
        empty = f"the key file {self.key} is empty"
        worker = self.worker(self.parent.contents)
        for reason in (expired, empty):
            for attempt in (self.parent.reload, self.parent.prepare, lambda: worker.prepare(handed)):
                error = self.assertRaises(ConfigurationError, attempt)
                self.assertEqual(str(error), reason)
            Path(self.key).write_bytes(b"")
            handed[self.key] = b""
        self.assertShows(GOOD, self.parent, worker)

    def test_aWorkerThatIsToldToReloadKeepsWhatItHasAdopted(self) -> None:
        """
        And does not go back to what it began with.
        """
        worker = self.worker(self.parent.contents)
        worker.adopt(worker.prepare(self.holding(RENEWED)))
        worker.reload()
        self.assertShows(RENEWED, worker)

    def test_whatWasPreparedAndNotAdoptedIsForgotten(self) -> None:
        self.renew()
        self.parent.prepare()
        self.renew(GOOD)
        self.parent.reload()
        self.assertShows(GOOD, self.parent)

    @skipIf(os.name == "nt", "there are no such files")
    def test_aFileThatBecomesAPipeIsNotWaitedFor(self) -> None:
        """
        Nobody may ever write into it.
        """
        Path(self.key).unlink()
        os.mkfifo(self.key)
        error = self.assertRaises(ConfigurationError, self.parent.prepare)
        self.assertEqual(
            str(error),
            f"cannot read the key file {self.key}: it is no regular file, and so it cannot be read more than once",
        )
        self.assertShows(GOOD, self.parent)

    def test_noKeyShows(self) -> None:
        """
        Not when somebody logs what he has in his hands.
        """
        secret = GOOD.keyPem().splitlines()[1].decode("ascii")
        worker = self.worker(self.parent.contents)
        for holder in (self.parent, self.parent.prepare(), self.parent.contents, worker, worker.prepare()):
            self.assertNotIn(secret, repr(holder))
            self.assertNotIn(secret, str(holder))
        self.assertIn(f"{self.key}: {len(GOOD.keyPem())} bytes", repr(self.parent.prepare()))


class WhoWarnsTests(RenewalTestCase):
    """
    Of what is wrong with the files one process warns, at the moment when they are used.
    """

    def test_datesAreSaidOnceAndWhenTheyAreAdopted(self) -> None:
        self.renew(ENDING)
        line = f"the certificate in {self.cert} expires on {NOW + DAY:%Y-%m-%d}"
        found: list[Any] = []
        self.assertEqual(self.said(lambda: found.append(self.parent.prepare())), [])
        changed = [
            f"the certificate file {self.cert} has changed, and is used from now on",
            f"the key file {self.key} has changed, and is used from now on",
        ]
        self.assertEqual(self.said(lambda: self.parent.adopt(found[0])), [*changed, line])
        self.assertEqual(self.said(self.parent.warnOfDates), [line])

    def test_datesOfWhatIsOnlyPreparedAreNotWatched(self) -> None:
        self.renew(ENDING)
        self.parent.prepare()
        self.assertEqual(self.said(self.parent.warnOfDates), [])

    @skipIf(os.name == "nt", "permissions are something else there")
    def test_exposedKeyIsSaidOnceAndWhenItIsAdopted(self) -> None:
        Path(self.key).chmod(0o644)
        found: list[Any] = []
        self.assertEqual(self.said(lambda: found.append(self.parent.prepare())), [])
        said = self.said(lambda: self.parent.adopt(found[0]))
        self.assertEqual([line.partition(" may ")[0] for line in said], [f"the private key in {self.key}"])

    def test_aWorkerLeavesTheWarningsToItsParent(self) -> None:
        """
        Otherwise each would say the same each day.
        """
        Path(self.key).chmod(0o644)
        workers: list[ServerCredentials] = []
        self.assertEqual(self.said(lambda: workers.append(self.worker(self.holding(ENDING)))), [])
        worker = workers[0]
        for act in (
            worker.warnOfDates,
            worker.reload,
            lambda: worker.adopt(worker.prepare(self.holding(ENDING))),
            worker.warnOfDates,
        ):
            self.assertEqual(self.said(act), [])


class ChangeTests(RenewalTestCase):
    """
    Each file that has changed is said to be in use from now on, by its name, and what it is; nothing of what it holds.
    """

    def changes(self, credentials: RenewableCredentials, files: Sequence[tuple[str, bytes]]) -> list[str]:
        """
        @param files: each with what it holds from now on.
        @return: what is said when one after the other has changed.
        """
        self.assertEqual(self.said(credentials.reload), [])
        lines: list[str] = []
        for path, data in files:
            Path(path).write_bytes(data)
            lines += self.said(credentials.reload)
        self.assertEqual(self.said(credentials.reload), [])
        return lines

    def line(self, what: str, path: str) -> str:
        return f"the {what} {path} has changed, and is used from now on"

    def test_filesOfAServer(self) -> None:
        pin, token = publicKeyPin(LAPTOP.certificate).hex().encode(), b"0123456789abcdef"
        lists = pem(TRUSTED.certificate), TRUSTED.revocationList()
        crl, clients, tokens = self.path(lists[1]), self.path(pin + b" a\n"), self.path(token + b"\n")
        choices = ServerTls(self.cert, self.key, self.cas, crl, clients)
        server = ServerCredentials(choices, tokenFile=tokens, now=lambda: NOW)
        for path in (self.key, tokens):
            Path(path).chmod(0o600)
        said = self.changes(
            server,
            (
                (self.cas, lists[0] + b"\n"),
                (crl, lists[1] + b"\n"),
                (clients, pin + b" b\n"),
                (tokens, token + b"\nfedcba9876543210\n"),
                (self.cert, GOOD.certificatePem() + b"\n"),
                (self.key, GOOD.keyPem() + b"\n"),
            ),
        )
        expected = [
            self.line("CA file", self.cas),
            self.line("revocation file", crl),
            self.line("list of clients", clients),
            self.line("token file", tokens),
            self.line("certificate file", self.cert),
            self.line("key file", self.key),
        ]
        self.assertEqual(said, expected)

    def test_filesOfAClient(self) -> None:
        """
        Those for its proxy are no others.
        """
        both, token, word = (
            self.path(LAPTOP.certificatePem() + LAPTOP.keyPem()),
            self.path(b"0123456789abcdef\n"),
            self.path(b"a:b\n"),
        )
        proxyCas = self.cafile(TRUSTED)
        for path in (both, token, word):
            Path(path).chmod(0o600)
        proxy = ProxyChoices(ProxyPlace(ProxyKind.HTTPS, "good.test", 1), word, proxyCas)
        client = ClientCredentials(ClientTls(self.cas, both, tokenFile=token), proxy=proxy, now=lambda: NOW)
        said = self.changes(
            client,
            (
                (word, b"a:c\n"),
                (proxyCas, pem(TRUSTED.certificate) + b"\n"),
                (self.cas, pem(TRUSTED.certificate) + b"\n"),
                (token, b"fedcba9876543210\n"),
                (both, LAPTOP.certificatePem() + LAPTOP.keyPem() + b"\n"),
            ),
        )
        expected = [
            self.line("file with the password for the proxy", word),
            self.line("CA file for the proxy", proxyCas),
            self.line("CA file", self.cas),
            self.line("token file", token),
            self.line("certificate file", both),
        ]
        self.assertEqual(said, expected)

    def test_oneFileThatIsTwoThingsIsSaidOnce(self) -> None:
        both = self.path(GOOD.certificatePem() + GOOD.keyPem())
        Path(both).chmod(0o600)
        server = ServerCredentials(ServerTls(both, both), now=lambda: NOW)
        said = self.changes(server, [(both, RENEWED.certificatePem() + RENEWED.keyPem())])
        self.assertEqual(said, [self.line("certificate file and key file", both)])

    def test_whatCannotBeUsedIsNotSaidToBe(self) -> None:
        Path(self.cas).write_bytes(pem(TRUSTED.certificate) + b"\n")
        Path(self.cert).write_bytes(b"")
        self.assertEqual(self.said(lambda: self.assertRaises(ConfigurationError, self.parent.reload)), [])

    def test_aWorkerLeavesThatToItsParent(self) -> None:
        worker = self.worker(self.holding(GOOD))
        self.assertEqual(self.said(lambda: worker.adopt(worker.prepare(self.holding(RENEWED)))), [])


class StampTests(RenewalTestCase):
    """
    Look whether files have changed.
    """

    def test_aFileThatChangesIsAnotherOne(self) -> None:
        """
        By what it holds, by its place, by a link that leads elsewhere, and by permissions; until it is read.
        """
        other = self.path(GOOD.certificatePem())
        link = self.mktemp()
        os.symlink(os.path.abspath(self.cert), link)
        credentials = ServerCredentials(ServerTls(link, self.key, self.cas), now=lambda: NOW)

        def relink() -> None:
            os.unlink(link)
            os.symlink(os.path.abspath(other), link)

        for change in (
            self.renew,
            lambda: os.replace(self.path(RENEWED.keyPem()), self.key),
            lambda: os.chmod(self.cas, 0o640),
            lambda: self.renew(GOOD),
            relink,
        ):
            before = credentials.stamp()
            self.assertEqual(before, credentials.stampRead)
            change()
            self.assertNotEqual(credentials.stamp(), before)
            credentials.reload()

    def test_whatCouldNotBeUsedWasReadAllTheSame(self) -> None:
        """
        So it is not tried again before it changes again.
        """
        Path(self.key).write_bytes(RENEWED.keyPem())
        self.assertRaises(ConfigurationError, self.parent.prepare)
        self.assertEqual(self.parent.stamp(), self.parent.stampRead)
        Path(self.cert).unlink()
        self.assertNotEqual(self.parent.stamp(), self.parent.stampRead)
        self.assertRaises(ConfigurationError, self.parent.prepare)
        self.assertEqual(self.parent.stamp(), self.parent.stampRead)

    def test_whatCannotBeSeenIsNoChange(self) -> None:
        """
        All files together: a chroot hides them.  One alone was removed.
        """
        os.unlink(self.cert)
        self.assertIsNotNone(self.parent.stamp())
        for path in (self.key, self.cas):
            os.unlink(path)
        self.assertIsNone(self.parent.stamp())

    def test_whatSaysTheSameIsInUse(self) -> None:
        os.utime(self.cert)
        self.assertNotEqual(self.parent.stamp(), self.parent.stampRead)
        self.assertTrue(self.parent.prepare().isInUse)
        self.renew()
        self.assertFalse(self.parent.prepare().isInUse)

    def test_whatSaysTheSameIsNotParsedAgain(self) -> None:
        """
        Neither here nor by a worker; nor is it when one file was bad for a while.
        """
        worker = self.worker(self.parent.contents)
        for each in (self.parent, worker):
            self.patch(each, "_load", lambda *_: self.fail("it is parsed"))
        os.utime(self.cas)
        self.assertTrue(self.parent.prepare().isInUse)
        self.assertTrue(worker.prepare(self.parent.contents).isInUse)
        self.parent.reload()
        self.assertShows(GOOD, self.parent)

    def test_whatIsMissingIsNamedThoughNothingElseHasChanged(self) -> None:
        os.unlink(self.cas)
        error = self.assertRaises(ConfigurationError, self.parent.prepare)
        self.assertIn(f"cannot read the CA file {self.cas}", str(error))

    def test_theCasOfTheSystemAreReadAgainInAnyCase(self) -> None:
        """
        Nobody watches them.
        """
        client = ClientCredentials(ClientTls())
        before = client.prepare().loaded.context
        self.assertIsNot(client.prepare().loaded.context, before)

    def test_permissionsAreLookedAtThoughNothingHasChanged(self) -> None:
        os.chmod(self.key, 0o600)
        self.assertEqual(self.parent.prepare().exposed, ())
        os.chmod(self.key, 0o644)
        self.assertEqual(self.parent.prepare().exposed, (("private key", self.key),))

    def test_othersGetTheirTurnWhileALongListIsRead(self) -> None:
        """
        At each line of a list of clients, and at each entry of a revocation list.
        """
        clients, crl = self.path(b""), self.path(TRUSTED.revocationList())
        server = ServerCredentials(ServerTls(self.cert, self.key, self.cas, crl, clients))
        pin = b"%064x client\n"
        Path(clients).write_bytes(b"".join(pin % number for number in range(1000)))
        gaveWay: list[None] = []
        server.prepare(None, lambda: gaveWay.append(None))
        self.assertGreaterEqual(len(gaveWay), 1000)
        Path(clients).write_bytes(pin % 1)
        Path(crl).write_bytes(TRUSTED.revocationList(*(TRUSTED.issue().certificate for _ in range(30))))
        gaveWay.clear()
        prepared = server.prepare(None, lambda: gaveWay.append(None))
        self.assertGreaterEqual(len(gaveWay), 30)
        ((listed,),) = prepared.loaded.trusted.revocations.verified[nameDigest(TRUSTED.certificate.subject)].values()
        self.assertEqual(len(listed.serials), 30)

    def test_whatChangesWhileItIsReadIsReadAgain(self) -> None:
        """
        What was seen of it is from before.
        """
        files = CountingFiles()
        reading = FilesReadOnce(files)
        self.assertEqual(reading.read("a"), b"1")
        self.assertNotEqual(reading.stamps, {"a": files.stamp("a")})
