"""
Provides C{uotp} version information.
"""

# This file is auto-generated! Do not edit!
# Use `python -m incremental.update uotp` to change this file.

from incremental import Version

__version__ = Version("uotp", 26, 11, 0)
__all__ = ["__version__"]
