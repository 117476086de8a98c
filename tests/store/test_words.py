"""Finding words as SQLite's full-text index does, so that a message is found alike before and after it is indexed."""

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpost.store.words import match, spells

WORDS = st.sampled_from(
    [
        "Your",
        "café",
        "CAFE",
        "order",
        "ord",
        "no-reply",
        "a@b.org",
        "a@b.or",
        "b.org",
        "x_y",
        "ß",
        "42",
        "…",
        "日本",
        "o'neil",
    ]
)
TEXTS = st.lists(WORDS, max_size=6).map(" ".join)


@pytest.fixture(scope="module")
def index() -> apsw.Connection:
    db = apsw.Connection(":memory:")
    db.execute("""CREATE VIRTUAL TABLE search USING fts5 (
        subject, address, content = '', contentless_delete = 1, tokenize = "unicode61 remove_diacritics 2")""")
    return db


@given(text=TEXTS, asked=TEXTS)
def test_both_ways_find_the_same(index: apsw.Connection, text: str, asked: str):
    index.execute("DELETE FROM search")
    index.execute("INSERT INTO search (rowid, subject, address) VALUES (1, ?, ?)", (text, text))
    for query in (
        match(subject=asked, address=""),
        match(subject="", address=asked),
        match(subject=asked, address=asked),
    ):
        found = query is None or bool(index.execute("SELECT rowid FROM search WHERE search MATCH ?", (query,)).get)
        assert found == spells(text, asked)


@given(st.text(), st.text())
def test_any_question_is_a_valid_query(index: apsw.Connection, subject: str, address: str):
    query = match(subject=subject, address=address)
    if query is not None:
        index.execute("SELECT rowid FROM search WHERE search MATCH ?", (query,)).fetchall()
