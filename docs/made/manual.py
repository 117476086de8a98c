"""packaging/man: the manual pages of the two commands, in the words of their `--help`."""

from made.commands import EVERYWHERE, chapters
from secondpost import __version__
from secondpost.cli import cli
from secondpost.entrypoints.sendmail import USAGE
from secondpost.entrypoints.sendmail_places import FILE, SOCKET, SPOOL

STATUS = "0: done. 1: it failed. 2: the command or the configuration is wrong."
CONFIGURATION = "./secondpost.toml, unless --config or SECONDPOST_CONFIG names another: the configuration."
DATA = "./secondpost-data, unless data_dir says otherwise: database, key and spool."
CODES = "0: the message is safe. Else a code of sysexits.h, 64 to 78. Never 75, which PHP takes for success."


def secondpost() -> str:
    (_, synopsis), *commands = chapters()
    options = [(option.opts[0], option.help) for option in cli.params if option.name in EVERYWHERE]
    parts = [
        _head("secondpost", "email delivery that survives its provider"),
        _section("SYNOPSIS", _as_it_is(synopsis)),
        _section(
            "OPTIONS OF EVERY COMMAND", "\n".join(f".TP\n.B {_text(name)}\n{_text(about)}" for name, about in options)
        ),
        _section("COMMANDS", "\n".join(f'.SS "{path}"\n{_as_it_is(text)}' for path, text in commands)),
        _section("EXIT STATUS", _text(STATUS)),
        _section("FILES", f"{_text(CONFIGURATION)}\n.PP\n{_text(DATA)}"),
        _section("SEE ALSO", ".BR secondpost-sendmail (1)"),
    ]
    return "\n".join(parts) + "\n"


def sendmail() -> str:
    parts = [
        _head("secondpost-sendmail", "hand a message to Secondpost, as sendmail does to a mail server"),
        _section("SYNOPSIS", _as_it_is(USAGE)),
        _section("EXIT STATUS", _text(CODES)),
        _section("FILES", "\n.PP\n".join(map(_text, (FILE, SOCKET, SPOOL, "/etc/aliases")))),
        _section("SEE ALSO", ".BR secondpost (1)"),
    ]
    return "\n".join(parts) + "\n"


def _head(name: str, about: str) -> str:
    title = f'.TH {name.upper()} 1 "" "Secondpost {__version__}" "Secondpost"'
    return title + "\n" + _section("NAME", f"{_text(name)} \\- {_text(about)}")


def _section(title: str, text: str) -> str:
    return f'.SH "{title}"\n{text}'


def _as_it_is(text: str) -> str:
    return f".nf\n{_text(text.strip())}\n.fi"


def _text(text: str) -> str:
    """Signs that roff would read are escaped, and no line begins as one of its commands."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return "\n".join(f"\\&{line}" if line.startswith(".") else line for line in escaped.split("\n"))
