"""The trip to a directory and back: what is sent along, and what must come back."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncConnection

from auth import sso_flow
from auth.errors import BadSignOn, SignOnStale, SignOnUsed
from auth.sso_rules import Issuer
from auth.tokens import Tokens
from records.engine import Database
from tests.auth.cast import NOW, SECRET

TOKENS = Tokens(SECRET)
PRAIRIE = Issuer("prairie", "Prairie", "https://login.prairie.example", "crisisbridge", ())
RIVER = Issuer("river", "River", "https://login.river.example", "crisisbridge", ())


def begun(back: str = "/manager") -> sso_flow.Flow:
    return sso_flow.begin(TOKENS, PRAIRIE, "prove", "lgn_1", back, NOW)


def test_the_same_trip_comes_back_with_its_purpose_its_sign_in_and_its_page() -> None:
    flow = begun()
    back = sso_flow.returned(TOKENS, PRAIRIE, flow.cookie, flow.sent_state, NOW + 599)
    assert back == flow
    assert (back.purpose, back.login_id, back.back, back.begun_at) == (
        "prove", "lgn_1", "/manager", NOW,
    )  # fmt: skip


def test_after_ten_minutes_it_is_over() -> None:
    flow = begun()
    with pytest.raises(SignOnStale):
        sso_flow.returned(TOKENS, PRAIRIE, flow.cookie, flow.sent_state, NOW + 600)


def test_nonce_and_verifier_are_of_this_trip_and_of_this_server() -> None:
    one, two = begun(), begun()
    found = {sso_flow.nonce(TOKENS, one), sso_flow.verifier(TOKENS, one), one.sent_state}
    assert len(found) == 3
    assert not found & {sso_flow.nonce(TOKENS, two), sso_flow.verifier(TOKENS, two)}
    assert sso_flow.verifier(Tokens(SECRET + "x"), one) not in found
    verifier = sso_flow.verifier(TOKENS, one)
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", verifier)  # RFC 7636, 4.1
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
    assert sso_flow.challenge_of(verifier) == digest.rstrip(b"=").decode()


def test_what_one_directory_was_asked_another_cannot_answer() -> None:
    flow = begun()
    with pytest.raises(SignOnStale):
        sso_flow.returned(TOKENS, RIVER, flow.cookie, flow.sent_state, NOW)


@given(st.integers(0, 10_000), st.integers(1, 127))
def test_nothing_of_the_cookie_can_be_changed(where: int, by: int) -> None:
    flow = begun()
    letters = list(flow.cookie)
    at = where % len(letters)
    letters[at] = chr(ord(letters[at]) ^ by)
    with pytest.raises(SignOnStale):
        sso_flow.returned(TOKENS, PRAIRIE, "".join(letters), flow.sent_state, NOW)


@given(st.binary(min_size=56, max_size=56))
def test_a_state_is_not_guessed(raw: bytes) -> None:
    flow = begun()
    state = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    with pytest.raises(SignOnStale):
        sso_flow.returned(TOKENS, PRAIRIE, flow.cookie, state, NOW)


@given(st.text(max_size=300), st.none() | st.text(max_size=500))
def test_whatever_comes_back_is_refused_in_words(state: str, cookie: str | None) -> None:
    with pytest.raises((SignOnStale, BadSignOn)):
        sso_flow.returned(TOKENS, PRAIRIE, cookie, state, NOW)


async def test_of_many_answers_at_once_one_counts(db: Database) -> None:
    flow = begun()

    async def answer() -> bool:
        async def work(conn: AsyncConnection) -> None:
            await sso_flow.spend(conn, flow, NOW)

        try:
            await db.write(work)
        except SignOnUsed:
            return False
        return True

    assert sorted(await asyncio.gather(*(answer() for _ in range(8)))) == [False] * 7 + [True]
    late = NOW + sso_flow.SECONDS - 1
    with pytest.raises(SignOnUsed):  # remembered for as long as the trip lasts
        await db.write(lambda conn: sso_flow.spend(conn, flow, late))
