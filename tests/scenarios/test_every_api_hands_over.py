"""From each provider's API to SMTP and back: one gateway, a connection for each, and a route each by the subject."""

from contextlib import ExitStack

import pytest

from tests.contract.test_http_mailers import NAMES, SCRIPTS
from tests.gateway import Gateway
from tests.provider import HOST, wait_until
from tests.providers.server import Provider as Api
from tests.providers.server import Says

TO = "anna@example.com"
DOWN = Says(503, "Service Unavailable", "deferred provider")
HTML = {"MIME_Version": "1.0", "Content_Type": "text/html"}


def route(name, **chain):
    rule = {"property": "subject", "operator": "starts_with", "value": f"{name} "}
    return {"name": name, "any": [{"all": [rule]}], **chain}


def section(name, api):
    return {"mailer": name, "timeouts": {"data_reply": 1}, "from_email": "shop@example.com", **api.settings}


@pytest.fixture
def apis():
    with ExitStack() as stack:
        yield {name: stack.enter_context(Api(SCRIPTS[name])) for name in NAMES}


def send(gateway, number):
    """A message by each route; the connections that were tried for it."""
    marks = {name: gateway.send(mark=f"{name} {number}", **HTML) for name in NAMES}
    wait_until(lambda: {gateway.log()[mark]["status"] for mark in marks.values()} == {"accepted"}, 30, gateway.report)
    return {name: gateway.attempts(mark) for name, mark in marks.items()}


def test_each_api_that_is_down_hands_over_to_smtp_and_gets_its_mail_back(tmp_path, apis, primary, backup):
    settings = {
        "connections": {name: section(name, api) for name, api in apis.items()},
        "routes": [route(name, connection=name) for name in apis],
    }
    with Gateway(tmp_path, primary=primary, backup=backup, settings=settings) as gateway:
        for api in apis.values():
            api.fail(DOWN)
        assert send(gateway, 1) == {name: [name, "backup"] for name in apis}
        assert backup.copies == {(f"{name} 1", TO): 1 for name in apis}
        for api in apis.values():
            api.fail("")

        def returned():
            return {row["state"] for row in gateway.ask("connections_list")[1]} == {"closed"}

        wait_until(returned, 30, gateway.report)
        assert send(gateway, 2) == {name: [name] for name in apis}
        assert [name for name, api in apis.items() if api.copies != {TO: 1}] == []
        assert len(backup.copies) == len(apis)
        assert gateway.complaints == []


def test_each_api_takes_over_from_smtp_that_is_down(tmp_path, apis, backup):
    settings = {
        "connections": {name: section(name, api) for name, api in apis.items()},
        "routes": [route(name, connection="primary", backups=[name]) for name in apis],
    }
    dead = {"mailer": "smtp", "host": HOST, "port": 9}
    with Gateway(tmp_path, primary=dead, backup=backup, settings=settings) as gateway:
        tried = send(gateway, 1)
        assert {name: way[-1] for name, way in tried.items()} == {name: name for name in apis}
        assert [name for name, api in apis.items() if api.copies != {TO: 1}] == []
        assert not backup.mail
        assert gateway.complaints == []
