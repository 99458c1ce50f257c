"""
Attacks wait for each other where there are many.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.hostile.places import LEAST_PLACES, freePlace, placesOfMachine, takePlace


class PlacesTests(SynchronousTestCase):
    """
    Take places in a folder of our own.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def test_thereAreNoMoreThanThereAre(self) -> None:
        taken = [takePlace(self.folder, 3) for _ in range(3)]
        self.assertIsNone(freePlace(self.folder, 3))
        taken[1].close()
        again = freePlace(self.folder, 3)
        assert again is not None
        self.assertIsNone(freePlace(self.folder, 3))
        for file in (taken[0], again, taken[2]):
            file.close()

    def test_smallMachinesHaveTwo(self) -> None:
        self.assertGreaterEqual(placesOfMachine(), LEAST_PLACES)
