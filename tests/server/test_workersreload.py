"""
How a server with two workers changes to new files: all of them together, or none.
"""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate
from twisted.internet.defer import Deferred

from tests.doubles.certificates import pem
from tests.doubles.serverworkers import PING, Client, WorkersTestCase, newId
from tests.doubles.tlspairs import TRUSTED
from uotp.errors import ConfigurationError
from uotp.workers.renewals import PREPARE_SECONDS


class ReloadStories(WorkersTestCase):
    """
    The administrator replaces the certificate, and sends SIGHUP.
    """

    def setUp(self) -> None:
        super().setUp()
        self.serverTls, self.clientTls = self.certificates()
        self.start(self.serverTls)
        self.old = self.used()

    def replace(self) -> bytes:
        """
        @return: the new certificate.
        """
        renewed = TRUSTED.issue("good.test")
        content = renewed.certificatePem() + renewed.keyPem()
        with open(self.serverTls.cert, "wb") as file:
            file.write(content)
        return renewed.certificate.public_bytes(Encoding.DER)

    def used(self) -> list[bytes]:
        """
        @return: the certificates that parent and workers use.
        """
        services = [self.worker(number).service for number in (1, 2)]
        credentials = [self.parent._credentials, *(service._credentials for service in services)]
        return [each._ours[1].public_bytes(Encoding.DER) for each in credentials]

    def reload(self) -> Deferred[None]:
        done: Deferred[None] = self.parent.reload()
        self.settle()
        return done

    def test_allUseTheNewFile(self) -> None:
        content = self.replace()
        self.successResultOf(self.reload())
        self.assertEqual(self.used(), [content] * 3)

    def test_aFileThatIsNoCertificateIsRefusedAtOnce(self) -> None:
        """
        No worker is asked.
        """
        with open(self.serverTls.cert, "wb"):
            pass
        self.failureResultOf(self.reload(), ConfigurationError)
        self.assertEqual(self.used(), self.old)
        content = self.replace()
        self.successResultOf(self.reload())
        self.assertEqual(self.used(), [content] * 3)

    def test_touchedFilesAreNoNews(self) -> None:
        """
        No worker is asked.
        """
        self.patch(self.parent._workforce._renewals, "renew", lambda *_: self.fail("workers are asked"))
        self.assertFalse(self.successResultOf(self.parent.takeUp()))

    def test_changedFilesAreTakenUpByAll(self) -> None:
        content = self.replace()
        done = self.parent.takeUp()
        self.settle()
        self.assertTrue(self.successResultOf(done))
        self.assertEqual(self.used(), [content] * 3)

    def test_whenOneCannotNoneDoes(self) -> None:
        """
        Whatever it has against it; and the next reload is another attempt.
        """
        content = self.replace()
        credentials = self.worker(2).service._credentials
        for error in (ConfigurationError("no such curve"), ZeroDivisionError("a fault of ours")):

            def prepare(*_: Any, error: Exception = error) -> Any:
                raise error

            credentials.prepare = prepare
            failure = self.failureResultOf(self.reload(), ConfigurationError)
            self.assertIn("worker 2: ", str(failure.value))
            self.assertIn(str(error), str(failure.value))
            self.assertEqual(self.used(), self.old)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        del credentials.prepare
        self.successResultOf(self.reload())
        self.assertEqual(self.used(), [content] * 3)

    def test_oneThatDiesMeanwhileIsNotWaitedFor(self) -> None:
        """
        The next one in its place begins with the new file.
        """
        content = self.replace()
        self.worker(2).isStopped = True
        done = self.reload()
        self.assertNoResult(done)
        self.assertEqual(self.used(), self.old)
        self.worker(2).die()
        self.settle()
        self.successResultOf(done)
        self.assertEqual(self.used(), [content] * 3)

    def test_oneThatBeginsMeanwhileTakesPart(self) -> None:
        """
        It was told to begin with the old file, and changes with the others.
        """
        content = self.replace()
        self.worker(1).isStopped = True
        done = self.reload()
        self.worker(2).die()
        self.settle()
        self.assertNoResult(done)
        self.assertEqual(self.used(), self.old)
        self.worker(1).isStopped = False
        self.settle()
        self.successResultOf(done)
        self.assertEqual(self.used(), [content] * 3)

    def test_oneThatHasBegunAndNotStartedTakesPart(self) -> None:
        """
        Files come behind the order to begin.
        """
        content = self.replace()
        self.worker(2).die()
        self.reactor.turn()
        self.worker(2)._parents.turn()
        self.reactor.turn()
        done: Deferred[None] = self.parent.reload()
        self.settle()
        self.successResultOf(done)
        self.assertEqual(self.used(), [content] * 3)

    def test_aSecondReloadWaitsForTheFirst(self) -> None:
        """
        It reads the files when it is its turn.
        """
        self.replace()
        self.worker(2).isStopped = True
        first, second = self.reload(), self.reload()
        self.assertNoResult(first)
        self.worker(2).isStopped = False
        content = self.replace()
        self.settle()
        self.successResultOf(first)
        self.successResultOf(second)
        self.assertEqual(self.used(), [content] * 3)

    def test_oneThatNeverPreparesIsNotWaitedForForEver(self) -> None:
        """
        Somebody has taken it over.  Nobody changes then; but the next reload is no worse than this one.
        """
        self.replace()
        self.worker(2).takeOver()
        for _ in range(2):
            done = self.reload()
            self.advance(PREPARE_SECONDS - 0.25)
            self.assertNoResult(done)
            self.advance(0.25)
            failure = self.failureResultOf(done, ConfigurationError)
            self.assertEqual(str(failure.value), "worker 2 has not prepared for it in 30 s")
        self.assertEqual(self.used()[0], self.old[0])

    def test_anAnswerThatComesLateChangesNothing(self) -> None:
        """
        Not even when another reload is under way.
        """
        self.replace()
        self.worker(1).isStopped = True
        self.worker(2).service._credentials.prepare = lambda *_: 1 / 0
        self.failureResultOf(self.reload(), ConfigurationError)
        self.flushLoggedErrors(ZeroDivisionError)
        del self.worker(2).service._credentials.prepare
        content = self.replace()
        done = self.reload()
        self.assertNoResult(done)
        self.worker(1).isStopped = False
        self.settle()
        self.successResultOf(done)
        self.assertEqual(self.used(), [content] * 3)

    def test_aStopEndsAReload(self) -> None:
        self.replace()
        self.worker(1).isStopped = True
        done = self.reload()
        self.stopAll()
        self.successResultOf(done)

    def revoke(self) -> None:
        """
        The client's certificate is revoked, and the file says so.
        """
        assert self.serverTls.cafile is not None
        assert self.clientTls.cert is not None
        with open(self.clientTls.cert, "rb") as file:
            shown = load_pem_x509_certificate(file.read())
        with open(self.serverTls.cafile, "wb") as file:
            file.write(pem(TRUSTED.certificate) + TRUSTED.revocationList(shown))

    def test_aRevokedClientIsOutAtBothWorkers(self) -> None:
        """
        Whether its connection is where its session is, or is relayed.  Its session does not wait for it.
        """
        sessionId = newId()
        clients = [self.dialSecurely(number, self.clientTls, sessionId) for number in (1, 2)]
        self.assertEqual((self.sessions(), len(self.sources()), self.table()), ([1, 0], 1, (1, 2)))
        self.revoke()
        self.successResultOf(self.reload())
        self.assertEqual([client.isClosed for client in clients], [True] * 2)
        self.assertEqual(self.table(), (0, 0))

    def test_aRevokedClientIsOutAlsoOnItsWay(self) -> None:
        """
        One worker has prepared, and hands a connection over that it has let in before; meanwhile the other one has
        prepared too, and looks at all its tunnels.
        """
        sessionId = newId()
        self.dialSecurely(1, self.clientTls, sessionId)
        one, two = self.worker(1), self.worker(2)
        one.isStopped = True
        self.revoke()
        done = self.reload()
        client = self.secure(2, self.clientTls)
        client.say(sessionId + PING)
        for _ in range(4):
            two.reactor.lookAtAll()
        two._workers.turn()  # it asks
        two._parents.turn()  # and is answered
        two._workers.turn()  # and hands over
        one.isStopped = False
        for _ in range(2):
            one.turn()
        self.successResultOf(done)
        self.settle()
        self.advance(2.0)
        self.assertTrue(client.isClosed)
        self.assertEqual((len(two.service._contact.relays), self.table()), (0, (0, 0)))

    def test_withoutTlsThereIsNothingToRead(self) -> None:
        self.stopAll()
        self.start()
        self.successResultOf(self.reload())


class UnusableFileStories(WorkersTestCase):
    """
    What a worker is told to begin with may be of no use to it.
    """

    def test_whoCannotBeginSaysSoAndIsTriedAgain(self) -> None:
        """
        Its process ends with status 1 when that was said.
        """
        tls, _ = self.certificates()
        self.start(tls)
        self.parent._workforce._settings = b"nothing"
        self.worker(1).die()
        self.advance(0.5)
        self.assertEqual(self.launcher.of(1).statuses, [1])
        self.flushLoggedErrors()
        self.assertTrue(any("has ended with status 1" in line for line in self.lines()), self.lines())


GONE_SECONDS = 5.0
"""Whoever may not join any more is gone so long after a file has changed."""


class TokenStories(WorkersTestCase):
    """
    Clients show tokens, behind something that ends TLS.
    """

    ONE, OTHER = b"a token of 21 letters", b"another of 21 letters"

    def setUp(self) -> None:
        super().setUp()
        self.file = self.path(self.ONE + b"\n" + self.OTHER + b"\n")
        self.start(None, tokenFile=self.file)

    def show(self, number: int, sessionId: bytes, token: bytes) -> Client:
        """
        @return: a client that has said a hello of format 2, to this worker.
        """
        extension = b"\4\0" + bytes([len(token)]) + token
        client = self.connect(number)
        client.say(b"uotp\2\0\0" + bytes([len(extension)]) + sessionId + extension)
        self.settle()
        return client

    def test_aConnectionThatIsHandedOverBringsItsToken(self) -> None:
        """
        And loses its tunnel with it, where it is then; the other client of the same session goes on.
        """
        sessionId = newId()
        gone, kept = (self.show(*each) for each in ((1, sessionId, self.ONE), (2, sessionId, self.OTHER)))
        self.assertEqual((self.sessions(), self.table()), ([1, 0], (1, 2)))
        wrong = self.show(2, newId(), b"none of these, not one")
        self.assertTrue(wrong.isClosed)
        with open(self.file, "wb") as file:
            file.write(self.OTHER)
        self.parent.reload()
        self.settle()
        self.assertEqual([gone.isClosed, kept.isClosed], [True, False])
        self.assertEqual((self.sessions(), self.table()), ([1, 0], (1, 1)))
        self.assertTrue(self.show(1, sessionId, self.ONE).isClosed)

    def test_whatHasChangedIsTakenUpByItself(self) -> None:
        """
        By all workers; what cannot be used is counted by their parent.
        """
        client = self.show(2, newId(), self.ONE)
        for content, counted in ((b"short", {"taken": 0, "refused": 1}), (self.OTHER, {"taken": 1, "refused": 1})):
            with open(self.file, "wb") as file:
                file.write(content)
            self.advance(GONE_SECONDS)
            self.settle()
            self.assertEqual(self.parent.statistics().reloads, counted)
            self.assertEqual(bool(self.parent.commonReport().filesTrouble), content == b"short")
        self.assertTrue(client.isClosed)
