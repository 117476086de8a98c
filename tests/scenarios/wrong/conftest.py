"""What is wrong must harm nobody, so one gateway stands for all of these tests."""

import pytest


@pytest.fixture
def gateway(stage):
    return stage.gateway


@pytest.fixture
def primary(stage):
    stage.primary.mail.clear()
    return stage.primary
