"""
The program of a worker: of which end it is.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from uotp.cli import worker
from uotp.client.workers import CLIENT_MESSAGES, clientWorker
from uotp.errors import StartError
from uotp.server.workers import MESSAGES, serverWorker


class WorkerKindTests(SynchronousTestCase):
    """
    Start it with arguments.
    """

    def test_itIsOfTheEndThatItsParentNames(self) -> None:
        for end, messages, make in (("client", CLIENT_MESSAGES, clientWorker), ("server", MESSAGES, serverWorker)):
            kind = worker.kindNamed([end, "1"])
            self.assertEqual((kind.messages, kind.make), (messages, make))

    def test_nobodyElseStartsIt(self) -> None:
        for arguments in ([], ["demo"], ["1", "client"]):
            self.assertRaises(StartError, worker.kindNamed, arguments)
