"""
The commands of C{uotp} for programs that run: what they do, and what an operator wants of them.
"""

from __future__ import annotations
