"""SMTP replies: read from bytes, and understood as outcomes.

Rule: a reply is bounded and well-formed or it is none; what it means is data (`RULES`), read from top to bottom, and the first match wins.
"""

import re
from collections.abc import Iterable
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple

from secondpost.core.outcome import Deferred, Fault, Rejected

MAX_LINE = 4096
MAX_LINES = 256
_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])([^\x00\r\n]*))?\r?\n")
_STATUS = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?= |$)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Reply(NamedTuple):
    """One reply: its code, and the text of its lines."""

    code: int
    lines: tuple[bytes, ...]

    @property
    def positive(self) -> bool:
        """25x. Another 2xx answers another command (220, 221, 235), so it is no answer to ours."""
        return self.code // 10 == 25

    @property
    def text(self) -> str:
        """The lines as one, without repeated status codes, safe to show."""
        if len(self.lines) == 1:
            return printable(self.lines[0])[:2000].strip()
        texts = [self.lines[0], *(line.removeprefix(self.status.encode()) for line in self.lines[1:])]
        return " ".join(printable(line.strip()) for line in texts).strip()[:2000]

    @property
    def status(self) -> str:
        """The enhanced status code (RFC 3463), or ''."""
        found = _STATUS.match(printable(self.lines[0]))
        return found[1] if found else ""

    def __str__(self) -> str:
        return f"{self.code} {self.text}".rstrip()


def printable(line: bytes) -> str:
    """Bytes from a peer as text for people: control characters are shown, not obeyed."""
    text = line.decode("utf-8", "backslashreplace")
    return text if text.isprintable() else _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


_ID = re.compile(r"(?:queued as|id[=:]|[Oo][Kk]:?) *<?((?!queued)[\w.@+/=-]{6,})")


def provider_id(text: str) -> str:
    """Their name for the message, where the reply to the dot tells it: "250 2.0.0 Ok: queued as 4D2F1"."""
    found = _ID.search(text)
    return found[1] if found else ""


class Replies:
    """Reads replies from bytes in any portions. `error` says why nothing after the last good reply can be understood."""

    __slots__ = ("_code", "_left", "_lines", "error")

    def __init__(self) -> None:
        self.error = ""
        self._left = b""
        self._code = b""
        self._lines: list[bytes] = []

    @property
    def empty(self) -> bool:
        """Whether no part of a reply is waiting for its rest."""
        return not self._left and not self._lines

    def feed(self, data: bytes) -> list[Reply]:
        """The replies that are complete now, in order."""
        if self._left:
            data = self._left + data
        found: list[Reply] = []
        position = 0
        while not self.error and (line := _LINE.match(data, position)):
            start, position = position, line.end()
            code, mark, text = line.groups()
            if position - start > MAX_LINE:
                self.error = "a reply line is too long"
            elif mark == b"-" or self._lines:
                self._multiline(code, mark, text or b"", found)
            else:
                found.append(Reply(int(code), (text or b"",)))
        self._left = data[position:]
        if self._left and not self.error and (b"\n" in self._left or len(self._left) > MAX_LINE):
            self.error = f"not an SMTP reply: {printable(self._left[:80])}"
        return found

    def _multiline(self, code: bytes, mark: bytes | None, text: bytes, found: list[Reply]) -> None:
        if self._lines and code != self._code:
            self.error = f"the code changes inside a reply, from {self._code.decode()} to {code.decode()}"
            return
        self._code = code
        self._lines.append(text)
        if mark != b"-":
            found.append(Reply(int(code), tuple(self._lines)))
            self._lines = []
        elif len(self._lines) >= MAX_LINES:
            self.error = f"a reply has more than {MAX_LINES} lines"


class Step(StrEnum):
    """What a reply answers."""

    GREETING = "greeting"
    HELLO = "EHLO"
    STARTTLS = "STARTTLS"
    AUTH = "AUTH"
    MAIL = "MAIL FROM"
    RCPT = "RCPT TO"
    DATA = "DATA"
    DOT = "the message"


class Rule(NamedTuple):
    """One row: at these steps, a reply that matches is about `fault`. `temporary` overrides the first digit."""

    steps: frozenset[Step]
    pattern: re.Pattern[str]  # searched in "code status text", lower case
    fault: Fault
    temporary: bool | None = None
    about_sender: bool | None = None  # None: when the text names the sender or its domain
    unsupported: bool = False
    wait: timedelta | None = None


def _any(*words: str) -> str:
    return "(?:" + "|".join(words) + ")"


OPENING = frozenset({Step.GREETING, Step.HELLO, Step.STARTTLS})
TRANSACTION = frozenset({Step.MAIL, Step.RCPT, Step.DATA, Step.DOT})
AUTH, MAIL, RCPT = frozenset({Step.AUTH}), frozenset({Step.MAIL}), frozenset({Step.RCPT})
CONTENT = frozenset({Step.DATA, Step.DOT})

# Their words for "slower" and "enough for today". Sources: the providers' manuals and the corpus in tests/wire/replies.py.
_PERIOD = r"(?:daily|hourly|monthly|per day|per hour|per month|24.hour)"
_THROTTLE = _any(
    r"throttl",
    r"rate.?limit",
    r"(?:sending|message|mail|email|submission|maximum|recipient) (?:rate|quota)",
    rf"{_PERIOD}[^.]{{0,40}}(?:limit|quota)",
    rf"(?:limit|quota)[^.]{{0,40}}{_PERIOD}",
    r"(?:limit|quota|credits?|threshold)s? (?:has been |have been |was |is )?(?:exceeded|reached|exhausted)",
    r"(?:exceeded|reached|exceeds)[^.]{0,60}(?:limit|quota|rate|credits|number of messages)",
    r"too (?:many|much) (?:concurrent |simultaneous |recent |unauthenticated )?(?:connection|message|mail|e-mail|email|session|request|log|auth|transaction)",
    r"concurrent connections",
    r"(?:server|service|system) (?:is )?(?:too )?busy",
    r"too (?:fast|quickly)",
    r"slow down",
    r"unusual (?:rate|amount)",
    r"submissionquota",
    r"rate that prevents",
)
_SENDER = _any(
    r"send ?as",
    r"5\.7\.60 ",
    r"[45]\.1\.[78] ",
    r"5\.7\.26 ",
    r"\b5\.2\.252 ",
    r"sender (?:address |e?-?mail |domain )?(?:is |was )?(?:rejected|denied|refused|not |unverified|invalid|verify)",
    r"(?:from|sender|e-?mail|return-path|envelope)[ -]?(?:address|domain|header|email|identity)?[^.]{0,80}(?:not|must be|un|isn't|is not)[ -]?(?:been )?(?:yet )?(?:verified|validated|authenticated|authori[sz]ed|allowed|permitted|owned|registered|configured|active)",
    r"(?:domain|identity|identities)[^.]{0,80}(?:not|must be|un|isn't)[ -]?(?:been )?(?:yet )?(?:verified|validated|authenticated|registered|configured|allowed)",
    r"verified sender",
    r"sender signature",
    r"unverified (?:sender|domain|address|email|from)",
    r"not (?:a )?(?:verified|validated|owned by)",
    r"failed the check in region",
    r"not (?:allowed|authorized|authorised|permitted) to (?:send|relay)[^.]{0,30}(?:as|from|for|email)\b",
    r"bad outbound sender",
    r"unauthenticated (?:e-?mail|sender)",
    r"relaying disallowed as",
)
_ACCOUNT = _any(
    r"suspend",
    r"sandbox",
    r"not (?:yet )?(?:been )?activated",
    r"(?:your|this|smtp|the) (?:\w+ )?account[^.]{0,60}(?:disabled|locked|blocked|inactive|closed|restricted|expired|terminated|review|paused|deactivated|limited)",
    r"account (?:is |has been )?(?:disabled|locked|blocked|deactivated|paused|terminated)",
    r"unauthori[sz]ed ip",
    r"authenticat\w+ (?:is )?(?:required|needed|first|failed)",
    r"(?:must|need to|have to|please)[^.]{0,20} (?:authenticate|be authenticated|log ?in)",
    r"not (?:been )?(?:authenticated|logged in)",
    r"rela(?:y|ying)[^.]{0,30}(?:denied|disallowed|not permitted|not allowed|prohibited|refused)",
    r"(?:unable|not allowed|not permitted|not authori[sz]ed) to (?:relay|send)",
    r"client (?:host|address|ip)[^.]{0,80}(?:rejected|blocked|denied)",
    r"blocked using",
    r"listed (?:in|on|by|at) ",
    r"spamhaus|dnsbl|rbl\b|block ?list",
    r"5\.7\.(?:57|64|501|502|503|508|509|51\d|60\d|7\d\d) ",
    r"billing|payment|free accounts|demo domain|demo account|trial account",
    r"outboundspam",
    r"no valid subscription|subscription (?:has )?expired",
)
_MAILBOX = _any(
    r"mailbox",
    r"user (?:is )?(?:unknown|not found|disabled|inactive)",
    r"(?:unknown|no such|invalid|inactive|disabled|suppressed|undeliverable) (?:user|recipient|mailbox|address|person|local|account|domain)",
    r"(?:user|recipient|address|account)[^.]{0,60}(?:unknown|does ?n.t exist|not exist|not found|inactive|suppress|over ?quota|unrouteable|rejected)",
    r"marked as inactive|suppression list|unrouteable address|no mailbox",
)
_GREY = r"gr[ae]y.?list|greyed|try again in \d+|retry in \d+|please (?:wait|retry)|come back later"
_TOO_BIG = _any(
    r"(?:message|mail|content|size|data)[^.]{0,60}(?:too (?:big|large|long)|exceed)",
    r"exceed[^.]{0,40}size",
    r"too (?:big|large)",
    r"size limit",
)
_MINUTE = timedelta(minutes=1)


def _rules() -> Iterable[Rule]:
    def row(steps: frozenset[Step], pattern: str, fault: Fault, **flags: object) -> Rule:
        return Rule(steps, re.compile(pattern), fault, **flags)  # type: ignore[arg-type]

    # Before the log-in nothing can be about a message: somebody else must carry it.
    yield row(OPENING, "", Fault.UNREACHABLE, temporary=True, about_sender=False)
    yield row(AUTH, f"^4.*{_THROTTLE}", Fault.LIMIT, temporary=True)
    yield row(AUTH, "^(?:4[03]2|5)", Fault.ACCOUNT, temporary=True, about_sender=False)
    yield row(AUTH, "", Fault.UNREACHABLE, temporary=True)
    yield row(TRANSACTION, "^53[0458] ", Fault.ACCOUNT, about_sender=False)
    # RFC 5321 section 4.5.3.1.10: the others go in a further transaction; 552 is an old way to say 452.
    yield row(RCPT, r"^(?:452|55[024]) .*too many recipients|^4\d\d 4\.5\.3 ", Fault.LIMIT, temporary=True, wait=timedelta(seconds=1))
    # A mailbox is named by its status code, whatever the words say ("account disabled", "over quota").
    yield row(RCPT, r"^\d+ \d\.(?:1\.(?:[0-6]|9|10)|2\.[0124]) ", Fault.RECIPIENT)
    yield row(CONTENT, r"^\d+ \d\.(?:1\.(?:[1-6]|10)|2\.[124]) ", Fault.RECIPIENT)
    yield row(TRANSACTION, rf"^5\d\d (?:5\.3\.4|5\.2\.3) |^552 (?:- |5\.[03]\.\d ).*{_TOO_BIG}|^5\d\d .*{_TOO_BIG}", Fault.MESSAGE, unsupported=True)
    yield row(CONTENT, r"^552 (?:- |5\.[03]\.\d )(?!.*quota)", Fault.MESSAGE, unsupported=True)
    yield row(TRANSACTION, r"^5\d\d (?:5\.6\.[37] |.*(?:smtputf8|8bitmime|non-ascii|internationali[sz]ed))", Fault.MESSAGE, unsupported=True)
    yield row(TRANSACTION, rf"^4.*{_THROTTLE}", Fault.LIMIT, temporary=True)
    yield row(TRANSACTION, rf"^5\d\d (?:5\.4\.5 |5\.7\.28 |.*{_THROTTLE})", Fault.LIMIT, temporary=True)
    yield row(TRANSACTION, rf"^\d+ .*{_SENDER}", Fault.ACCOUNT, about_sender=True)
    yield row(RCPT, rf"^(?:4\d\d|450|451) .*(?:{_GREY})", Fault.RECIPIENT)
    yield row(TRANSACTION, rf"^\d+ .*{_ACCOUNT}", Fault.ACCOUNT)
    yield row(TRANSACTION, r"^5\d\d 5\.6\.", Fault.MESSAGE)
    yield row(MAIL, r"^(?:50[0-4]|555) ", Fault.PROVIDER)
    yield row(MAIL, "^5", Fault.ACCOUNT)
    yield row(RCPT, r"^(?:550|551|553) ", Fault.RECIPIENT)
    yield row(RCPT, rf"^5\d\d .*{_MAILBOX}", Fault.RECIPIENT)
    yield row(RCPT, rf"^450 - .*{_MAILBOX}", Fault.RECIPIENT)
    yield row(CONTENT, rf"^\d+ .*{_MAILBOX}", Fault.RECIPIENT)
    yield row(CONTENT, rf"^4\d\d .*(?:gr[ae]y.?list)", Fault.RECIPIENT)
    yield row(CONTENT, r"^5\d\d 5\.7\.|^5\d\d .*(?:spam|virus|malware|policy|phish|unsolicited|content|reputation|blocked|dmarc|dkim|spf)", Fault.MESSAGE)
    yield row(TRANSACTION, "", Fault.PROVIDER)


RULES = tuple(_rules())


def outcome_of(
    reply: Reply, step: Step, *, sender: str = "", recipient: str = "", alone: bool = True
) -> Deferred | Rejected:
    """What a negative reply means for one recipient. `alone`: the message had no other recipient that they took."""
    said = f"{reply.code} {reply.status or '-'} {reply.text.lower()}"
    rule = next(rule for rule in RULES if step in rule.steps and rule.pattern.search(said))
    text = str(reply)
    temporary = reply.code < 500 if rule.temporary is None else rule.temporary
    if rule.fault is Fault.ACCOUNT and step is Step.MAIL and not sender and "53" not in said[:2]:
        # They do not take null reverse-paths. That is no fault of the account, and another connection may.
        return Rejected(Fault.MESSAGE, text, unsupported=True)
    if rule.fault is Fault.RECIPIENT and step in CONTENT and not alone and recipient.lower() not in said:
        # One of several is to blame and we cannot tell which: the others must not fail with it.
        return Deferred(Fault.PROVIDER, text)
    about = _names(said, sender) if rule.about_sender is None else rule.about_sender
    about = about and rule.fault is Fault.ACCOUNT
    if temporary:
        return Deferred(rule.fault, text, retry_after=rule.wait or _wait(said, rule.fault), about_sender=about)
    return Rejected(rule.fault, text, unsupported=rule.unsupported, about_sender=about)


def _names(said: str, sender: str) -> bool:
    address = sender.lower()
    domain = address.rpartition("@")[2]
    return bool(address) and (address in said or f"<{domain}>" in said or f" {domain} " in said)


_WAIT = re.compile(r"(?:in|after|wait|for|next) (\d{1,6}) ?(s|sec|second|m|min|minute|h|hour)s?\b")
_UNITS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1)}


def _wait(said: str, fault: Fault) -> timedelta | None:
    """The wait that the text names ("try again in 300 seconds"), at most a day."""
    found = _WAIT.search(said) if fault in {Fault.LIMIT, Fault.RECIPIENT} else None
    return min(int(found[1]) * _UNITS[found[2][0]], timedelta(days=1)) if found else None
