"""Django's own tests of an email backend pass with ours."""

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import django
import pytest

HERE = Path(__file__).parent
CACHE = HERE.parents[2] / "build/django"


@pytest.fixture(scope="session")
def their_tests() -> Path:
    """The tests of the Django that is installed, which only its source distribution has."""
    version = django.get_version()
    folder = CACHE / f"django-{version}/tests"
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        python = Path(sys.base_prefix) / "bin/python3"  # the environment has no pip
        wanted = ["--no-deps", "--no-binary", "django", "-d", str(CACHE), f"django=={version}"]
        done = subprocess.run(
            [python, "-m", "pip", "download", "-q", *wanted], capture_output=True, text=True, check=False
        )
        if done.returncode:
            told = f"Django's source cannot be fetched: {done.stderr[-300:]}"
            pytest.fail(told) if os.environ.get("CI") else pytest.skip(told)
        with tarfile.open(next(CACHE.glob(f"[dD]jango-{version}.tar.gz"))) as archive:
            chosen = [it for it in archive if "/tests/mail/" in it.name]
            archive.extractall(CACHE, chosen, filter="data")
    return folder


def test_those_that_apply_to_a_backend_pass(their_tests):
    command = [sys.executable, HERE / "their_cases.py", their_tests]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert "Ran 0 tests" not in done.stderr
    assert done.stderr.rstrip().endswith("OK")
