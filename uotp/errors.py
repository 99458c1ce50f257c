"""
The errors that are raised on purpose, as one family.  Misuse by us or by the user ends a
program, and misbehaviour by the peer ends a tunnel; so they are different branches.
"""

from __future__ import annotations


class UotpError(Exception):
    """
    Is the root of everything that this package raises on purpose.
    """


class ConfigurationError(UotpError):
    """
    Is raised when what the user gave cannot be used.  Its text is one line, fit to be
    shown as it is; it names the file, or the setting as its user spells it.
    """


class StartError(UotpError):
    """
    Is raised when the configuration is sound but the machine does not let us begin: a
    port is in use, or a privilege is missing.  Its text is one line, fit to be shown.
    """


class PeerError(UotpError):
    """
    Is raised when the other end of a tunnel did what it may not do.  It ends that tunnel.
    """


class LookupFailed(UotpError):
    """
    Is raised when a host name has led to no address.  Its text is the reason, in words.
    """
