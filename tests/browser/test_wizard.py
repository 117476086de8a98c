"""The Setup Wizard in a browser, from the first visit to the first message, with script and without."""

import subprocess

import pytest

from tests.browser.conftest import ME, set_up
from tests.gateway import Gateway
from tests.provider import Provider


def fill(page, provider: Provider):
    page.get_by_role("link", name="Other SMTP").click()
    page.get_by_label("SMTP Host").fill("127.0.0.1")
    page.get_by_label("SMTP Port").fill(str(provider.port))
    page.get_by_label("Encryption", exact=True).select_option("none")


def ticks(page):
    return page.get_by_role("list", name="Stages").locator("strong").all_inner_texts()


def primary_and_from(page, provider: Provider):
    """Steps 1 to 3, with a server that is down at first."""
    page.get_by_text("Step 1 of 6: Mailer").wait_for()
    provider.refuse()
    fill(page, provider)
    page.get_by_role("button", name="Check and go on").click()
    page.get_by_text("The provider cannot be reached").wait_for()
    assert ticks(page) == ["DNS", "TCP"]
    provider.heal()
    page.get_by_role("button", name="Check and go on").click()
    page.get_by_role("heading", name="signing in worked").wait_for()
    assert ticks(page) == ["DNS", "TCP", "Log-in"]
    page.get_by_role("link", name="Go on").click()
    page.get_by_text("Step 3 of 6: From").wait_for()
    page.get_by_label("From Email", exact=True).fill("shop@example.com")
    page.get_by_role("button", name="Go on").click()


def backup_and_test(page, provider: Provider):
    """Steps 4 and 5."""
    page.get_by_text("Step 4 of 6: Backup").wait_for()
    fill(page, provider)
    page.get_by_label("Connection Nickname").fill("Second")
    page.get_by_role("button", name="Check and go on").click()
    page.get_by_text("It is the Backup Connection now").wait_for()
    page.get_by_role("link", name="Go on").click()
    assert page.get_by_label("Send To").input_value() == ME
    page.get_by_role("button", name="Send Email").click()
    page.get_by_role("heading", name="Success! Accepted by Primary (Other SMTP).").wait_for()
    page.get_by_role("heading", name="Success! Accepted by Second (Other SMTP).").wait_for()
    page.get_by_role("link", name="Go on").click()


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_the_wizard_leads_from_nothing_to_the_first_message(script, tmp_path, primary, backup, visit):
    with Gateway(tmp_path) as gateway:
        page = visit(gateway, java_script_enabled=script)
        set_up(page, gateway)
        primary_and_from(page, primary)
        backup_and_test(page, backup)
        assert (len(primary.mail), len(backup.mail)) == (1, 1)
        page.get_by_role("heading", name="Waiting for your first message").wait_for()

        # The app is pointed here: what is shown for curl works as it stands
        page.get_by_text("curl", exact=True).click()
        command = page.get_by_label("curl", exact=True).text_content()
        subprocess.run(["/bin/sh", "-c", command], check=True, capture_output=True, timeout=30)
        if not script:
            page.get_by_role("link", name="Look again").click()
        page.get_by_role("heading", name="Your first message is here").wait_for()
        page.get_by_role("link", name="To the first page").click()
        assert "/wizard" not in page.url
        assert gateway.ask("backup_show")[1]["backup"] is not None
        assert gateway.complaints == [], gateway.output()


def test_the_wizard_can_be_left_and_taken_up_again(tmp_path, visit):
    with Gateway(tmp_path) as gateway:
        page = visit(gateway)
        set_up(page, gateway)
        page.get_by_role("button", name="Leave the wizard").click()
        page.get_by_text("The Setup Wizard can be opened again from this page.").wait_for()
        page.goto("/")
        assert "/wizard" not in page.url
        page.goto("/settings/general")
        page.get_by_role("link", name="Setup Wizard").click()
        page.get_by_text("Step 1 of 6: Mailer").wait_for()
