"""
The files that the wheel installs: manual pages and completion, where the system's programs look for them.
"""

from __future__ import annotations

from uotp.cli.manual.bash import bashCompletion
from uotp.cli.manual.fish import fishCompletionOf
from uotp.cli.manual.pages import manualPages
from uotp.cli.manual.programs import programs
from uotp.cli.manual.zsh import zshCompletion

BASH = "share/bash-completion/completions"
ZSH = "share/zsh/site-functions"
FISH = "share/fish/vendor_completions.d"
MAN = "share/man"
"""Below the directory that a Python is installed in."""

_OTHERS_OF_BASH = """\
# Completion of {name} for bash: it stands in the file of uotp.
. "${{BASH_SOURCE[0]%/*}}/uotp"
"""


def installedFiles() -> dict[str, str]:
    """
    @return: the text of each file, by its path.
    """
    found = {f"{MAN}/man{name.rpartition('.')[2]}/{name}": text for name, text in manualPages().items()}
    for name, program in programs().items():
        found[f"{BASH}/{name}"] = bashCompletion() if name == "uotp" else _OTHERS_OF_BASH.format(name=name)
        found[f"{FISH}/{name}.fish"] = fishCompletionOf(program)
    found[f"{ZSH}/_uotp"] = zshCompletion()
    return found
