"""`secondpost-sendmail`: what programs call that hand in mail as sendmail has taught them to.

Rule: it ends with 0 only when the message is durable, with the gateway or in the spool. Programs wait for this one, so
it imports next to nothing: no asyncio, no click, no email, not even `re`.
"""

import os
import sys

from secondpost import __version__
from secondpost.entrypoints import sendmail_exits as exits
from secondpost.entrypoints import sendmail_flags, sendmail_letter, sendmail_places, sendmail_ways
from secondpost.entrypoints.sendmail_exits import Stop
from secondpost.entrypoints.sendmail_flags import Call
from secondpost.entrypoints.sendmail_places import Places

ALIASES = "/etc/aliases"
MAIL_NAME = "/etc/mailname"
DRAINED = 256 << 20  # bytes of a message that is too large, which are read so that its writer is not killed
USAGE = """\
usage: secondpost-sendmail [-t] [-i] [-f SENDER] [-F NAME] [ADDRESS…] < MESSAGE

Hands a message to Secondpost, as `sendmail` does to a mail server.

  -t         take recipients from To, Cc and Bcc
  -i         a line that is only a dot does not end the message (also -oi)
  -f SENDER  envelope sender; the last one counts (also -r)
  -F NAME    name for the From field, if the message has none
  -n         do not look into /etc/aliases
  -bs        speak SMTP on standard input and output
  -bp        show what waits (also as `mailq`)
  -V         the version (also --version)

Other flags of sendmail are accepted and change nothing. It ends with 0 when the message is safe: with the gateway,
or in the spool folder when the gateway does not run; else with a code of sysexits.h, and says why.
"""


def main() -> None:
    """The entry point."""
    _three_streams()
    try:
        code = run(sys.argv[0].rpartition("/")[2], sys.argv[1:])
    except Stop as stop:
        code = _complain(stop.code, stop.text)
    except KeyboardInterrupt:
        code = 130
    except Exception as error:  # a bug, and the caller must not take it for success
        code = _complain(exits.SOFTWARE, f"failed by a fault of its own ({error!r}). The message was NOT sent.")
    _flush()
    os._exit(code)  # nothing is left to tidy, and 3 ms are saved


def _three_streams() -> None:
    """Daemons call with descriptors closed: what is opened next, such as the way to the gateway, must not get those."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115  # to the end


def _complain(code: int, text: str) -> int:
    """On one line: cron and PHP put it into their logs."""
    try:
        sys.stderr.write(f"secondpost-sendmail: {text}\n")
    except OSError:
        pass
    return code


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            pass


def run(program: str, words: list[str]) -> int:
    """Do what was asked for; the exit code. Raises `Stop`."""
    call = sendmail_flags.parse(program, words)
    match call.mode:
        case "send":
            return _send(call, sendmail_places.find(os.environ))
        case "smtp":
            from secondpost.entrypoints import sendmail_stdio

            return sendmail_stdio.relay(sendmail_places.find(os.environ), _host())
        case "queue":
            from secondpost.entrypoints import sendmail_queue

            return sendmail_queue.show(sendmail_places.find(os.environ))
        case "help":
            sys.stdout.write(USAGE)
        case "version":
            sys.stdout.write(f"Secondpost {__version__}\n")
        case "flush" | "aliases":
            pass  # the gateway tries by itself, and the aliases are read each time
        case other:
            raise Stop(exits.USAGE, f"it cannot {other}; it only hands in mail. See secondpost-sendmail --help.")
    return exits.OK


def _send(call: Call, places: Places) -> int:
    caller = _caller()
    data = _read(places.limit, dot_ends=call.dot_ends)
    letter = sendmail_letter.write(call, data, caller)
    sendmail_ways.deliver(letter, places, caller.host)
    return exits.OK


def _caller() -> sendmail_letter.Caller:
    import pwd

    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = f"uid{os.getuid()}"
    return sendmail_letter.Caller(user, _host(), sendmail_letter.read_aliases(ALIASES))


def _host() -> str:
    """The domain of local names. Only what can be part of an address and of a command."""
    try:
        with open(MAIL_NAME, encoding="ascii") as file:
            name = file.readline().strip()
    except (OSError, ValueError):
        name = ""
    name = name or os.uname().nodename
    return name if name and all(letter.isalnum() or letter in "-._" for letter in name) else "localhost"


def _read(limit: int, *, dot_ends: bool) -> bytes:
    """The message from standard input."""
    source = sys.stdin.buffer
    if not dot_ends:
        data = source.read(limit + 1)
    else:
        lines, size = [], 0
        for line in iter(lambda: source.readline(limit + 2), b""):
            if line.rstrip(b"\r\n") == b"." or size > limit:
                break
            lines.append(line)
            size += len(line)
        data = b"".join(lines)
    if len(data) > limit:
        drained = 0
        while drained < DRAINED and (block := source.read(1 << 20)):
            drained += len(block)
        raise Stop(exits.DATA, f"The message is larger than {limit} bytes. Nothing was sent; send a smaller one.")
    return data


if __name__ == "__main__":
    main()
