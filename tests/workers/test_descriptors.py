"""
Descriptors that have come, and whose they are.
"""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from uotp.errors import PeerError
from uotp.workers.descriptors import (
    MOST_UNCLAIMED,
    DescriptorQueue,
    Descriptors,
    DescriptorsLost,
    closeAll,
    identityOf,
)


class DescriptorTests(SynchronousTestCase):
    """
    Give them to their messages.
    """

    def setUp(self) -> None:
        self.queue = DescriptorQueue()
        self.addCleanup(self.queue.close)

    def files(self, count: int) -> tuple[list[int], list[int]]:
        """
        @return: descriptors of different files, and what identifies these.
        """
        found = []
        for _ in range(count):
            readable, writable = os.pipe()
            os.close(writable)
            found.append(readable)
        return found, list(map(identityOf, found))

    def isOpen(self, descriptor: int) -> bool:
        """
        @return: whether it is.
        """
        try:
            os.fstat(descriptor)
        except OSError:
            return False
        return True

    def test_eachMessageGetsItsOwn(self) -> None:
        files, identities = self.files(3)
        for file in files:
            os.set_inheritable(file, True)
            self.queue.put(file)
        self.assertEqual(len(self.queue.claim(())), 0)
        self.assertEqual(self.queue.claim(identities[:1]).take(1), (files[0],))
        self.assertEqual(self.queue.claim(identities[1:]).take(2), (files[1], files[2]))
        self.assertEqual([os.get_inheritable(file) for file in files], [False] * 3)
        closeAll(files)

    def test_oneThatHasNotComeIsMissedByItsOwnMessage(self) -> None:
        files, identities = self.files(3)
        os.close(files[0])
        for file in files[1:]:
            self.queue.put(file)
        first = self.queue.claim(identities[:2])
        self.assertEqual(len(first), 1)
        self.assertRaises(DescriptorsLost, first.take, 2)
        first.close()
        self.assertFalse(self.isOpen(files[1]))
        self.assertEqual(self.queue.claim(identities[2:]).take(1), (files[2],))
        os.close(files[2])

    def test_thoseThatBelongToNobodyAreClosed(self) -> None:
        files, identities = self.files(3)
        for file in files:
            self.queue.put(file)
        self.assertEqual(self.queue.claim(identities[2:]).take(1), (files[2],))
        self.assertEqual([self.isOpen(file) for file in files], [False, False, True])
        self.assertEqual(len(self.queue), 0)
        os.close(files[2])

    def test_theSameFileMayBeSentTwice(self) -> None:
        (file,), (identity,) = self.files(1)
        other = os.dup(file)
        for each in (file, other):
            self.queue.put(each)
        self.assertEqual(self.queue.claim((identity, identity)).take(2), (file, other))
        closeAll((file, other))

    def test_whoSendsAnotherNumberDoesWhatItMayNot(self) -> None:
        files, _ = self.files(2)
        descriptors = Descriptors(files)
        for count in (0, 1, 3):
            self.assertRaises(PeerError, descriptors.take, count)
        self.assertRaises(PeerError, Descriptors(lost=1).take, 2)
        self.assertEqual(descriptors.take(2), tuple(files))
        descriptors.close()
        self.assertEqual((len(descriptors), descriptors.take(0)), (0, ()))
        closeAll(files)

    def test_thoseThatWaitForAMessageHaveABound(self) -> None:
        files, _ = self.files(MOST_UNCLAIMED + 1)
        for file in files[:-1]:
            self.queue.put(file)
        self.assertRaises(PeerError, self.queue.put, files[-1])
        self.queue.close()
        self.assertEqual([file for file in files if self.isOpen(file)], [])
