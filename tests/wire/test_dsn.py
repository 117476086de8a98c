"""Non-delivery reports, read by Python's own parser."""

import email
from datetime import UTC, datetime
from email.policy import default, strict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpost.wire import dsn
from secondpost.wire.client_content import check

NOW = datetime(2026, 8, 30, 12, 0, tzinfo=UTC)
HEAD = b"From: Shop <shop@shop.example>\r\nMessage-ID: <1@shop.example>\r\nSubject: Your order\r\n\r\n"


def build(*failures, sender="shop@shop.example", head=HEAD):
    return dsn.build(
        failures=failures, sender=sender, hostname="gateway.example", arrived=NOW, now=NOW, head=head, id=42
    )


def read(report):
    return email.message_from_bytes(report, policy=default)


NO_USER = dsn.Failure(recipient="bob@dest.example", reply="550 5.1.1 <bob@dest.example>: no such user", status="5.0.0")
TOO_LATE = dsn.Failure(recipient="jörg@dest.example", reply="421 4.3.0 busy", status="4.4.7")


def test_it_is_a_report_as_rfc_3464_wants_it():
    report = read(build(NO_USER, TOO_LATE))
    assert report.get_content_type() == "multipart/report"
    assert report.get_param("report-type") == "delivery-status"
    assert report["To"].addresses[0].addr_spec == "shop@shop.example"
    assert report["From"] == "Mail Delivery <postmaster@gateway.example>"
    assert report["Auto-Submitted"] == "auto-replied"
    assert report["In-Reply-To"] == "<1@shop.example>"
    assert report["Date"] == "Sun, 30 Aug 2026 12:00:00 +0000"
    assert report["Subject"] == "Not delivered to 2 recipients"
    assert [part.get_content_type() for part in report.iter_parts()] == [
        "text/plain",
        "message/delivery-status",
        "text/rfc822-headers",
    ]


def test_machines_learn_each_recipient_and_why():
    status = list(read(build(NO_USER, TOO_LATE)).iter_parts())[1]
    about, bob, joerg = status.get_payload()
    assert about["Reporting-MTA"] == "dns; gateway.example"
    assert (bob["Final-Recipient"], bob["Action"], bob["Status"]) == ("rfc822; bob@dest.example", "failed", "5.1.1")
    assert bob["Diagnostic-Code"] == "smtp; 550 5.1.1 <bob@dest.example>: no such user"
    assert (joerg["Final-Recipient"], joerg["Status"]) == ("utf-8; j\\x{F6}rg@dest.example", "4.4.7")


def test_people_learn_what_to_do():
    text = next(read(build(NO_USER)).iter_parts()).get_content()
    assert '"Your order"' in text
    assert "bob@dest.example" in text
    assert "no such user" in text
    assert "spelling" in text


def test_the_header_fields_come_back_and_the_content_does_not():
    back = list(read(build(NO_USER)).iter_parts())[2]
    assert back.get_content().splitlines() == HEAD.decode().splitlines()[:-1]


def test_a_huge_header_block_is_cut_at_a_line():
    head = b"X: " + b"y" * 70 + b"\r\n"
    report = build(NO_USER, head=head * 10_000 + b"\r\n")
    assert len(report) < dsn.HEAD_LIMIT + 4000
    assert report.count(head) == dsn.HEAD_LIMIT // len(head)


def test_nobody_is_told_when_there_is_nobody():
    with pytest.raises(ValueError, match="null reverse-path"):
        build(NO_USER, sender="")


@given(
    st.lists(
        st.builds(dsn.Failure, recipient=st.text(max_size=50), reply=st.text(max_size=3000)), min_size=1, max_size=4
    ),
    st.text(min_size=1, max_size=50),
    st.binary(max_size=500),
)
def test_whatever_is_put_in_it_stays_one_report_of_short_lines(failures, sender, head):
    report = build(*failures, sender=sender, head=head.replace(b"\r", b"").replace(b"\n", b"\r\n"))
    check(report)
    assert max(map(len, report.split(b"\r\n"))) <= 998
    parsed: Any = email.message_from_bytes(report, policy=strict.clone(raise_on_defect=False))
    assert [part.get_content_type() for part in parsed.get_payload()] == [
        "text/plain",
        "message/delivery-status",
        "text/rfc822-headers",
    ]
    assert len(parsed.get_payload()[1].get_payload()) == 1 + len(failures)
