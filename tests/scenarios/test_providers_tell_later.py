"""A provider tells by webhook what became of mail: the log knows, a doubt is settled, and a complaint is heeded."""

import hashlib
import hmac
import json
import urllib.error
import urllib.request
from urllib.parse import urlencode

from tests.gateway import Gateway
from tests.mailers import test_elasticemail, test_mailersend
from tests.providers.server import Provider as Api

TO = "anna@example.com"
SIGNING = "a-signing-secret"


def section(name, api, **more):
    return {"mailer": name, "timeouts": {"data_reply": 0.5}, **api.settings, **more}


def ask(url, body=None, **headers):
    """(status, text) of one request to the gateway."""
    request = urllib.request.Request(url, data=body, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def signed(kind, number):
    data = {"email": {"recipient": {"email": TO}, "tags": [number]}, "id": "e-1"}
    told = {"type": f"activity.{kind}", "created_at": "2026-03-01T12:00:00Z", "data": data}
    body = json.dumps(told).encode()
    return {"body": body, "Signature": hmac.new(SIGNING.encode(), body, hashlib.sha256).hexdigest()}


def test_the_story_says_delivered_and_a_complaint_suppresses(tmp_path, backup):
    with Api(test_mailersend.PEER) as api:
        primary = section("mailersend", api, signing_secret=SIGNING)
        with Gateway(tmp_path, primary=primary, backup=backup) as gateway:
            url = gateway.run("connections", "webhook", "primary").stdout.strip()
            assert url.startswith(f"http://localhost:{gateway.http_port}/webhooks/primary/")
            mark = gateway.send()
            gateway.becomes(mark, "accepted")
            number = gateway.numbers[mark]
            for _ in range(2):
                assert ask(url, **signed("delivered", number)) == (200, '{"events":1}')
            assert gateway.story(mark).count("delivered primary: #0 anna@example.com") == 1
            assert "accepted by primary, delivered" in gateway.story(mark)

            forged = signed("spam_complaint", number) | {"Signature": "0" * 64}
            assert ask(url, **forged)[0] == 403
            assert ask(url[:-1] + ("A" if url[-1] != "A" else "B"), **signed("spam_complaint", number))[0] == 404
            assert gateway.cli("suppressions", "list") == []

            assert ask(url, **signed("spam_complaint", number))[0] == 200
            second = gateway.send()
            gateway.becomes(second, "cancelled")
            gateway.restart()
            third = gateway.send()
            gateway.becomes(third, "cancelled")
            assert "suppressed: spam" in gateway.story(third)
            assert gateway.complaints == []


def test_a_doubt_waits_for_the_event_and_is_settled_by_it(tmp_path, backup):
    with Api(test_elasticemail.PEER) as api:
        with Gateway(tmp_path, primary=section("elasticemail", api), backup=backup) as gateway:
            url = gateway.cli("connections", "webhook", "primary")["url"]
            api.fail("lost after the point")
            mark = gateway.send()
            gateway.becomes(mark, "unclear")
            told = {"status": "Sent", "to": TO, "postback": gateway.numbers[mark], "date": "3/1/2026 12:00:00 PM"}
            assert ask(f"{url}?{urlencode(told)}")[0] == 200
            assert gateway.state(mark) == "accepted"
            assert "told by webhook: primary has it" in gateway.story(mark)
        assert api.copies == {TO: 1}
        assert not backup.mail
