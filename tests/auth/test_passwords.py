"""Passwords and PINs: strong hashes, the same work for nobody, and rules for new ones."""

from __future__ import annotations

import asyncio
from typing import Literal

import pytest
from argon2 import PasswordHasher

from auth import passwords
from auth.errors import TooBusy, WeakPassword, WeakPin


async def test_a_hash_is_argon2id_and_verifies_only_its_own_secret() -> None:
    stored = await passwords.hash_secret("calm river")
    assert stored.startswith("$argon2id$")
    assert await passwords.verify(stored, "calm river")
    assert not await passwords.verify(stored, "calm river ")
    assert not await passwords.verify(stored, "")


async def test_the_same_password_typed_on_another_keyboard_is_the_same_password() -> None:
    stored = await passwords.hash_secret("caf\u00e9 at night")
    assert await passwords.verify(stored, "cafe\u0301 at night")


async def test_a_password_is_never_cut_however_many_letters_make_one_character() -> None:
    piece = "e\u0301o\u0301a\u0301u\u0301 calm"  # 13 letters as some keyboards send them
    typed = piece * 12  # 108 characters
    passwords.check_new_password(typed)
    stored = await passwords.hash_secret(typed)
    assert await passwords.verify(stored, typed)
    assert not await passwords.verify(stored, typed[:-5])
    for long in (typed + piece * 3, "\u03b1\u0313\u0342\u0345x" * 500):
        with pytest.raises(WeakPassword):
            passwords.check_new_password(long)


async def test_nobody_has_no_password_but_costs_a_verification(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[str] = []

    class Counting(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002
            seen.append(str(hash))
            return super().verify(hash, password)

    monkeypatch.setattr(passwords, "_hasher", Counting(1, 8, 1))
    assert not await passwords.verify(None, "anything")
    assert not await passwords.verify(None, "nobody has this password")
    assert len(seen) == 2


@pytest.mark.parametrize("damaged", ["", "plain", "$argon2id$v=19$m=1", "$2b$12$abc"])
async def test_a_damaged_hash_verifies_nothing(damaged: str) -> None:
    assert not await passwords.verify(damaged, "anything")


async def test_more_waiting_hashes_than_the_bound_are_refused() -> None:
    tries = [passwords.verify(None, "x") for _ in range(passwords.WAITING + 10)]
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(one, TooBusy) for one in done) == 10
    assert not await passwords.verify(None, "and afterwards it works again")


@pytest.mark.parametrize(
    "weak",
    [
        "short",
        "password123",
        "PASSWORD123",
        "aaaaaaaa",
        "ada@demo.invalid",
        "x" * 129,
        "Ada Okafor",
        "ADA-okafor 1990",
        "okafor!!2027",
        "Prairie County Crisis Line",
        "prairiecountycrisisline",
        "Sheriff 1987!",
        "#Sunshine1#",
        "P@ssw0rd!",
        "P@ssw0rd",
        "0kaf0r 2027",
        "Sher1ff!!",
        "qwertzuiop",
        "lkjhgfdsa",
        "ABCDEFGHIJ",
        "9876543210",
        "1qaz2wsx3edc",
        "moonmoonmoon",
        "Abc123abc123",
        "quiet.moss;later" * 9,
    ],
)
def test_a_weak_password_is_refused(weak: str) -> None:
    own = ("Ada Okafor", "ada@demo.invalid", "Prairie County Crisis Line")
    with pytest.raises(WeakPassword):
        passwords.check_new_password(weak, *own)


@pytest.mark.parametrize(
    "good",
    [
        "calm river under stars",
        "qvxtzrml",
        "calm river under stars. " * 3,
        "quiet.moss;later" * 8,
        "$!%&/()=?;",
        "sheriff of a far town",
        "abcdefgh river",
        "moonmoon river",
        "  spaces stay  ",
    ],
)
def test_a_good_password_passes_whatever_it_is_made_of_up_to_128_characters(good: str) -> None:
    passwords.check_new_password(good, "Ada Okafor", "ada@demo.invalid")


@pytest.mark.parametrize("weak", ["", "123", "1234", "9876", "7777", "12a4", "1" * 13, "２４６８"])
def test_a_weak_pin_is_refused(weak: str) -> None:
    with pytest.raises(WeakPin):
        passwords.check_new_pin(weak)


@pytest.mark.parametrize("good", ["2468", "1357", "902174"])
def test_a_good_pin_passes(good: str) -> None:
    passwords.check_new_pin(good)
