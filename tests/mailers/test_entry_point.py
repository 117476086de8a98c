"""A mailer of another package is found by its entry point, and has everything that ours have."""

import textwrap

import pytest

from secondpost import mailers
from secondpost.config.connections import build
from tests.mailers.parcels import api_mailer

ACME = '''
    """Acme's API."""

    from secondpost.core.outcome import Accepted
    from secondpost.mailers import api
    from secondpost.mailers.base import Abilities, Setting


    class Acme(api.Api):
        name, title, site = "acme", "Acme", "https://acme.example/docs"
        settings = (Setting(name="key", label="API Key", kind="secret", required=True), *api.SHARED)
        can = Abilities()

        def request(self, letter, settings):
            return api.post("https://api.acme.example/mail", {"X-Key": settings["key"]}, {"to": letter.recipients})

        def outcome(self, response, letter):
            return Accepted() if response.ok else api.by_status(response)

        def verify(self, settings):
            return api.get("https://api.acme.example/me", {"X-Key": settings["key"]})
'''


@pytest.fixture(autouse=True)
def package(tmp_path, monkeypatch):
    """An installed distribution, as pip leaves it."""
    (tmp_path / "acme_secondpost.py").write_text(textwrap.dedent(ACME))
    told = tmp_path / "acme_secondpost-1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-secondpost\nVersion: 1.0\n")
    (told / "entry_points.txt").write_text("[secondpost.mailers]\nacme = acme_secondpost:Acme\n")
    monkeypatch.syspath_prepend(tmp_path)
    mailers._others.cache_clear()
    yield
    mailers._others.cache_clear()
    mailers._load.cache_clear()


def test_it_is_listed_configured_and_made():
    assert "acme" in mailers.names()
    made = build("test", {"dsn": "acme+api://KEY@default"})
    assert made.settings["key"] == "KEY"
    assert api_mailer("acme", key="KEY").title == "Acme"
