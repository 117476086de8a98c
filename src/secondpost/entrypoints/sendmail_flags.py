"""sendmail's command line, as programs really use it.

Rule: no flag names a file that is read or written. `-C`, `-X` and their kin, by which injected arguments take over
machines, are read over like all others that change nothing here.
"""

from secondpost.entrypoints.sendmail_exits import DATA, USAGE, Stop

_VALUED = frozenset("ABCDFLNORVXbefhopr")  # the rest of the word, or the next word
_ATTACHED = frozenset("dq")  # only the rest of the word
_BARE = frozenset("GIUcimnstvx")
MODES = {
    "m": "send", "s": "smtp", "p": "queue", "i": "aliases", "v": "verify",
    "d": "daemon", "D": "daemon", "h": "daemon", "H": "daemon", "t": "test",
}  # fmt: skip


class Call:
    """What was asked for."""

    __slots__ = ("dot_ends", "from_header", "full_name", "mode", "recipients", "sender", "use_aliases")

    def __init__(self) -> None:
        self.mode = "send"
        self.sender: str | None = None  # None: the user that calls; "": nobody (a bounce)
        self.full_name = ""
        self.from_header = False  # -t
        self.dot_ends = True  # without -i, a line that is only a dot ends the message
        self.use_aliases = True
        self.recipients: list[str] = []


def parse(program: str, words: list[str]) -> Call:
    """Raises `Stop` with the usage for what sendmail does not know."""
    call = Call()
    call.mode = {"mailq": "queue", "newaliases": "aliases"}.get(program, "send")
    left = list(reversed(words))
    while left:
        word = left.pop()
        if word in ("--help", "--version"):
            call.mode = word[2:]
        elif word == "--" or not word.startswith("-") or word == "-":
            call.recipients += [*([] if word == "--" else [word]), *reversed(left)]
            break
        else:
            _word(call, word, left)
    for recipient in call.recipients:
        if recipient.startswith("-"):
            raise Stop(USAGE, f"{recipient!a} stands where an address must be. Put options before the addresses.")
        if not recipient.isprintable():
            raise Stop(DATA, f"{recipient!a} is not an address. Nothing was sent to anybody.")
    return call


def _word(call: Call, word: str, left: list[str]) -> None:
    """One word of flags, such as -ti, -oem or -fshop@example.com."""
    for position, flag in enumerate(word[1:], 2):
        rest = word[position:]
        if flag in _VALUED:
            if flag == "V" and not rest and not left:  # else it is a DSN's envelope id
                call.mode = "version"
            elif not rest and not left:
                raise Stop(USAGE, f"-{flag} needs a value.")
            else:
                _set(call, flag, rest or left.pop())
            return
        if flag in _ATTACHED:
            call.mode = "flush" if flag == "q" and call.mode == "send" else call.mode
            return
        if flag not in _BARE:
            raise Stop(USAGE, f"unknown option -{flag} in {word!r}. See secondpost-sendmail --help.")
        _switch(call, flag)


def _switch(call: Call, flag: str) -> None:
    if flag == "t":
        call.from_header = True
    elif flag == "i":
        call.dot_ends = False
    elif flag == "n":
        call.use_aliases = False
    elif flag == "I":
        call.mode = "aliases"


def _set(call: Call, flag: str, value: str) -> None:
    """The last of several wins: PHP puts its own -f behind the one in sendmail_path."""
    if flag in "fr":
        call.sender = value
    elif flag == "F":
        call.full_name = value
    elif flag == "b":
        if value not in MODES:
            raise Stop(USAGE, f"unknown mode -b{value}.")
        call.mode = MODES[value]
    elif (flag == "o" and value == "i") or (flag == "O" and value.lower() in ("ignoredots", "ignoredots=true")):
        call.dot_ends = False
