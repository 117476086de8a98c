"""What SQLite makes of the statements: no search walks a whole table."""

import re

import apsw

from secondpost.store.migrate import migrations
from secondpost.store.statements import statements


def unbound(sql: str) -> dict[str, None] | list[None]:
    """No value for each parameter of a statement."""
    if named := re.findall(r":([a-z_]+)", sql):
        return dict.fromkeys(named)
    numbered = [int(number) for number in re.findall(r"\?(\d)", sql)]
    return [None] * max(numbered, default=sql.count("?"))


def test_f38_claiming_goes_from_message_to_message():
    db = apsw.Connection(":memory:")
    for _, step in migrations():
        db.execute(step)
    plan = [
        str(step) for *_, step in db.execute("EXPLAIN QUERY PLAN " + statements("sqlite/queue")["lease"], [None] * 4)
    ]
    assert "SEARCH delivery USING PRIMARY KEY (message=?)" in plan


def test_f38_every_statement_finds_its_rows_by_an_index():
    db = apsw.Connection(":memory:")
    for _, step in migrations():
        db.execute(step)
    for name in ("spells", "mentions", "withheld_as"):
        db.create_scalar_function(name, lambda *_: True, 1 + (name != "withheld_as"))
    scans = {
        (name, str(step))
        for file in ("queue", "log")
        for name, sql in statements(f"sqlite/{file}").items()
        for *_, step in db.execute("EXPLAIN QUERY PLAN " + sql, unbound(sql))
        if re.match(r"SCAN (delivery|other|message|content|attempt|carried)\b(?! USING (COVERING )?INDEX)", str(step))
    }
    assert scans == set()
