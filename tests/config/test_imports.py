"""Connections of other programs become ours, or are said not to."""

import json
import os
from base64 import b64encode
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpost.config import build, imports
from secondpost.config.imports.environment import _parse

SENDER = {
    "from_email": "shop@example.com", "from_name": "Shop",
    "from_email_force": True, "from_name_force": False, "return_path": True,
}  # fmt: skip
SMTP = {
    "host": "mail.example.com", "port": 587, "encryption": "tls", "auth": True, "autotls": True,
    "user": "u", "pass": "secret-canary",
}  # fmt: skip
SITE = {
    "mail": SENDER | {"mailer": "smtp"},
    "smtp": SMTP,
    "connections": {
        "64a": {
            "connection_nickname": "Second one!", "mail": SENDER | {"mailer": "mailgun"},
            "mailgun": {"api_key": "key-canary", "domain": "mg.example.com", "region": "EU"},
        },
        "64b": {"connection_nickname": "Google", "mail": SENDER | {"mailer": "gmail"}, "gmail": {"client_id": "x"}},
    },
    "backup_connection": {"connection_id": "64a"},
    "smart_routing": {"enabled": True, "routes": [{"name": "x"}]},
}  # fmt: skip


def read(told):
    found = imports.read(told if isinstance(told, str) else json.dumps(told))
    for name, table in found.tables.items():
        build(name, table)
    return found


def test_a_website_moves_with_its_backup():
    found = read(SITE)
    assert list(found.tables) == ["primary", "second-one"]
    assert found.backup == "second-one"
    assert found.tables["primary"] == {
        "mailer": "smtp", "host": "mail.example.com", "port": 587, "encryption": "starttls",
        "username": "u", "password": "secret-canary", "from_email": "shop@example.com", "from_name": "Shop",
        "force_from_email": True, "force_from_name": False, "return_path": True,
    }  # fmt: skip
    second = found.tables["second-one"]
    assert (second["mailer"], second["key"], second["region"]) == ("mailgun", "key-canary", "eu")
    assert second["nickname"] == "Second one!"


def test_what_a_person_has_to_allow_is_told():
    notes = " ".join(read(SITE).notes)
    assert "gmail is not taken over" in notes
    assert "Smart Routing is not taken over" in notes
    assert "canary" not in notes


@pytest.mark.parametrize(
    ("kept", "encryption"),
    [
        ({"encryption": "ssl"}, "tls"),
        ({"encryption": "tls"}, "starttls"),
        ({"encryption": "none"}, "auto"),
        ({"encryption": "none", "autotls": False}, "none"),
    ],
)
def test_its_words_of_encryption_are_translated(kept, encryption):
    (table,) = read({"mail": SENDER | {"mailer": "smtp"}, "smtp": SMTP | kept}).tables.values()
    assert table["encryption"] == encryption


def test_a_password_that_the_website_encrypts_is_not_taken_for_one():
    found = imports.read(json.dumps(SITE | {"smtp": SMTP | {"pass": b64encode(b"\xff" * 60).decode()}}))
    assert found.unread == {"primary": ["password"]}
    assert "password" not in found.tables["primary"]


@pytest.mark.parametrize("name", sorted(imports.wordpress._MAILERS))
def test_every_mailer_that_needs_only_a_key_is_taken_over(name):
    keys = imports.wordpress._MAILERS[name][1]
    own = {its: "us" if its == "region" else "value" for its in keys}
    found = read({"mail": SENDER | {"mailer": name}, name: own})
    assert len(found.tables) == 1


ENVIRONMENTS = {
    "MAILER_DSN=smtp://u:p%40ss@mail.example.com:587": {"symfony": ("smtp", "mail.example.com", "p@ss")},
    'MAILER_DSN="failover(postmark+api://KEY@default smtp://u:p@mail.example.com:25)"': {
        "symfony": ("postmark", None, None),
        "symfony-backup": ("smtp", "mail.example.com", "p"),
    },
    "MAIL_MAILER=smtp\nMAIL_HOST=mail.example.com\nMAIL_PORT=465\nMAIL_USERNAME=u\nMAIL_PASSWORD='p # \"x'": {
        "laravel": ("smtp", "mail.example.com", 'p # "x')
    },
    "export MAIL_MAILER=postmark # a comment\nPOSTMARK_TOKEN=abc": {"laravel": ("postmark", None, None)},
    "MAIL_MAILER=mailgun\nMAILGUN_SECRET=k\nMAILGUN_DOMAIN=mg.example.com": {"laravel": ("mailgun", None, None)},
    "EMAIL_HOST=mail.example.com\nEMAIL_USE_TLS=True\nEMAIL_HOST_USER=u\nEMAIL_HOST_PASSWORD=p": {
        "django": ("smtp", "mail.example.com", "p")
    },
    "EMAIL_URL=smtp+ssl://u:p@mail.example.com:465": {"django": ("smtp", "mail.example.com", "p")},
}


@pytest.mark.parametrize("text", ENVIRONMENTS)
def test_an_environment_is_understood(text):
    told = {
        name: (one["mailer"], one.get("host"), one.get("password")) for name, one in read(text).tables.items()
    }  # fmt: skip
    assert told == ENVIRONMENTS[text]


def test_the_second_of_a_failover_is_the_backup():
    assert read("MAILER_DSN=failover(smtp://a.example.com smtp://b.example.com)").backup == "symfony-backup"


def test_laravel_s_sender_and_null_are_understood():
    text = 'APP=My Shop\nMAIL_HOST=m.example.com\nMAIL_ENCRYPTION=null\nMAIL_USERNAME=null\nMAIL_FROM_NAME="${APP}"'
    (table,) = read(text).tables.values()
    assert table == {"mailer": "smtp", "host": "m.example.com", "from_name": "My Shop"}


def test_a_way_that_sends_nothing_is_told():
    assert "sends nothing" in read("MAIL_MAILER=log").notes[0]
    assert "sends nothing" in read("MAILER_DSN=null://null").notes[0]


@pytest.mark.parametrize("text", ["", "HELLO=world", "{}", "[mail]", '{"mail": '])
def test_a_file_without_mail_settings_is_refused(text):
    with pytest.raises(ValueError, match=r"JSON|mail settings"):
        imports.read(text)


def test_a_wrong_dsn_is_told_without_its_secret():
    with pytest.raises(ValueError, match="MAILER_DSN cannot be taken over") as told:
        imports.read("MAILER_DSN=smtp://u:canary@host:99999")
    assert "canary" not in str(told.value)


@given(st.text())
def test_no_text_breaks_it(text):
    with suppress(ValueError):
        imports.read(text)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.dictionaries(
    st.sampled_from(["mail", "smtp", "connections", "mailer", "backup_connection", "a"]), inner)))  # fmt: skip
def test_no_json_breaks_it(told):
    with suppress(ValueError):
        imports.read(json.dumps({"mail": told, "connections": told, "backup_connection": told}))


def test_what_env_prints_is_read_as_it_is():
    shown = "\n".join(f"{name}={value}" for name, value in os.environ.items() if "\n" not in value)
    assert _parse(f"{shown}\nMAIL_HOST=x")["MAIL_HOST"] == "x"
