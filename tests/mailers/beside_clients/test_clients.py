"""What we ask of a provider, beside what a client for it asks for the same message, over a corpus of messages.

Both are read by the provider's documentation and compared part by part, as beside django-anymail. `EXPLAINED` says why
where they differ or where one of them refuses; an explanation of no difference is a failure, too.
"""

import importlib
from dataclasses import replace

import pytest

from tests.mailers.beside_anymail.corpus import CORPUS
from tests.mailers.beside_anymail.ours import asked, differences, fresh
from tests.mailers.beside_clients.clients import CLIENTS
from tests.mailers.beside_clients.explained import BY_CLIENT
from tests.providers.server import Provider


@pytest.fixture(scope="module", params=CLIENTS)
def both(request):
    script = importlib.import_module(f"tests.mailers.test_{request.param}").PEER
    with Provider(script) as for_us, Provider(replace(script, faults=lambda _: [])) as for_them:
        yield request.param, for_us, for_them


def theirs(client, peer, message):
    """The requests by which the client sends it, or why it refuses."""
    try:
        client.send(f"http://127.0.0.1:{peer.port}", message)
    except client.refuses as error:
        assert not peer.taken
        return f"refuses: {error}"
    return fresh(peer)


@pytest.mark.parametrize("case", CORPUS)
async def test_we_ask_for_what_the_client_asks_for(both, case):
    name, for_us, for_them = both
    client, made = CLIENTS[name], CORPUS[case]
    asking = (await asked(name, for_us, made()), theirs(client, for_them, made()))
    one, other = [it if isinstance(it, str) else client.read(it[0]) for it in asking]
    found = differences(made(), one, other)
    if not isinstance(asking[0], str) and not isinstance(asking[1], str):
        rest = client.rest(asking[0][0]), client.rest(asking[1][0])
        found |= {"rest": rest} if rest[0] != rest[1] else {}
    explained = {part for names, cases, parts, _ in BY_CLIENT for part in parts if name in names and case in cases}
    assert found.keys() == explained, found
