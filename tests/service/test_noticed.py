"""What the gateway noticed: kept for people, bounded, and never what invites somebody in."""

import logging

import pytest

from secondpost.service.noticed import MOST, Noticed


@pytest.fixture
def noticed(office):
    noticed = Noticed(office.store, office.clock)
    noticed.start()
    yield noticed
    noticed.stop()


async def events(office):
    return [(one["kind"], one["connection"], one["text"]) for one in await office.store.events(limit=100)]


async def test_warnings_and_faults_are_kept_once_with_how_often(office, noticed):
    logger = logging.getLogger("secondpost.service.some")
    for _ in range(3):
        logger.warning("a log-in from %s failed", "192.0.2.1")
    try:
        raise KeyError("canary-secret")
    except KeyError:
        logger.exception("it failed by a fault of our own", extra={"connection": "main", "reference": "ab12"})
    logger.info("all is well")
    await noticed.keep()
    await noticed.keep()
    assert await events(office) == [
        ("fault", "main", "it failed by a fault of our own (KeyError) [reference ab12]"),
        ("warning", "", "a log-in from 192.0.2.1 failed (3 times)"),
    ]


async def test_what_is_told_elsewhere_or_to_one_person_only_is_not_kept(office, noticed):
    logging.getLogger("secondpost.app").warning("set up the web admin: /join/canary-secret")
    logging.getLogger("secondpost.service.trial").warning("connection main: breaker open")
    logging.getLogger("secondpost.service.housekeeping").warning("a worker died")
    logging.getLogger("another.library").error("something")
    await noticed.keep()
    assert await events(office) == []


async def test_noise_is_bounded_and_that_is_told(office, noticed):
    for number in range(10 * MOST):
        logging.getLogger("secondpost.entrypoints.smtp").warning("a log-in from %s failed", number)
    await noticed.keep()
    found = await events(office)
    assert len(found) == MOST + 1
    assert "more to notice" in found[0][2]
