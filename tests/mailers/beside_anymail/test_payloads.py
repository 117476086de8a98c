"""What we ask of a provider, beside what django-anymail asks of it for the same message, over a corpus of messages.

Both are read by the provider's documentation (`seen.py`) and compared part by part. Where the two differ, or where one
of them refuses, `EXPLAINED` says why; a difference that is not there, and an explanation of none, are both failures.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from anymail.exceptions import AnymailError
from django.core.mail import get_connection

from tests.mailers.beside_anymail import seen
from tests.mailers.beside_anymail.corpus import CORPUS
from tests.mailers.beside_anymail.explained import EXPLAINED
from tests.mailers.beside_anymail.ours import asked, differences, fresh
from tests.mailers.beside_anymail.seen import Seen
from tests.providers.server import SECRET, Call, Provider, Says


@dataclass(frozen=True)
class Theirs:
    """How anymail asks the provider, and how to read it."""

    path: str  # of its API, with the slash at the end that anymail wants
    settings: dict[str, Any]
    read: Callable[[Call], Seen]
    endpoint: str = ""  # where it posts to, if not to where we do
    answer: Any = None


def people(call: Call) -> Any:
    return [{"email": one["email"], "status": "sent", "_id": "m"} for one in call.json["message"]["to"]]


THEIRS = {
    "brevo": Theirs("v3/", {"api_key": SECRET}, seen.brevo),
    "mailersend": Theirs("v1/", {"api_token": SECRET}, seen.mailersend),
    "mailgun": Theirs(
        "v3/", {"api_key": SECRET, "sender_domain": "mg.shop.example"}, seen.mailgun,
        "POST /v3/mg.shop.example/messages", lambda _: {"id": "<m-1@mg.shop.example>", "message": "Queued. Thank you."},
    ),
    "mailjet": Theirs("v3.1/", {"api_key": SECRET, "secret_key": f"{SECRET}-2"}, seen.mailjet),
    "mailtrap": Theirs("api/", {"api_token": SECRET}, seen.mailtrap),
    "mandrill": Theirs("api/1.0/", {"api_key": SECRET}, seen.mandrill, "POST /api/1.0/messages/send.json", people),
    "postal": Theirs(
        "", {"api_key": SECRET}, seen.postal, "POST /api/v1/send/message",
        lambda call: {"status": "success", "data": {"messages": {
            one: {"id": 1, "token": "t"} for field in ("to", "cc", "bcc") for one in call.json.get(field, [])
        }}},
    ),
    "postmark": Theirs("", {"server_token": SECRET}, seen.postmark),
    "resend": Theirs("", {"api_key": SECRET}, seen.resend),
    "scaleway": Theirs(
        "transactional-email/v1alpha1/regions/fr-par/", {"secret_key": SECRET, "project_id": "p1"}, seen.scaleway
    ),
    "sendgrid": Theirs("v3/", {"api_key": SECRET}, seen.sendgrid),
    "sparkpost": Theirs("api/v1/", {"api_key": SECRET}, seen.sparkpost, "POST /api/v1/transmissions/"),
}  # fmt: skip


@dataclass(frozen=True)
class Both:
    """One provider twice: as we know it, and as anymail does."""

    name: str
    for_us: Provider
    for_them: Provider

    async def ours(self, message: Any) -> Seen | str:
        """What we ask, or why we refuse."""
        taken = await asked(self.name, self.for_us, message)
        if isinstance(taken, str):
            return taken
        if (read := seen.OURS_RAW.get(self.name)) is None:
            (call,) = taken
            return THEIRS[self.name].read(call)
        return seen.mime(read(taken[0]), [one for call in taken for one in self.for_us.script.recipients(call)])

    def theirs(self, message: Any) -> Seen | str:
        """What anymail asks, or why it refuses."""
        way = THEIRS[self.name]
        refusal, url = "", f"http://127.0.0.1:{self.for_them.port}/{way.path}"
        try:
            get_connection(f"anymail.backends.{self.name}.EmailBackend", api_url=url, **way.settings).send_messages(
                [message]
            )
        except AnymailError as error:
            refusal = f"refuses: {error}"
        taken = fresh(self.for_them)
        return way.read(taken[0]) if taken else refusal


@pytest.fixture(scope="module", params=THEIRS)
def both(request):
    way, script = THEIRS[request.param], importlib.import_module(f"tests.mailers.test_{request.param}").PEER
    taken = (lambda call: Says(200, way.answer(call))) if way.answer else script.taken
    other = replace(
        script, send=way.endpoint or script.send, faults=lambda _: [], authorized=lambda _: True, taken=taken
    )
    with Provider(script) as for_us, Provider(other) as for_them:
        yield Both(request.param, for_us, for_them)


@pytest.mark.filterwarnings("ignore:django-anymail has dropped official support")
@pytest.mark.parametrize("case", CORPUS)
async def test_we_ask_for_what_anymail_asks_for(both, case):
    made = CORPUS[case]
    found = differences(made(), await both.ours(made()), both.theirs(made()))
    explained = {part for names, cases, parts, _ in EXPLAINED for part in parts if both.name in names and case in cases}
    assert found.keys() == explained, found


def test_the_corpus_is_large():
    assert len(CORPUS) >= 40
