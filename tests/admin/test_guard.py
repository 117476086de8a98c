"""What stands before every page: names, other sites, sessions, headers."""

import io
from urllib.parse import parse_qs, urlsplit

import pytest

from secondpost.admin.static import assets, link
from secondpost.service.users import Role
from tests.admin.conftest import PASSWORD


async def test_a_name_that_is_not_ours_is_not_answered(admin):
    answer = await admin.browser().get("/sign-in", headers={"Host": "rebound.example"})
    assert answer.status_code == 421
    assert "not ours" in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "", "Origin": "https://evil.example"}, {"Sec-Fetch-Site": "", "Origin": "null"},
        {"Sec-Fetch-Site": ""},
    ],
    ids=str,
)  # fmt: skip
async def test_another_site_changes_nothing(admin, headers):
    browser = await admin.signed_in(Role.OWNER)
    answer = await browser.post("/settings/connections/inbox/verify", headers=headers)
    assert answer.status_code == 403
    assert "Nothing was changed" in answer.text


async def test_our_own_origin_may_change_where_the_browser_says_no_more(admin):
    browser = await admin.signed_in(Role.OWNER)
    headers = {"Sec-Fetch-Site": "", "Origin": admin.us}
    assert (await browser.post("/settings/connections/inbox/verify", headers=headers)).status_code == 303


@pytest.mark.parametrize("path", ["/sign-in", "/settings/general", "/join/nothing", "/static/admin.css", "/static/x"])
async def test_every_answer_has_the_headers_that_protect(admin, path):
    headers = (await (await admin.signed_in(Role.OWNER)).get(path)).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")


async def test_pages_have_no_script_and_no_style_of_their_own(admin):
    browser = await admin.signed_in(Role.OWNER)
    for path in ("/settings/general", "/settings/connections/new", "/tools/email-test"):
        page = (await browser.get(path)).text
        assert "style=" not in page
        assert "<style" not in page
        assert "<script>" not in page
        assert "onclick" not in page


async def test_what_is_typed_is_shown_as_text(admin):
    browser = await admin.signed_in(Role.OWNER)
    evil = '"><script>alert(1)</script>'
    page = await browser.post("/settings/connections/new", data={"mailer": "smtp", "nickname": evil, "smtp.port": "x"})
    assert page.status_code == 422
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert" in page.text


async def test_a_form_that_is_too_large_is_refused(admin):
    browser = await admin.signed_in(Role.OWNER)
    answer = await browser.post("/settings/connections/new", data=io.BytesIO(b"nickname=" + b"x" * 3_000_000))
    assert answer.status_code == 400
    assert "2 MiB" in answer.text


async def test_signing_out_ends_the_session_at_the_server(admin):
    browser = await admin.signed_in(Role.VIEWER)
    cookies = dict(browser.cookies)
    await browser.post("/sign-out")
    again = admin.browser()
    again.cookies.update(cookies)
    assert (await again.get("/settings/general")).headers["location"] == "/sign-in?next=%2Fsettings%2Fgeneral"


async def test_signing_in_gives_a_session_and_is_written_down(admin):
    await admin.add("ada@example.com", Role.OWNER)
    browser = admin.browser()
    answer = await browser.post(
        "/sign-in", data={"email": "Ada@example.com", "password": PASSWORD, "next": "/tools/email-test"}
    )
    assert answer.headers["location"] == "/tools/email-test"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert (await browser.get("/tools/email-test")).status_code == 200
    assert "signed in" in (await admin.audit())[0]


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x"])
async def test_signing_in_never_leads_away_from_here(admin, path):
    await admin.add("ada@example.com", Role.OWNER)
    data = {"email": "ada@example.com", "password": PASSWORD, "next": path}
    assert (await admin.browser().post("/sign-in", data=data)).headers["location"] == "/"


async def test_who_guesses_has_to_wait(admin):
    await admin.add("ada@example.com", Role.OWNER)
    browser, wrong = admin.browser(), {"email": "ada@example.com", "password": "wrong"}
    codes = [(await browser.post("/sign-in", data=wrong)).status_code for _ in range(6)]
    assert codes == [401] * 5 + [429]
    assert (await browser.post("/sign-in", data=wrong | {"password": PASSWORD})).status_code == 429


async def test_the_set_up_link_works_once(admin):
    secret = (await admin.operations.setup_url())["url"].rpartition("/")[2]
    data = {"email": "ada@example.com", "password": PASSWORD, "again": PASSWORD}
    assert (await admin.browser().post(f"/join/{secret}", data=data)).status_code == 303
    assert (await admin.browser().post(f"/join/{secret}", data=data)).status_code == 404
    assert [user["role"] for user in await admin.operations.users_list()] == ["owner"]


async def test_all_that_a_browser_loads_is_small():
    assert sum(len(asset.compressed) for asset in assets().values()) < 15_000


async def test_who_is_signed_out_amid_a_form_is_told_so_and_comes_back_to_it(admin):
    await admin.add("ada@example.com", Role.OWNER)
    browser = admin.browser()
    headers = {"Referer": f"{admin.us}/settings/misc"}
    answer = await browser.post("/settings/misc", data={"do_not_send": "on"}, headers=headers)
    assert answer.headers["location"] == "/sign-in?next=%2Fsettings%2Fmisc"
    page = (await browser.get(answer.headers["location"])).text
    assert "You were signed out meanwhile. Nothing was changed." in page
    wrong = {"email": "ada@example.com", "password": "wrong", "next": "/settings/misc"}
    assert 'name="next" value="/settings/misc"' in (await browser.post("/sign-in", data=wrong)).text


@pytest.mark.parametrize("referer", ["https://evil.example//evil.example", "nonsense", ""])
async def test_another_page_leads_nowhere_after_a_late_form(admin, referer):
    answer = await admin.browser().post("/settings/misc", headers={"Referer": referer})
    await admin.add("ada@example.com", Role.OWNER)
    way = parse_qs(urlsplit(answer.headers["location"]).query).get("next", [""])[0]
    data = {"email": "ada@example.com", "password": PASSWORD, "next": way}
    assert (await admin.browser().post("/sign-in", data=data)).headers["location"] == "/"


async def test_a_person_is_told_by_a_page_what_is_not_there(admin):
    for browser in (admin.browser(), await admin.signed_in(Role.VIEWER)):
        answer = await browser.get("/settings/nothing", headers={"Accept": "text/html"})
        assert answer.status_code == 404
        assert "There is no such page" in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "There is no such page" not in (await admin.browser().get("/settings/nothing")).text


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_a_method_that_a_page_does_not_have_is_refused_with_all_headers(admin, method):
    answer = await (await admin.signed_in(Role.OWNER)).request(method, "/settings/misc")
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_a_file_is_kept_for_ever_only_under_the_name_of_its_content(admin):
    named = await admin.browser().get(link("admin.css"))
    assert "immutable" in named.headers["cache-control"]
    for path in ("/static/admin.css", "/static/admin.css?000000000000"):
        assert (await admin.browser().get(path)).headers["cache-control"] == "no-cache"


async def test_a_long_notice_still_fits_into_a_cookie(admin):
    browser = await admin.signed_in(Role.OWNER)
    await admin.operations.connections_add("far", mailer="smtp", nickname="ä" * 64, host="x" * 60 + ".invalid", port=25)
    answer = await browser.post("/settings/connections/far/verify")
    assert len(answer.headers["set-cookie"]) < 4096
    page = (await browser.get("/settings/connections")).text
    assert '<p class="notice open" role="status">ää' in page
