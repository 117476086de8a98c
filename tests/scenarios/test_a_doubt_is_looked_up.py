"""The answer of a provider with an API is lost: it is asked whether it has the message, and there is no second copy."""

from dataclasses import replace

import pytest

from tests.gateway import Gateway
from tests.mailers import test_postmark, test_resend
from tests.provider import wait_until
from tests.providers.server import Provider as Api
from tests.providers.server import Says

TO = "anna@example.com"
SENDER = "shop@example.com"
SOON = {"priority": {"normal": {"unclear_after": "20s"}}}


def section(name, api):
    return {"mailer": name, "timeouts": {"data_reply": 0.5}, **api.settings}


@pytest.fixture
def postmark():
    with Api(test_postmark.PEER) as api:
        yield api


def test_found_there_it_is_not_sent_again(tmp_path, postmark, backup):
    with Gateway(tmp_path, primary=section("postmark", postmark), backup=backup, settings=SOON) as gateway:
        postmark.fail("lost after the point")
        mark = gateway.send()
        gateway.becomes(mark, "unclear")
        gateway.becomes(mark, "accepted")
        assert postmark.copies == {TO: 1}
        assert not backup.mail
        story = gateway.story(mark)
        assert "looked up: primary has it" in story
        assert "duplicate" not in story


def test_a_doubt_of_before_a_restart_is_looked_up_after_it(tmp_path, postmark, backup):
    with Gateway(tmp_path, primary=section("postmark", postmark), backup=backup) as gateway:
        postmark.fail("lost after the point")
        mark = gateway.send()
        gateway.becomes(mark, "unclear")
        gateway.restart()
        gateway.becomes(mark, "accepted")
        assert postmark.copies == {TO: 1}
        assert not backup.mail


def test_a_look_up_that_fails_settles_nothing_and_the_policy_acts_in_the_end(tmp_path, backup):
    def refuse(call, taken):
        return Says(500, "<html>")

    with Api(replace(test_postmark.PEER, look=refuse)) as api:
        settings = {"priority": {"normal": {"unclear_after": "5s"}}}
        with Gateway(tmp_path, primary=section("postmark", api), backup=backup, settings=settings) as gateway:
            api.fail("lost after the point")
            mark = gateway.send()
            gateway.becomes(mark, "unclear")
            wait_until(lambda: "no answer that says anything" in gateway.story(mark), 5, gateway.report)
            assert gateway.state(mark) == "unclear"
            api.fail("")
            gateway.becomes(mark, "accepted", 15)
            assert "possible duplicate" in gateway.story(mark)


def test_with_the_same_key_it_is_asked_again_and_is_one_message(tmp_path, backup):
    with Api(test_resend.PEER) as api:
        with Gateway(tmp_path, primary=section("resend", api), backup=backup, settings=SOON) as gateway:
            api.fail("lost after the point")
            mark = gateway.send()
            gateway.becomes(mark, "unclear")
            api.fail("")
            gateway.becomes(mark, "accepted")
            assert "asked again with the same key: primary has it" in gateway.story(mark)
        first, second = api.taken
        assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
        assert first.body == second.body
        assert not backup.mail
