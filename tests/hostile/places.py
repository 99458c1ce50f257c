"""
How many attacks run at a time on a machine, whoever runs them: as many as it has processors.  An attacker and
what it attacks keep one busy, and a bystander would notice a third one and not the attack.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import TextIO

LEAST_PLACES = 2
"""One attack would leave a small machine idle, since each of them waits now and then."""

LOOK_SECONDS = 0.05


def placesOfMachine() -> int:
    """
    @return: how many there are.
    """
    return max(LEAST_PLACES, os.cpu_count() or LEAST_PLACES)


def freePlace(folder: Path, number: int) -> TextIO | None:
    """
    @param folder: the same for all who share them.
    @param number: of places.
    @return: a file that holds a place until it is closed, or its process ends; L{None} if none is free.
    """
    for one in range(number):
        file = (folder / f"uotp-attack-{one}.lock").open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            continue
        return file
    return None


def takePlace(folder: Path, number: int) -> TextIO:
    """
    Wait until a place is free.

    @return: see L{freePlace}.
    """
    while (file := freePlace(folder, number)) is None:
        time.sleep(LOOK_SECONDS)
    return file
