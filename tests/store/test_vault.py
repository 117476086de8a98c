"""The vault: what it seals opens only whole, in its place, with its key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondpost.errors import KeyProblem
from secondpost.store.vault import Vault, make_key, read_key

VAULT = Vault(b"k" * 32)


@given(st.binary(), st.binary())
def test_what_is_sealed_opens_in_its_place(plain, place):
    sealed = VAULT.seal(plain, place)
    assert VAULT.open(sealed, place) == plain
    assert len(sealed) == len(plain) + 28


@given(st.binary(max_size=50), st.integers(0, 100), st.integers(1, 255))
def test_what_was_changed_does_not_open(plain, where, flip):
    sealed = bytearray(VAULT.seal(plain, b"here"))
    sealed[where % len(sealed)] ^= flip
    with pytest.raises(KeyProblem):
        VAULT.open(bytes(sealed), b"here")


@pytest.mark.parametrize("cut", [0, 5, 12, 27])
def test_what_was_cut_does_not_open(cut):
    with pytest.raises(KeyProblem):
        VAULT.open(VAULT.seal(b"", b"here")[:cut], b"here")


def test_another_place_or_key_does_not_open_it():
    sealed = VAULT.seal(b"x", b"here")
    with pytest.raises(KeyProblem):
        VAULT.open(sealed, b"there")
    with pytest.raises(KeyProblem):
        Vault(b"o" * 32).open(sealed, b"here")


def test_the_same_value_is_never_sealed_alike():
    assert len({VAULT.seal(b"x", b"here") for _ in range(1000)}) == 1000


def test_a_key_is_written_whole_over_what_a_crash_left(tmp_path):
    (tmp_path / "secret.key.new").write_bytes(b"half")
    key = make_key(tmp_path / "secret.key")
    assert read_key(tmp_path / "secret.key") == key
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]


def test_a_key_that_cannot_be_read_is_told(tmp_path):
    (tmp_path / "secret.key").mkdir(mode=0o700)
    with pytest.raises(KeyProblem, match="cannot be read"):
        read_key(tmp_path / "secret.key")
