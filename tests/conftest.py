"""What all tests share. Scenarios get two providers and a way to launch the gateway between them.

Rule: whatever a scenario does to the gateway, it must not print a traceback, and it must not break the protocol
towards a provider.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
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
