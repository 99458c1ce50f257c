"""
The family of errors.  Misuse by us or by the user and misbehaviour by the peer
are different branches, since the one ends a program and the other a tunnel.
"""

from __future__ import annotations


class UotpError(Exception):
    """
    The root of everything that this package raises on purpose.
    """


class ConfigurationError(UotpError):
    """
    What the user gave cannot be used.  Its text is one line that names the
    setting, as its user spells it, or the file, fit to be shown as it is.
    """


class StartError(UotpError):
    """
    The configuration is sound, but the machine does not let us begin: a port
    is in use, a privilege is missing.  Its text is one line, fit to be shown.
    """


class PeerError(UotpError):
    """
    The other end of a tunnel did what it may not do.  It costs that tunnel.
    """
