"""
The servers in a client's one file, as C{uotp cert} is told them: a host, with a port or without, or the URL of a
WebSocket; one, or several.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from twisted.python import usage

from uotp.cli.addresses import hostAndPort, withoutBrackets
from uotp.cli.options import Flag, Repeated
from uotp.cli.servers import ServerWords, webSocketWords
from uotp.cli.unsaid import shownPlace
from uotp.errors import ConfigurationError
from uotp.net import ServerPlace, requireServers

SERVER_PORT = "8443"
"""The port where a server listens unless it is told otherwise."""

BUNDLE_FORMS = "HOST[:PORT] or wss://HOST[/PATH]"
"""How a server is written."""

BUNDLE_ROWS = (
    Repeated(
        "bundle",
        None,
        f"Also write NAME.uotp, all in one file that a client needs to dial SERVER: HOST[:PORT] (port {SERVER_PORT} if "
        "none) or wss://HOST[/PATH]; may be repeated.",
        str,
        metavar="SERVER",
    ),
    Flag("qr", None, "Show that file as a QR code, with the key in it, where the terminal is large enough."),
    Flag("force", None, "Replace NAME.uotp if it is there.", "force"),
)


def parseBundleServers(words: Sequence[str], name: str) -> tuple[ServerPlace, ...]:
    """
    @param words: the servers, the one to use first before the others.
    @param name: what such a word is called, for errors.
    @return: where they are.
    @raise usage.UsageError: in words, which show no path.
    """
    places = []
    for word in words:
        try:
            places.append(parseBundleServer(word))
        except ValueError as error:
            reason = f"{name} {shownPlace(word)}: {error}"
            raise usage.UsageError(reason) from error
    try:
        requireServers(places)
    except ConfigurationError as error:
        reason = f"{name}: {error}"
        raise usage.UsageError(reason) from error
    return tuple(places)


def parseBundleServer(word: str) -> ServerPlace:
    """
    @return: where a server is.
    @raise ValueError: in words, which show no path.
    """
    url = webSocketWords(word)
    if url is not None and not url.hasTls:
        reason = "ws:// has no TLS, and the certificate in the file is for TLS: write wss://"
        raise ValueError(reason)
    place = (url or _hostWords(word)).parsed(isPlain=False)
    if not place.host.isprintable():  # the zone of an address may be anything
        reason = "there is a letter in it that cannot be seen"
        raise ValueError(reason)
    return place


def _hostWords(word: str) -> ServerWords:
    if "/" in word:
        isWeb = word.lower().startswith(("http://", "https://"))
        reason = f"{BUNDLE_FORMS} is needed{': write wss://' if isWeb else ''}"
        raise ValueError(reason)
    if re.fullmatch("[0-9]{1,5}", word):
        reason = f"a port stands behind its host: write HOST:{word}"
        raise ValueError(reason)
    host, port = hostAndPort(word) or (word, SERVER_PORT)
    return ServerWords(withoutBrackets(host), port)
