"""
What is answered to one request, as values.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
JSON = "application/json"
SCRIPT = "text/javascript; charset=utf-8"
STYLE = "text/css; charset=utf-8"

SAFE_HEADERS = (
    ("Cache-Control", "no-store"),
    (
        "Content-Security-Policy",
        (
            "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; "
            "form-action 'none'; frame-ancestors 'none'"
        ),
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Server", "uotp"),
)
"""
What a browser is to know of every answer: that it is kept nowhere, that nothing in it runs but our own script, that
it is what it says, and that no other page may have it.
"""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """
    Holds one answer.

    @ivar status: of HTTP.
    @ivar kind: the media type.
    @ivar parts: the body; each part is made when it is asked for.
    @ivar headers: others than L{SAFE_HEADERS}.
    """

    status: int
    kind: str
    parts: Iterable[bytes]
    headers: tuple[tuple[str, str], ...] = field(default=())


def plain(status: int, words: str, *headers: tuple[str, str]) -> HttpAnswer:
    """
    @return: a line of text.
    """
    return HttpAnswer(status, TEXT, (f"{words}\n".encode(),), headers)
