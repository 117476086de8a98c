"""Settings, Email Log: what is kept, and what the file has already said."""

from secondpost.service.retention import CONTENT
from secondpost.service.users import Role

PATH = "/settings/log"


async def test_the_settings_are_kept_and_recorded(admin):
    browser = await admin.signed_in(Role.ADMIN)
    page = await browser.get(PATH)
    assert "Log Email Content" in page.text
    assert '<option value="30" selected>1 Month</option>' in page.text
    data = {"logs": "on", "content": "30", "entries": "365", "never": "password reset\r\n"}
    assert (await browser.post(PATH, data=data)).headers["Location"] == PATH
    assert admin.operations.retention.show() == {"content": 30, "entries": 365, "never": ["password reset"]}
    assert "changed what the log keeps" in (await admin.audit())[0]


async def test_content_can_be_switched_off(admin):
    browser = await admin.signed_in(Role.ADMIN)
    await browser.post(PATH, data={"content": "7", "entries": "30", "never": ""})
    assert admin.operations.retention.show()["content"] == 0


async def test_what_the_file_sets_is_locked(admin):
    admin.operations.retention.fixed = {CONTENT: "secondpost.toml"}
    browser = await admin.signed_in(Role.ADMIN)
    assert "The content is set by secondpost.toml" in (await browser.get(PATH)).text
    await browser.post(PATH, data={"entries": "30", "never": ""})
    assert admin.operations.retention.show()["content"] == 7


async def test_bad_input_changes_nothing_and_is_shown_again(admin):
    browser = await admin.signed_in(Role.ADMIN)
    for data in ({"entries": "0"}, {"entries": "x"}, {"entries": "30", "never": "word " * 50}):
        answer = await browser.post(PATH, data={"logs": "on", "content": "7", "never": "kept"} | data)
        assert answer.status_code == 422
        assert "Nothing was saved." in answer.text
    assert admin.operations.retention.show() == {"content": 7, "entries": 30, "never": []}
