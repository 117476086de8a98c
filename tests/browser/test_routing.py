"""Smart Routing in a browser, by what is written on the page, with script and without."""

import pytest

from tests.browser.conftest import set_up
from tests.gateway import Gateway


def rule(page, group: int, place: int):
    """Property, operator and value of one rule."""
    return page.get_by_role("group").filter(has=page.get_by_label("Value")).nth(group).locator(".rule").nth(place)


def fill(row, asked: str, how: str, value: str):
    row.get_by_label("Property").select_option(label=asked)
    row.get_by_label("Operator").select_option(label=how)
    row.get_by_label("Value").fill(value)


def build(page):
    """A route with two groups: a row and a group are added, a row is taken away."""
    page.goto("/settings/general")
    page.get_by_role("link", name="Smart Routing").click()
    page.get_by_text("There is no route yet.").wait_for()
    page.get_by_role("link", name="Add New").click()
    page.get_by_text("Friendly reminder: mail that matches no route uses the Primary Connection.").wait_for()
    page.get_by_label("Name").fill("Invoices")
    page.get_by_label("Connection", exact=True).select_option(label="backup (Other SMTP)")
    fill(rule(page, 0, 0), "Subject", "Contains", "invoice")
    page.get_by_role("button", name="And", exact=True).click()
    fill(rule(page, 0, 1), "Recipient Count", "Less than", "3")
    page.get_by_role("button", name="Add New Group").click()
    fill(rule(page, 1, 0), "Header Value", "Is", "bills")
    page.get_by_role("button", name="And", exact=True).nth(1).click()
    page.get_by_role("button", name="Remove this rule").nth(3).click()
    assert page.locator(".rule").count() == 3
    assert rule(page, 0, 0).get_by_label("Value").input_value() == "invoice"


def mend(page):
    """A mistake is told at its rule, what was typed stays, and the draft can be replayed."""
    rule(page, 0, 1).get_by_label("Value").fill("few")
    page.get_by_role("button", name="Save Settings").last.click()
    page.get_by_text("recipient_count is a number; 'few' is not.").wait_for()
    rule(page, 0, 1).get_by_label("Value").fill("3")
    page.get_by_role("button", name="Replay over").click()
    page.get_by_role("heading", name="1 message of the last 1 message would move").wait_for()
    page.get_by_role("button", name="Save Settings").last.click()
    page.get_by_text("Skipped: Smart Routing is not enabled").wait_for()


def try_out(page):
    """A pasted header, then a message of the log."""
    page.get_by_role("link", name="Try it").click()
    page.get_by_label("A message, or its header").fill("Subject: Your invoice 2\nTo: a@example.com")
    page.get_by_role("button", name="Try it").click()
    page.get_by_role("heading", name="It would be blocked by the route None of these.").wait_for()
    page.get_by_label("A message, or its header").fill("")
    page.get_by_label("Or one of the log").select_option(index=2)
    page.get_by_role("button", name="Try it").click()
    page.get_by_role("heading", name="It would be blocked by the route None of these.").wait_for()


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
def test_a_route_is_built_tried_ordered_and_carries_mail(script, tmp_path, primary, backup, visit):
    with Gateway(tmp_path, primary=primary, backup=backup) as gateway:
        page = visit(gateway, java_script_enabled=script)
        set_up(page, gateway)
        before = gateway.send(Subject="Your invoice 1")
        gateway.becomes(before, "accepted")

        build(page)
        mend(page)

        # In force
        page.get_by_label("Enable Smart Routing").check()
        page.get_by_role("button", name="Save Settings").click()
        page.get_by_text("Settings were successfully saved.").wait_for()
        page.get_by_text("Subject contains invoice and Recipient Count less than 3 or Header Value is bills").wait_for()
        routed, other = gateway.send(Subject="Your invoice 2"), gateway.send(Subject="Hello")
        for mark in (routed, other):
            gateway.becomes(mark, "accepted")
        assert (gateway.attempts(before), gateway.attempts(routed), gateway.attempts(other)) == (
            ["primary"], ["backup"], ["primary"],
        )  # fmt: skip

        # Another one before it blocks
        page.get_by_role("link", name="Add New").click()
        page.get_by_label("Name").fill("None of these")
        page.get_by_label("Block").check()
        fill(rule(page, 0, 0), "Subject", "Ends with", "2")
        page.get_by_role("button", name="Save Settings").last.click()
        page.get_by_role("button", name="Move None of these up").click()
        try_out(page)
        blocked = gateway.send(Subject="Your invoice 2")
        gateway.becomes(blocked, "cancelled")
        assert gateway.attempts(blocked) == []
        assert gateway.complaints == [], gateway.output()


def test_a_route_of_the_file_is_locked_and_says_where_it_is_set(tmp_path, primary, backup, visit):
    route = {
        "name": "From the file", "connection": "backup",
        "any": [{"all": [{"property": "subject", "operator": "is", "value": "x"}]}],
    }  # fmt: skip
    with Gateway(tmp_path, primary=primary, backup=backup, settings={"routes": [route]}) as gateway:
        page = visit(gateway)
        set_up(page, gateway)
        page.goto("/settings/routing")
        page.get_by_text(f"Set by {gateway.config}").wait_for()
        assert page.get_by_role("link", name="Edit From the file").count() == 0
