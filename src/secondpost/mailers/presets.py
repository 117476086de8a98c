"""Known providers' SMTP servers, as data.

Rule: a fact that is not in the provider's own documentation is not here.
"""

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One provider's submission server. `username` is filled in when the provider wants the same one from everybody."""

    title: str
    host: str
    port: int = 587
    encryption: Literal["none", "starttls", "tls"] = "starttls"
    username: str = ""
    hint: str = ""  # what to enter as username
    note: str = ""


PRESETS: Final[dict[str, Preset]] = {
    "sendgrid": Preset(title="SendGrid", host="smtp.sendgrid.net", username="apikey", note="The password is an API key."),
}
