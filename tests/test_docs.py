"""The documentation says what the program does: references are complete and fresh, links lead somewhere, examples are
right.
"""

import ast
import importlib
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from secondpost import config, mailers
from secondpost.cli import cli
from secondpost.config.settings import ConnectionTable, LimitsTable, TimeoutsTable, paths
from secondpost.core.routing import KEYS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "changes/README.md", *sorted(DOCS.rglob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|mailto:)([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(language: str) -> list[Any]:
    """Every block of code in that language, named by its page."""
    return [
        pytest.param(text, id=f"{name(page)}-{number}")
        for page in PAGES
        for number, (kind, text) in enumerate(FENCE.findall(page.read_text()), 1)
        if kind == language
    ]


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for word in command.list_commands(context):
            inner = command.get_command(context, word)
            assert inner is not None
            yield from commands(inner, f"{path} {word}")


# ── references ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_made_from_the_code_is_up_to_date():
    done = subprocess.run(
        [sys.executable, DOCS / "build.py", "--check"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_page_that_is_out_of_date_is_named_and_mended(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(DOCS))
    build = importlib.import_module("build")
    monkeypatch.setattr(build, "DOCS", tmp_path)
    monkeypatch.setattr(build, "PARTS", {"page.md": lambda: "new"})
    page = tmp_path / "page.md"
    page.write_text(f"before\n\n{build.BEGIN}\n\nold\n\n{build.END}\n\nafter\n")
    assert build.main(["--check"]) == 1
    assert capsys.readouterr().out == "out of date: page.md. Run ./dev docs\n"
    assert build.main([]) == 0
    assert page.read_text() == f"before\n\n{build.BEGIN}\n\nnew\n\n{build.END}\n\nafter\n"
    assert build.main(["--check"]) == 0


def test_a_page_that_lost_its_marks_is_told(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    build = importlib.import_module("build")
    with pytest.raises(SystemExit, match="lost its marks"):
        build.rebuilt("a page", "a part")


def test_every_setting_is_in_the_reference():
    page = (DOCS / "reference/configuration.md").read_text()
    of_connections = [*ConnectionTable.model_fields, *LimitsTable.model_fields, *TimeoutsTable.model_fields]
    of_mailers = [setting.name for mailer in mailers.MAILERS for setting in mailers.find(mailer).settings]
    known = [path.rpartition(".")[2] for path in paths()] + of_connections + of_mailers + list(KEYS)
    assert [setting for setting in known if f"| `{setting}` |" not in page] == []


def test_every_command_and_option_is_in_the_reference():
    page = (DOCS / "reference/commands.md").read_text()
    for path, command in commands(cli, "secondpost"):
        assert re.search(rf"^##+ {path}$", page, re.MULTILINE), path
        options = [word for option in command.params if isinstance(option, click.Option) for word in option.opts]
        assert [word for word in options if word not in page] == [], path


# ── links, and what is named ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page):
    wrong = []
    for target in LINK.findall(page.read_text()):
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        if not there.exists() or (anchor and anchor not in anchors(there)):
            wrong.append(target)
    assert wrong == []


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = FENCE.sub("", page.read_text())
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(text)}


def test_every_page_can_be_reached_from_the_first_one():
    reached, ahead = set(), [DOCS / "README.md"]
    while ahead:
        page = ahead.pop()
        if page in reached or page.suffix != ".md" or not page.exists():
            continue
        reached.add(page)
        ahead += [(page.parent / link.partition("#")[0]).resolve() for link in LINK.findall(page.read_text())]
    written_by_hand = [page for page in DOCS.rglob("*.md") if page != DOCS / "benchmark.md"]  # `./dev bench` makes it
    assert [name(page) for page in written_by_hand if page not in reached] == []


def test_the_tests_that_hold_the_promises_are_there():
    named = set(re.findall(r"\btest_\w+\b(?!\.py)", (DOCS / "promises.md").read_text()))
    tests = "\n".join(path.read_text() for path in ROOT.glob("tests/**/test_*.py"))
    there = set(re.findall(r"def (test_\w+)\(", tests))
    assert sorted(named - there) == []


def test_commands_that_are_shown_exist():
    known = {path for path, _ in commands(cli, "secondpost")}
    groups = {path for path, command in commands(cli, "secondpost") if isinstance(command, click.Group)}
    shown = {
        (name(page), line)
        for page in PAGES
        for kind, text in FENCE.findall(page.read_text())
        if kind == "sh"
        for line in re.findall(r"\bsecondpost (?!-)[a-z][^|#\n]*", text)
    }
    for page, line in shown:
        words = line.split()
        path = " ".join(words[:3]) if " ".join(words[:2]) in groups else " ".join(words[:2])
        assert path in known, f"{page}: {line}"
    assert len(shown) > 10, "hardly any was found: is this test still right?"


# ── examples ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("text", blocks("toml"))
def test_a_configuration_that_is_shown_is_right(text, tmp_path):
    file = tmp_path / "secondpost.toml"
    file.write_text(text)
    environ = {"SECONDPOST_CONFIG": os.devnull}
    for value in secrets(tomllib.loads(text)):
        if "env" in value:
            environ[value["env"]] = "secret"
        elif not Path(value["file"]).is_absolute():
            (tmp_path / value["file"]).write_text("secret")
    config.load(file=file, environ=environ).require()


def secrets(value: Any) -> Iterator[dict[str, str]]:
    """Every { env = … } and { file = … }."""
    if isinstance(value, dict):
        if value.keys() in ({"env"}, {"file"}):
            yield value
        for inner in value.values():
            yield from secrets(inner)


@pytest.mark.parametrize("text", blocks("python"))
def test_python_that_is_shown_compiles(text):
    ast.parse(text)


def test_there_are_examples():
    assert blocks("toml")
    assert blocks("python")
