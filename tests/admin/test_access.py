"""Settings, Access: who may make, change and remove whom, and what is shown once."""

import html
import re

import pytest

from secondpost.service.users import Role
from tests.admin.conftest import PASSWORD

JOIN = re.compile(r"/join/[\w-]+")


async def role_of(admin, email):
    return (await admin.operations.users.known(email)).role


@pytest.fixture
async def owner(admin):
    return await admin.signed_in(Role.OWNER)


async def test_a_user_is_added_by_a_link_that_works_once(admin, owner):
    page = await owner.post("/settings/access/users", data={"user.email": "ben@example.com", "user.role": "viewer"})
    link = JOIN.search(page.text)
    assert link is not None
    assert link.group() not in (await owner.get("/settings/access")).text
    data = {"password": PASSWORD, "again": PASSWORD}
    assert (await admin.browser().post(link.group(), data=data)).status_code == 303
    assert (await admin.browser().post(link.group(), data=data)).status_code == 404
    assert await role_of(admin, "ben@example.com") is Role.VIEWER
    assert "invited ben@example.com as viewer" in (await admin.audit())[1]


async def test_a_link_that_was_withdrawn_does_not_work(admin, owner):
    page = await owner.post("/settings/access/users", data={"user.email": "ben@example.com", "user.role": "viewer"})
    link = JOIN.search(page.text)
    assert link is not None
    assert "ben@example.com" in (await owner.get("/settings/access")).text
    await owner.post("/settings/access/links/withdraw", data={"email": "ben@example.com"})
    assert (await admin.browser().get(link.group())).status_code == 404


@pytest.mark.parametrize(
    ("email", "role", "told"),
    [
        ("no address", "viewer", "is not an email address"),
        ("owner@example.com", "viewer", "is a user already"),
        ("ben@example.com", "king", "Choose one of the roles"),
    ],
)
async def test_what_is_wrong_with_a_new_user_is_told_and_nothing_is_kept(admin, owner, email, role, told):
    page = await owner.post("/settings/access/users", data={"user.email": email, "user.role": role})
    assert page.status_code == 422
    assert told in html.unescape(page.text)
    assert await admin.operations.users.invited() == []


# Nobody raises himself -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/settings/access/users", {"user.email": "ben@example.com", "user.role": "owner"}),
        ("/settings/access/user/role", {"email": "admin@example.com", "role": "owner"}),
        ("/settings/access/user/role", {"email": "viewer@example.com", "role": "owner"}),
        ("/settings/access/user/role", {"email": "owner@example.com", "role": "viewer"}),
        ("/settings/access/user/reset", {"email": "owner@example.com"}),
        ("/settings/access/user/sessions", {"email": "owner@example.com"}),
        ("/settings/access/user/remove", {"email": "owner@example.com"}),
    ],
)
async def test_an_admin_neither_makes_nor_touches_an_owner(admin, owner, path, data):
    for role in (Role.VIEWER, Role.ADMIN):
        await admin.signed_in(role)
    await admin.add("other@example.com", Role.OWNER)
    page = await (await admin.signed_in(Role.ADMIN)).post(path, data=data)
    assert page.status_code == 403
    assert "Only an owner" in page.text
    assert JOIN.search(page.text) is None
    roles = {user.email: user.role for user in await admin.operations.users.all()}
    assert roles == {f"{role}@example.com": role for role in (Role.OWNER, Role.ADMIN, Role.VIEWER)} | {
        "other@example.com": Role.OWNER
    }
    assert await admin.operations.users.invited() == []
    assert (await owner.get("/account")).status_code == 200
    assert "was refused" in (await admin.audit())[0]


async def test_an_admin_neither_ends_an_owners_session_nor_withdraws_an_owners_link(admin, owner):
    await admin.operations.users_add("next@example.com", "owner")
    browser = await admin.signed_in(Role.ADMIN)
    (session,) = await admin.operations.sessions.all("owner@example.com")
    assert (await browser.post("/settings/access/sessions/end", data={"id": session.id})).status_code == 403
    answer = await browser.post("/settings/access/links/withdraw", data={"email": "next@example.com"})
    assert answer.status_code == 403
    data = {"user.email": "Next@example.com", "user.role": "viewer"}  # a new link would end the one before
    assert (await browser.post("/settings/access/users", data=data)).status_code == 403
    assert [one.role for one in await admin.operations.users.invited()] == [Role.OWNER]
    assert len(await admin.operations.users.invited()) == 1
    assert (await owner.get("/account")).status_code == 200


async def test_an_admin_is_not_offered_the_role_of_an_owner(admin):
    page = (await (await admin.signed_in(Role.ADMIN)).get("/settings/access")).text
    assert '<option value="admin"' in page
    assert '<option value="owner"' not in page


async def test_the_last_owner_is_neither_removed_nor_demoted(admin, owner):
    for path, more in (("remove", {}), ("role", {"role": "admin"})):
        page = await owner.post(f"/settings/access/user/{path}", data={"email": "owner@example.com"} | more)
        assert page.status_code == 400
        assert "only owner" in page.text
    assert await role_of(admin, "owner@example.com") is Role.OWNER


async def test_who_gets_another_role_has_its_permissions_at_once(admin, owner):
    viewer = await admin.signed_in(Role.VIEWER)
    assert (await viewer.get("/settings/general")).status_code == 403
    await owner.post("/settings/access/user/role", data={"email": "viewer@example.com", "role": "admin"})
    assert (await viewer.get("/settings/general")).status_code == 200
    await owner.post("/settings/access/user/role", data={"email": "viewer@example.com", "role": "viewer"})
    assert (await viewer.get("/settings/general")).status_code == 403


async def test_who_was_removed_is_out_and_no_link_or_session_brings_them_back(admin, owner):
    viewer = await admin.signed_in(Role.VIEWER)
    link = JOIN.search((await owner.post("/settings/access/user/reset", data={"email": "viewer@example.com"})).text)
    assert link is not None
    await owner.post("/settings/access/user/remove", data={"email": "viewer@example.com"})
    assert (await viewer.get("/account")).status_code == 303
    assert (await admin.browser().get(link.group())).status_code == 404
    await admin.add("viewer@example.com", Role.VIEWER)  # another person, later, with the same address
    assert (await viewer.get("/account")).status_code == 303


# Programs ------------------------------------------------------------------------------------------------------------


async def test_a_credential_is_shown_once_and_works(admin, owner):
    form = {"credential.name": "shop & more", "credential.senders": "@example.com, a@example.org"}
    page = await owner.post("/settings/access/credentials", data=form | {"credential.per_minute": "60"})
    secret = re.search(r"sp_\w{40}", page.text)
    assert secret is not None
    client = await admin.operations.credentials.authenticate("shop & more", secret.group())
    assert client is not None
    assert client.senders == ("@example.com", "a@example.org")
    later = (await owner.get("/settings/access")).text
    assert "shop &amp; more" in later
    assert "60 a minute" in later
    assert secret.group() not in later
    asked = await owner.get("/settings/access/revoke?kind=credential&name=shop%20%26%20more")
    assert "Revoke the SMTP credential shop &amp; more?" in asked.text
    await owner.post("/settings/access/revoke", data={"kind": "credential", "name": "shop & more"})
    assert await admin.operations.credentials.authenticate("shop & more", secret.group()) is None
    assert "revoked the SMTP credential shop & more" in (await admin.audit())[0]
    assert all(secret.group() not in text for text in await admin.audit())


async def test_a_key_has_the_scopes_that_were_ticked_and_no_more(admin, owner):
    form = [("key.name", "reports"), ("key.scopes", "read-all"), ("key.scopes", "connections")]
    page = await owner.post("/settings/access/keys", data=form)
    secret = re.search(r"sp_\w{40}", page.text)
    assert secret is not None
    client = admin.operations.keys.client(secret.group())
    assert client.scopes == {"read-all", "connections"}
    await owner.post("/settings/access/revoke", data={"kind": "key", "name": "reports"})
    assert admin.operations.keys.client(secret.group()) is None


@pytest.mark.parametrize(
    ("kind", "form", "told"),
    [
        ("credential", {"name": ""}, "needs a name"),
        ("credential", {"name": "key:x"}, "does not begin with key:"),
        ("credential", {"name": "x", "per_minute": "0"}, "whole number"),
        ("credential", {"name": "x", "per_hour": "1e3"}, "whole number"),
        ("credential", {"name": "x", "senders": "ok@example.com @"}, "neither an address nor a domain"),
        ("key", {"name": "x"}, "Choose at least one"),
        ("key", {"name": "x", "scopes": "all"}, "Unknown scope"),
        ("key", {"name": "x", "scopes": "send", "senders": "a b@"}, "neither an address nor a domain"),
    ],
)
async def test_a_mistake_is_told_and_no_log_in_is_made(admin, owner, kind, form, told):
    data = {f"{kind}.{name}": value for name, value in form.items()}
    page = await owner.post(f"/settings/access/{kind}{'s'}", data=data)
    assert page.status_code == 422
    assert told in html.unescape(page.text)
    assert "sp_" not in page.text
    assert admin.operations.credentials.list() == admin.operations.keys.list() == []


# What was done -------------------------------------------------------------------------------------------------------


async def test_the_audit_log_is_searched_and_goes_on_by_key(admin, owner):
    for number in range(60):
        await admin.operations.store.event("audit", at=admin.operations.now(), text=f"ada did <b>{number}</b>")
    await admin.operations.store.event("breaker", at=admin.operations.now(), text="ada is not concerned")
    page = (await owner.get("/settings/access/audit?q=ADA")).text
    assert "ada did &lt;b&gt;59&lt;/b&gt;" in page
    assert "ada did &lt;b&gt;10&lt;/b&gt;" in page
    assert "not concerned" not in page
    older = re.search(r'href="(\?q=ADA&amp;before=\d+)"', page)
    assert older is not None
    rest = (await owner.get(f"/settings/access/audit{html.unescape(older.group(1))}")).text
    assert "&lt;b&gt;9&lt;/b&gt;" in rest
    assert "&lt;b&gt;10&lt;/b&gt;" not in rest
    assert "Older" not in rest
    assert "Nothing fits" in (await owner.get("/settings/access/audit?q=nowhere&before=x")).text
