"""Providers' SDKs for Node, unmodified but for the base URL, send through us and understand our refusals."""

from email import message_from_bytes
from email.policy import SMTP

import pytest

from secondpost.service import compose
from tests import peers
from tests.mail_libraries import CLIENTS

SDKS = ["postmark", "sendgrid", "mailgun", "mailgun-mime", "resend", "ses"]

SAID = ([b"It is on its way.", b"file"], [b"It is on its way.", b"ZmlsZQ=="])  # as it is, or in Base64


async def sent(api, sdk, *key):
    peers.requires("node", str(CLIENTS / "node_modules/resend/package.json"))
    return await api.in_thread(lambda: peers.run("node", CLIENTS / "sdk.mjs", sdk, api.url, *key))


async def its_key(api, sdk):
    if sdk != "ses":
        return [api.key]
    made = await api.core.operations.keys.add("ses", signing=True)
    return [made["access_id"], made["secret"]]


@pytest.mark.parametrize("sdk", SDKS)
async def test_an_sdk_for_node_sends(api, sdk):
    done = await sent(api, sdk, *await its_key(api, sdk))
    assert done.returncode == 0, done.stdout + done.stderr
    (row,) = await api.stored()
    assert row.recipients == ("anna@example.net",)
    message = message_from_bytes(compose.whole(await api.message()), policy=SMTP)
    assert (message["From"], message["Subject"]) == ("Shop <shop@example.com>", "Your order")
    parts = [part for part in message.walk() if not part.is_multipart()]
    assert [part.as_bytes().partition(b"\r\n\r\n")[2].strip() for part in parts] in SAID
    if not sdk.startswith("mailgun"):  # whose ids are made to look like a Message-ID
        shown = await api.get(f"/v1/messages/{done.stdout.decode().strip()}")
        assert shown.data["subject"] == "Your order"


REFUSED = {"postmark": "10", "sendgrid": "Unauthorized", "mailgun": "401", "resend": "API key", "ses": "Unrecognized"}


@pytest.mark.parametrize(("sdk", "said"), REFUSED.items(), ids=REFUSED)
async def test_an_sdk_for_node_is_told_of_a_wrong_key(api, sdk, said):
    done = await sent(api, sdk, "SG.wrong", *["sps_wrong"] * (sdk == "ses"))
    assert done.returncode == 1
    assert said in done.stdout.decode()
    assert await api.stored() == []
