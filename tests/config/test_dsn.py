"""DSNs: Symfony's grammar, with errors that teach."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpost import mailers
from secondpost.config import dsn
from secondpost.mailers.base import Setting


def smtp(host: str, encryption: str, **settings: Any) -> dict[str, Any]:
    return {"mailer": "smtp", "host": host, "encryption": encryption} | settings


def preset(name: str, **settings: Any) -> dict[str, Any]:
    return {"mailer": "smtp", "preset": name} | settings


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("smtp://mail.example.com", smtp("mail.example.com", "starttls")),
        ("smtp://u:p@mail.example.com:587", smtp("mail.example.com", "starttls", port=587, username="u", password="p")),
        ("smtp://mail.example.com:465", smtp("mail.example.com", "tls", port=465)),
        ("smtps://mail.example.com", smtp("mail.example.com", "tls", port=465)),
        ("smtps://mail.example.com:2465", smtp("mail.example.com", "tls", port=2465)),
        ("smtp://127.0.0.1:1025", smtp("127.0.0.1", "none", port=1025)),
        ("smtp://[::1]:1025", smtp("::1", "none", port=1025)),
        ("smtp://[2001:db8::1]", smtp("2001:db8::1", "starttls")),
        ("smtp://localhost?require_tls=true", smtp("localhost", "starttls")),
        ("smtp://relay.lan:25?auto_tls=false", smtp("relay.lan", "none", port=25)),
        ("smtp://h?encryption=none", smtp("h", "none")),
        ("SMTP://h", smtp("h", "starttls")),
        ("smtp://a%40b:p%2Fq%25%3A@h", smtp("h", "starttls", username="a@b", password="p/q%:")),
        ("smtp://me@example.com:p/q@h", smtp("h", "starttls", username="me@example.com", password="p/q")),
        ("smtp://h?nickname=My+shop", smtp("h", "starttls", nickname="My shop")),
        ("smtp://h?max_per_second=5", smtp("h", "starttls", limits={"per_second": "5"})),
        ("sendmail://default", {"mailer": "sendmail"}),
        ("capture://", {"mailer": "capture"}),
        ("sendgrid+smtp://:KEY@default", preset("sendgrid", password="KEY")),
        ("ses+smtp://u:p@default?region=eu-west-1", preset("ses", username="u", password="p", region="eu-west-1")),
        ("mailgun+smtps://u:p@default", preset("mailgun", username="u", password="p", encryption="tls")),
    ],
)  # fmt: skip
def test_a_dsn_is_a_whole_connection(text, table):
    assert dsn.table(text) == table


@pytest.mark.parametrize(
    ("text", "taught"),
    [
        ("mail.example.com", "a DSN is written scheme://user:password@host:port"),
        ("smpt://h", "there is no scheme 'smpt'; did you mean smtp?"),
        ("acme+api://TOKEN@default", "smtp://user:password@its-server:587"),
        ("sendgird+smtp://:KEY@default", "did you mean sendgrid+smtp?"),
        ("sendgrid://KEY@default", "write sendgrid+api:// or sendgrid+smtp://"),
        ("smtp://", "name the server: smtp://user:password@mail.example.com:587"),
        ("smtp://u:p@default", "name the server"),
        ("smtp://u:pa?ss@h", "? as %3F"),
        ("smtp://h:0", "the port must be between 1 and 65535"),
        ("smtp://h:99999", "the port must be between 1 and 65535"),
        ("smtp://u:100%@h", 'a "%" in a user, password or option is written %25'),
        ("smtp://u:%ff@h", "not UTF-8"),
        ("smtp://u:%0d%0a@h", "control characters"),
        ("smtp://h?verify_peer=0", "certificates are always verified"),
        ("smtp://h?a", "options are written ?name=value&name=value"),
        ("smtp://h?a=1&a=2", "each once"),
        ("capture://user@host", "write capture://default"),
        ("failover(smtp://a smtp://b)", "give the first DSN as primary and the second as backup"),
        ("roundrobin(smtp://a smtp://b)", "one DSN as primary and one as backup"),
        ("null://null", "capture://default"),
        ("native://default", "sendmail://default"),
    ],
)  # fmt: skip
def test_a_wrong_dsn_is_answered_with_the_right_form(text, taught):
    with pytest.raises(ValueError, match=r".") as caught:
        dsn.table(text)
    assert taught in str(caught.value)


@given(
    st.text(min_size=3, max_size=20),
    st.sampled_from(["smtp://u:{}@h", "smtp://{}@h:x", "acme+api://{}@default", "smtp://{}:p@h/?"]),
)
def test_no_text_raises_anything_but_a_refusal_and_none_repeats_the_secret(secret, form):
    assert "hunter2" not in refusal(form.format(f"hunter2{secret}"))


@given(st.text(max_size=60))
def test_no_text_at_all_raises_anything_but_a_refusal(text):
    for scheme in ("", "smtp://", "smtps://", "sendgrid+smtp://", "sendmail://", "capture://"):
        refusal(scheme + text)


def refusal(text: str) -> str:
    """What it says, if it refuses."""
    try:
        dsn.table(text)
    except ValueError as error:
        return str(error)
    return ""


class Acme:
    """A provider's API, as far as a DSN needs it."""

    settings = (
        Setting(name="key", label="Key", kind="secret", required=True),
        Setting(name="stream", label="Stream"),
        Setting(name="domain", label="Domain", required=True),
    )


@pytest.fixture
def acme(monkeypatch):
    monkeypatch.setitem(mailers.MAILERS, "acme", f"{__name__}:Acme")


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("acme+api://KEY@default", {"mailer": "acme", "key": "KEY"}),
        (
            "acme+api://KEY:example.com@default?stream=s",
            {"mailer": "acme", "key": "KEY", "domain": "example.com", "stream": "s"},
        ),
        ("acme+api://KEY@eu.acme.example:8443", {"mailer": "acme", "key": "KEY", "host": "eu.acme.example:8443"}),
    ],
)
@pytest.mark.usefixtures("acme")
def test_the_log_in_of_an_api_fills_what_the_mailer_requires_in_its_order(text, table):
    assert dsn.table(text) == table


@pytest.mark.usefixtures("acme")
def test_a_provider_without_a_way_is_answered_with_its_ways():
    assert refusal("acme://KEY@default") == "there is no scheme 'acme'; write acme+api://"
    assert refusal("acme+smtp://KEY@default") == "there is no scheme 'acme+smtp'; write acme+api://"
