"""SIGHUP: the gateway takes up a changed configuration, and no session or message notices more than that."""

import signal

from tests.provider import total, wait_until

TO = "anna@example.com"


def hang_up(gateway, says):
    before = gateway.output().count(says)
    gateway.process.send_signal(signal.SIGHUP)
    wait_until(lambda: gateway.output().count(says) > before, 10, gateway.output)


def test_mail_changes_its_way_in_the_middle_of_a_session_and_nothing_is_lost_or_doubled(launch, primary, backup):
    gateway = launch()
    with gateway.client() as client:
        before = [gateway.send(client=client) for _ in range(20)]
        gateway.settings["primary"], gateway.settings["backup"] = "backup", "primary"
        gateway.write_config()
        hang_up(gateway, "the configuration was reloaded")
        after = [gateway.send(client=client) for _ in range(20)]
    wait_until(lambda: all(total(primary, backup)[mark, TO] for mark in before + after), 10, gateway.report)
    assert all(backup.copies[mark, TO] for mark in after)
    assert set(total(primary, backup).values()) == {1}


def test_a_fault_in_the_configuration_is_told_and_mail_goes_on(launch, primary):
    gateway = launch()
    gateway.settings["conections"] = {}
    gateway.write_config()
    hang_up(gateway, "all stays as it was")
    assert "conections" in gateway.output()
    mark = gateway.send()
    wait_until(lambda: primary.copies[mark, TO], 10, gateway.output)
    assert gateway.stop() == 0
