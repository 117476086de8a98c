"""What we ask of a provider, read by the model that the provider itself publishes for it, over a corpus of messages.

A model must take all of it, and write back the same: what it does not know would be missing. `EXPLAINED` says why
where it is otherwise; a difference that is not there, and an explanation of none, are both failures.
"""

import importlib
from typing import Any

import pytest

from secondpost.mailers import ses
from tests.mailers.beside_anymail.corpus import CORPUS
from tests.mailers.beside_anymail.ours import asked
from tests.mailers.beside_clients.explained import BY_MODEL
from tests.mailers.beside_clients.models import ANSWERS, MODELS, SES
from tests.providers.server import Provider


@pytest.fixture(scope="module", params=MODELS)
def peer(request):
    with Provider(importlib.import_module(f"tests.mailers.test_{request.param}").PEER) as peer:
        yield request.param, peer


def reading(name, body):
    """What becomes of a payload: nothing, if the model takes and keeps all of it."""
    try:
        back = MODELS[name](body)
    except ValueError as error:
        return "not taken", error
    return ("", None) if back == body else ("changed", back)


@pytest.mark.parametrize("case", CORPUS)
async def test_the_providers_model_takes_and_keeps_all_that_we_say(peer, case):
    name, provider = peer
    taken = await asked(name, provider, CORPUS[case]())
    found, why = ("refused", taken) if isinstance(taken, str) else reading(name, taken[0].json)
    explained = {what for names, cases, what, _ in BY_MODEL if name in names and case in cases}
    assert ({found} if found else set()) == explained, why


@pytest.mark.parametrize("name", MODELS)
def test_a_model_sees_what_it_does_not_know(name):
    bodies: dict[str, dict[str, Any]] = {
        "elasticemail": {"Recipients": {"To": ["a@b.com"]}, "Content": {"From": "a@b.com"}},
        "ses": {"Content": {"Raw": {"Data": ""}}},
    }
    body = bodies.get(name, {"from": {"email": "a@b.com"}, "to": [{"email": "a@b.com"}], "subject": "x", "text": "x"})
    assert reading(name, body)[0] == ""
    assert reading(name, body | {"Extra": "x"})[0] != ""


@pytest.mark.parametrize("name", ANSWERS)
async def test_our_look_alike_answers_as_the_providers_model_says(name):
    with Provider(importlib.import_module(f"tests.mailers.test_{name}").PEER) as provider:
        taken = await asked(name, provider, CORPUS["plain"]())
        assert not isinstance(taken, str)
        answer = provider.script.taken(taken[0]).body
    assert ANSWERS[name](answer) == answer


def test_every_refusal_of_amazons_model_is_judged():
    assert {error.name for error in SES.error_shapes} <= ses.CODES.keys()
