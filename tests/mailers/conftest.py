"""Who stands at the other end: a provider that fails on command, and certificates of every kind."""

import pytest

from tests.certificates import Certificates
from tests.provider import Provider


@pytest.fixture
def provider():
    with Provider() as provider:
        yield provider
        assert provider.violations == []


@pytest.fixture(scope="session")
def certificates():
    return Certificates()
