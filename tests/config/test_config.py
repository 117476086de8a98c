"""The configuration: its layers, its faults, its secrets."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpost import config
from secondpost.config import build
from secondpost.config.kinds import span, span_text
from secondpost.config.show import shown, without_password
from secondpost.core.priority import DEFAULTS, Priority, WhenUnclear
from secondpost.errors import ConfigError
from tests.config.conftest import MAIN

# ── layers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_with_nothing_configured_mail_is_kept_in_the_inbox_and_only_this_machine_is_served(load):
    found = load()
    assert (found.primary, found.backup) == ("inbox", None)
    assert found.connections["inbox"].mailer == "capture"
    assert [str(listener) for listener in found.smtp.listen] == ["127.0.0.1:2525"]
    assert str(found.http.listen) == "127.0.0.1:8025"
    assert found.http.public_url == "http://localhost:8025"
    assert found.data_dir == Path("secondpost-data")
    assert found.policies == DEFAULTS
    assert not any(found.locked(setting.path) for setting in shown(found))


def test_limits_over_all_connections_are_the_workers(load):
    found = load("[worker]\nper_second = 5\n", {"SECONDPOST_WORKER__PER_DAY": "900"})
    assert (found.worker.per_second, found.worker.per_minute, found.worker.per_day) == (5, None, 900)
    with pytest.raises(ConfigError, match=r"worker\.per_hour"):
        load("[worker]\nper_hour = 0\n")


def test_the_command_line_wins_over_the_environment_that_over_the_file_and_that_over_the_built_in(load):
    text = "[worker]\nconcurrency = 2\n[log]\ncontent_days = 2\n[smtp]\nmax_recipients = 2\n"
    environ = {"SECONDPOST_WORKER__CONCURRENCY": "3", "SECONDPOST_LOG__CONTENT_DAYS": "3"}
    found = load(text, environ, worker__concurrency="4")
    assert (found.worker.concurrency, found.log.content_days, found.smtp.max_recipients) == (4, 3, 2)
    assert found.log.retention_days == 30
    assert found.origin("worker.concurrency") == "command line --worker-concurrency"
    assert found.origin("log.content_days") == "environment SECONDPOST_LOG__CONTENT_DAYS"
    assert found.origin("smtp.max_recipients") == "secondpost.toml"
    assert found.origin("log.retention_days") == "built-in"


def test_a_cap_that_the_file_sets_is_taken_away_by_a_word(load):
    text = "[log]\ncontent_megabytes = 500\n"
    assert load().log.content_megabytes is None
    assert load(text).log.content_megabytes == 500
    unlimited = load(text, {"SECONDPOST_LOG__CONTENT_MEGABYTES": "unlimited"})
    assert unlimited.log.content_megabytes is None
    assert unlimited.locked("log.content_megabytes")


def test_the_file_is_the_one_given_else_the_one_of_the_environment_else_the_usual_one(load, tmp_path):
    for name in ("given", "named", "secondpost"):
        (tmp_path / f"{name}.toml").write_text(f'data_dir = "/{name}"\n')
    environ = {"SECONDPOST_CONFIG": str(tmp_path / "named.toml")}
    assert config.load(file=tmp_path / "given.toml", environ=environ).data_dir == Path("/given")
    assert config.load(environ=environ).data_dir == Path("/named")
    assert config.load(environ={}).data_dir == Path("/secondpost")


def test_names_of_files_in_the_file_are_relative_to_it_and_others_to_where_we_stand(tmp_path):
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "c.toml").write_text('data_dir = "data"\n[smtp]\ntls_certificate = "c.pem"\ntls_key = "/k.pem"\n')
    found = config.load(file=folder / "c.toml", environ={})
    assert found.data_dir == folder / "data"
    assert (found.smtp.tls_certificate, found.smtp.tls_key) == (folder / "c.pem", Path("/k.pem"))
    assert config.load(file=folder / "c.toml", environ={"SECONDPOST_DATA_DIR": "x"}).data_dir == Path("x")


def test_the_environment_adds_to_a_table_of_the_file(load):
    text = '[connections.my-main]\nmailer = "smtp"\nhost = "old.example.com"\nport = 25\n'
    found = load(text, {"SECONDPOST_CONNECTIONS__MY_MAIN__HOST": "new.example.com"})
    connection = found.connections["my-main"]
    assert (connection.settings["host"], connection.settings["port"]) == ("new.example.com", 25)
    assert found.origin("connections.my-main.host") == "environment SECONDPOST_CONNECTIONS__MY_MAIN__HOST"
    assert connection.origin == "secondpost.toml"


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("127.0.0.1:25,[::1]:26", ["127.0.0.1:25", "[::1]:26"]),
        ('[{"address": "0.0.0.0:465", "tls": "implicit"}]', ["0.0.0.0:465 (tls)"]),
        ('["a:1", "b:2"]', ["a:1", "b:2"]),
        ("off", []),
    ],
)
def test_lists_from_the_environment_have_commas_or_are_json(load, text, addresses):
    environ = {"SECONDPOST_SMTP__TLS_CERTIFICATE": "c", "SECONDPOST_SMTP__TLS_KEY": "k"}
    found = load(None, environ | {"SECONDPOST_SMTP__LISTEN": text})
    assert [str(listener) for listener in found.smtp.listen] == addresses


def test_variables_that_others_set_are_left_alone(load):
    others = {
        "SECONDPOST_PORT": "tcp://10.0.0.1:2525",
        "SECONDPOST_SERVICE_HOST": "10.0.0.1",
        "SECONDPOST_SMTP_PORT_2525_TCP_ADDR": "10.0.0.1",
        "SECONDPOST_MAIN_PASSWORD": "used by the file",
        "SECONDPOST_BACKUP": "",
        "SECONDPOSTER": "no relation",
    }
    found = load(MAIN + 'password = { env = "SECONDPOST_MAIN_PASSWORD" }\n', others)
    assert found.connections["main"].settings["password"] == "used by the file"


def test_database_url_is_honored_unless_we_have_a_setting_of_our_own(load, faults):
    url = "postgresql://u:secret@db/mail"
    assert load(None, {"DATABASE_URL": url}).database == url
    assert load(None, {"DATABASE_URL": url, "SECONDPOST_DATABASE": "sqlite"}).database == "sqlite"
    assert "SECONDPOST_DATABASE=sqlite" in faults(None, {"DATABASE_URL": "mysql://u:secret@db/mail"})
    assert "secret" not in faults(None, {"DATABASE_URL": "mysql://u:secret@db/mail"})
    assert "secret" not in repr(load(None, {"DATABASE_URL": url}))


# ── connections ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_connection_has_its_settings_its_rules_and_its_mailers_defaults(load):
    text = MAIN + (
        'port = 2525\nnickname = "Main"\nfrom_email = "shop@example.com"\nforce_from_name = true\nbackups = ["other"]\n'
        'timeouts = { connect = 5, data_reply = "20m" }\nlimits = { per_second = 20 }\n'
    )
    found = load(text).connections["main"]
    assert (found.mailer, found.nickname, found.settings["port"]) == ("smtp", "Main", 2525)
    assert found.settings["encryption"] == "auto"
    assert (found.sender.email, found.sender.force_email, found.sender.force_name) == ("shop@example.com", True, True)
    assert (found.limits.per_second, found.limits.per_day, found.limits.sessions) == (20, None, 20)
    assert found.timeouts.connect == timedelta(seconds=5)
    assert found.timeouts.data_reply == timedelta(minutes=20)
    assert found.backups == ("other",)


def test_the_first_connection_is_primary_unless_another_is_named(load):
    two = '[connections.one]\nmailer = "capture"\n[connections.two]\nmailer = "capture"\n'
    assert load(two).primary == "one"
    assert load('primary = "two"\n' + two).primary == "two"
    assert "inbox" not in load(two).connections
    assert "inbox" in load('backup = "inbox"\n' + two).connections


def test_primary_and_backup_may_be_whole_dsns(load):
    found = load(None, {"SECONDPOST_PRIMARY": "smtp://a.example.com", "SECONDPOST_BACKUP": "capture://default"})
    assert (found.primary, found.backup) == ("primary", "backup")
    assert found.connections["primary"].settings["host"] == "a.example.com"
    assert found.connections["backup"].mailer == "capture"
    assert found.connections["backup"].origin == "environment SECONDPOST_BACKUP"


def test_names_may_be_those_of_connections_in_the_database(load):
    found = load('backup = "kept"\n' + MAIN)
    found.require(["kept"])
    with pytest.raises(ConfigError, match=r"backup \(secondpost.toml\): there is no connection 'kept'"):
        found.require()
    with pytest.raises(ConfigError, match="did you mean main"):
        load('backup = "mian"\n' + MAIN).require()


def test_none_is_no_backup_and_locks_that(load):
    found = load('backup = "none"\n')
    assert found.backup is None
    assert found.locked("backup")


def test_a_connection_from_plain_values_is_checked_like_one_of_the_file():
    assert build("x", {"mailer": "smtp", "host": "h", "port": "25"}).settings["port"] == 25
    with pytest.raises(
        ConfigError, match=r"connections.x.hst \(database\): there is no setting 'hst'; did you mean host"
    ):
        build("x", {"mailer": "smtp", "hst": "h"})


@pytest.mark.parametrize(("word", "meant"), [("no", False), ("On", True), (True, True), ("1", True)])
def test_a_toggle_of_a_mailer_is_written_as_people_write_it(word, meant):
    assert build("x", {"mailer": "smtp", "host": "h", "chaining": word}).settings["chaining"] is meant


# ── secrets ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_secrets_come_from_the_value_the_environment_or_a_file(load, tmp_path):
    (tmp_path / "secret").write_text("pässword \n")
    text = '[connections.{0}]\nmailer = "smtp"\nhost = "h"\npassword = {1}\n'
    values = {"plain": '"p"', "env": '{ env = "P" }', "file": '{ file = "secret" }'}
    found = load("".join(text.format(*pair) for pair in values.items()), {"P": "from env"})
    passwords = {name: found.connections[name].settings["password"] for name in values}
    assert passwords == {"plain": "p", "env": "from env", "file": "pässword "}


def test_every_secret_of_the_environment_may_be_in_a_file(load, tmp_path):
    (tmp_path / "p").write_text("in a file\n")
    (tmp_path / "dsn").write_text("smtp://u:p@h.example.com\n")
    environ = {
        "SECONDPOST_CONNECTIONS__MAIN__PASSWORD_FILE": str(tmp_path / "p"),
        "SECONDPOST_BACKUP_FILE": str(tmp_path / "dsn"),
    }
    found = load(MAIN, environ)
    assert found.connections["main"].settings["password"] == "in a file"
    assert found.connections["backup"].settings["password"] == "p"


def test_a_secret_is_never_shown(load):
    text = MAIN + 'username = "u"\npassword = "hunter2"\n'
    found = load(text, {"SECONDPOST_BACKUP": "smtp://u:hunter2@b", "SECONDPOST_DATABASE": "postgresql://u:hunter2@h/d"})
    rows = {setting.path: setting for setting in shown(found)}
    assert "hunter2" not in repr(rows) + repr(found)
    assert rows["connections.main.password"].value == "********"
    assert rows["connections.main.username"].value == "u"
    assert rows["database"].value == "postgresql://u:********@h/d"


@pytest.mark.parametrize(
    ("url", "shown_url"),
    [
        ("sqlite", "sqlite"),
        ("postgresql://h/d", "postgresql://h/d"),
        ("postgresql://u@h/d?password=x", "postgresql://u@h/d?…"),
        ("postgresql://u:a@b@h/d", "postgresql://u:********@h/d"),
        ("postgresql://[u:x@h/d", "postgresql://********"),
    ],
)
def test_a_database_url_is_shown_without_its_password(url, shown_url):
    assert without_password(url) == shown_url


# ── priorities and spans ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_priority_keeps_what_is_not_changed(load):
    found = load(
        '[priority.urgent]\nexpires = "2h"\nhedge_after = "off"\nwhen_unclear = "hold"\npatience = "unlimited"\n'
    )
    urgent = found.policies[Priority.URGENT]
    assert (urgent.expires, urgent.hedge_after, urgent.patience) == (timedelta(hours=2), None, None)
    assert urgent.when_unclear is WhenUnclear.HOLD
    assert urgent.unclear_after == timedelta(minutes=1)
    assert found.policies[Priority.NORMAL] == DEFAULTS[Priority.NORMAL]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1h", 3600), ("2 s", 2), (" 1h 30m", 5400), ("90", 90), (10, 10), (0.5, 0.5), ("250ms", 0.25),
     ("2 days", 172_800), ("1 minute", 60), ("3 mins", 180), ("1w", 604_800), ("0s", 0)],
)  # fmt: skip
def test_spans_are_written_as_people_write_them(text, seconds):
    assert span(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "h", "-1s", "1y", "1 h x", "1e9", True, None, [], "9" * 400, "20000d", "1h;", float("nan"), -1]
)
def test_what_is_not_a_span_is_refused(text):
    with pytest.raises(ValueError, match=r"span of time|ten years"):
        span(text)


@given(
    st.timedeltas(min_value=timedelta(), max_value=timedelta(days=3000)).map(
        lambda t: timedelta(milliseconds=t // timedelta(milliseconds=1))
    )
)
def test_a_span_that_is_shown_can_be_read_again(value):
    assert span(span_text(value)) == value
