"""Signatures hold: whoever has the public key can verify what a real server was given."""

import shutil
from base64 import b64encode

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from secondpost.core.message import Message
from secondpost.errors import ConfigError
from secondpost.mailers.dkim import signer
from secondpost.mailers.sendmail import Sendmail
from secondpost.mailers.smtp import Smtp
from tests.mailers.parcels import Crossing, Tail, connection, parcel, told
from tests.provider import HOST

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
HEAD = b'From: "Shop" <shop@shop.example>\r\nTo: bob@dest.example\r\nDate: Sun, 01 Mar 2026 12:00:00 +0000\r\n'


def pem(key=KEY, form=PrivateFormat.PKCS8):
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def dns(name, timeout=5):
    """What the DNS would say."""
    assert name == b"mail2026._domainkey.shop.example."
    public = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return b"v=DKIM1; k=rsa; p=" + b64encode(public)


def verified(content):
    return dkim.verify(content, dnsfunc=dns)


def settings(**changes):
    return {"dkim_key": pem(), "dkim_selector": "mail2026", **changes}


BODIES = {
    "plain": b"Hello.\r\n",
    "dots": b".\r\n..\r\n.x\r\n",
    "empty": b"",
    "blank lines at the end": b"Hello\r\n\r\n\r\n",
    "no line end": b"Hello",
    "eight bit": "Grüße\r\n".encode(),
    "spaces": b"a  b \t \r\n  c\r\n",
}


@pytest.mark.parametrize("case", BODIES)
async def test_what_a_server_gets_verifies(case, primary):
    mailer = Smtp(connection(host=HOST, port=primary.port, encryption="none", **settings()))
    report = await mailer.send(parcel(head=HEAD, body=BODIES[case]), Crossing())
    await mailer.close()
    assert told(report) == ["accepted"]
    (copy,) = primary.mail
    assert copy.data.startswith(b"DKIM-Signature: ")
    assert verified(copy.data)
    assert not verified(copy.data.replace(b"bob@", b"eve@"))


async def test_a_large_message_is_signed_whole():
    signing = signer(settings())
    assert signing is not None
    rest = b"0123456789abcdef" * 8192 + b"\r\n"
    signed, refusal = await signing.sign(parcel(head=HEAD, body=b"begin\r\n", tail=Tail(rest)))
    assert refusal is None
    assert verified(signed.message.head + signed.message.body + rest)


async def test_what_cannot_be_read_back_is_not_sent():
    signing = signer(settings())
    assert signing is not None
    _, refusal = await signing.sign(parcel(head=HEAD, tail=Tail(b"x" * 200_000, broken=True)))
    assert refusal is not None
    assert told(refusal) == ["deferred local"]


@pytest.mark.skipif(not shutil.which("sh"), reason="needs a shell")
async def test_the_local_program_gets_it_signed(tmp_path):
    program = tmp_path / "sendmail"
    program.write_text(f"#!/bin/sh\ncat > {tmp_path}/got\n")
    program.chmod(0o755)
    mailer = Sendmail(connection("sendmail", program=str(program), **settings()))
    assert told(await mailer.send(parcel(head=HEAD), Crossing())) == ["accepted"]
    assert verified((tmp_path / "got").read_bytes().replace(b"\n", b"\r\n"))


async def test_a_domain_of_its_own_may_be_given():
    signing = signer(settings(dkim_domain="other.example"))
    assert signing is not None
    signed, _ = await signing.sign(parcel(head=HEAD))
    assert b"d=other.example;" in signed.message.head.replace(b"\r\n ", b"")


@pytest.mark.parametrize(
    "form", [pem(), pem(form=PrivateFormat.TraditionalOpenSSL), pem().replace("\n", " "), pem().replace("\n", "")]
)
def test_a_key_may_have_lost_its_line_ends(form):
    assert signer(settings(dkim_key=form)) is not None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dkim_selector": ""}, "needs its DKIM selector"),
        ({"dkim_selector": "a b"}, "needs its DKIM selector"),
        ({"dkim_key": "canary"}, "PEM"),
        ({"dkim_key": pem().replace("MII", "QQQ", 1)}, "damaged"),
        ({"dkim_key": pem(ec.generate_private_key(ec.SECP256R1()))}, "RSA"),
    ],
)
def test_a_wrong_setting_is_told_without_the_key(changes, words):
    with pytest.raises(ConfigError, match=words) as told:
        Smtp(connection(host=HOST, **settings(**changes)))
    assert "canary" not in str(told.value)
    assert pem().splitlines()[1] not in str(told.value)


def test_without_a_key_nothing_is_signed():
    assert signer({}) is None


async def test_a_message_without_from_leaves_as_it_is():
    signing = signer(settings())
    assert signing is not None
    made = parcel()
    signed, _ = await signing.sign(made)
    assert isinstance(signed.message, Message)
    assert signed.message == made.message
