"""What is told on standard error, to people and to programs."""

import json
import logging
import sys

import pytest

from secondpost.diagnostics import ForPeople, ForPrograms


def record(text="all is well", *args, fault=None, **extra):
    return logging.getLogger("x").makeRecord("x", logging.WARNING, "f", 1, text, args, fault, extra=extra)


def test_programs_get_one_object_a_line():
    line = ForPrograms().format(record("breaker of %s open", "primary", fault=None, connection="primary", tries=3))
    told = json.loads(line)
    assert told.pop("timestamp").endswith("Z")
    assert told == {"level": "warning", "event": "breaker of primary open", "connection": "primary", "tries": 3}


def test_people_get_the_time_the_level_and_what_belongs_to_it():
    line = ForPeople().format(record("breaker open", connection="primary"))
    assert line[8:] == " warning  breaker open  connection=primary"


@pytest.mark.parametrize("form", [ForPeople(), ForPrograms()])
def test_what_is_logged_cannot_forge_a_line(form):
    line = form.format(record("a\nb\x1b[31m", reply="550 no\r\nready: \x85\u2028x"))
    assert len(line.splitlines()) == 1
    assert line.isprintable()
    assert "550 no" in line


@pytest.mark.parametrize("form", [ForPeople(), ForPrograms()])
def test_a_fault_of_our_own_comes_with_its_traceback(form):
    try:
        raise ValueError("no such thing")
    except ValueError:
        line = form.format(record("failed", fault=sys.exc_info()))
    assert "Traceback" in line
    assert "ValueError: no such thing" in line
