"""DKIM keys: which ones receivers would take."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from secondpost.domains import dkim


def record(key, kind="rsa"):
    content = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k={kind}; p={base64.b64encode(content).decode()}"


def rsa_key(bits) -> RSAPublicKey:
    if bits >= 1024:
        return rsa.generate_private_key(65537, bits).public_key()
    return rsa.RSAPublicNumbers(65537, (1 << (bits - 1)) + 1).public_key()  # too weak to be made


def key_in(text) -> dkim.Key:
    found = dkim.parse(text)
    assert found is not None
    return found


def test_a_good_key_is_good():
    found = dkim.parse(record(rsa_key(1024)))
    assert found == dkim.Key("rsa", 1024)
    spaced = record(rsa_key(2048)).replace("p=", "p= ").replace("A", "A ")
    assert key_in(spaced).bits == 2048


def test_an_ed25519_key_is_its_32_octets():
    assert dkim.parse(f"v=DKIM1; k=ed25519; p={base64.b64encode(bytes(32)).decode()}") == dkim.Key("ed25519", 256)
    assert "wrong length" in key_in(f"k=ed25519; p={base64.b64encode(bytes(31)).decode()}").fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("v=DKIM1; p=", "revoked"),
        ("v=DKIM1; p=???", "not base64"),
        ("v=DKIM1; p=AAAA", "cannot be read"),
        (record(rsa_key(512)), "512 bits"),
        (record(ec.generate_private_key(ec.SECP256R1()).public_key()), "another kind"),
    ],
)
def test_a_key_that_receivers_would_not_take_is_told_why(text, fault):
    assert fault in key_in(text).fault


@pytest.mark.parametrize("text", ["", "v=spf1 -all", "v=DKIM2; p=AAAA", "k=rsa"])
def test_what_is_no_key_is_none(text):
    assert dkim.parse(text) is None


@given(st.text(max_size=80))
def test_no_record_makes_it_fall_over(text):
    dkim.parse(f"v=DKIM1; p={text}")
