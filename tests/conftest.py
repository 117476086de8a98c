"""What all tests share. Scenarios get two providers and a way to launch the gateway between them.

Rule: whatever a scenario does to the gateway, it must not print a traceback, and it must not break the protocol
towards a provider.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.gateway import Gateway
from tests.provider import Provider

Launch = Callable[..., Gateway]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "crash: kills the gateway, or the machine below it")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "crash" in item.path.parts:
            item.add_marker("crash")


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Have a text printed at the end of the run, from whichever process it comes."""
    return lambda text: record_property("told", text)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for reports in list(terminalreporter.stats.values()):
        for report in reports:
            for key, text in getattr(report, "user_properties", ()):
                if key == "told" and report.when == "call":
                    terminalreporter.write_line(f"{report.nodeid}\n{text}")


@pytest.fixture
def primary() -> Iterator[Provider]:
    with Provider(name="primary") as provider:
        yield provider
        assert provider.violations == []


@pytest.fixture
def backup() -> Iterator[Provider]:
    with Provider(name="backup") as provider:
        yield provider
        assert provider.violations == []


@pytest.fixture
def launch(tmp_path: Path, primary: Provider, backup: Provider) -> Iterator[Launch]:
    """`launch()` starts a gateway between `primary` and `backup`; what is given replaces these."""
    with ExitStack() as stack:
        launched: list[Gateway] = []

        def start(*, running: bool = True, **options: Any) -> Gateway:
            folder = tmp_path / f"gateway{len(launched) or ''}"
            folder.mkdir()
            gateway = Gateway(folder, **{"primary": primary, "backup": backup} | options)
            launched.append(gateway)
            return stack.enter_context(gateway) if running else gateway

        yield start
        for gateway in launched:
            gateway.kill()
            assert gateway.complaints == [], gateway.output()


@pytest.fixture
def gateway(launch: Launch) -> Gateway:
    return launch()


@dataclass(frozen=True, slots=True)
class Stage:
    """A primary, a backup and a gateway between them."""

    primary: Provider
    backup: Provider
    gateway: Gateway


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """For a module whose tests leave the gateway as it was: starting one costs most of a second."""
    with Provider(name="primary") as primary, Provider(name="backup") as backup:
        with Gateway(tmp_path_factory.mktemp("gateway"), primary=primary, backup=backup) as gateway:
            yield Stage(primary, backup, gateway)
            assert gateway.complaints == [], gateway.output()
        assert primary.violations + backup.violations == []
