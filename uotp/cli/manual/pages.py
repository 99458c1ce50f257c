"""
The manual pages: one for each program, and one for the configuration file.
"""

from __future__ import annotations

from uotp.cli.config.reading import SEVERAL
from uotp.cli.manual.programs import Described, DescribedProgram, programs
from uotp.cli.manual.roff import bold, escaped, heading, italic, item, prose, roffText

PAGES_DATE = "2026-11-27"
"""When the words of these pages were last written anew."""

SUMMARIES = {
    "uotp": "UDP datagrams through a pool of TLS connections",
    "uotp-server": "server of tunnels that carry UDP datagrams over TLS",
    "uotp-client": "client of tunnels that carry UDP datagrams over TLS",
    "uotp.toml": "configuration file of uotp-server and uotp-client",
}
"""What each page is of."""

FILE_PAGE = "uotp.toml"

EXIT_STATUSES = (
    ("0", "All is well, or the program was told to stop."),
    ("1", "The program could not start, or could not do what it was told."),
    ("2", "The command line, a configuration file or a certificate cannot be used."),
)

SEVERAL_WORDS = (
    "  A server that speaks WebSocket is written as wss://HOST[/PATH].  An array has several servers, the one to use "
    "first before the others."
)
"""What may stand in place of one host and port."""

KEYS_WORDS = (
    "The file is written in TOML, in UTF-8.  Its keys are the long names of the options, without the hyphens.  An "
    "option that takes a word has text in quotation marks, or a number.  An option that takes none has true or false.  "
    "An option that may be repeated has an array.  Options on the command line count in place of those in the file; of "
    "a repeated option the file's are left out then."
)

PATHS_WORDS = (
    "Names of files are relative to the directory of the configuration file.  In place of the name of a file with "
    "certificates or a key its text may stand, which begins with -----BEGIN; then others must not be able to read the "
    "configuration file.  At SIGHUP such text is read again, as the other certificates are.  Other values are taken up "
    "at a restart; the log says so when they have changed."
)

FAULTS_WORDS = (
    "A key that there is not, a value that cannot be used and whatever else is wrong with the file is said with its "
    "line before the program starts.  `uotp check FILE` says the same and starts nothing."
)

CLIENT_EXAMPLE = """\
server = "vpn.example.com:8443"
cafile = "pki/ca.pem"
cert = "pki/client.pem"
key = "pki/client.key"
memory = "64M"
allow = ["192.0.2.0/24", "2001:db8::/32"]
"""

SERVER_EXAMPLE = """\
target = "127.0.0.1:51820"
cert = "pki/server.pem"
key = "pki/server.key"
cafile = "pki/ca.pem"
crl = "pki/crl.pem"
max-sessions = 100

[clients]
laptop = "sha256//BASE64"
"""


VALUE_KINDS = {
    **dict.fromkeys(("LEVEL", "FORM", "NAME", "WHEN", "ADDRESS", "NETWORK", "PIN"), "text"),
    **dict.fromkeys(("NUMBER", "BYTES", "PORT", "PERCENT"), "number"),
}
"""
What the value of a key is, by what its option's word is called in the manual.  Others, as sizes and times, are a
number, or text with a unit.
"""

ENDS_WITH_PAGES = ("uotp-server", "uotp-client")
"""Programs whose options have pages of their own."""


def optionHead(option: Described) -> str:
    """
    @return: how an option is typed.
    """
    spelled = ", ".join(map(bold, option.spellings))
    return spelled if option.metavar is None else f"{spelled} {italic(option.metavar)}"


def optionText(option: Described) -> str:
    """
    @return: what an option is for.
    """
    default = "" if option.default is None else f"  The default is {option.default}."
    return prose(option.sentence + default)


def synopsis(program: DescribedProgram) -> list[str]:
    """
    @return: how a program is called.
    """
    arguments = f" {italic(program.positionals)}" if program.positionals else ""
    lines = [f"{bold(program.name)} [{italic('options')}]{arguments}"]
    if program.isConfigurable:
        lines += [".br", f"{bold(program.name)} [{italic('options')}] {italic('FILE')}"]
    return lines


def begun(name: str, section: int) -> list[str]:
    """
    @return: how each page begins.
    """
    return [heading(name, section, PAGES_DATE), ".SH NAME", f"{escaped(name)} \\- {escaped(SUMMARIES[name])}"]


def alsoSeen(name: str) -> list[str]:
    """
    @return: where to read on.
    """
    others = [f"{bold(other)}({5 if other == FILE_PAGE else 1})" for other in SUMMARIES if other != name]
    return [".SH SEE ALSO", ", ".join(others)]


def commandItems(program: DescribedProgram) -> list[str]:
    """
    @return: a list of the commands that may stand behind a program.
    """
    lines = []
    for typed, does in program.listed:
        lines += item(bold(typed), prose(f"{does[:1].upper()}{does[1:]}."))
    return lines


def programPage(program: DescribedProgram) -> str:
    """
    @return: the page of a program, with all its commands.
    """
    lines = [*begun(program.name, 1), ".SH SYNOPSIS", *synopsis(program), ".SH DESCRIPTION", prose(program.text)]
    if program.listed:
        lines += [".SH COMMANDS", *commandItems(program)]
    lines.append(".SH OPTIONS")
    for option in program.options:
        lines += item(optionHead(option), optionText(option))
    known = {option for end in ENDS_WITH_PAGES for option in programs()[end].options}
    for command in list(program.walked())[1:]:
        options = [option for option in command.options if option not in known]
        if command.isConfigurable and not options:
            continue  # it has a page of its own
        lines += [f'.SH "{escaped(command.name.upper())}"', *synopsis(command), ".PP", prose(command.text)]
        lines += commandItems(command)
        if command.isConfigurable:
            lines.append(prose("It takes the options of `uotp-client` too."))
        for option in options:
            lines += item(optionHead(option), optionText(option))
    lines.append(".SH EXIT STATUS")
    for status, meaning in EXIT_STATUSES:
        lines += item(bold(status), escaped(meaning))
    return roffText([*lines, *alsoSeen(program.name)])


def keyNeeds(option: Described) -> str:
    """
    @return: what the value of a key is.
    """
    if option.metavar is None:
        return "true or false"
    kind = "name of a file or directory" if option.isPath else VALUE_KINDS.get(option.metavar, "number, or text")
    if option.choices and kind == "number":
        kind = "number, or text"
    kind = f"{kind}, or an array of {kind}s" if option.isRepeated else kind
    return kind if option.inline is None else f"{kind}, or {option.inline.value}"


def fileKeys() -> list[tuple[str, list[tuple[str, str, str]]]]:
    """
    @return: for each program that reads such a file, its keys: the name, what the value is, and what it means.
    """
    found = []
    both: dict[str, DescribedProgram] = {
        name: program for name, program in programs().items() if program.isConfigurable
    }
    server, client = both["uotp-server"], both["uotp-client"]
    common = [option for option in server.options[:-2] if option in client.options]
    for title, key, meaning, options in (
        ("uotp-server and uotp-client", None, "", common),
        (
            "uotp-server",
            "target",
            "where to send datagrams",
            [each for each in server.options[:-2] if each not in common],
        ),
        ("uotp-client", "server", "the server to dial", [each for each in client.options[:-2] if each not in common]),
    ):
        rows = []
        if key is not None:
            kind, more = ("text, or an array of texts", SEVERAL_WORDS) if key in SEVERAL else ("text", "")
            rows.append(
                (key, kind, f'{meaning}, as "HOST:PORT"; or as "HOST", with the port in a key of its own.{more}')
            )
            rows.append(("port", "number", f"The port of {key}."))
        rows += [(each.name, keyNeeds(each), f"{each.sentence}{_usual(each)}") for each in options]
        found.append((title, [(name, kind, text[:1].upper() + text[1:]) for name, kind, text in rows]))
    return found


def _usual(option: Described) -> str:
    return "" if option.default is None else f"  The default is {option.default}."


def filePage() -> str:
    """
    @return: the page of the configuration file.
    """
    lines = [*begun(FILE_PAGE, 5), ".SH SYNOPSIS"]
    lines += [f"{bold('uotp-server')} {italic('FILE')}", ".br", f"{bold('uotp-client')} {italic('FILE')}"]
    lines.append(".SH DESCRIPTION")
    for number, paragraph in enumerate((KEYS_WORDS, PATHS_WORDS, FAULTS_WORDS)):
        lines += [".PP"] * (number > 0) + [prose(paragraph)]
    for title, keys in fileKeys():
        lines.append(f'.SH "KEYS OF {escaped(title.upper())}"')
        for name, kind, text in keys:
            lines += item(f"{bold(name)} ({escaped(kind)})", prose(text))
    lines.append(".SH EXAMPLES")
    for words, text in (("A client:", CLIENT_EXAMPLE), ("A server:", SERVER_EXAMPLE)):
        lines += [
            escaped(words),
            ".PP",
            ".nf",
            ".RS 4",
            *(escaped(line) or "\\&" for line in text.splitlines()),
            ".RE",
            ".fi",
            ".PP",
        ]
    lines.pop()
    return roffText([*lines, *alsoSeen(FILE_PAGE)])


def manualPages() -> dict[str, str]:
    """
    @return: all pages, by the names of their files.
    """
    pages = {f"{name}.1": programPage(program) for name, program in programs().items()}
    return {**pages, f"{FILE_PAGE}.5": filePage()}
