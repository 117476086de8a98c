"""The post comes to a request by FastAPI's dependency and by Starlette's state, open and closed with the app."""

from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

import secondpost
from secondpost import testing
from secondpost.contrib.fastapi import Post, lifespan
from tests.guides.blocks import python, run
from tests.provider import HOST

FASTAPI, OWN, STARLETTE = python("fastapi")


@pytest.fixture
def outbox():
    with testing.outbox() as kept:
        yield kept


def test_the_fastapi_app_that_is_shown_sends_each_order_once(outbox, monkeypatch):
    monkeypatch.setenv("SECONDPOST_KEY", "sp_x")
    with TestClient(run(FASTAPI)["app"]) as client:
        assert [client.post("/orders/42").json() for _ in range(2)] == [{"mail": "queued"}] * 2
        schema = client.get("/openapi.json").json()
    outbox.assert_sent(to="anna@example.net", subject="Your order", count=1)
    assert [it["name"] for it in schema["paths"]["/orders/{number}"]["post"]["parameters"]] == ["number"]


def test_a_lifespan_of_ones_own(outbox):
    app = FastAPI(lifespan=run(OWN)["lifespan"])

    @app.get("/")
    async def order(post: Post) -> str:
        return (await post.send(to="anna@example.net", text="Hello")).state

    with TestClient(app) as client:
        assert client.get("/").json() == "accepted"


def test_the_starlette_app_that_is_shown_sends(outbox):
    with TestClient(run(STARLETTE)["app"]) as client:
        assert client.post("/orders").json() == {"mail": "accepted"}
    outbox.assert_sent(to="anna@example.net")


def test_what_is_queued_is_finished_when_the_app_stops_and_it_can_start_again(primary, tmp_path):
    settings: Any = {
        "primary": f"smtp://{HOST}:{primary.port}",
        "queue": tmp_path / "mail",
        "from_email": "a@example.com",
    }
    app = FastAPI(lifespan=lifespan(**settings))

    @app.get("/")
    async def order(post: Post) -> str:
        return (await post.send(to="anna@example.net", text="Hello")).state

    for _ in range(2):
        with TestClient(app) as client:
            assert client.get("/").json() == "queued"
    assert len(primary.mail) == 2


def test_wrong_settings_are_told_when_the_app_is_made_and_a_missing_lifespan_when_it_is_used():
    with pytest.raises(secondpost.ConfigError, match="wants a key"):
        lifespan(url="http://127.0.0.1:1")
    app = FastAPI()

    @app.get("/")
    async def order(post: Post) -> None:
        raise AssertionError(post)

    with TestClient(app) as client, pytest.raises(secondpost.SecondpostError, match="This app has no post"):
        client.get("/")
