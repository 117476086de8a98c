"""A limit over all connections: the rest waits and says why; neither the backup nor a restart is a way around it."""

import time

from tests.provider import wait_until


def test_what_exceeds_the_limit_waits_over_a_restart_and_goes_when_it_is_raised(launch, primary, backup):
    gateway = launch(settings={"worker": {"per_month": 3}})
    marks = gateway.send_many(5)
    wait_until(lambda: len(primary.mail) == 3, 10, gateway.report)
    time.sleep(2.5)  # counts are written down every second
    gateway.restart()
    time.sleep(1.5)
    assert (len(primary.mail), len(backup.mail)) == (3, 0)
    (group,) = gateway.ask("queue")[1]["groups"]
    assert (group["count"], "over all connections" in group["why"]) == (2, True)
    gateway.stop()
    gateway.settings["worker"] = {"per_month": 4}
    gateway.write_config()
    gateway.start()
    wait_until(lambda: len(primary.mail) == 4, 10, gateway.report)
    time.sleep(1)
    assert sorted(state for mark in marks for state in gateway.states(mark).values()) == ["accepted"] * 4 + ["waiting"]
    assert backup.mail == []
