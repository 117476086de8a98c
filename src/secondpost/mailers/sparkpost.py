"""SparkPost: https://developers.sparkpost.com/api/"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from secondpost.core.event import Event, Kind
from secondpost.core.outcome import Accepted, Outcome
from secondpost.mailers import api, hooks
from secondpost.mailers.base import Abilities, Hook, Setting, Sought
from secondpost.mailers.parts import Letter, seven_bit

URLS: Final = {"us": "https://api.sparkpost.com/api/v1", "eu": "https://api.eu.sparkpost.com/api/v1"}
SEARCHED: Final = 50  # recipients that a look-up asks for at once
CODES: Final = {
    "7001": api.sender, "1902": api.recipient, "2101": api.limit, "2102": api.limit, "2103": api.limit,
}  # fmt: skip
KINDS: Final = {
    "injection": Kind.QUEUED, "delivery": Kind.DELIVERED, "bounce": Kind.BOUNCED, "out_of_band": Kind.BOUNCED,
    "delay": Kind.DEFERRED, "spam_complaint": Kind.COMPLAINED, "policy_rejection": Kind.REJECTED,
    "generation_rejection": Kind.REJECTED, "generation_failure": Kind.FAILED, "open": Kind.OPENED,
    "click": Kind.CLICKED, "amp_open": Kind.OPENED, "amp_click": Kind.CLICKED,
    "list_unsubscribe": Kind.UNSUBSCRIBED, "link_unsubscribe": Kind.UNSUBSCRIBED,
}  # fmt: skip
NOT_TAKEN: Final = {Kind.REJECTED, Kind.FAILED, Kind.UNKNOWN}
HARD: Final = {"10", "30", "90"}  # classes of bounces that do not pass: no such recipient, unsubscribed
REPLIES: Final = {"60", "100"}  # a bounce that is a vacation notice or a challenge


class SparkPost(api.Api):
    """Takes the message as it is, with an envelope of its own. Suppressed recipients are told of later."""

    name: ClassVar[str] = "sparkpost"
    title: ClassVar[str] = "SparkPost"
    site: ClassVar[str] = "https://developers.sparkpost.com/api/"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="key", label="API Key", kind="secret", required=True,
            help="In SparkPost: API Keys. It needs Transmissions: Read/Write; for look-ups Events Search: Read-only.",
        ),
        Setting(
            name="region", label="Region", kind="choice", default="us", choices=("us", "eu"),
            help="Where the account was opened. In the other region its keys are not known.",
        ),
        *api.SHARED,
    )  # fmt: skip
    can: ClassVar[Abilities] = Abilities(
        max_bytes=20_000_000, max_recipients=1000, lookup=True, events=True, not_in_head="{{"
    )
    notes: ClassVar[tuple[str, ...]] = (
        "Webhooks are not signed: keep their address secret.",
        "A header field with {{ is refused: SparkPost would take it for a template.",
        "SparkPost may put a List-Unsubscribe of its own in the place of yours.",
    )
    body_tells: ClassVar[bool] = True  # 200 with rejected recipients

    def request(self, letter: Letter, settings: api.Values) -> api.Request:
        body: dict[str, Any] = {
            "recipients": [{"address": {"email": recipient}} for recipient in letter.recipients],
            "content": {"email_rfc822": seven_bit(letter.content).decode("utf-8", "replace")},
            "metadata": {"secondpost": letter.mark},
            "options": {
                "transactional": True, "perform_substitutions": False, "open_tracking": False,
                "click_tracking": False,
            },
        }  # fmt: skip
        return api.post(f"{_url(settings)}/transmissions", _key(settings), body)

    def outcome(self, response: api.Response, letter: Letter) -> Outcome | list[Outcome]:
        if not response.ok:
            return _refused(response)
        results = response.dig("results") or {}
        taken, rejected = results.get("total_accepted_recipients"), results.get("total_rejected_recipients")
        if taken == len(letter.recipients):
            return Accepted(response.reply("accepted"), str(results.get("id") or ""))
        if taken == 0 and rejected == len(letter.recipients):
            return [api.recipient(response, response.reply())] * len(letter.recipients)
        return api.unclear(response, response.reply(f"{taken} accepted, {rejected} rejected, without their names"))

    def verify(self, settings: api.Values) -> api.Request:
        return api.get(f"{_url(settings)}/account", _key(settings))

    def verified(self, response: api.Response) -> tuple[Outcome, Mapping[str, str]]:
        """A key that may only send is not shown the account, and is good."""
        if response.status == 403:
            return Accepted(response.reply("the key is known; what it may do is not shown")), {}
        company = response.dig("results", "company_name")
        return api.by_status(response, _said(response)), {"account": str(company)} if company else {}

    def lookup(self, sought: Sought, settings: api.Values) -> api.Request:
        query = {
            "recipients": ",".join(sought.recipients[:SEARCHED]),
            "from": sought.since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "per_page": "1000",
        }
        return api.get(f"{_url(settings)}/events/message", _key(settings), **query)

    def found(self, response: api.Response, sought: Sought) -> Mapping[str, str]:
        return {
            str(one.get("rcpt_to", "")).lower(): str(one.get("transmission_id", ""))
            for one in response.dig("results") or []
            if (one.get("rcpt_meta") or {}).get("secondpost") == sought.mark and _kind(one) not in NOT_TAKEN
        }

    def events(self, hook: Hook, settings: api.Values, now: datetime) -> list[Event]:
        """Each has its kind of event as its only key; a ping has none."""
        wrapped = [one.get("msys") or {} for one in hooks.each(hooks.body(hook))]
        return [_event(one, now) for told in wrapped for one in hooks.each(list(told.values()))]


def _url(settings: api.Values) -> str:
    return URLS[settings["region"]]


def _key(settings: api.Values) -> dict[str, str]:
    return {"Authorization": settings["key"]}


def _said(response: api.Response) -> str:
    errors = hooks.each(response.dig("errors") or [])
    return "; ".join(str(one.get("description") or one.get("message") or "") for one in errors)


def _refused(response: api.Response) -> Outcome:
    said = _said(response)
    codes = [str(one.get("code")) for one in hooks.each(response.dig("errors") or [])]
    judge = next((CODES[code] for code in codes if code in CODES), None)
    if judge is None and response.status == 420:  # the sending limit
        judge = api.limit
    return judge(response, response.reply(said)) if judge else api.by_status(response, said)


def _kind(told: Mapping[str, Any]) -> Kind:
    if str(told.get("bounce_class")) in REPLIES:
        return Kind.AUTORESPONDED
    return KINDS.get(str(told.get("type")), Kind.UNKNOWN)


def _event(told: Mapping[str, Any], now: datetime) -> Event:
    kind = _kind(told)
    return Event(
        kind=kind,
        at=hooks.when(told.get("timestamp"), now),
        recipient=str(told.get("raw_rcpt_to") or told.get("rcpt_to") or ""),
        provider_id=str(told.get("transmission_id") or ""),
        message=hooks.ours((told.get("rcpt_meta") or {}).get("secondpost")),
        event_id=str(told.get("event_id") or ""),
        permanent=kind is Kind.BOUNCED and str(told.get("bounce_class")) in HARD,
        text=str(told.get("raw_reason") or told.get("reason") or "")[:500],
    )
