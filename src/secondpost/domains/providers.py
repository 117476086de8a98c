"""What providers sign with and send from, as data: from their own documentation on setting a domain up.

Rule: only what holds for all their customers; where each customer has a name of their own, it is not guessed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """`spf`: the record to include. `selectors`: DKIM selectors; `fixed`: all customers have one of these.

    `bounces`: whose domain the envelope's sender has. "": the message's own; "own": the provider's; else the name that
    the customer sets up below their domain.
    """

    spf: str = ""
    selectors: tuple[str, ...] = ()
    fixed: bool = False
    bounces: str = ""


OTHER_API: Final = Facts(bounces="own")
FACTS: Final[Mapping[str, Facts]] = {
    "brevo": Facts(spf="spf.brevo.com", selectors=("mail", "brevo1", "brevo2"), fixed=True, bounces="own"),
    "elasticemail": Facts(spf="_spf.elasticemail.com", selectors=("api",), fixed=True, bounces="own"),
    "fastmail": Facts(spf="spf.messagingengine.com", selectors=("fm1", "fm2", "fm3"), fixed=True),
    "gmail": Facts(spf="_spf.google.com", selectors=("google",)),
    "gmail-relay": Facts(spf="_spf.google.com", selectors=("google",)),
    "icloud": Facts(spf="icloud.com", selectors=("sig1",), fixed=True),
    "mailersend": Facts(spf="_spf.mailersend.net", selectors=("mlsend", "mlsend2"), bounces="own"),
    "mailgun": Facts(spf="mailgun.org", selectors=("pic", "smtp", "k1", "mailo", "krs", "mx", "s1")),
    "mailjet": Facts(spf="spf.mailjet.com", selectors=("mailjet",), fixed=True, bounces="own"),
    "mailtrap": Facts(selectors=("rwmt1", "rwmt2"), fixed=True, bounces="own"),
    "mandrill": Facts(
        spf="spf.mandrillapp.com", selectors=("mandrill", "mte1", "mte2"), fixed=True, bounces="own"
    ),
    "office365": Facts(spf="spf.protection.outlook.com", selectors=("selector1", "selector2"), fixed=True),
    "postmark": Facts(spf="spf.mtasv.net", bounces="pm-bounces"),
    "protonmail": Facts(
        spf="_spf.protonmail.ch", selectors=("protonmail", "protonmail2", "protonmail3"), fixed=True
    ),
    "resend": Facts(spf="amazonses.com", selectors=("resend",), fixed=True, bounces="send"),
    "sendgrid": Facts(spf="sendgrid.net", selectors=("s1", "s2"), fixed=True, bounces="own"),
    "ses": Facts(spf="amazonses.com", bounces="own"),
    "smtp2go": Facts(spf="spf.smtp2go.com", bounces="own"),
    "sparkpost": Facts(bounces="own"),
    "zoho": Facts(spf="zoho.com", selectors=("zmail", "zoho")),
}  # fmt: skip
