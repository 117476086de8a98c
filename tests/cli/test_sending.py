"""send, email-test and messages: what changes what leaves."""

import base64
import getpass
import io
import json
import os
import sys

import pytest

from secondpost.cli import progress

ID = "0sahnce1dvz77"


@pytest.fixture
def sent(gateway):
    """What `send` asked the gateway for."""
    gateway.answers["send"] = {"id": ID, "duplicate": False}
    return lambda: gateway.asked[-1][1]


def test_a_message_is_sent_with_all_its_parts(run, sent, folder):
    (folder / "body.html").write_text("<p>Hällo</p>")
    (folder / "bill.pdf").write_bytes(b"\0\xff")
    options = ["--html", "body.html", "--attach", "bill.pdf", "--priority", "URGENT", "--key", "k", "--tag", "t"]
    output = run(
        "send",
        "--to",
        "a@x.org",
        "--to",
        "b@x.org",
        "--from",
        "s@x.org",
        "--subject",
        "Hi",
        "--text",
        "Hello",
        *options,
    ).output
    assert f"secondpost log show {ID}" in output
    assert sent() == {
        "sender": "s@x.org",
        "to": ["a@x.org", "b@x.org"],
        "subject": "Hi",
        "text": "Hello",
        "html": "<p>Hällo</p>",
        "attachments": [{"filename": "bill.pdf", "content": base64.b64encode(b"\0\xff").decode()}],
        "priority": "urgent",
        "key": "k",
        "tag": "t",
    }


def test_the_text_may_come_from_standard_input(run, sent):
    run("send", "--to", "a@x.org", "--text", "-", input="piped")
    assert sent()["text"] == "piped"


def test_the_sender_is_the_primary_connections_unless_given(run, sent, folder):
    run("send", "--to", "a@x.org", "--text", "x")
    assert "@" in sent()["sender"]
    (folder / "secondpost.toml").write_text('[connections.main]\nmailer = "capture"\nfrom_email = "shop@x.org"\n')
    run("send", "--to", "a@x.org", "--text", "x")
    assert sent()["sender"] == "shop@x.org"


@pytest.mark.parametrize("trouble", [KeyError, OSError])
def test_a_user_without_a_name_can_send(run, sent, monkeypatch, trouble):
    def unnamed():
        raise trouble("uid not found: 54321")

    monkeypatch.setattr(getpass, "getuser", unnamed)
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    run("send", "--to", "a@x.org", "--text", "hi")
    assert sent()["sender"].startswith("uid54321@")


def test_a_repeated_key_sends_nothing_twice_and_says_so(run, gateway, ask):
    gateway.answers["send"] = {"id": ID, "duplicate": True}
    assert "Nothing was sent again" in run("send", "--to", "a@x.org", "--text", "x").output
    assert ask("send", "--to", "a@x.org", "--text", "x") == {"id": ID, "duplicate": True}


@pytest.mark.parametrize("option", ["--attach", "--html"])
@pytest.mark.parametrize(
    ("name", "said"),
    [("nope", "No such file"), (".", "directory"), ("big", "larger than 10 bytes"), ("bad\0", "name of a file")],
)
def test_an_unreadable_file_is_named_and_nothing_is_sent(run, gateway, folder, monkeypatch, option, name, said):
    monkeypatch.setenv("SECONDPOST_SMTP__MAX_MESSAGE_BYTES", "10")
    (folder / "big").write_text("x" * 11)
    result = run("send", "--to", "a@x.org", "--text", "x", option, name, code=1)
    assert said in result.stderr
    assert repr(name) in result.stderr
    assert gateway.asked == []


def test_html_that_is_not_text_is_refused(run, gateway, folder):
    (folder / "h").write_bytes(b"\xff")
    assert "not UTF-8" in run("send", "--to", "a@x.org", "--html", "h", code=1).stderr


def test_a_message_without_content_is_a_usage_error(run, gateway):
    assert "--text" in run("send", "--to", "a@x.org", code=2).stderr


GOOD = {
    "ok": True,
    "id": ID,
    "outcome": "accepted",
    "phase": "point",
    "reply": "250 ok",
    "diagnosis": None,
    "transcript": "",
    "stages": [{"name": "carried", "ms": 12.5}],
}
BAD = GOOD | {
    "ok": False,
    "outcome": "deferred",
    "phase": "login",
    "reply": "535 no\x1b[31m",
    "diagnosis": {"title": "The log-in failed", "text": "Wrong name.", "steps": ["Check it.", "Ask."]},
    "transcript": "S: 220 hi\nC: AUTH ***",
}


def test_an_email_test_tells_that_it_went_well(run, gateway):
    gateway.answers["email_test"] = GOOD
    output = run("email-test", "--to", "a@x.org", "--connection", "main", "--plain").output
    assert "250 ok" in output
    assert "12.5 ms" in output
    assert gateway.asked == [("email_test", {"to": "a@x.org", "connection": "main", "plain": True, "like_real": False})]


def test_an_email_test_that_failed_gives_the_diagnosis_and_the_next_steps(run, ask, gateway):
    gateway.answers["email_test"] = BAD
    said = run("email-test", "--to", "a@x.org", code=1).stderr
    for words in ("Test failed: The log-in failed", "1. Check it.", "2. Ask.", "Phase: login", "C: AUTH ***"):
        assert words in said
    assert "\x1b" not in said
    assert ask("email-test", "--to", "a@x.org", code=1) == BAD


def test_a_test_like_a_real_message_goes_through_routing(run, gateway):
    gateway.answers["email_test"] = {"ok": True, "id": ID, "queued": True}
    assert f"log show {ID}" in run("email-test", "--to", "a@x.org", "--like-real").output
    run("email-test", "--to", "a@x.org", "--like-real", "--connection", "x", code=2)


def test_many_messages_are_sent_again_and_one_failure_stops_none(run, ask, gateway):
    gateway.answers["messages_resend"] = {"id": "new"}
    assert ask("messages", "resend", "a", "b") == [{"message": "a", "id": "new"}, {"message": "b", "id": "new"}]
    run("messages", "resend", "-", "--to", "x@x.org", input="c\n\nd\n")
    assert [what["id"] for _, what in gateway.asked] == ["a", "b", "c", "d"]
    assert gateway.asked[-1][1]["recipients"] == ["x@x.org"]
    gateway.answers["messages_resend"] = ValueError("gone")
    result = run("messages", "resend", "a", "b", code=1)
    assert result.stderr.count("gone") == 2
    assert "no message id" in run("messages", "resend", "-", input="", code=1).stderr


def test_a_message_is_cancelled(run, ask, gateway):
    gateway.answers["messages_cancel"] = {"cancelled": 2}
    assert "2 deliveries" in run("messages", "cancel", ID).output
    assert ask("messages", "cancel", ID) == {"cancelled": 2}
    assert run("messages", "cancel", ID).output == "2 deliveries cancelled.\n"


def test_what_waits_for_later_is_made_due_now(run, ask, gateway):
    gateway.answers["messages_try_now"] = {"due": 1}
    assert run("messages", "try-now", ID).output == "1 delivery due now.\n"
    assert ask("messages", "try-now", ID) == {"due": 1}


@pytest.mark.parametrize(
    ("flag", "verdict"), [("--arrived", "arrived"), ("--refused", "refused"), ("--send-again", "send_again")]
)
def test_a_doubt_is_settled_by_a_person(run, ask, gateway, flag, verdict):
    gateway.answers["messages_settle"] = {"settled": 1}
    assert ask("messages", "settle", ID, flag, "--number", "1") == {"settled": 1}
    assert gateway.asked == [("messages_settle", {"id": ID, "verdict": verdict, "number": 1})]
    assert run("messages", "settle", ID, flag).output == "1 delivery settled.\n"


def test_settling_needs_a_verdict(run, gateway):
    assert "--arrived, --refused or --send-again" in run("messages", "settle", ID, code=2).stderr


def test_json_of_errors_is_data_too(gateway, run):
    gateway.answers["send"] = ValueError("The recipient is not an address.")
    result = run("send", "--to", "x", "--text", "x", "--json", code=1)
    assert json.loads(result.stdout)["error"]["message"] == "The recipient is not an address."


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_long_work_has_a_progress_bar_where_a_person_watches(monkeypatch):
    monkeypatch.setattr(sys, "stderr", watched := Terminal())
    with progress.counting("sent again", total=3) as step:
        for _ in range(3):
            step()
    assert "sent again" in watched.getvalue()
    assert "3/3" in watched.getvalue()
    monkeypatch.setattr(sys, "stderr", piped := io.StringIO())
    with progress.counting("sent again", total=3) as step:
        step()
    assert piped.getvalue() == ""


# drill ----------------------------------------------------------------------------------------------------------------


def test_a_drill_tells_the_way_and_fails_when_nothing_was_proved(run, gateway):
    gateway.answers["drill"] = {"ok": True, "text": "Main refused (drill) → Second accepted in 4 ms"}
    assert "Second accepted in 4 ms" in run("drill", "--to", "a@x.org", "--connection", "main").output
    assert gateway.asked == [("drill", {"to": "a@x.org", "connection": "main"})]
    gateway.answers["drill"] = {"ok": False, "text": "no other connection could take it"}
    assert "no other" in run("drill", "--to", "a@x.org", code=1).output


def test_real_mail_is_refused_only_after_a_yes(run, gateway):
    gateway.answers["drill_begin"] = {"connection": "main", "until": "2026-01-01T00:05:00.000+00:00"}
    run("drill", "--real-mail", "5", input="n\n", code=1)
    assert gateway.asked == []
    assert "until 2026-01-01" in run("drill", "--real-mail", "5", input="y\n").output
    run("drill", "--real-mail", "5", "--connection", "main", "--yes")
    assert gateway.asked[-1] == ("drill_begin", {"minutes": 5, "connection": "main"})
    gateway.answers["drill_end"] = None
    assert "no drill" in run("drill", "--end").output


def test_a_drill_of_real_mail_needs_a_gateway_that_runs(run):
    assert "not running" in run("drill", "--real-mail", "5", "--yes", code=1).output


def test_a_drill_is_asked_for_one_thing(run):
    assert "Give one of" in run("drill", code=2).output
    assert "Give one of" in run("drill", "--to", "a@x.org", "--end", code=2).output
