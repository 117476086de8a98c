"""F36, S15: bytes that break parsers are carried as they are, quickly, and harm nobody's mail.

The corpus is small and vicious.
"""

import time
from functools import partial

import pytest

from tests.gateway import new_mark
from tests.provider import wait_until

TO = "anna@example.com"
NESTED = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(300))

CORPUS = {
    "nested_rfc822": b"Content-Type: message/rfc822\r\n\r\n" * 300 + b"x\r\n",
    "nested_multipart": NESTED,
    "parentheses": b"To: " + b"(" * 20_000 + b"\r\n\r\nx\r\n",
    "parentheses_folded": b"To: " + b"(\r\n " * 10_000 + b"\r\n\r\nx\r\n",
    "encoded_words": b"Subject: " + b"\r\n ".join([b"=?utf-8?q?" + b"=41" * 20 + b"?="] * 6000) + b"\r\n\r\nx\r\n",
    "encoded_word_injects": b"Subject: =?utf-8?q?hi=0D=0ABcc:_evil@example.com?=\r\n\r\nx\r\n",
    "unknown_charset": b"Subject: =?x-nonsense?b?AAAA?= =?utf-8?z?x?=\r\n\r\nx\r\n",
    "no_header": b"\r\njust a body\r\n",
    "no_body": b"Subject: x\r\n",
    "nothing": b"",
    "no_colon": b"this is no header\r\nnor this\r\n\r\nx\r\n",
    "group": b"To: undisclosed-recipients:;\r\nFrom: a:b:c:;;;<@@>\r\nCc: ,,,,\r\n\r\nx\r\n",
    "a_field_of_60k": b"Subject: " + b"x" * 60_000 + b"\r\n\r\nx\r\n",
    "900_fields": b"".join(b"X-%d: y\r\n" % n for n in range(900)) + b"\r\nx\r\n",
    "boundaries": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\n" * 50_000,
    "many_addresses": b"To: " + b",\r\n ".join(b"a%d@example.com" % n for n in range(8000)) + b"\r\n\r\nx\r\n",
    "control_characters": b"Subject: \x01\x02\x1b[31mred\x7f\r\nFrom: \x08\x0b@\x0c\r\n\r\n\x1b]0;title\x07\r\n",
    "long_lines": b"Subject: x\r\n\r\n" + b"y" * 60_000 + b"\r\n",
    "strange_date": b"Date: Thu, 99 Foo 99999 99:99:99 +9999\r\nMessage-ID: <<<>>>\r\n\r\nx\r\n",
    "two_of_each": b"From: a@x.example\r\nFrom: b@x.example\r\nMessage-ID: <1>\r\nMessage-ID: <2>\r\nDate: x\r\n\r\n",
    "semicolons": b"Content-Type: text/plain" + b";a=b" * 20_000 + b"\r\n\r\nx\r\n",
    "quotes": b"From: " + b'"\\' * 20_000 + b"\r\n\r\nx\r\n",
}


@pytest.mark.parametrize("name", CORPUS)
def test_f36_poison_is_carried_or_refused_at_once_and_the_log_can_show_it(gateway, primary, name):
    with gateway.client() as client:
        mark = new_mark()
        client.ehlo()
        client.mail("shop@example.com", ["BODY=8BITMIME"])
        client.rcpt(TO)
        start = time.monotonic()
        code, text = client.data(b"X-Test-Id: " + mark.encode() + b"\r\n" + CORPUS[name])
        taken = time.monotonic() - start
    assert code // 100 in {2, 5}, (code, text)
    assert taken < 1, f"{name} took {taken:.2f} s to answer"
    if code == 250:
        waited = wait_until(lambda: primary.copies[mark, TO], 5, gateway.report)
        assert waited < 1
        newest = max(row["id"] for row in gateway.ask("log_export")[0])
        assert gateway.run("log", "show", newest).returncode == 0
    assert "evil@example.com" not in str(primary.copies)


def test_f36_the_log_lists_poison(gateway):
    assert gateway.run("log", "list").returncode == 0
    assert gateway.run("log", "list", "--json").returncode == 0


def test_f36_poison_delays_nobody(gateway, primary):
    quiet = latency(gateway, primary, 15)
    with gateway.client() as poisoner:
        for content in CORPUS.values():
            poisoner.ehlo_or_helo_if_needed()
            poisoner.mail("shop@example.com", ["BODY=8BITMIME"])
            poisoner.rcpt("poison@example.com")
            poisoner.data(content)
        disturbed = latency(gateway, primary, 15)
    assert disturbed < quiet + 0.1, (quiet, disturbed)


def arrived(provider, mark):
    return provider.copies[mark, TO]


def latency(gateway, primary, count):
    """The median time from the start of a submission to the provider."""
    waits = []
    for _ in range(count):
        start = time.monotonic()
        mark = gateway.send()
        wait_until(partial(arrived, primary, mark), 5, gateway.report)
        waits.append(time.monotonic() - start)
    return sorted(waits)[count // 2]


def test_f36_a_message_that_a_provider_chokes_on_does_not_block_the_queue(launch, primary, backup):
    """Every attempt of one message kills the session, at both. The others pass by."""

    def choke(session, reply):
        if b"poison" in session.buffer or session.sender == "poison@example.com":
            session.cut()
        return reply

    gateway = launch()
    primary.on("data", choke)
    backup.on("data", choke)
    with gateway.client() as client:
        client.sendmail("poison@example.com", [TO], b"X-Test-Id: poison\r\n\r\nx\r\n")
    time.sleep(1)
    marks = gateway.send_many(20)
    waited = wait_until(
        lambda: all(primary.copies[mark, TO] or backup.copies[mark, TO] for mark in marks), 30, gateway.output
    )
    assert waited < 15
