"""
What a hello needs before anybody asks whose session it is for: a token, where tokens are asked for; a
format that is spoken here; and a certificate that is still good.
"""

from __future__ import annotations

from collections.abc import Callable

from uotp.boundaries import Security
from uotp.errors import PeerError, Refusal
from uotp.telemetry import spelled
from uotp.tls import Tokens
from uotp.wire import FORMATS, ClientHello, WireChoice, WireFormat


class HelloRequirements:
    """
    Judges hellos.
    """

    def __init__(
        self, wire: WireChoice, tokens: Callable[[], Tokens | None], objection: Callable[[Security], PeerError | None]
    ) -> None:
        """
        @param wire: which formats may be spoken.
        @param tokens: tells one of which tokens each client has to show now, if any.
        @param objection: tells why a client whose handshake is done may not join any more, or L{None}.
        """
        self._wire = wire
        self._tokens = tokens
        self._objection = objection

    def requireToken(self, hello: ClientHello) -> bytes | None:
        """
        @return: what identifies the token, if one has to be shown.
        @raise PeerError: when none is that is known.
        """
        tokens = self._tokens()
        if tokens is None:
            return None
        if hello.wireFormat is WireFormat.ONE:
            reason = "it speaks format 1, in which there is no token, and a token is needed here"
            raise PeerError(reason, Refusal.FORMAT)
        token = tokens.match(hello.token)
        if token is None:
            reason = "no token was shown, and one is needed here" if hello.token is None else "wrong token"
            raise PeerError(reason, Refusal.WRONG_TOKEN)
        return token

    def requireFormat(self, hello: ClientHello) -> None:
        """
        @raise PeerError: when its format is not spoken here.
        """
        if hello.wireFormat not in FORMATS[self._wire]:
            reason = (
                f"it speaks format {hello.wireFormat.value}, and {spelled('wire')} {self._wire.value} was said here"
            )
            raise PeerError(reason, Refusal.FORMAT)

    def requireWelcome(self, security: Security | None) -> None:
        """
        Judge once more a client whose handshake another worker has done.  Files may have been read again since, and
        nobody has looked at it here while it waited for its turn.

        @raise PeerError: when it may not join any more.
        """
        error = None if security is None else self._objection(security)
        if error is not None:
            raise error
