"""
What this process could become again.
"""

from __future__ import annotations

import os

ROOT = 0
"""The user that may do everything."""


def canBecomeRoot() -> bool:
    """
    Tell whether this process has left root by half: another user counts at the moment, but
    root is still its real or saved user, to which it can go back at any time.  Whoever makes it
    run code of his own is root then.

    @return: L{False} also for one that is root, and where the system has no such users.
    """
    if not hasattr(os, "geteuid"):
        return False
    kept = os.getresuid() if hasattr(os, "getresuid") else (os.getuid(),)  # macOS tells the real one only
    return os.geteuid() != ROOT and ROOT in kept
