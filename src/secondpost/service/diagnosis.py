"""What a failed attempt means and what to do about it, in plain words.

Rule: the fault and the phase decide first; known texts only make the advice more exact.
"""

from typing import Any

from secondpost.core.connection import Connection
from secondpost.core.outcome import Accepted, Deferred, Fault, Outcome, Phase, Rejected, Unclear

ACCOUNT = (
    "The provider did not accept the log-in",
    "The name or the password is wrong, or the account may not send this way.",
    ["Check the username and the password; many providers want an app password or an API key here.",
     "Check in the provider's console that the account is active and its plan allows sending."],
)  # fmt: skip
SENDER = (
    "The provider does not accept this sender",
    "The sender's address or domain is not verified with the provider.",
    ["Verify the domain in the provider's console.", "Or set From Email of this connection to a verified address."],
)
LIMIT = (
    "The provider limits how much may be sent",
    "The message was not taken; it can be sent later.",
    ["Wait, or raise the plan.", "Set the limits of this connection so that mail overflows to the backup in time."],
)
RECIPIENT = (
    "The recipient was refused",
    "The connection works; the provider does not deliver to this address.",
    ["Check the address for spelling.", "Try another address of yours."],
)
MESSAGE = (
    "The message was refused",
    "The connection works; the provider does not take this message.",
    ["Read the reply below: it may be too large, or look like spam."],
)
PROVIDER = (
    "The provider has trouble",
    "Its server answered with an error that is neither about you nor about the message.",
    ["Try again in some minutes.", "See the provider's status page."],
)
LOCAL = (
    "Secondpost itself could not finish",
    "The trouble is on this machine. Nothing was sent.",
    ["Look at the gateway's log and at the free disk space."],
)
UNCLEAR = (
    "It is not known whether the provider took the message",
    "The whole message left, but the answer was lost. It may arrive.",
    [
        "Look into the mailbox before you send again.",
        "If this repeats, raise the time-out data_reply of this connection.",
    ],
)
TLS = (
    "No safe line to the provider",
    "The encryption could not be set up, or the certificate does not prove that this is the provider.",
    ["Check Encryption and Port: TLS goes with 465, STARTTLS with 587.",
     "Check the host name: it must be the one in the certificate."],
)  # fmt: skip


def diagnose(outcome: Outcome, phase: Phase, connection: Connection) -> dict[str, Any]:
    """Title, text and numbered next steps for an outcome that is not a success."""
    title, text, steps = _words(outcome, phase, connection)
    return {"title": title, "text": text, "steps": steps}


def _words(outcome: Outcome, phase: Phase, connection: Connection) -> tuple[str, str, list[str]]:
    match outcome:
        case Accepted():
            return "Sent", "The provider took the message.", []
        case Unclear():
            return UNCLEAR
        case Deferred(about_sender=True) | Rejected(about_sender=True):
            return SENDER
        case Deferred(fault=Fault.UNREACHABLE) | Rejected(fault=Fault.UNREACHABLE):
            return TLS if phase is Phase.TLS else _unreachable(connection)
        case Deferred(fault=fault) | Rejected(fault=fault):
            return BY_FAULT[fault]


BY_FAULT = {
    Fault.ACCOUNT: ACCOUNT,
    Fault.LIMIT: LIMIT,
    Fault.RECIPIENT: RECIPIENT,
    Fault.MESSAGE: MESSAGE,
    Fault.PROVIDER: PROVIDER,
    Fault.LOCAL: LOCAL,
}


def _unreachable(connection: Connection) -> tuple[str, str, list[str]]:
    host, port = connection.settings.get("host", ""), connection.settings.get("port", "")
    if "port" not in connection.settings:
        return (
            "The provider cannot be reached",
            f"No conversation with {host or 'its API'} came about.",
            [
                "Check that this machine may connect to the internet by HTTPS (port 443), and its DNS.",
                "See the provider's status page.",
            ],
        )
    return (
        "The provider cannot be reached",
        f"No conversation with {host}:{port} came about.",
        [
            "Check the host name and the port.",
            "Your host may block port 25, 465 or 587: try 2525 if the provider offers it.",
            "Ask whoever runs the network whether outgoing mail ports are open.",
        ],
    )
