"""
Completion for zsh.
"""

from __future__ import annotations

import re

from uotp.cli.manual.programs import Described, DescribedProgram, programs

_BEGIN = """\
#compdef {names}
# Completion of uotp, uotp-server and uotp-client for zsh.  It is made of the definition of their options.

"""

_END = """
case "$service" in
{cases}
esac
"""


def zshCompletion() -> str:
    """
    @return: a script that zsh reads.
    """
    found = programs()
    functions = [_function(each) for one in found.values() for each in one.walked()]
    cases = "\n".join(f'    {name}) {_named(name)} "$@" ;;' for name in found)
    return _BEGIN.format(names=" ".join(found)) + "\n".join(functions) + _END.format(cases=cases)


def _named(program: str) -> str:
    return "_" + re.sub("[^a-z]+", "_", program)


def _quoted(text: str) -> str:
    return text.replace("'", "'\\''")


def _explained(text: str) -> str:
    return _quoted(re.sub(r"([\[\]:\\])", r"\\\1", text))


def _specification(option: Described) -> str:
    """
    @return: an option as C{_arguments} reads it.
    """
    action = ""
    if option.metavar is not None:
        what = "_files" if option.isPath else f"({' '.join(option.choices)})" if option.choices else " "
        action = f":{option.metavar}:{what}"
    equals = "" if option.metavar is None else "="
    text = f"[{_explained(option.summary)}]{action}"
    if option.short is None:
        star = "*" if option.isRepeated else ""
        return f"'{star}--{option.name}{equals}{text}'"
    both = f"{{-{option.short},--{option.name}{equals}}}"
    excluded = "'*'" if option.isRepeated else f"'({' '.join(option.spellings)})'"
    return f"{excluded}{both}'{text}'"


def _function(program: DescribedProgram) -> str:
    lines = [f"{_named(program.name)}() {{"]
    specifications = [_specification(option) for option in program.options]
    if program.commands:
        lines.append("    local state line")
        words = " ".join(
            f"'{name}:{_explained(command.text.split('.')[0].split(';')[0])[:70]}'"
            for name, command in program.commands.items()
        )
        lines.append(f"    local -a commands=({words})")
        specifications += ["'1: :->command'", "'*:: :->arguments'"]
    else:
        specifications.append("'*:argument:_files'")
    flags = "-C -s -S" if program.commands else "-s -S"
    lines.append(f"    _arguments {flags} \\\n        " + " \\\n        ".join(specifications))
    if program.commands:
        cases = "\n".join(
            f"            {name}) {_named(command.name)} ;;" for name, command in program.commands.items()
        )
        lines.append(
            "    case $state in\n        command) _describe command commands ;;\n        arguments)\n"
            f"            case $line[1] in\n{cases}\n            esac ;;\n    esac"
        )
    return "\n".join([*lines, "}"]) + "\n"
