"""log and queue: what became of the mail, and what waits."""

import csv
import errno
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from secondpost.cli.log import query
from secondpost.service import export

ROW: dict[str, Any] = {
    "id": "0sahnce1dvz77",
    "accepted": "2026-01-31T14:02:11.000+00:00",
    "status": "accepted",
    "subject": "Your order",
    "from": "shop@example.com",
    "to": ["anna@example.com"],
    "connection": "main",
    "initiator": "web",
    "size": 2048,
    "priority": "normal",
}
HOSTILE = ROW | {"subject": '=cmd|"/c calc"\x1b]0;owned\x07', "to": ["a@x.org", "b@x.org"], "status": "unclear"}
ATTEMPT = {
    "connection": "main",
    "started": "2026-01-31T14:02:11.100+00:00",
    "ended": "2026-01-31T14:02:11.512+00:00",
    "phase": "envelope",
    "note": "primary",
    "transcript": "S: 421 busy",
    "outcomes": [{"number": 0, "kind": "deferred", "fault": "provider", "reply": "421 busy"}],
}
SECOND = ATTEMPT | {
    "connection": "second",
    "note": "fallback: main deferred it",
    "started": "2026-01-31T14:02:11.600+00:00",
    "phase": "point",
    "ended": "2026-01-31T14:02:12.000+00:00",
    "transcript": "",
    "outcomes": [{"number": 0, "kind": "accepted", "reply": "250 ok", "provider_id": "q1"}],
}
ENTRY: dict[str, Any] = ROW | {
    "sender": "shop@example.com",
    "entrypoint": "smtp",
    "notes": '{"why": "Smart Routing: Invoices", "initiator": "plugin:orders"}',
    "tag": "",
    "parent": None,
    "expires": "2026-02-02T14:02:11+00:00",
    "attempts": [ATTEMPT, SECOND],
    "deliveries": [
        {"number": 0, "recipient": "anna@example.com", "state": "accepted", "connection": "second", "due": None}
    ],
    "events": [
        {"at": "2026-01-31T14:02:11.550+00:00", "kind": "fallback", "connection": "second", "text": "main deferred it"}
    ],
}
UNCLEAR = ENTRY | {
    "status": "unclear",
    "attempts": [],
    "events": [],
    "deliveries": [
        {
            "number": 0,
            "recipient": "anna@example.com",
            "state": "unclear",
            "connection": "main",
            "due": "2026-01-31T14:12:11+00:00",
            "reason": "the answer was lost",
            "next": "the policy sends it again at 14:12 unless it is settled before",
        }
    ],
}


def test_a_list_is_a_table_for_people_and_rows_for_programs(run, ask, gateway):
    gateway.answers["log_list"] = {"rows": [ROW], "next": None}
    output = run("log", "list").output
    assert "Your order" in output
    assert max(map(len, output.splitlines())) <= 80
    assert ask("log", "list") == [ROW]


def test_an_empty_log_says_so(run, ask, gateway):
    gateway.answers["log_list"] = {"rows": [], "next": None}
    assert "No message" in run("log", "list").output
    assert ask("log", "list") == []


def test_the_next_page_is_named(run, gateway):
    gateway.answers["log_list"] = {"rows": [ROW], "next": ROW["id"]}
    assert f"--before {ROW['id']}" in run("log", "list", "--limit", "1").output
    run("log", "list", "--before", ROW["id"], "--status", "unclear", "--address", "anna")
    assert gateway.asked[-1][1] == {"limit": 50, "before": ROW["id"], "status": "unclear", "address": "anna"}


def test_state_is_another_word_for_status(run, gateway):
    gateway.answers["log_list"] = {"rows": [], "next": None}
    run("log", "list", "--state", "rejected")
    assert gateway.asked[-1][1]["status"] == "rejected"


def test_what_a_provider_told_later_is_listed_and_asked_for(run, gateway):
    gateway.answers["log_list"] = {"rows": [ROW | {"status": "bounced"}], "next": None}
    assert "bounced" in run("log", "list", "--status", "bounced").output
    assert gateway.asked[-1][1]["status"] == "bounced"


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("2h", "2026-01-31T12:00:00+00:00"),
        ("7d", "2026-01-24T14:00:00+00:00"),
        ("2026-01-30", "2026-01-30"),
        ("20260130", "20260130"),
    ],
)
def test_times_may_be_spans_ago(said, meant):
    assert query({"since": said, "until": None}, datetime(2026, 1, 31, 14, tzinfo=UTC)) == {"since": meant}


def test_nothing_of_a_message_reaches_the_terminal_as_a_command(run, gateway):
    gateway.answers["log_list"] = {"rows": [HOSTILE], "next": None}
    gateway.answers["log_show"] = ENTRY | {"subject": HOSTILE["subject"]}
    gateway.answers["queue"] = QUEUE | {"groups": [QUEUE["groups"][0] | {"route": ["\x1b[31m[bold]"]}]}
    for words in (["log", "list"], ["log", "show", "x"], ["queue"]):
        output = run(*words).output
        assert "\x1b" not in output
        assert "\x07" not in output


def test_the_story_is_told_in_order_with_its_reasons(run, ask, gateway):
    gateway.answers["log_show"] = ENTRY
    output = run("log", "show", ROW["id"]).output
    parts = [
        "Accepted by smtp from web from plugin:orders",
        "Route: Smart Routing: Invoices",
        "main (primary): 412 ms, as far as envelope",
        "deferred (provider): 421 busy",
        "fallback second: main deferred it",
        "second (fallback: main deferred it): 400 ms, handed over whole",
        "accepted: 250 ok [provider's id q1]",
        "#0 anna@example.com: accepted by second",
    ]
    places = [output.index(part) for part in parts]
    assert places == sorted(places)
    assert "S: 421 busy" not in output
    assert "S: 421 busy" in run("log", "show", ROW["id"], "--transcript").output
    assert ask("log", "show", ROW["id"]) == ENTRY


def test_a_doubt_says_what_it_is_when_the_policy_acts_and_how_to_settle_it(run, gateway):
    gateway.answers["log_show"] = UNCLEAR
    output = run("log", "show", ROW["id"]).output
    for words in (
        "Unclear: the provider had all of the message",
        "the answer was lost",
        "the policy sends it again",
        "14:12:11",
        f"messages settle {ROW['id']} --arrived",
        "--refused",
        "--send-again",
    ):
        assert words in output


def test_the_message_itself_is_printed_byte_for_byte(run, gateway):
    gateway.answers["log_content"] = "U3ViamVjdDogaGkNCg0KAP8="
    assert run("log", "show", "x", "--source").stdout_bytes == b"Subject: hi\r\n\r\n\0\xff"


def rows():
    return lambda: iter([ROW, HOSTILE])


def test_an_export_is_a_file_that_a_spreadsheet_can_open_safely(run, ask, gateway, folder):
    gateway.answers["log_export"] = rows()
    assert "2 messages written to log.csv" in run("log", "export", "-o", "log.csv", "--since", "2026-01-01").output
    with (folder / "log.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert lines[0]["subject"] == "Your order"
    assert lines[1]["subject"].startswith("'=cmd")
    assert lines[1]["to"] == "a@x.org, b@x.org"
    assert gateway.asked[-1][1] == {"since": "2026-01-01"}
    assert "is there already" in run("log", "export", "-o", "log.csv", code=1).stderr
    assert ask("log", "export", "-o", "log.csv", "--force") == {"path": "log.csv", "rows": 2}


def test_an_export_to_standard_output_is_csv_or_lines_of_json(run, gateway):
    gateway.answers["log_export"] = rows()
    assert run("log", "export").stdout.startswith("id,accepted,status")
    assert [json.loads(line) for line in run("log", "export", "--json").stdout.splitlines()] == [ROW, HOSTILE]


def test_an_export_that_fails_leaves_no_file(run, gateway, folder):
    gateway.answers["log_export"] = ValueError("broken")
    before = set(folder.iterdir())
    run("log", "export", "-o", "log.csv", code=1)
    assert "cannot be written" in run("log", "export", "-o", "no/such/folder.csv", code=1).stderr
    assert set(folder.iterdir()) == before


def test_what_fails_while_it_is_written_is_not_taken_for_the_gateways_end(run, gateway, folder, monkeypatch):
    def full(_row):
        raise OSError(errno.ENOSPC, "No space left on device")

    gateway.answers["log_export"] = rows()
    monkeypatch.setattr(export, "cells", full)
    assert "log.csv cannot be written: No space left" in run("log", "export", "-o", "log.csv", code=1).stderr
    assert not list(folder.glob("log.csv*"))


QUEUE: dict[str, Any] = {
    "waiting": 2,
    "sending": 0,
    "unclear": 1,
    "oldest": "2026-01-31T14:02:11+00:00",
    "next_due": "2026-01-31T14:03:11+00:00",
    "groups": [
        {
            "route": ["main", "second"],
            "state": "waiting",
            "priority": "normal",
            "count": 2,
            "why": "its turn comes soon",
            "oldest": "2026-01-31T14:02:11+00:00",
            "next_due": None,
        }
    ],
}


def test_the_queue_says_what_waits_and_why(run, ask, gateway):
    gateway.answers["queue"] = QUEUE
    output = run("queue").output
    assert "2 waiting, 0 being sent, 1 unclear." in output
    assert "log list --status unclear" in output
    assert max(map(len, output.splitlines())) <= 80
    assert ask("queue") == QUEUE


def test_an_empty_queue_is_one_line(run, gateway):
    gateway.answers["queue"] = {
        "waiting": 0,
        "sending": 0,
        "unclear": 0,
        "oldest": None,
        "next_due": None,
        "groups": [],
    }
    assert run("queue").output == "0 waiting, 0 being sent, 0 unclear.\n"


def test_a_story_of_several_days_names_the_days(run, gateway):
    later = {"at": "2026-02-01T08:00:00+00:00", "kind": "settled", "connection": "", "text": "it arrived"}
    gateway.answers["log_show"] = ENTRY | {"events": [later]}
    lines = run("log", "show", ROW["id"]).output.splitlines()
    assert lines[lines.index("2026-02-01") + 1] == "08:00:00.000 settled: it arrived"
