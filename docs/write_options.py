"""
Writes what is made of the definition of the options: the manual pages and the completion in C{share}, and the
tables of keys in C{docs/reference/configuration.rst}.  Run it after a change of an option; a test compares::

    python docs/write_options.py
"""

from __future__ import annotations

import re
from pathlib import Path

from uotp.cli.manual.installed import installedFiles
from uotp.cli.manual.pages import fileKeys

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference" / "configuration.rst"

BEGIN = ".. The keys begin: docs/write_options.py has written them.\n"
END = ".. The keys end.\n"


def literal(text: str) -> str:
    """
    @return: a text of a manual page as reStructuredText: what stands in backticks is literal.
    """
    plain = text.replace("*", "\\*")
    return re.sub(r"`([^`]*)`", r"``\1``", plain)


def keyTables() -> str:
    """
    @return: the tables of all keys.
    """
    lines = []
    for title, keys in fileKeys():
        lines += [f"Keys of {title}", "-" * len(f"Keys of {title}"), ""]
        for name, kind, text in keys:
            lines += [f"``{name}``", f"    {literal(kind[:1].upper() + kind[1:])}.  {literal(text)}", ""]
    return "\n".join(lines)


def pageWithKeys(page: str) -> str:
    """
    @param page: the text of the page.
    @return: the same with the keys that there are.
    """
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{keyTables()}\n{END}{after}"


def texts() -> dict[Path, str]:
    """
    @return: the text of each file that is written.
    """
    found = {ROOT / name: text for name, text in installedFiles().items()}
    return {**found, PAGE: pageWithKeys(PAGE.read_text(encoding="utf-8"))}


def main() -> None:
    """
    Write all of them.
    """
    for path, text in texts().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
