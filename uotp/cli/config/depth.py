"""
Finds what is nested too deep in the text of a TOML file, before the library reads it: for a key of thousands of
names with dots between them that takes gigabytes.
"""

from __future__ import annotations

import re

MOST_DEPTH = 16
"""
A key, or the name of a table, has no more parts, and no more arrays and tables stand in each other.  No key of ours
needs more than two, and the library's work grows by the square of it.
"""

_PART = r"""(?: [A-Za-z0-9_-]+ | " [^"\\\n]* (?: \\. [^"\\\n]* )* " | ' [^'\n]* ' )"""

_PIECE = re.compile(
    rf"""
    \#[^\n]*
    | \"{{3}} [^"\\]* (?: (?: \\. | \"{{1,2}}(?!\") ) [^"\\]* )* \"{{3,5}}
    | '{{3}} .*? '{{3,5}}
    | (?P<broken> \"{{3}} | '{{3}} )
    | (?P<long> (?: {_PART} [ \t]* \. [ \t]* ){{{MOST_DEPTH}}} (?=[A-Za-z0-9_"'-]) )
    | {_PART}
    | (?P<unended> ["'] )
    | (?P<opening> [\[{{] )
    | (?P<closing> [\]}}] )
    """,
    re.VERBOSE | re.DOTALL,
)
"""
A comment, a text, a part of a key, or what decides here.  Texts are passed as a whole, so what is in them counts
for nothing.
"""


def deepLine(text: str) -> int | None:
    """
    @param text: of a file; it need not be TOML.
    @return: the line in which it becomes nested too deep; L{None} where it does not, or is no TOML before that.
    """
    depth = 0
    for piece in _PIECE.finditer(text):
        kind = piece.lastgroup
        if kind in {"broken", "unended"}:  # a text without an end: nobody reads what is behind it
            return None
        depth += {"opening": 1, "closing": -1}.get(kind or "", 0)
        if kind == "long" or depth > MOST_DEPTH:
            return text.count("\n", 0, piece.start()) + 1
    return None
