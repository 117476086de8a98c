"""Settings, Email Log: what is kept, and what the file has already said."""

from secondpost.service.retention import CONTENT, MEGABYTES, UNLIMITED
from secondpost.service.users import Role

PATH = "/settings/log"


async def test_the_settings_are_kept_and_recorded(admin):
    browser = await admin.signed_in(Role.ADMIN)
    page = await browser.get(PATH)
    assert "Log Email Content" in page.text
    assert '<option value="30" selected>1 Month</option>' in page.text
    data = {"logs": "on", "attachments": "on", "content": "30", "entries": "365", "never": "password reset\r\n"}
    assert (await browser.post(PATH, data=data)).headers["Location"] == PATH
    kept = {"content": 30, "entries": 365, "megabytes": UNLIMITED, "never": ["password reset"], "attachments": True}
    assert admin.operations.retention.show() == kept
    assert "changed what the log keeps" in (await admin.audit())[0]


async def test_the_content_has_a_cap_that_can_be_taken_away(admin):
    browser = await admin.signed_in(Role.ADMIN)
    data = {"logs": "on", "content": "7", "entries": "30", "never": "", "megabytes": "500"}
    await browser.post(PATH, data=data)
    assert admin.operations.retention.show()["megabytes"] == 500
    assert 'value="500"' in (await browser.get(PATH)).text
    assert "at most 500 MB of content" in (await admin.audit())[0]
    await browser.post(PATH, data=data | {"megabytes": ""})
    assert admin.operations.retention.show()["megabytes"] == UNLIMITED
    assert 'value="500"' not in (await browser.get(PATH)).text


async def test_attachments_can_be_switched_off(admin):
    browser = await admin.signed_in(Role.ADMIN)
    await browser.post(PATH, data={"logs": "on", "content": "7", "entries": "30", "never": ""})
    assert admin.operations.retention.show()["attachments"] is False
    assert "no attachments" in (await admin.audit())[0]


async def test_content_can_be_switched_off(admin):
    browser = await admin.signed_in(Role.ADMIN)
    await browser.post(PATH, data={"content": "7", "entries": "30", "never": ""})
    assert admin.operations.retention.show()["content"] == 0


async def test_what_the_file_sets_is_locked(admin):
    admin.operations.retention.fixed = {CONTENT: "secondpost.toml", MEGABYTES: "secondpost.toml"}
    browser = await admin.signed_in(Role.ADMIN)
    page = (await browser.get(PATH)).text
    assert "The content is set by secondpost.toml" in page
    assert "The most that is kept is set by secondpost.toml" in page
    await browser.post(PATH, data={"entries": "30", "never": ""})
    assert admin.operations.retention.show()["content"] == 7


async def test_bad_input_changes_nothing_and_is_shown_again(admin):
    browser = await admin.signed_in(Role.ADMIN)
    for data in (
        {"entries": "0"},
        {"entries": "x"},
        {"entries": "30", "never": "word " * 50},
        {"megabytes": "0"},
        {"megabytes": "much"},
        {"megabytes": "9999999999"},
    ):
        answer = await browser.post(PATH, data={"logs": "on", "content": "7", "never": "kept"} | data)
        assert answer.status_code == 422
        assert "Nothing was saved." in answer.text
    assert admin.operations.retention.show() == {
        "content": 7,
        "entries": 30,
        "megabytes": UNLIMITED,
        "never": [],
        "attachments": True,
    }


async def test_what_is_wrong_is_told_at_its_field(admin):
    browser = await admin.signed_in(Role.ADMIN)
    data = {"logs": "on", "content": "7", "entries": "30", "never": "", "megabytes": "0"}
    answer = await browser.post(PATH, data=data)
    assert answer.status_code == 422
    assert 'aria-invalid="true" aria-describedby="megabytes-error megabytes-about"' in answer.text
    assert 'id="megabytes-error">Megabytes are' in answer.text
