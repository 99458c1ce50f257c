"""
Certificates of our own: a private certification authority, and a directory of what it
has issued.
"""

from __future__ import annotations

from uotp.pki.directory import Pki, makePki
from uotp.pki.issue import normalHost

__all__ = [
    "Pki",
    "makePki",
    "normalHost",
]
