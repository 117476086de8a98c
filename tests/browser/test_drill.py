"""The Fallback Drill, by what is written on the page: with real providers, with script and without, and a crash."""

import pytest

from tests.browser.conftest import set_up


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_the_backup_proves_itself_and_real_mail_takes_its_way_over_a_crash(script, launch, primary, backup, visit):
    gateway = launch()
    page = visit(gateway, java_script_enabled=script)
    set_up(page, gateway)
    page.goto("/tools/drill")
    page.get_by_text("The backup has not proved itself yet.").wait_for()
    page.get_by_role("button", name="Start the Drill").click()
    page.get_by_text("The backup proved itself").wait_for()
    way = page.locator(".way li").all_inner_texts()
    assert "primary (Other SMTP) refused drill" in way[0]
    assert "backup (Other SMTP) accepted in" in way[1]
    assert (len(primary.mail), len(backup.mail)) == (0, 1)
    assert b"Fallback Drill to ada@example.com" in backup.mail[0].data

    page.get_by_text("Drill with real mail").click()
    page.get_by_role("button", name="Begin").click()
    page.get_by_text("Say yes to it first").first.wait_for()
    page.get_by_label("Yes, refuse real mail on purpose").check()
    page.get_by_role("button", name="Begin").click()
    page.get_by_text("refuses real mail on purpose").wait_for()
    gateway.restart()
    mark = gateway.send()
    gateway.becomes(mark, "accepted")
    assert gateway.attempts(mark) == ["primary", "backup"]
    page.goto("/tools/drill")
    page.get_by_role("button", name="End the Drill").click()
    page.get_by_text("primary (Other SMTP) refused 1 message on purpose").wait_for()
    mark = gateway.send()
    gateway.becomes(mark, "accepted")
    assert gateway.attempts(mark) == ["primary"]
