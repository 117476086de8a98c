"""The pages of the Email Log, empty and filled, can be used by everybody: axe-core, light and dark, 360 pixels."""

from tests.browser.conftest import set_up
from tests.browser.test_pages_are_for_everybody import look
from tests.gateway import Gateway
from tests.provider import say

HTML = "--b\r\nContent-Type: text/html\r\n\r\n<h1>Reset</h1><p>Click.</p>\r\n--b--\r\n"


def test_the_log_is_accessible_and_narrow(tmp_path, primary, backup, visit):
    with Gateway(tmp_path, primary=primary, backup=backup) as gateway:
        page = visit(gateway, viewport={"width": 1280, "height": 800})
        set_up(page, gateway)
        page.goto("/log")
        look(page, "log-empty")
        rescued = _fill(gateway, primary)
        for name, path in (
            ("list", ""),
            ("none", "?q=nobody&since=2026-01-01"),
            ("sorted", "?sort=subject"),
            ("story", f"/{rescued}"),
            ("content", f"/{rescued}/content"),
            ("resend", f"/{rescued}/resend"),
        ):
            page.goto(f"/log{path}")
            look(page, f"log-{name}")
        page.goto("/settings/log")
        look(page, "log-settings")
        page.goto("/log?q=anna")
        page.get_by_label("All that match").check()
        page.get_by_role("button", name="Delete").click()
        page.get_by_role("heading", name="Delete 4 messages?").wait_for()
        look(page, "log-delete")
        page.get_by_role("link", name="Leave them").click()
        page.get_by_label("All on this page").check()
        page.get_by_role("button", name="Resend").click()
        page.get_by_role("button", name="Send 4 messages again").click()
        page.get_by_text("4 messages sent again").wait_for()
        look(page, "log-job")


def _fill(gateway, primary) -> str:
    """Messages of some kinds, and one that the backup rescued: its id."""
    gateway.becomes(gateway.send(Subject="Your invoice of March", Cc="carol@example.org"), "accepted")
    gateway.becomes(gateway.send(Subject="Newsletter: spring is here, and long subjects wrap in rows"), "accepted")
    primary.on("rcpt", say("550 5.1.1 no such user"), times=1)
    gateway.becomes(gateway.send(Subject="Nobody is there"), "rejected")
    primary.on("dot", say("451 4.3.0 Try again later"))
    mark = gateway.send(
        Subject="Password reset", body=HTML, MIME_Version="1.0", Content_Type="multipart/mixed; boundary=b"
    )
    gateway.becomes(mark, "accepted")
    primary.heal()
    return str(gateway.numbers[mark])


def test_a_person_finds_a_message_by_what_is_written_on_the_pages(tmp_path, primary, backup, visit):
    with Gateway(tmp_path, primary=primary, backup=backup) as gateway:
        _fill(gateway, primary)
        page = visit(gateway, java_script_enabled=False)
        set_up(page, gateway)
        page.get_by_role("link", name="Email Log").click()
        page.get_by_label("Search in").select_option(label="Subject & Headers")
        page.get_by_role("searchbox", name="Search").fill("reset")
        page.get_by_role("button", name="Search").click()
        assert page.locator("tbody tr").count() == 1
        page.get_by_text("by backup", exact=True).wait_for()
        page.get_by_role("link", name="Password reset").click()
        page.get_by_text("Why: fallback:").wait_for()
        page.get_by_role("link", name="Content", exact=True).click()
        page.frame_locator("iframe.mail").get_by_text("Click.").wait_for()
        page.get_by_role("link", name="Email Log").first.click()
        page.get_by_role("link", name="Failed").click()
        page.get_by_role("link", name="Nobody is there").wait_for()
        page.get_by_label("Name of the view").fill("What failed")
        page.get_by_role("button", name="Save this view").click()
        page.get_by_role("link", name="All").click()
        page.get_by_role("link", name="What failed").click()
        assert page.locator("tbody tr").count() == 1
