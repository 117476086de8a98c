"""Schemathesis reads the description of the HTTP API and tries whatever that allows, and what it does not."""

import subprocess
import sys

from tests.gateway import Gateway
from tests.provider import HOST

SECONDS = 60


def test_whatever_is_asked_of_the_api_it_has_no_error_of_its_own(tmp_path):
    with Gateway(tmp_path, settings={"do_not_send": True}) as gateway:
        scopes = ["send", "read", "read-all", "manage", "connections", "choose"]
        _, made = gateway.ask("keys_add", name="app", scopes=scopes)
        url = f"http://{HOST}:{gateway.http_port}/v1/openapi.json"
        command = [
            sys.executable, "-m", "schemathesis.cli", "run", url, "--checks", "not_a_server_error", "--mode", "all",
            "--header", f"Authorization: Bearer {made['key']}", "--max-examples", "40", "--phases", "examples,fuzzing",
            "--seed", "1", "--exclude-path", "/v1/messages/raw",  # not JSON: tests/entrypoints/http_api/test_v1.py
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, cwd=tmp_path, check=False)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
        assert gateway.complaints == []
