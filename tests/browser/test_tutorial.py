"""The tutorial, done in a browser by what is written on the page, with script and without."""

import pytest

from tests.browser.conftest import set_up
from tests.gateway import Gateway
from tests.provider import Provider


def fill_smtp(page, provider: Provider):
    page.get_by_label("From Email", exact=True).fill("shop@example.com")
    page.get_by_role("group", name="Mailer").get_by_text("Other SMTP").click()
    page.get_by_label("SMTP Host").fill("127.0.0.1")
    page.get_by_label("SMTP Port").fill(str(provider.port))
    page.get_by_label("Encryption", exact=True).select_option("none")


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_the_backup_is_set_up_by_the_tutorial_and_carries_mail_when_the_primary_stops(
    script, tmp_path, primary, backup, visit
):
    with Gateway(tmp_path) as gateway:
        page = visit(gateway, java_script_enabled=script)
        set_up(page, gateway)

        # 1. The Primary Connection
        page.get_by_role("link", name="Settings").click()
        page.get_by_text("Once you add an additional connection, you can select it here.").wait_for()
        fill_smtp(page, primary)
        page.get_by_role("button", name="Verify").click()
        page.get_by_text("Signing in worked.").wait_for()
        page.get_by_role("button", name="Save Settings").click()
        page.get_by_text("Settings were successfully saved.").wait_for()

        # 2. An additional connection
        page.get_by_role("link", name="Additional Connections").click()
        page.get_by_role("link", name="Add New").click()
        page.get_by_label("Connection Nickname").fill("Second")
        fill_smtp(page, backup)
        page.get_by_role("button", name="Save Settings").click()
        page.get_by_text("Settings were successfully saved.").wait_for()

        # 3. It is the Backup Connection
        page.get_by_role("link", name="General").click()
        assert page.get_by_label("None").is_checked()
        page.get_by_label("Second (Other SMTP)").check()
        page.get_by_role("button", name="Save Settings").click()
        page.get_by_text("Settings were successfully saved.").wait_for()
        assert page.get_by_label("Second (Other SMTP)").is_checked()

        # 4. A test by it
        page.get_by_role("link", name="Tools").click()
        assert page.get_by_label("Send To").input_value() == "ada@example.com"
        assert page.get_by_label("HTML").is_checked()
        choices = page.get_by_label("Connection", exact=True)
        assert choices.locator("option").all_inner_texts()[0] == "Primary: Primary (Other SMTP)"
        choices.select_option(label="Second (Other SMTP)")
        page.get_by_role("button", name="Send Email").click()
        page.get_by_text("Success!").wait_for()
        assert (len(primary.mail), len(backup.mail)) == (0, 1)
        assert b"Secondpost: HTML Test email to ada@example.com" in backup.mail[0].data

        # 5. The primary stops, and the next message goes out by the backup
        primary.refuse()
        page.get_by_label("Send it like a real message").check()
        page.get_by_role("button", name="Send Email").click()
        page.get_by_role("heading", name="accepted by Second (Other SMTP)").wait_for()
        assert (len(primary.mail), len(backup.mail)) == (0, 2)

        # 6. The dashboard tells it
        page.get_by_role("link", name="Dashboard").click()
        page.get_by_text("1 message went out by Second (Other SMTP)").wait_for()
        assert gateway.complaints == [], gateway.output()


def test_a_test_by_a_connection_that_is_down_says_what_to_do(launch, primary, visit):
    gateway = launch()
    page = visit(gateway)
    set_up(page, gateway)
    primary.refuse()
    page.goto("/tools/email-test")
    page.get_by_role("button", name="Send Email").click()
    page.get_by_role("heading", name="The provider cannot be reached").wait_for()
    page.get_by_text("Check the host name and the port.").wait_for()


def test_a_mistake_is_told_at_its_field_and_nothing_is_kept(tmp_path, visit):
    with Gateway(tmp_path) as gateway:
        page = visit(gateway)
        set_up(page, gateway)
        page.goto("/settings/connections/new")
        page.get_by_label("From Email", exact=True).fill("no address")
        page.get_by_label("SMTP Port").fill("many")
        page.get_by_label("SMTP Password").fill("canary-secret")
        page.get_by_role("button", name="Save Settings").click()
        page.get_by_text("Nothing was saved.").wait_for()
        assert "Must be one address" in page.locator("#field-from_email-about").inner_text()
        assert "whole number" in page.locator("#field-smtp-port-about").inner_text()
        assert "canary-secret" not in page.content()
        page.goto("/settings/connections")
        page.get_by_text("There is none yet.").wait_for()


def test_a_secret_is_written_and_never_read_again(tmp_path, backup, visit):
    with Gateway(tmp_path) as gateway:
        page = visit(gateway)
        set_up(page, gateway)
        page.goto("/settings/connections/new")
        page.get_by_label("Connection Nickname").fill("Second")
        fill_smtp(page, backup)
        page.get_by_label("SMTP Username").fill("u")
        page.get_by_label("SMTP Password").fill("canary-secret")
        page.get_by_role("button", name="Save Settings").click()
        page.get_by_role("link", name="Second (Other SMTP)", exact=True).click()
        assert page.get_by_label("SMTP Password").input_value() == ""
        assert "canary-secret" not in page.content()
        page.get_by_role("button", name="Save Settings").click()  # what is left empty stays
        page.get_by_role("link", name="Second (Other SMTP)", exact=True).click()
        page.get_by_label("Remove").wait_for()
