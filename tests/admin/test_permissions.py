"""Who may use which route, compared with the table that a person has reviewed."""

import re
from pathlib import Path

import pytest

from secondpost.admin import site
from secondpost.admin.permissions import TABLE
from secondpost.service.users import Role

REVIEWED = {
    " ".join(line.split()[:2]): line.split()[2:]
    for line in (Path(__file__).parent / "permissions.txt").read_text().splitlines()
    if not line.startswith("#")
}
WHO = (None, Role.VIEWER, Role.OPERATOR, Role.ADMIN, Role.OWNER)


def test_the_reviewed_table_names_every_route():
    assert list(REVIEWED) == list(TABLE)


def test_a_page_without_a_permission_stops_the_start(admin, monkeypatch):
    monkeypatch.setitem(site.PAGES, "GET /forgotten", site.PAGES["GET /"])
    with pytest.raises(RuntimeError, match="GET /forgotten"):
        site.make(admin.operations, public_url="")


@pytest.mark.parametrize("who", WHO, ids=str)
async def test_every_route_lets_in_whom_the_table_names_and_nobody_else(admin, who):
    await admin.add("first@example.com", Role.OWNER)
    browser = admin.browser() if who is None else await admin.signed_in(who)
    for route, row in REVIEWED.items():
        method, path = route.split()
        if who is not None:
            secret = await admin.operations.sessions.begin(
                f"{who}@example.com", client="", agent=""
            )  # anew: signing out is one of the routes
            browser.cookies = {"secondpost": secret}
        answer = await browser.request(method, re.sub(r"\{\w+\}", "x", path))
        refused = answer.status_code == 403 or answer.headers.get("location", "").startswith("/sign-in?")
        refused |= who is None and answer.headers.get("location") == "/sign-in"
        assert refused is (row[WHO.index(who)] == "-"), f"{route} as {who}: {answer.status_code}"
