"""F15: kill -9 at any moment under load, again and again.

Nothing that was acknowledged is lost, nothing is doubled without a recorded doubt.
"""

import os
import random
import time

import pytest

from tests.crash.accounting import Load, ledger, quiet
from tests.provider import Provider, before, hang_up, normally, say

KILLS = int(os.environ.get("SECONDPOST_KILLS", "20"))


@pytest.mark.timeout(120 + 8 * KILLS)
@pytest.mark.parametrize("policy", ["hold", "send_again"])
def test_f15_killed_under_load_nothing_is_lost_and_no_copy_is_unexplained(launch, primary, backup, policy, tell):
    after = "1h" if policy == "hold" else "1s"
    terms = {"unclear_after": after, "when_unclear": policy}
    gateway = launch(settings={"priority": {"normal": terms, "urgent": terms}})
    rounds = max(1, KILLS // 2)
    with Load(gateway) as load:
        for number in range(rounds):
            weather(number, primary, backup)
            time.sleep(random.uniform(0.05, 1.2))
            gateway.restart()
    primary.heal()
    backup.heal()
    quiet(gateway, 60)
    time.sleep(2 if policy == "send_again" else 0)
    quiet(gateway, 60)
    books = ledger(gateway, load, primary, backup, rounds=rounds)
    tell(str(books))
    books.check()
    assert len(books.acknowledged) > 20 * rounds, "that was no load"


def weather(number: int, primary: Provider, backup: Provider) -> None:
    """Each round has its own: all well, slow answers, refusals, a primary that hangs up after the dot, a primary that
    is gone.
    """
    primary.heal()
    backup.heal()
    primary.on("taken", before(normally, seconds=lambda: random.uniform(0, 0.03)))
    match number % 5:
        case 1:
            primary.on("dot", before(normally, seconds=lambda: random.uniform(0, 0.2)))
        case 2:
            primary.on("mail", say("451 4.3.0 Trouble here"), odds=0.3)
        case 3:
            primary.heal()
            primary.on("taken", hang_up, odds=0.05)
        case 4:
            primary.refuse()
        case _:
            pass
