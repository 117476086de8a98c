"""The image and the compose file, as far as they can be told without a container engine: what they name is there, and
nothing runs as root. That the copied files are enough to build from: test_wheel.py.
"""

import json
import re
import tomllib

import click
import pytest
import yaml

from secondpost import config
from secondpost.cli import cli
from tests.gateway import ROOT

FOLDER = ROOT / "packaging/docker"
LINES = re.sub(r"\\\n\s*", "", (FOLDER / "Dockerfile").read_text()).splitlines()
INSTRUCTIONS = [tuple(line.split(" ", 1)) for line in LINES if line and not line.startswith("#")]
LAST = INSTRUCTIONS[max(at for at, (word, _) in enumerate(INSTRUCTIONS) if word == "FROM") :]
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text())


def said(word):
    """What the last stage says with this instruction, once."""
    (text,) = [text for given, text in LAST if given == word]
    return text


def test_every_instruction_is_one():
    known = ["CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "RUN", "USER", "VOLUME", "WORKDIR"]
    assert [word for word, _ in INSTRUCTIONS if word not in known] == []


def test_it_runs_as_nobody_with_rights_and_keeps_its_data_in_one_volume():
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", said("USER"))
    assert said("VOLUME") == said("WORKDIR") == "/data"
    user = said("USER").partition(":")[0]
    assert f"--uid {user} " in said("RUN")
    assert "--owner=secondpost --group=secondpost --mode=0700 /data" in said("RUN")


def test_the_settings_that_it_makes_are_right():
    environ = dict(pair.split("=", 1) for pair in said("ENV").split())
    environ.pop("PATH")
    found = config.load(environ=environ | {"SECONDPOST_CONFIG": "/dev/null"})
    assert str(found.data_dir) == "/data"
    assert str(found.http.listen).rpartition(":")[2] == said("EXPOSE")


@pytest.mark.parametrize("word", ["CMD", "HEALTHCHECK"])
def test_the_commands_that_it_runs_are_there(word):
    words = json.loads(said(word)[said(word).index("[") :])
    program, *rest = words if word == "HEALTHCHECK" else json.loads(said("ENTRYPOINT")) + words
    assert program in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert cli.get_command(click.Context(cli), rest[0]) is not None


def test_what_is_copied_is_sent_to_the_engine():
    allowed = (FOLDER / "Dockerfile.dockerignore").read_text().split()
    assert allowed[0] == "*"
    copied = [text.split()[:-1] for word, text in INSTRUCTIONS if word == "COPY" and "--from" not in text]
    assert {f"!{name}" for names in copied for name in names} == set(allowed[1:-1])


def test_the_compose_file_builds_it_and_opens_nothing_to_the_network():
    (service,) = COMPOSE["services"].values()
    assert (FOLDER / service["build"]["context"] / service["build"]["dockerfile"]).resolve() == FOLDER / "Dockerfile"
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert [volume.partition(":")[2] for volume in service["volumes"]] == ["/data"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    given = {name: re.sub(r"\$\{\w+:-(.*)\}", r"\1", value) for name, value in service["environment"].items()}
    config.load(environ=given | {"SECONDPOST_CONFIG": "/dev/null"}).require()
