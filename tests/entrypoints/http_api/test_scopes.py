"""Who may what over the HTTP API: the scope of each route, and what a key sees and sends."""

import pytest
from fastapi.routing import APIRoute

from secondpost.entrypoints import http_api
from tests.entrypoints.http_api.conftest import FORM, RAW

# Every route, and the scope that its key must have. Reviewed by hand: a route that is not here fails.
SCOPES = {
    ("POST", "/v1/messages"): "send",
    ("POST", "/v1/messages/raw"): "send",
    ("POST", "/v1/messages/batch"): "send",
    ("GET", "/v1/messages"): "read-all",
    ("GET", "/v1/messages/{id}"): "read",
    ("POST", "/v1/messages/{id}/resend"): "manage",
    ("POST", "/v1/messages/{id}/cancel"): "manage",
    ("POST", "/v1/messages/{id}/settle"): "manage",
    ("GET", "/v1/connections"): "connections",
    ("POST", "/v1/connections/{id}/verify"): "connections",
    ("GET", "/v1/stats"): "read-all",
}
OPEN = {"/v1/openapi.json", "/v1/docs"}
LOOK_ALIKES = {  # each refuses whoever has no key: test_look_alikes.py
    "/email", "/email/batch", "/email/withTemplate", "/email/withTemplate/", "/email/batchWithTemplates",
    "/email/batchWithTemplates/", "/v3/mail/send", "/v3/{domain}/messages", "/v3/{domain}/messages.mime", "/emails",
    "/emails/batch", "/v2/email/outbound-emails", "/v2/email/outbound-bulk-emails",
}  # fmt: skip


def test_every_route_has_the_scope_that_was_reviewed(api_app):
    found = {}
    for route in api_app.routes:
        if isinstance(route, APIRoute):
            assert route.dependencies, route.path
            for method in route.methods or ():
                found[method, route.path] = (route.openapi_extra or {})["x-scope"]
        else:
            assert route.path in OPEN | LOOK_ALIKES, route.path
    assert found == SCOPES


@pytest.fixture
def api_app(api):
    from secondpost import config

    return http_api.build(api.core.operations, config.load(environ={"SECONDPOST_CONFIG": "/dev/null"}))


async def test_no_route_opens_without_a_key_or_with_another_scope(api):
    keys = {scope: await api.make_key(scope) for scope in set(SCOPES.values())}
    for (method, path), needed in SCOPES.items():
        there = path.replace("{id}", "0000000000000")
        for key in ("", "sp_wrong", "sp_" + "0" * 40):
            assert (await api(method, there, key=key, json={})).status in {401, 429}, path
        for scope, key in keys.items():
            status = (await api(method, there, key=key, json={})).status
            assert (status == 403) is (scope != needed), (path, scope)
    assert await api.stored() == []


async def test_a_key_sees_its_own_messages_only(api):
    mine, other, all_ = (
        await api.make_key("send", "read"),
        await api.make_key("read", "manage"),
        await api.make_key("read", "read-all"),
    )
    id = (await api.post("/v1/messages", json=FORM, key=mine)).data["id"]
    assert [(await api.get(f"/v1/messages/{id}", key=key)).status for key in (mine, other, all_)] == [200, 404, 200]
    for act in ("cancel", "resend", "settle"):
        answer = await api.post(f"/v1/messages/{id}/{act}", key=other, json={"verdict": "arrived"})
        assert answer.status == 404


async def test_a_key_sends_as_its_own_senders_only(api):
    key = await api.make_key("send", senders=["@example.com"])
    assert (await api.post("/v1/messages", json=FORM, key=key)).status == 202
    assert (await api.post("/v1/messages", json=FORM | {"from": "x@example.org"}, key=key)).status == 403
    raw = {"Content-Type": "message/rfc822", "Secondpost-Mail-From": "x@example.org"}
    assert (await api.post("/v1/messages/raw", data=RAW, headers=raw, key=key)).status == 403


async def test_only_a_key_that_may_choose_names_a_connection(api):
    chosen = FORM | {"connection": "inbox"}
    assert (await api.post("/v1/messages", json=chosen, key=await api.make_key("send"))).status == 403
    assert (await api.post("/v1/messages", json=chosen)).status == 202
    kind = {"Content-Type": "message/rfc822"}
    assert (
        await api.post("/v1/messages/raw", data=b"Secondpost-Connection: inbox\n" + RAW, headers=kind)
    ).status == 403


async def test_a_revoked_key_opens_nothing_any_more_and_that_is_noticed_without_the_key(api, caplog):
    key = await api.make_key("send")
    await api.core.operations.keys.revoke("key1")
    assert (await api.post("/v1/messages", json=FORM, key=key)).status == 401
    assert "a key from 127.0.0.1 is not known" in caplog.text
    assert key not in caplog.text
