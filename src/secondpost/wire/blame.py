"""Whom a negative SMTP reply blames: that decides whether another connection can help (delivery rules, section 4).

Rule: the meaning is data. `RULES` is read from top to bottom and the first row that fits wins; codes before words.
"""

import re
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple

from secondpost.core.outcome import Deferred, Fault, Rejected
from secondpost.wire.reply import Reply


class Step(StrEnum):
    """What a reply answers."""

    GREETING = "the connection"
    HELLO = "EHLO"
    STARTTLS = "STARTTLS"
    AUTH = "AUTH"
    MAIL = "MAIL FROM"
    RCPT = "RCPT TO"
    DATA = "DATA"
    DOT = "the message"


OPENING: Final = frozenset({Step.GREETING, Step.HELLO, Step.STARTTLS})
AUTH: Final = frozenset({Step.AUTH})
MAIL: Final = frozenset({Step.MAIL})
RCPT: Final = frozenset({Step.RCPT})
CONTENT: Final = frozenset({Step.DATA, Step.DOT})
SENDING: Final = MAIL | RCPT | CONTENT


class Rule(NamedTuple):
    """One row. It fits when `code` fits the start of "CODE STATUS " and `words` are in the text (lower case)."""

    steps: frozenset[Step]
    code: re.Pattern[str]
    words: re.Pattern[str]
    fault: Fault
    temporary: bool | None = None  # None: what the first digit says
    about_sender: bool = False
    unsupported: bool = False
    wait: timedelta | None = None


def _words(*patterns: str) -> str:
    return "|".join(patterns)


# Their words. Sources: the providers' manuals, bug reports, and the corpus in tests/wire/replies.py.
_PERIOD: Final = r"(?:daily|hourly|monthly|per day|per hour|per month|24.hour)"
_PERIODIC: Final = rf"{_PERIOD}[^.]{{0,40}}(?:limit|quota)|(?:limit|quota)[^.]{{0,40}}{_PERIOD}"
_THROTTLE: Final = _words(
    r"throttl",
    r"rate.?limit",
    r"(?:sending|message|mail|email|submission|maximum|recipient) (?:rate|quota)",
    r"(?:limit|quota|credits?|threshold)s? (?:has been |have been |was |is )?(?:exceeded|reached|exhausted)",
    r"(?:exceeded|reached|exceeds)[^.]{0,60}(?:limit|quota|rate|credits|number of messages)",
    r"too (?:many|much) (?:\w+ )?(?:connection|message|mail|e-mail|email|session|request|log|auth|transaction)",
    r"concurrent connections",
    r"(?:server|service|system) (?:is )?(?:too )?busy",
    r"too (?:fast|quickly)",
    r"slow down",
    r"unusual (?:rate|amount)",
    r"(?:unexpected|high) volume",
    r"max(?:imum)? (?:number of )?messages? per|exceeded (?:the |its |your )?max",
    r"submissionquota",
)
_VERIFIED: Final = (
    r"(?:verified|validated|authenticated|registered|configured|allowed|authori[sz]ed|permitted|owned|active)"
)
_NOT: Final = r"(?:not|must be|un|isn't)"
_SENDER: Final = _words(
    r"send ?as",
    r"sender (?:address |e?-?mail |domain )?(?:is |was )?(?:rejected|denied|refused|not |unverified|invalid|verify)",
    r"sender \S+ is not valid",
    r"(?:invalid|unverified|unauthenticated|bad outbound) (?:sender|from|domain|address|e-?mail)",
    rf"(?:from|sender|e-?mail|return-path|envelope)[^.]{{0,80}}{_NOT} ?(?:been )?(?:yet )?{_VERIFIED}",
    rf"(?:domain|identity|identities)[^.]{{0,80}}{_NOT} ?(?:been )?(?:yet )?{_VERIFIED}",
    r"verified sender|sender signature|unconfigured sending domain",
    r"not (?:a )?(?:verified|validated|owned by)",
    r"failed the check in region",
    r"not (?:allowed|authori[sz]ed|permitted) to (?:send|relay)[^.]{0,30}(?:as|from|for|email)\b",
    r"relaying disallowed as",
    r"not associated with your account",
)
_CLOSED: Final = r"(?:disabled|locked|blocked|inactive|closed|restricted|expired|terminated|paused|deactivated|limited)"
_ACCOUNT: Final = _words(
    r"suspend|sandbox|outboundspam",
    r"not (?:yet )?(?:been )?activated",
    rf"(?:your|this|smtp|the) (?:\w+ )?account[^.]{{0,60}}{_CLOSED}",
    rf"account (?:is |has been )?{_CLOSED}|{_CLOSED} for (?:this|your) account",
    r"authenticat\w+ (?:is )?(?:required|needed|first|failed)",
    r"(?:must|need to|have to|please)[^.]{0,20} (?:authenticate|be authenticated|log ?in)",
    r"not (?:been )?(?:authenticated|logged in)",
    r"rela(?:y|ying)[^.]{0,30}(?:denied|disallowed|not permitted|not allowed|prohibited|refused)",
    r"(?:unable|not allowed|not permitted|not authori[sz]ed) to (?:relay|send)",
    r"unauthori[sz]ed ip|client (?:host|address|ip)[^.]{0,80}(?:rejected|blocked|denied)",
    r"blocked using|listed (?:in|on|by|at) |spamhaus|dnsbl|\brbl\b|block ?list",
    r"billing|payment|free accounts|(?:demo|trial) (?:domain|account)|subscription (?:has )?expired",
)
_FULL: Final = r"mailbox[^.]{0,30}(?:full|quota|size|limit|storage)|over ?quota"
_MAILBOX: Final = _words(
    r"mailbox|suppression list|unrouteable address",
    r"(?:unknown|no such|invalid|inactive|disabled|suppressed|undeliverable) "
    r"(?:user|recipient|address|person|local|account)",
    r"(?:user|recipient|address|account)[^.]{0,60}"
    r"(?:unknown|does ?n.t exist|not exist|not found|disabled|inactive|suppress|over ?quota|unrouteable|rejected)",
)
_GREY: Final = _words(
    r"gr[ae]y.?list|greyed|not yet authori[sz]ed to deliver|come back later",
    r"(?:try again|retry) in \d+|please (?:wait|retry)",
)
_TOO_BIG: Final = _words(
    r"(?:message|mail|content|size|data)[^.]{0,60}(?:too (?:big|large|long)|exceed)",
    r"exceed[^.]{0,40}size|too (?:big|large)|size limit",
)
_POLICY: Final = r"spam|virus|malware|policy|phish|unsolicited|content|reputation|blocked|dmarc|dkim|spf"


def _row(steps: frozenset[Step], code: str, words: str, fault: Fault, **flags: Any) -> Rule:
    return Rule(steps, re.compile(code), re.compile(words), fault, **flags)


RULES: Final[tuple[Rule, ...]] = (
    # Before the log-in nothing can be about a message: somebody else must carry it.
    _row(OPENING, "", "", Fault.UNREACHABLE, temporary=True),
    _row(AUTH, "4", _THROTTLE, Fault.LIMIT),
    _row(AUTH, "4[03]2|5", "", Fault.ACCOUNT, temporary=True),
    _row(AUTH, "", "", Fault.UNREACHABLE),
    _row(SENDING, "53[0458]", "", Fault.ACCOUNT),
    # RFC 5321 section 4.5.3.1.10: the others go in a further transaction; 552 is an old way to say 452.
    _row(RCPT, "452|55[024]", "too many recipients", Fault.LIMIT, temporary=True, wait=timedelta(seconds=1)),
    _row(RCPT, r"4\d\d 4\.5\.3 ", "", Fault.LIMIT, wait=timedelta(seconds=1)),
    _row(RCPT, "4", "limit exceeded for this customer", Fault.LIMIT),  # Google Workspace's relay, with 4.2.1
    # A mailbox is named by its status code, whatever the words say ("account disabled", "over quota").
    _row(RCPT, r"\d+ \d\.(?:1\.(?:[0-6]|9|10)|2\.[0124]) ", "", Fault.RECIPIENT),
    _row(CONTENT, r"\d+ \d\.(?:1\.(?:[1-6]|10)|2\.[124]) ", "", Fault.RECIPIENT),
    _row(RCPT | CONTENT, "[45]5[02]", _FULL, Fault.RECIPIENT),
    _row(SENDING, "", _PERIODIC, Fault.LIMIT, temporary=True),
    _row(SENDING, r"5\d\d 5\.(?:3\.4|2\.3) ", "", Fault.MESSAGE, unsupported=True),
    _row(SENDING, "5", _TOO_BIG, Fault.MESSAGE, unsupported=True),
    _row(CONTENT, r"552 (?:-|5\.[03]\.\d) ", "^(?!.*quota)", Fault.MESSAGE, unsupported=True),
    _row(SENDING, r"5\d\d 5\.6\.[37] ", "", Fault.MESSAGE, unsupported=True),
    _row(SENDING, "5", "smtputf8|8bitmime|non-ascii|internationali[sz]ed", Fault.MESSAGE, unsupported=True),
    _row(SENDING, r"5\d\d 5\.(?:4\.5|7\.28) ", "", Fault.LIMIT, temporary=True),
    _row(SENDING, "", _THROTTLE, Fault.LIMIT, temporary=True),
    _row(SENDING, r"\d+ \d\.(?:1\.[78]|2\.252|7\.26|7\.60) ", "", Fault.ACCOUNT, about_sender=True),
    _row(SENDING, "", _SENDER, Fault.ACCOUNT, about_sender=True),
    _row(RCPT, "4", _GREY, Fault.RECIPIENT),
    _row(SENDING, r"\d+ \d\.7\.(?:57|64|5\d\d|60\d|7\d\d) ", "", Fault.ACCOUNT),  # Exchange Online
    _row(SENDING, "", _ACCOUNT, Fault.ACCOUNT),
    _row(SENDING, r"5\d\d 5\.6\.", "", Fault.MESSAGE),
    _row(MAIL, "50[0-4]|555", "", Fault.PROVIDER),
    _row(MAIL, "5", "", Fault.ACCOUNT),
    _row(RCPT, "55[013]", "", Fault.RECIPIENT),
    _row(RCPT, "5", _MAILBOX, Fault.RECIPIENT),
    _row(RCPT, "450 - ", _MAILBOX, Fault.RECIPIENT),
    _row(CONTENT, "", _MAILBOX, Fault.RECIPIENT),
    _row(CONTENT, "4", "gr[ae]y.?list", Fault.RECIPIENT),
    _row(CONTENT, r"5\d\d 5\.7\.", "", Fault.MESSAGE),
    _row(CONTENT, "5", _POLICY, Fault.MESSAGE),
    _row(SENDING, "", "", Fault.PROVIDER),
)


def outcome_of(
    reply: Reply, step: Step, *, sender: str = "", recipient: str = "", alone: bool = True
) -> Deferred | Rejected:
    """What a negative reply means for one recipient. `alone`: they had taken no other recipient of the message."""
    code, said, text = f"{reply.code} {reply.status or '-'} ", reply.text.lower(), str(reply)
    rule = next(rule for rule in RULES if step in rule.steps and rule.code.match(code) and rule.words.search(said))
    if rule.fault is Fault.ACCOUNT and step is Step.MAIL and not sender and not code.startswith("53"):
        # They do not take null reverse-paths. That is no fault of the account, and another connection may.
        return Rejected(Fault.MESSAGE, text, unsupported=True)
    if rule.fault is Fault.RECIPIENT and step in CONTENT and not alone and recipient.lower() not in said:
        # One of several is to blame and we cannot tell which: the others must not fail with it.
        return Deferred(Fault.PROVIDER, text)
    about_sender = rule.about_sender or (rule.fault is Fault.ACCOUNT and step is not Step.AUTH and _names(said, sender))
    if reply.code < 500 if rule.temporary is None else rule.temporary:
        return Deferred(rule.fault, text, rule.wait or _wait(said, rule.fault), about_sender)
    return Rejected(rule.fault, text, rule.unsupported, about_sender)


def _names(said: str, sender: str) -> bool:
    address = sender.lower()
    domain = address.rpartition("@")[2]
    return bool(address) and (address in said or f"<{domain}>" in said or f" {domain} " in said)


_WAIT: Final = re.compile(r"(?:in|after|wait|for|next) (\d{1,6}) ?(s|sec|second|m|min|minute|h|hour)s?\b")
_UNITS: Final = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1)}


def _wait(said: str, fault: Fault) -> timedelta | None:
    """The wait that the text names ("try again in 300 seconds"), at most a day."""
    found = _WAIT.search(said) if fault in {Fault.LIMIT, Fault.RECIPIENT} else None
    return min(int(found[1]) * _UNITS[found[2][0]], timedelta(days=1)) if found else None
