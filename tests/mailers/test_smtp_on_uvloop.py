"""The gateway runs on uvloop, whose sockets and TLS are not asyncio's: what depends on them is tried there too."""

from functools import partial

import pytest
import uvloop

from tests.mailers import test_smtp as plain
from tests.mailers import test_smtp_crossing as crossing
from tests.mailers import test_smtp_faults as faults
from tests.mailers import test_smtp_pool as pool
from tests.mailers import test_smtp_tls as tls
from tests.provider import hang_up, raw, reset

LOST = partial(faults.test_f03_after_the_point_every_loss_is_unclear, way="pipelined", step="dot")
BAD = tls.test_f08_a_bad_certificate_is_refused_and_named
PLAIN = {
    "arrives": partial(plain.test_a_message_arrives_as_it_was, way="pipelined"),
    "streamed": partial(plain.test_a_large_message_is_streamed_as_it_was, extensions=frozenset({"PIPELINING"})),
    "shared": partial(plain.test_many_messages_share_few_sessions_and_arrive_once, chaining=True),
    "refused early": plain.test_f12_a_refusal_while_a_large_message_is_leaving,
    "lost after": partial(LOST, fault="reset"),
    "lost within": faults.test_f05_the_line_is_lost_while_a_large_message_is_leaving,
    "lost at the point": crossing.test_the_line_is_lost_while_the_right_is_being_written_down,
    "kept but dead": partial(pool.test_a_kept_session_that_dies_at_mail_costs_the_message_nothing, act=reset),
    "black hole": faults.test_f01_a_black_hole,
    "idle": plain.test_an_idle_session_is_closed_politely,
}
SECURED = {
    "good": tls.test_a_good_certificate_is_good,
    "expired": partial(BAD, kind="expired", word="expired"),
    "stranger": partial(BAD, kind="self_signed", word="does not trust"),
    "eof": partial(tls.test_f08_a_handshake_that_fails, act=hang_up),
    "garbage": partial(tls.test_f08_a_handshake_that_fails, act=raw(b"garbage, not TLS\r\n" * 20)),
}


@pytest.mark.parametrize("story", PLAIN.values(), ids=PLAIN)
def test_over_plain_sockets(provider, story):
    uvloop.run(story(provider))


@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])
@pytest.mark.parametrize("story", SECURED.values(), ids=SECURED)
def test_over_tls(certificates, tmp_path, story, implicit):
    uvloop.run(story(certificates, tmp_path, implicit=implicit))


def test_nobody_is_there():
    uvloop.run(faults.test_nobody_listens())


def test_a_handshake_hangs(certificates, tmp_path, monkeypatch):
    uvloop.run(tls.test_f08_a_handshake_that_hangs(certificates, tmp_path, implicit=True, monkeypatch=monkeypatch))
