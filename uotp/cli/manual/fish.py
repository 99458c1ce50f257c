"""
Completion for fish.
"""

from __future__ import annotations

from collections.abc import Iterator

from uotp.cli.manual.programs import Described, DescribedProgram, programs


def fishCompletion() -> str:
    """
    @return: a script that fish reads.
    """
    return "\n".join(map(fishCompletionOf, programs().values()))


def fishCompletionOf(program: DescribedProgram) -> str:
    """
    @return: the part of it that is for one program.
    """
    head = f"# Completion of {program.name} for fish.  It is made of the definition of its options."
    return "".join(f"{line}\n" for line in [head, *_lines(program.name, program, [])])


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _condition(path: list[str], program: DescribedProgram) -> str:
    """
    @param path: the commands behind the name of the program that lead to this one.
    @return: where its options may stand.
    """
    tests = [f"__fish_seen_subcommand_from {word}" for word in path]
    if program.commands:
        tests.append(f"not __fish_seen_subcommand_from {' '.join(program.commands)}")
    return f" -n {_quoted('; and '.join(tests))}" if tests else ""


def _lines(name: str, program: DescribedProgram, path: list[str]) -> Iterator[str]:
    where = _condition(path, program)
    for word, command in program.commands.items():
        text = command.text.split(".")[0].split(";")[0][:70]
        yield f"complete -c {name}{where} -f -a {word} -d {_quoted(text)}"
    for option in program.options:
        yield f"complete -c {name}{where}{_option(option)}"
    for word, command in program.commands.items():
        yield from _lines(name, command, [*path, word])


def _option(option: Described) -> str:
    short = "" if option.short is None else f" -s {option.short}"
    value = ""
    if option.metavar is not None:
        choices = f" -a {_quoted(' '.join(option.choices))}" if option.choices else ""
        value = " -r -F" if option.isPath else f" -x{choices}"
    return f"{short} -l {option.name}{value} -d {_quoted(option.summary)}"
