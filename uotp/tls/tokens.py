"""
Tokens: who shows one may join.  They are for servers whose clients have no certificates.  A file has one on each
line; a server accepts all of them, and a client shows the first.  Lines that begin with C{#}, and empty
ones, mean nothing.

A token is a secret: here is no word, no C{repr} and no error that has one in it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence

from uotp.errors import ConfigurationError
from uotp.tls.files import CredentialFiles
from uotp.tls.pem import readFile
from uotp.wire import MAX_TOKEN_BYTES, MIN_TOKEN_BYTES, Token

FILE_OF_TOKENS = "token file"
"""What the file is called."""

FILE_BYTES = 1 << 20
"""A longer file is refused."""

_PRINTABLE = re.compile(rb"[ -~]+")

MOST_TOKENS = 256
"""So many are compared with each one that is shown, which takes some 50 microseconds."""


class Tokens:
    """
    Knows the tokens of a file.  Of each it keeps a hash, and of the first the token itself.

    @ivar file: where they are.
    @ivar first: the one that a client shows.
    """

    def __init__(self, file: str, tokens: Sequence[Token]) -> None:
        """
        @param tokens: one at least.
        """
        self.file = file
        self.first = tokens[0]
        self._digests = tuple(hashlib.sha256(token).digest() for token in tokens)

    def __repr__(self) -> str:
        """
        @return: how many there are.
        """
        return f"<{len(self._digests)} tokens of {self.file}>"

    def match(self, shown: Token | None) -> bytes | None:
        """
        Look for a token.  How long that takes does not tell whether it is known, or how much of it is right.

        @param shown: what a client has shown, if anything.
        @return: the hash of the token by which it may join, or L{None}.
        """
        digest = hashlib.sha256(shown or b"").digest()
        found = None
        for known in self._digests:
            if hmac.compare_digest(known, digest):
                found = known
        return found if shown else None

    def has(self, digest: bytes) -> bool:
        """
        @param digest: what L{match} has returned, maybe of other tokens.
        @return: whether the token is still among these.
        """
        return digest in self._digests


def readTokens(path: str, files: CredentialFiles) -> Tokens:
    """
    @param files: where the file is.
    @return: its tokens.
    @raise ConfigurationError: when it cannot be read, has none, or has what can be none.
    """
    data = readFile(path, FILE_OF_TOKENS, files)
    if len(data) > FILE_BYTES:
        message = f"the token file {path} has more than {FILE_BYTES >> 20} MiB"
        raise ConfigurationError(message)
    tokens: list[Token] = []
    for number, line in enumerate(data.split(b"\n"), 1):
        token = line.strip()
        if not token or token.startswith(b"#"):
            continue
        if not MIN_TOKEN_BYTES <= len(token) <= MAX_TOKEN_BYTES or not _PRINTABLE.fullmatch(token):
            message = (
                f"the token file {path}, line {number}: a token has from {MIN_TOKEN_BYTES} to {MAX_TOKEN_BYTES} "
                "letters, digits and other characters of ASCII (openssl rand -hex 32 makes one)"
            )
            raise ConfigurationError(message)
        tokens.append(Token(token))
    if not tokens:
        message = f"the token file {path} has no token (openssl rand -hex 32 makes one)"
        raise ConfigurationError(message)
    if len(tokens) > MOST_TOKENS:
        message = f"the token file {path} has more than {MOST_TOKENS} tokens"
        raise ConfigurationError(message)
    return Tokens(path, tokens)
