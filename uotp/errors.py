"""
The errors that are raised on purpose, as one family.  Misuse by us or by the user ends a
program, and misbehaviour by the peer ends a tunnel; so they are different branches.
"""

from __future__ import annotations

from enum import Enum


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


class Refusal(Enum):
    """
    Names a kind of reason for which a server refuses a connection, in the words of an operator.
    """

    NO_CERTIFICATE = "shows no certificate"
    UNKNOWN_ISSUER = "was signed by nobody whom we trust"
    EXPIRED = "is out of date, or not valid yet"
    REVOKED = "was revoked"
    NOT_LISTED = "is not in the list of clients"
    CERTIFICATE = "has another fault in its certificate"
    WRONG_TOKEN = "shows no token that is known"  # noqa: S105 - a reason, and no secret
    OTHER_OWNER = "wants a session of somebody else"
    NO_TLS = "does not speak TLS"
    HANDSHAKE = "has failed in the handshake of TLS"
    PEER_REFUSES = "refuses our certificate or our handshake"
    FORMAT = "speaks a format that is not allowed here"
    MALFORMED = "says what may not be said"
    NO_ROOM = "has no room, or had to make room for another"
    TOO_SLOW = "took too long"
    STOPPING = "came while the server stops"


class PeerError(UotpError):
    """
    Is raised when the other end of a tunnel did what it may not do.  It ends that tunnel.

    @ivar kind: what kind of reason that is.
    """

    def __init__(self, reason: str, kind: Refusal = Refusal.MALFORMED) -> None:
        """
        @param reason: what it did, in words.
        """
        super().__init__(reason)
        self.kind = kind


class LookupFailed(UotpError):
    """
    Is raised when a host name has led to no address.  Its text is the reason, in words.
    """


def forgetFrames(error: BaseException) -> None:
    """
    Let go of the Python frames that an error came through.  One that raises itself again, as those of h11 do, is
    known by them: error and frames, with all that was done in them, would stay until garbage is looked for.
    """
    error.__traceback__ = None
