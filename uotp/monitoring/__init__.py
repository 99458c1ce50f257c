"""
What an operator sees of a program that runs: its report, and how that is shown.
"""

from __future__ import annotations
