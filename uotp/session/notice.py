"""
Calls that nobody has asked for yet, or not any more.
"""

from __future__ import annotations


def doNothing() -> None:
    """
    Do nothing, as long as nobody wants a notice.
    """
