"""The gateway runs on uvloop, whose sockets and TLS are not asyncio's: what depends on them is tried there too."""

import pytest
import uvloop

from tests.mailers.test_smtp import (
    certificates,
    provider,
    test_a_good_certificate_is_good,
    test_a_kept_session_that_dies_at_mail_costs_the_message_nothing,
    test_a_large_message_is_streamed_as_it_was,
    test_a_message_arrives_as_it_was,
    test_f01_a_black_hole,
    test_f03_after_the_point_every_loss_is_unclear,
    test_f07_a_server_that_reads_slowly_is_given_up,
    test_f08_a_bad_certificate_is_refused_and_named,
    test_f08_a_handshake_that_fails,
    test_f08_a_handshake_that_hangs,
    test_many_messages_share_few_sessions_and_arrive_once,
    test_nobody_listens,
    test_s4_what_is_injected_behind_the_answer_to_starttls_is_not_read,
    test_the_name_does_not_resolve,
)

__all__ = [name for name in dir() if name.startswith("test_") or name in {"certificates", "provider"}]


@pytest.fixture(scope="module")
def event_loop_policy():
    return uvloop.EventLoopPolicy()


async def test_this_is_uvloop():
    import asyncio

    assert isinstance(asyncio.get_running_loop(), uvloop.Loop)
