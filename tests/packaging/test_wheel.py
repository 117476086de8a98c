"""What people install: the wheel in an environment of its own, with no source tree in sight.

It is built from just what the Dockerfile copies, so that the image has all that it needs.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests import peers
from tests.gateway import END_WITH_US, ROOT
from tests.provider import HOST, free_port, wait_until

DOCKERFILE = (ROOT / "packaging/docker/Dockerfile").read_text()


def copied():
    """Files and folders of the source tree that the image is built from."""
    lines = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    return [name for line in lines for name in line.split()]


def uv(*words, **options):
    program = shutil.which("uv") or str(ROOT / ".uv/bin/uv")
    environ = os.environ | {"UV_PYTHON_DOWNLOADS": "never", "UV_SYSTEM_CERTS": "1"}
    command = [program, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, check=False, **options)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder of an environment with `secondpost[server]`."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for place in (ROOT / name for name in copied()):
        copy = shutil.copytree if place.is_dir() else shutil.copy
        copy(place, source / place.name)
    uv("build", "--wheel", "--python", sys.executable, "--out-dir", folder, source)
    (wheel,) = folder.glob("*.whl")
    uv("venv", "--python", sys.executable, folder / "venv")
    uv(
        "export",
        "--locked",
        "--no-dev",
        "--extra",
        "server",
        "--no-emit-project",
        "-o",
        folder / "locked.txt",
        cwd=ROOT,
    )
    uv("pip", "install", "--python", folder / "venv", f"{wheel}[server]", "--constraints", folder / "locked.txt")
    shutil.rmtree(source)
    return folder / "venv"


@pytest.fixture
def run(installed, tmp_path):
    """Run one of its programs somewhere else, with none of our variables."""

    def run(program, *words, stdin="", **environ):
        command = [installed / "bin" / program, *words]
        environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "SECONDPOST_CONFIG": os.devnull} | environ
        return subprocess.run(
            command, input=stdin, capture_output=True, text=True, env=environ, cwd=tmp_path, timeout=60, check=False
        )

    return run


def test_both_commands_work(run):
    assert run("secondpost", "--version").stdout.startswith("secondpost, version ")
    assert run("secondpost-sendmail", "-V").stdout.startswith("Secondpost ")
    assert json.loads(run("secondpost", "config", "check", "--json").stdout)


def test_the_gateway_serves_its_pages_and_takes_mail(installed, run, tmp_path):
    smtp, http = free_port(), free_port()
    words = ["serve", "--smtp-listen", f"{HOST}:{smtp}", "--http-listen", f"{HOST}:{http}", "--data-dir", tmp_path]
    environ = {"PATH": "/usr/bin:/bin", "SECONDPOST_CONFIG": os.devnull}
    with subprocess.Popen(
        [*END_WITH_US, installed / "bin/secondpost", *words], env=environ, stderr=subprocess.DEVNULL
    ) as gateway:
        try:
            wait_until(lambda: page(http, "/healthz"), 20)
            peers.wait_for_port(smtp, 10)
            wait_until(lambda: b"<html" in page(http, "/sign-in"), 20)
            sent = run(
                "secondpost-sendmail", "anna@example.com", stdin="Subject: Hello\n\nHello\n",
                SECONDPOST_DATA_DIR=str(tmp_path),
            )  # fmt: skip
            assert (sent.returncode, sent.stderr) == (0, "")
        finally:
            gateway.terminate()
            gateway.wait(20)
    assert gateway.returncode == 0


def page(port, path):
    """Empty while it cannot be had."""
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=5) as answer:
            return answer.read()
    except OSError:
        return b""


def test_the_library_is_typed_and_loads_no_gateway(run):
    code = "import secondpost, sys; print(secondpost.__file__, 'click' in sys.modules, 'starlette' in sys.modules)"
    where, *gateway = run("python", "-c", code).stdout.split()
    assert gateway == ["False", "False"]
    assert (Path(where).parent / "py.typed").exists()
    assert "site-packages" in where


def test_who_has_the_library_only_is_told_what_the_gateway_needs(tmp_path):
    (tmp_path / "click.py").write_text("raise ModuleNotFoundError('No module named click', name='click')")
    environ = {"PYTHONPATH": f"{tmp_path}:{ROOT / 'src'}"}
    command = [sys.executable, "-m", "secondpost", "serve"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert done.stderr == "secondpost: click is missing, and the gateway needs it: pip install 'secondpost[server]'\n"


def test_manual_pages_and_completion_are_where_shells_look(installed):
    share = installed / "share"
    for name in (
        "man/man1/secondpost.1", "man/man1/secondpost-sendmail.1", "bash-completion/completions/secondpost",
        "zsh/site-functions/_secondpost", "fish/vendor_completions.d/secondpost.fish",
    ):  # fmt: skip
        assert (share / name).is_file(), name


# ── completion ──────────────────────────────────────────────────────────────────────────────────────────────────────

BASH = (
    'source "$1"; COMP_WORDS=(secondpost con); COMP_CWORD=1; _secondpost secondpost; printf "%s\\n" "${COMPREPLY[@]}"'
)
FISH = "source $argv[1]; complete -C 'secondpost con' | string split -f1 \\t"
ZSH = '_describe() { print -l -- ${(P)2%%:*} }; words=(secondpost con); CURRENT=2; source "$1"'
SHELLS = {
    "bash": ["bash", "-c", BASH, "bash", "share/bash-completion/completions/secondpost"],
    "fish": ["fish", "--no-config", "-c", FISH, "share/fish/vendor_completions.d/secondpost.fish"],
    "zsh": ["zsh", "-f", "-c", ZSH, "zsh", "share/zsh/site-functions/_secondpost"],
}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_completes_a_command(installed, shell, tmp_path):
    peers.requires(shell)
    *words, script = SHELLS[shell]
    environ = {"PATH": f"{installed}/bin:/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run([*words, installed / script], capture_output=True, text=True, env=environ, check=False)
    assert sorted(done.stdout.split()) == ["config", "connections"], done.stderr
