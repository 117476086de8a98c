"""Faults of a configuration: all told at once, each with its path, where it came from, and what to do.

Rule: whatever stands in the file or the environment, nothing but `ConfigError` comes out.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpost import config
from secondpost.config import build
from secondpost.errors import ConfigError
from tests.config.conftest import MAIN

# ── faults ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('primry = "x"', "primry (secondpost.toml): there is no setting 'primry'; did you mean primary?"),
        ("[smtp]\nlisen = []", "there is no setting 'smtp.lisen'; did you mean smtp.listen?"),
        ("smtp_listen = []", "did you mean smtp.listen?"),
        ("[nonsense]\nxyzzy = 1", "see them all with: secondpost config show"),
        ("smtp = 5", "smtp (secondpost.toml): must be a table ([smtp]), not 5"),
        ("connections = 5", "must be a table such as [connections.main]"),
        ("[connections]\nmain = 5", "must be a table with the connection's settings"),
        ('[connections.main]\nmailer = "smpt"', "there is no mailer 'smpt'; did you mean smtp?"),
        (
            "[connections.main]\nport = 5",
            'connections.main.mailer (secondpost.toml): is missing: write mailer = "smtp"',
        ),
        ('[connections.main]\nmailer = "smtp"', "has no SMTP Host"),
        (MAIN + "hst = 1", "did you mean host?"),
        (MAIN + "port = 99999", "must be a port, at most 65535, not 99999"),
        (MAIN + 'chaining = "maybe"', "chaining (secondpost.toml): must be true or false, not 'maybe'"),
        (MAIN + "port = true", "must be a whole number, not True"),
        (MAIN + 'encryption = "startls"', "must be one of auto, starttls, tls, none, not 'startls'"),
        (MAIN + "timeouts = { conect = 1 }", "did you mean connections.main.timeouts.connect?"),
        (
            MAIN + "limits = { per_day = 0 }",
            "connections.main.limits.per_day (secondpost.toml): must be at least 1, not 0",
        ),
        (MAIN + 'from_email = "a@b, c@d"', "must be one address such as shop@example.com"),
        (MAIN + 'from_name = "a\\nBcc: x"', "must be one line without control characters"),
        (MAIN + 'password = { env = "NOPE" }', "password (secondpost.toml): the environment variable NOPE is not set"),
        (MAIN + 'password = { file = "nope" }', "cannot be read: No such file or directory"),
        (MAIN + "password = ['x']", "must be text"),
        (MAIN + 'dsn = "smtp://h"', "give either dsn or mailer, not both"),
        ('[connections.Main]\nmailer = "capture"', "a connection's name is made of a–z"),
        ('[connections.none]\nmailer = "capture"', 'it is not "none"'),
        ('primary = "smtp://h"\n[connections.primary]\nmailer = "capture"', "there is a connection named primary too"),
        ('primary = "x"\nbackup = "x"', "'x' is the Primary Connection itself"),
        ('[priority.urgnt]\nexpires = "1h"', "there is no priority 'urgnt'; did you mean urgent?"),
        (
            '[priority.urgent]\nexpires = "soon"',
            'must be a span of time such as "30s", "10m", "1h" or "2d", not \'soon\'',
        ),
        ('[priority.urgent]\nhedge_after = "of"', "must be a span of time"),
        ('[priority.urgent]\nwhen_unclear = "resend"', "must be 'send_again' or 'hold', not 'resend'"),
        ("[smtp]\nmax_message_bytes = -1", "must be at least 1, not -1"),
        ('[smtp]\nmax_recipients = "many"', "must be a whole number, not 'many'"),
        ("[smtp]\nmax_recipients = true", "must be a whole number, not true"),
        ('[smtp]\ntrust_loopback = "perhaps"', "must be true or false, not 'perhaps'"),
        ('[smtp]\nlisten = ["2525"]', 'must be "host:port" such as "127.0.0.1:2525"'),
        ("[smtp]\nlisten = [{ adress = 1 }]", 'must be {address = "0.0.0.0:465", tls = "implicit"}'),
        ('[smtp]\nlisten = [{ address = "h:1", tls = "implicit" }]', "needs tls_certificate and tls_key as well"),
        ('[smtp]\ntls_key = "k"', "smtp.tls_certificate (secondpost.toml): is missing"),
        ('[smtp]\ndeny = ["10.0.0.1/8"]', 'must be an address or a network such as "203.0.113.0/24"'),
        ('[smtp]\nhostname = "a b"', "smtp.hostname"),
        ('[http]\npublic_url = "mail.example.com"', "http.public_url"),
        ('[http]\nlisten = { address = "h:1", tls = "implicit" }', "TLS for HTTP is done by a proxy in front"),
        ('[http]\nmetrics = { address = "h:1", tls = "implicit" }', "TLS for HTTP is done by a proxy in front"),
        ('[log]\nlevel = "verbose"', "must be 'debug', 'info', 'warning' or 'error'"),
        ("[log]\nretention_days = 0", "must be at least 1"),
        ("[log]\ncontent_megabytes = 0", "must be at least 1"),
        ('[log]\ncontent_megabytes = "much"', "must be a whole number"),
        ('database = "mysql://u:p@h/d"', 'database (secondpost.toml): must be "sqlite" or'),
        ('database = "sqlite:///x.db"', "the file is kept in data_dir"),
        (
            "[[routes]]\nconection = 'x'",
            "routes, number 1 (secondpost.toml): a route without a name: unknown key 'conection'",
        ),
        ("data_dir = ", "secondpost.toml is not valid TOML"),
    ],
)
def test_a_fault_names_its_path_where_it_came_from_and_what_to_do(faults, text, said):
    assert said in faults(text)


def test_all_faults_are_told_at_once(faults):
    message = faults('primry = "x"\n[smtp]\nlisten = [1]\n[log]\nlevel = 3\n', {"SECONDPOST_HTTP__LISTEN": "x"})
    assert message.startswith("The configuration has 4 faults:")
    for path in ("primry", "smtp.listen", "log.level", "http.listen (environment SECONDPOST_HTTP__LISTEN)"):
        assert f"\n  {path}" in message


def test_a_wrong_secret_is_not_repeated(faults):
    assert "hunter2" not in faults(MAIN + 'password = ["hunter2"]\n', {"SECONDPOST_BACKUP": "smtp://u:hunter2@/x"})


@pytest.mark.parametrize("name", ["nothing.toml", ".", "\0", "x" * 5000])
def test_a_file_that_cannot_be_read_is_named(tmp_path, name):
    with pytest.raises(ConfigError, match="cannot be read"):
        config.load(file=tmp_path / name, environ={})


def test_a_file_that_is_not_text_is_named(tmp_path):
    (tmp_path / "c.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        config.load(file=tmp_path / "c.toml", environ={})
    (tmp_path / "c.toml").write_text("a = " + "[" * 100_000)
    with pytest.raises(ConfigError, match="nested too deeply"):
        config.load(file=tmp_path / "c.toml", environ={})


def test_a_variable_with_a_hole_in_its_path_is_a_fault(faults):
    assert "SECONDPOST_SMTP__" in faults(None, {"SECONDPOST_SMTP__": "x"})


# ── whatever comes ──────────────────────────────────────────────────────────────────────────────────────────────────

NAMES = st.sampled_from([
    "SMTP__LISTEN", "SMTP", "PRIMARY", "BACKUP", "BACKUP_FILE", "DATABASE", "ROUTES", "HTTP__LISTEN", "LOG__LEVEL",
    "DATA_DIR", "PRIORITY__URGENT__EXPIRES", "PRIORITY", "CONNECTIONS", "CONNECTIONS__X", "CONNECTIONS__X__MAILER",
    "CONNECTIONS__X__DSN", "CONNECTIONS__X__LIMITS", "CONNECTIONS__X__PORT", "CONNECTIONS__X__BACKUPS", "SMTP__DENY",
    "SMTP__MAX_RECIPIENTS__X",
])  # fmt: skip
VALUES = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["smtp", "capture", "smtp://h", "[[", "{", "1h", "off", "9" * 5000, '[{"a":' * 2000, "[::1]:25", "x\0y"]
    ),
)


@given(st.dictionaries(st.one_of(NAMES, st.text(max_size=10)).map("SECONDPOST_{}".format), VALUES, max_size=6))
def test_no_environment_raises_anything_but_a_configuration_error(environ):
    attempt(environ)


LEAVES = (st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.dates(), st.just("smtp"))
KEYS = st.sampled_from(["mailer", "host", "dsn", "limits", "env", "file", "address", "all", "listen"])
TOML_VALUES = st.recursive(
    st.one_of(*LEAVES),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)
SETTINGS = st.sampled_from(["mailer", "dsn", "host", "port", "limits", "timeouts", "from_email", "backups", "x"])


@given(st.dictionaries(SETTINGS, TOML_VALUES))
def test_no_table_of_a_connection_raises_anything_but_a_configuration_error(table):
    try:
        build("x", table)
    except ConfigError as error:
        told = str(error)
    else:
        return
    assert "connections.x" in told


def attempt(environ: dict[str, str]) -> None:
    try:
        config.load(environ=environ)
    except ConfigError as error:
        told = str(error)
    else:
        return
    assert told
