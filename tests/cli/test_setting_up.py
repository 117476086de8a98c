"""connections, backup, routes, credentials, config, db, health, serve, demo."""

import sys
from types import ModuleType

import pytest

CONNECTION = {
    "name": "main",
    "nickname": "Main",
    "mailer": "smtp",
    "title": "Main (Other SMTP)",
    "role": "primary",
    "enabled": True,
    "origin": "/etc/secondpost/secondpost.toml",
    "locked": True,
    "state": "closed",
    "settings": {"password": "••••••"},
}
GOOD = {
    "name": "main",
    "ok": True,
    "phase": "login",
    "reply": "",
    "advice": None,
    "transcript": "",
    "details": {"tls": "TLSv1.3"},
}
BAD = GOOD | {
    "ok": False,
    "reply": "535 no",
    "transcript": "S: 535 no",
    "advice": {"title": "The log-in failed", "text": "Wrong name.", "steps": ["Check it."]},
}


def test_connections_are_listed_with_role_and_state(run, ask, gateway):
    gateway.answers["connections_list"] = [CONNECTION, CONNECTION | {"name": "off", "enabled": False}]
    output = run("connections", "list").output
    for words in ("Main (Other SMTP)", "primary", "closed", "secondpost.toml", "disabled"):
        assert words in output
    assert max(map(len, output.splitlines())) <= 80
    assert ask("connections", "list")[0] == CONNECTION


def test_the_history_of_breakers_is_told(run, ask, gateway):
    row = {"at": "2026-01-02T03:04:05+00:00", "connection": "main", "text": "open: unreachable: refused"}
    gateway.answers["connections_history"] = [row]
    output = run("connections", "history", "main", "--limit", "5").output
    assert gateway.asked == [("connections_history", {"name": "main", "limit": 5})]
    for words in ("2026-01-02 03:04:05", "main", "open: unreachable: refused"):
        assert words in output
    assert ask("connections", "history") == [row]
    gateway.answers["connections_history"] = []
    assert "No breaker has opened" in run("connections", "history").output


def test_verifying_fails_when_one_fails_and_says_what_to_do(run, ask, gateway):
    gateway.answers["connections_verify"] = [GOOD]
    assert "main: usable (tls TLSv1.3)" in run("connections", "verify", "main").output
    assert gateway.asked == [("connections_verify", {"name": "main"})]
    gateway.answers["connections_verify"] = [GOOD, BAD]
    said = run("connections", "verify", code=1).stderr
    assert "1. Check it." in said
    assert "S: 535 no" in said
    assert ask("connections", "verify", code=1) == [GOOD, BAD]


def test_a_connection_is_added_and_its_secret_is_asked_for(run, gateway):
    gateway.answers["connections_add"] = CONNECTION
    words = [
        "--mailer",
        "smtp",
        "--nickname",
        "Main",
        "--from-email",
        "s@x.org",
        "--set",
        "host=h=1.example",
        "--set",
        "limits.per_day=5",
    ]
    output = run("connections", "add", "main", *words, "--secret", "password", input="hunter2\n").output
    assert "secondpost connections verify main" in output
    assert "hunter2" not in output
    assert gateway.asked == [
        (
            "connections_add",
            {
                "name": "main",
                "mailer": "smtp",
                "nickname": "Main",
                "from_email": "s@x.org",
                "host": "h=1.example",
                "limits": {"per_day": "5"},
                "password": "hunter2",
            },
        )
    ]


def test_a_dsn_with_its_secret_may_come_from_standard_input(run, gateway):
    gateway.answers["connections_add"] = CONNECTION
    run("connections", "add", "main", "--dsn", "-", input="smtp://u:p@h\n")
    assert gateway.asked[0][1] == {"name": "main", "dsn": "smtp://u:p@h"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--mailer", "smpt"], "did you mean smtp?"),
        (["--mailer", "smtp", "--set", "hst=x"], "did you mean host?"),
        (["--mailer", "smtp", "--set", "host"], "Write --set KEY=VALUE"),
        (["--mailer", "smtp", "--set", "name=x"], "There is no setting 'name'"),
        (["--dsn", "smtp://u:p@h?verify_peer=0"], "always verified"),
    ],
)
def test_a_wrong_connection_is_refused_before_the_gateway_is_asked(run, gateway, words, said):
    assert said in run("connections", "add", "main", *words, code=2).stderr
    assert gateway.asked == []


def test_a_connection_is_removed(run, ask, gateway):
    gateway.answers["connections_remove"] = None
    assert ask("connections", "remove", "main", "--replacement", "other") == {"removed": "main"}
    assert gateway.asked == [("connections_remove", {"name": "main", "replacement": "other"})]


def test_the_backup_is_shown_and_chosen(run, ask, gateway):
    gateway.answers["backup_show"] = {"backup": None, "origin": "built-in", "locked": False}
    assert "There is no Backup Connection" in run("backup", "show").output
    gateway.answers["backup_show"] = {"backup": "second", "origin": "secondpost.toml", "locked": True}
    assert "second (set by secondpost.toml)" in run("backup", "show").output
    gateway.answers["backup_set"] = {"backup": None, "locked": False}
    ask("backup", "set", "second")
    ask("backup", "set", "none")
    assert [what for _, what in gateway.asked[2:]] == [{"name": "second"}, {"name": None}]


CONDITION = {"property": "subject", "operator": "contains", "value": "invoice"}


def test_routes_are_listed_and_explained(run, ask, gateway, folder):
    rule = {"name": "Invoices", "connection": "second", "enabled": True, "any": [{"all": [CONDITION, CONDITION]}]}
    rule |= {"id": "", "locked": True, "origin": "secondpost.toml", "skipped": ""}
    gateway.answers["routes_list"] = [rule, rule | {"enabled": False, "skipped": "it is switched off"}]
    output = run("routes", "list").output
    assert "Invoices" in output
    assert "(skipped: it is switched off)" in output
    assert "secondpost.toml" in output
    told = {
        "name": "Invoices",
        "skipped": "",
        "met": True,
        "chosen": True,
        "any": [[CONDITION | {"found": ["My invoice"], "holds": True}]],
    }
    skipped = told | {"name": "Old", "skipped": "it is switched off", "met": False, "chosen": False}
    gateway.answers["routes_explain"] = {
        "route": "Invoices",
        "connections": ["second", "main"],
        "blocked": "",
        "rules": [skipped, told],
    }
    (folder / "m.eml").write_bytes(b"Subject: My invoice\r\n\r\n")
    output = run("routes", "explain", "m.eml", "--to", "a@x.org").output
    for words in (
        "Old: skipped, since it is switched off",
        "Invoices: matches, and decides",
        "yes  subject contains 'invoice'",
        "It goes by second, then main",
    ):
        assert words in output
    assert gateway.asked[-1][1]["recipients"] == ["a@x.org"]
    assert ask("routes", "explain", "m.eml")["route"] == "Invoices"
    assert "cannot be read" in run("routes", "explain", "nope.eml", code=1).stderr


def test_no_routes_and_no_match_are_told_plainly(run, gateway, folder):
    gateway.answers |= {
        "routes_list": [],
        "routes_explain": {"route": None, "connections": ["main"], "blocked": "", "rules": []},
    }
    assert "all mail goes by the Primary Connection" in run("routes", "list").output
    assert (
        "no route matches, so the Primary Connection"
        in run("routes", "explain", "-", input="Subject: x\r\n\r\n").output
    )


def test_a_log_in_is_made_shown_once_listed_and_revoked(run, ask, gateway):
    gateway.answers |= {
        "credentials_add": {"name": "web", "secret": "sp_1"},
        "credentials_list": [{"name": "web", "senders": ["@x.org"]}],
        "credentials_revoke": None,
    }
    assert "sp_1" in run("credentials", "add", "web", "--sender", "@x.org").output
    assert gateway.asked[-1][1] == {"name": "web", "senders": ["@x.org"]}
    assert "@x.org" in run("credentials", "list").output
    run("credentials", "add", "web", "--per-minute", "10", "--per-day", "100")
    assert gateway.asked[-1][1] == {"name": "web", "senders": [], "per_minute": 10, "per_day": 100}
    run("credentials", "add", "web", "--per-minute", "0", code=2)
    gateway.answers["credentials_list"] = [{"name": "web", "senders": [], "per_minute": 10, "per_hour": None}]
    assert "10 a minute" in run("credentials", "list").output
    assert ask("credentials", "revoke", "web") == {"revoked": "web"}
    gateway.answers["credentials_list"] = []
    assert "secondpost credentials add NAME" in run("credentials", "list").output


def test_keys(run, ask, gateway):
    key = {"name": "shop", "scopes": ["send"], "senders": [], "per_minute": 10, "per_hour": None, "access_id": None}
    gateway.answers |= {
        "keys_add": {"name": "shop", "key": "sp_1"}, "keys_list": [key], "keys_revoke": None,
    }  # fmt: skip
    assert "sp_1" in run("keys", "add", "shop", "--scope", "send", "--sender", "@x.org", "--per-hour", "5").output
    assert gateway.asked[-1][1] == {"name": "shop", "scopes": ["send"], "senders": ["@x.org"], "per_hour": 5}
    gateway.answers["keys_add"] = {"name": "ses", "access_id": "SPKEY1", "secret": "sps_1"}
    output = run("keys", "add", "ses", "--ses").output
    assert "SPKEY1" in output
    assert "sps_1" in output
    assert gateway.asked[-1][1]["signing"] is True
    assert "10 a minute" in run("keys", "list").output
    assert ask("keys", "revoke", "shop") == {"revoked": "shop"}
    gateway.answers["keys_list"] = []
    assert "secondpost keys add NAME" in run("keys", "list").output


def test_a_configuration_is_checked(run, ask, gateway, folder):
    assert ask("config", "check") == {"ok": True, "file": None}
    (folder / "secondpost.toml").write_text('backup = "kept"\n')
    gateway.answers["connections_list"] = [CONNECTION | {"name": "kept"}]
    assert "is right (secondpost.toml)" in run("config", "check").output
    gateway.answers["connections_list"] = []
    assert "there is no connection 'kept'" in run("config", "check", code=2).stderr


def test_a_name_that_is_nowhere_is_found_without_a_database(run, folder):
    (folder / "secondpost.toml").write_text('backup = "kept"\n')
    assert "there is no connection 'kept'" in run("config", "check", code=2).stderr
    assert [path.name for path in folder.iterdir()] == ["secondpost.toml"]


def test_the_configuration_is_shown_with_its_origins_and_without_its_secrets(run, ask, folder):
    (folder / "secondpost.toml").write_text(
        '[connections.main]\nmailer = "smtp"\nhost = "h.example.com"\npassword = "hunter2"\n[log]\ncontent_days = 3\n'
    )
    output = run("config", "show", "--origin").output
    assert max(map(len, output.splitlines())) <= 80
    assert "environment" in output
    rows = {row["path"]: row for row in ask("config", "show")}
    assert rows["log.content_days"] | {"help": ""} == {
        "path": "log.content_days",
        "value": 3,
        "origin": "secondpost.toml",
        "help": "",
    }
    assert rows["data_dir"]["origin"] == "environment SECONDPOST_DATA_DIR"
    assert rows["connections.main.password"]["value"] == "********"
    assert "hunter2" not in output + str(rows)
    assert all(set(row) == {"path", "value", "origin", "help"} and row["help"] for row in rows.values())


def test_the_database_is_copied_to_where_the_command_was_typed(run, ask, gateway, folder):
    gateway.answers |= {"db_backup": {"path": "x"}, "db_status": {"kind": "sqlite"}, "db_migrate": {"kind": "sqlite"}}
    assert "key file" in run("db", "backup", "copy.db").output
    assert gateway.asked[0][1] == {"path": str(folder / "copy.db")}
    assert "sqlite" in run("db", "status").output
    assert ask("db", "migrate") == {"kind": "sqlite"}


def test_the_state_of_the_database_is_told_in_words(run, gateway):
    gateway.answers["db_status"] = {"bytes": 3 << 20, "wal_bytes": 0, "reserve": True, "trouble": ""}
    lines = run("db", "status").output.splitlines()
    assert lines == ["size     3.0 MiB", "wal      0 B", "reserve  kept back for a full disk", "trouble  none"]
    gateway.answers["db_status"] = {"reserve": False}
    assert "the disk is full" in run("db", "status").output


def test_health_is_the_running_gateways(run, ask, gateway):
    gateway.answers["health"] = {"ok": True, "checks": [{"name": "store", "ok": True, "text": "fine"}]}
    assert "ok    store: fine" in run("health").output
    gateway.answers["health"] = {"ok": False, "checks": [{"name": "store", "ok": False, "text": "full"}]}
    assert "FAIL  store: full" in run("health", code=1).stderr


def test_no_gateway_is_no_health(ask, run):
    assert "secondpost serve" in run("health", code=1).stderr
    assert ask("health", code=1)["checks"][0]["name"] == "gateway"


@pytest.fixture
def module(monkeypatch):
    """Put a module in place of one that is not under test."""

    def put(name, **functions):
        made = ModuleType(name)
        vars(made).update(functions)
        monkeypatch.setitem(sys.modules, name, made)
        monkeypatch.setattr(sys.modules["secondpost"], name.rpartition(".")[2], made, raising=False)

    return put


def test_serve_takes_listeners_and_folder_as_options_and_ends_with_its_status(run, module):
    served = []

    def serve(config, read):
        served.append(config)
        assert read().data_dir == config.data_dir
        return 3

    module("secondpost.app", serve=serve)
    run("serve", "--smtp-listen", "127.0.0.1:26,[::1]:26", "--http-listen", "off", "--data-dir", "elsewhere", code=3)
    (config,) = served
    assert [str(listener) for listener in config.smtp.listen] == ["127.0.0.1:26", "[::1]:26"]
    assert config.http.listen is None
    assert config.data_dir.name == "elsewhere"
    assert config.origin("smtp.listen") == "command line --smtp-listen"


def test_a_wrong_option_of_serve_names_the_option(run):
    assert "smtp.listen (command line --smtp-listen): must be" in run("serve", "--smtp-listen", "26", code=2).stderr


def test_the_demo_is_run(run, module):
    asked = []

    def story(**options):
        asked.append(options)
        return 0

    module("secondpost.demo", run=story)
    run("demo", "--stay", "--json")
    assert asked == [{"stay": True, "json": True}]


def test_connections_of_another_program_are_added(run, gateway, tmp_path):
    file = tmp_path / ".env"
    file.write_text("MAILER_DSN=failover(smtp://a.example.com smtp://u:secret-canary@b.example.com)\n")
    gateway.answers |= {
        "connections_list": [],
        "connections_add": {},
        "backup_show": {"backup": None},
        "backup_set": {},
    }
    output = run("connections", "import", str(file)).output
    assert output == "symfony\nsymfony-backup  (backup)\n"
    assert [asked for asked, _ in gateway.asked] == [
        "connections_list", "connections_add", "connections_add", "backup_show", "backup_set",
    ]  # fmt: skip


def test_an_import_that_does_not_fit_changes_nothing(run, gateway, tmp_path):
    file = tmp_path / ".env"
    file.write_text("EMAIL_HOST=mail.example.com\nEMAIL_PORT=99999\n")
    gateway.answers |= {"connections_list": [{"name": "django"}]}
    assert "port" in run("connections", "import", str(file), code=2).stderr
    file.write_text("EMAIL_HOST=mail.example.com\n")
    assert "already a connection" in run("connections", "import", str(file), code=1).stderr
    file.write_text("HELLO=world\n")
    assert "no mail settings" in run("connections", "import", str(file), code=2).stderr
    gateway.answers |= {"connections_list": []}
    file.write_text("EMAIL_HOST=mail.example.com\n")
    assert run("connections", "import", "--dry-run", str(file)).output == "django\n"
    assert {asked for asked, _ in gateway.asked} == {"connections_list"}


# domain-check ---------------------------------------------------------------------------------------------------------


def test_a_domain_check_tells_each_finding_and_fails_where_dmarc_would(run, gateway):
    item = {"name": "DKIM", "state": "bad", "title": "There is no DKIM key", "text": "None.", "todo": "Add one."}
    row = {
        "title": "Main (SMTP)",
        "role": "primary",
        "domain": "b.test",
        "changed": True,
        "passes": False,
        "items": [item],
    }
    gateway.answers["domain_check"] = [row]
    output = run("domain-check", "a.test", "--selector", "s1", code=1).output
    assert "Main (SMTP), primary: DMARC would fail" in output
    assert "changes the From to b.test" in output
    assert "- DKIM: There is no DKIM key. None." in output
    assert gateway.asked == [("domain_check", {"domain": "a.test", "connection": None, "selector": "s1"})]
    gateway.answers["domain_check"] = [row | {"passes": None, "changed": False}]
    assert "not known" in run("domain-check", "a.test").output
    gateway.answers["domain_check"] = []
    assert "nothing to check" in run("domain-check", "a.test").output
