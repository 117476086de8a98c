"""API keys: shown once, kept as digests, with scopes, limited, and revoked at once."""

import json
from datetime import timedelta

import pytest

from secondpost.errors import Refusal, SecondpostError, TooMany
from secondpost.service.credentials import Client
from secondpost.service.keys import KIND, SCOPES, Keys
from secondpost.service.submit import utc_now
from secondpost.store.memory import MemoryStore

NOW = utc_now().replace(minute=10, second=1, microsecond=0)


@pytest.fixture
async def keys():
    return Keys(MemoryStore())


async def test_the_key_opens_and_no_other_does(keys):
    key = (await keys.add("shop", senders=["@example.com"]))["key"]
    assert keys.client(key) == Client("key:shop", ("@example.com",), frozenset({"send", "read"}))
    for wrong in (key[:-1], key + "0", "", "sp_", "shop", "\udcff"):
        assert keys.client(wrong) is None


async def test_only_a_digest_is_kept(keys):
    key = (await keys.add("shop"))["key"]
    assert len(key) == 43
    assert key[3:] not in json.dumps(await keys.store.all(KIND))
    assert key not in json.dumps(keys.list())


async def test_a_signing_key_signs_and_opens_nothing_else(keys):
    made = await keys.add("ses", signing=True)
    client, secret = keys.signing(made["access_id"])
    assert (client.name, secret) == ("key:ses", made["secret"])
    assert keys.signing("SPKEY0") is None
    assert keys.client(made["secret"]) is None
    assert made["secret"] not in json.dumps(keys.list())


async def test_they_survive_a_restart(keys):
    key = (await keys.add("shop", scopes=["read-all"], per_minute=1))["key"]
    again = Keys(keys.store)
    await again.load()
    client = again.client(key)
    assert client
    assert client.scopes == {"read-all"}
    again.pace("key:shop", NOW)
    with pytest.raises(TooMany):
        again.pace("key:shop", NOW)


async def test_a_revoked_key_is_worthless_at_once(keys):
    key = (await keys.add("shop"))["key"]
    await keys.revoke("shop")
    assert keys.client(key) is None
    with pytest.raises(Refusal, match="was revoked"):
        keys.pace("key:shop", NOW)
    with pytest.raises(SecondpostError, match="no API key"):
        await keys.revoke("shop")


@pytest.mark.parametrize(("name", "scopes"), [("", ["send"]), ("a\n", ["send"]), ("a", ["all"]), ("a", [])])
async def test_what_is_no_name_or_no_scope_is_refused(keys, name, scopes):
    with pytest.raises(SecondpostError):
        await keys.add(name, scopes)
    assert keys.list() == []


async def test_a_name_is_given_once(keys):
    await keys.add("shop", list(SCOPES))
    with pytest.raises(SecondpostError, match="already"):
        await keys.add("shop")


async def test_a_restart_does_not_begin_the_count_anew(keys):
    await keys.add("shop", per_hour=2)
    keys.pace("key:shop", NOW)
    keys.pace("key:shop", NOW)
    await keys.keep_counts()
    again = Keys(keys.store)
    await again.load()
    with pytest.raises(TooMany):
        again.pace("key:shop", NOW)
    again.pace("key:shop", NOW + timedelta(hours=1))
