"""
Carries UDP datagrams through a pool of TLS connections, for networks that block UDP.  Only
the version is here: each package is imported by its own name.
"""

from __future__ import annotations

from uotp._version import __version__ as _version

__all__ = ["__version__"]

__version__: str = _version.short()
"""The version as text, C{26.11.0} for example."""
