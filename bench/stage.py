"""
What every measurement is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from uotp.pki import Pki


@dataclass(frozen=True, slots=True)
class Stage:
    """
    What every measurement is given.

    @ivar folder: a temporary one.
    @ivar pki: the certificates that all use.
    @ivar emulator: the program that makes links, where there is one.
    @ivar seconds: how long a load lasts.
    @ivar turn: the round, from 1.
    """

    folder: Path
    pki: Pki
    emulator: Path | None
    seconds: float
    turn: int = 1
