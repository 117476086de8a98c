"""The dashboard, watched while things happen."""

from tests.browser.conftest import set_up


def test_the_page_tells_what_happens_while_one_looks_at_it(launch, primary, backup, visit):
    gateway = launch()
    page = visit(gateway)
    set_up(page, gateway)
    page.get_by_text("No mail in the last 24 hours.").wait_for()
    page.get_by_role("link", name="Send a test like a real message").focus()
    primary.refuse()
    gateway.becomes(gateway.send(), "accepted")
    page.get_by_text("1 message went out by backup (Other SMTP)").wait_for()
    page.get_by_text("The same as a table").click()
    page.get_by_role("cell", name="1", exact=True).wait_for()
    gateway.becomes(gateway.send(), "accepted")
    page.get_by_text("2 messages went out by backup (Other SMTP)").wait_for()
    page.get_by_role("cell", name="2", exact=True).wait_for()  # the table is still open
