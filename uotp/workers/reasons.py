"""
What a process of ours says as the reason for something, before it may be in a line of another's log.
"""

from __future__ import annotations

MOST_REASON_LENGTH = 500
"""So much of it is kept."""


def oneLine(reason: str) -> str:
    """
    @return: what is left of a reason when it is cut and has nothing that a terminal would act by.
    """
    return "".join(each if each.isprintable() else "?" for each in reason[:MOST_REASON_LENGTH])
