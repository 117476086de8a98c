"""The table of providers is complete, and usable in a DSN."""

import re

import pytest

from secondpost.config.connections import build
from secondpost.mailers.presets import PRESETS, PROVIDERS
from secondpost.mailers.smtp import Smtp
from secondpost.mailers.smtp_connect import server

PORTS = {"tls": {465}, "starttls": {587, 2525}, "none": {1025}}


@pytest.mark.parametrize("name", PROVIDERS)
def test_facts_agree_with_each_other(name):
    provider = PROVIDERS[name]
    assert re.fullmatch(r"[a-z0-9-]+", name)
    assert provider.port in PORTS[provider.encryption]
    assert provider.title
    for host in (provider.host_in(""), *provider.regions.values()):
        assert re.fullmatch(r"localhost|[a-z0-9-]+(\.[a-z0-9-]+)+", host)
    assert provider.hint or provider.host == "localhost"


def test_there_are_many():
    assert len(PROVIDERS) >= 25
    assert PRESETS.keys() == PROVIDERS.keys()


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_dsn_of_each_makes_a_connection(name):
    connection = build("test", {"dsn": f"{name}+smtp://me:secret@default"})
    made = server(connection)
    assert made.host == PROVIDERS[name].host_in("")
    assert made.account.password == "secret"
    assert made.tls is (PROVIDERS[name].encryption == "tls")
    Smtp(connection)


@pytest.mark.parametrize(
    ("dsn", "host", "port"),
    [
        ("ses+smtp://u:p@default?region=eu-west-1", "email-smtp.eu-west-1.amazonaws.com", 587),
        ("mailgun+smtp://u:p@default?region=eu", "smtp.eu.mailgun.org", 587),
        ("sendgrid+smtps://KEY@default", "smtp.sendgrid.net", 465),
        ("sendgrid+smtp://KEY@default:2525", "smtp.sendgrid.net", 2525),
        ("mailpit+smtp://mailpit:1025", "mailpit", 1025),
    ],
)
def test_options_of_a_dsn(dsn, host, port):
    made = server(build("test", {"dsn": dsn}))
    assert (made.host, made.port) == (host, port)
