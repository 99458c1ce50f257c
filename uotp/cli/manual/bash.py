"""
Completion for bash.
"""

from __future__ import annotations

from shlex import quote

from uotp.cli.manual.programs import Described, DescribedProgram, programs

_FUNCTION = """\
# Completion of uotp, uotp-server and uotp-client for bash.  It is made of the definition of their options.

_uotp_of() {{
    # What may stand in a command line of $1 behind the option $2, or as an option, or as an argument.
    words="" files="" options="" commands=""
    case "$1" in
{programs}
    esac
    case "$1 $2" in
{values}
    esac
}}

_uotp() {{
    local cur="${{COMP_WORDS[COMP_CWORD]}}" prev="${{COMP_WORDS[COMP_CWORD-1]}}"
    local program="${{1##*/}}" words files options commands word i
    COMPREPLY=()
    if [[ $cur == "=" ]]; then
        cur=""
    elif [[ $prev == "=" && $COMP_CWORD -gt 1 ]]; then
        prev="${{COMP_WORDS[COMP_CWORD-2]}}"
    fi
    for (( i = 1; i < COMP_CWORD; i++ )); do
        word="${{COMP_WORDS[i]}}"
        _uotp_of "$program" ""
        case " $commands " in
            *" $word "*) program="$program $word" ;;
        esac
    done
    _uotp_of "$program" "$prev"
    if [[ $prev == -* && $prev != -- && -n "$words$files" ]]; then
        if [[ $files == yes ]]; then
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        elif [[ $words != - ]]; then
            mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
        fi
    elif [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
    elif [[ -n $commands ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$cur")
    else
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
    fi
}}

complete -F _uotp {names}
"""


def bashCompletion() -> str:
    """
    @return: a script that bash reads.
    """
    known, values = [], []
    found = programs()
    for program in (each for one in found.values() for each in one.walked()):
        known.append(_known(program))
        values += [_value(program.name, option) for option in program.options if option.metavar is not None]
    return _FUNCTION.format(programs="\n".join(known), values="\n".join(values), names=" ".join(found))


def _known(program: DescribedProgram) -> str:
    options = " ".join(f"--{option.name}" for option in program.options)
    commands = f" commands={quote(' '.join(program.commands))}" if program.commands else ""
    return f"        {quote(program.name)}) options={quote(options)}{commands} ;;"


def _value(program: str, option: Described) -> str:
    what = "files=yes" if option.isPath else f"words={quote(' '.join(option.choices) or '-')}"
    patterns = "|".join(quote(f"{program} {spelled}") for spelled in option.spellings)
    return f"        {patterns}) {what} ;;"
