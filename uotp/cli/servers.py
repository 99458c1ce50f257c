"""
The servers of a client as people write them: host and port, or the URL of a WebSocket; one, or several.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from uotp.cli.addresses import SCHEME_PORTS, destinationWords, hostAndPort, parseHost
from uotp.cli.parsers import parsePort
from uotp.cli.unsaid import shownPlace
from uotp.net import ServerPlace, parsePath

SERVER_FORMS = "HOST:PORT or wss://HOST[/PATH]"
"""How one of several servers is written."""

_WEBSOCKET = re.compile(r"(wss?)://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)
_MISTYPED = re.compile(r"(wss?)(:[/\\]|//)", re.IGNORECASE)
_WEB = {"https": "wss", "http": "ws"}


@dataclass(frozen=True, slots=True)
class ServerWords:
    """
    Holds the words of one server, not parsed yet.

    @ivar host: its host.
    @ivar port: its port.
    @ivar path: the path of a WebSocket, or L{None}.  It may be a secret.
    @ivar hasTls: what the scheme of its URL says; L{None} without one.
    @ivar word: how all of it was written, for errors; empty where it was not one word.
    """

    host: str
    port: str
    path: str | None = field(default=None, repr=False)
    hasTls: bool | None = None
    word: str = field(default="", repr=False, compare=False)

    @property
    def shown(self) -> str:
        """
        How errors show it.
        """
        return shownPlace(self.word or self.host)

    def parsed(self, *, isPlain: bool) -> ServerPlace:
        """
        @param isPlain: whether it was said that there is no TLS.
        @return: where the server is.
        @raise ValueError: in words, which do not show the path.
        """
        if self.hasTls is False and not isPlain:
            reason = "ws:// has no TLS: write wss://, or say --no-tls too"
            raise ValueError(reason)
        if self.hasTls and isPlain:
            reason = "wss:// has TLS: write ws://, or leave --no-tls out"
            raise ValueError(reason)
        path = None if self.path is None else parsePath(self.path)
        return ServerPlace(parseHost(self.host), parsePort(self.port), path)


def webSocketWords(word: str) -> ServerWords | None:
    """
    @return: the parts of the URL of a WebSocket, L{None} if the word is none.
    @raise ValueError: in words, when it has a part that it may not have.
    """
    match = _WEBSOCKET.fullmatch(word)
    if match is None:
        _refuseMistyped(word)
        return None
    scheme, place, path = match[1].lower(), match[2], match[3]
    if "@" in place:
        reason = "a URL has no user and no password here: certificates and tokens say who we are"
        raise ValueError(reason)
    host, port = hostAndPort(place) or (place, SCHEME_PORTS[scheme])
    return ServerWords(host, port, path if path.startswith("/") else f"/{path}", scheme == "wss", word)


def _refuseMistyped(word: str) -> None:
    """
    @raise ValueError: in words, for a URL of a WebSocket that lacks its two slashes.
    """
    match = _MISTYPED.match(word)
    if match is not None:
        reason = f"{SERVER_FORMS} is needed: write {match[1].lower()}://"
        raise ValueError(reason)


def pairWords(word: str) -> ServerWords | None:
    """
    @return: host and port of a server that is written as these; L{None} for another word.
    """
    both = hostAndPort(word)
    return None if both is None or "://" in word else ServerWords(*both, word=word)


def serverWords(words: Sequence[str], names: str, instead: str = "") -> list[ServerWords]:
    """
    Find the servers in the arguments: one in two words, or each in one.

    @param words: the arguments.
    @param names: what host and port are called, for errors.
    @param instead: what may stand there in place of both, for errors.
    @return: their words.
    @raise ValueError: in words, which do not show a path.
    """
    found = [_webSocketNamed(word) for word in words]
    isOne = len(words) <= 1 or (len(words) == 2 and hostAndPort(words[1]) is None)  # noqa: PLR2004 - host and port
    if not any(found) and (isOne or not any(map(hostAndPort, words))):
        return [ServerWords(*destinationWords(words, names, instead))]
    return [one or _pairOf(word) for word, one in zip(words, found, strict=True)]


def _webSocketNamed(word: str) -> ServerWords | None:
    """
    @return: see L{webSocketWords}.
    @raise ValueError: in words that name the server.
    """
    try:
        return webSocketWords(word)
    except ValueError as error:
        reason = f"server {shownPlace(word)}: {error}"
        raise ValueError(reason) from error


def _pairOf(word: str) -> ServerWords:
    found = pairWords(word)
    if found is None:
        scheme, isUrl, _ = word.partition("://")
        meant = f": write {_WEB[scheme.lower()]}://" if scheme.lower() in _WEB and isUrl else ""
        reason = f"server {shownPlace(word)}: {SERVER_FORMS} is needed for each server{meant}"
        raise ValueError(reason)
    return found
