"""A change must come from our own page."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from auth import csrf
from auth.errors import CrossSite
from tests.auth.cast import SECRET

ALLOWED = ("https://bridge.example", "http://127.0.0.1:8080")


def test_a_token_is_good_for_its_holder_only() -> None:
    token = csrf.issue(SECRET, "lgn_1")
    assert csrf.check(SECRET, "lgn_1", token)
    assert not csrf.check(SECRET, "lgn_2", token)
    assert not csrf.check("another secret", "lgn_1", token)


def test_two_tokens_of_one_holder_differ_and_are_both_good() -> None:
    first, second = csrf.issue(SECRET, "lgn_1"), csrf.issue(SECRET, "lgn_1")
    assert first != second
    assert csrf.check(SECRET, "lgn_1", first)
    assert csrf.check(SECRET, "lgn_1", second)


@pytest.mark.parametrize("bad", [None, "", ".", "x", "a.b", "é.é", "x" * 10_000])
def test_noise_is_refused_without_an_exception(bad: str | None) -> None:
    assert not csrf.check(SECRET, "lgn_1", bad)
    with pytest.raises(CrossSite):
        csrf.require(SECRET, "lgn_1", bad)


def test_a_changed_token_is_refused() -> None:
    token = csrf.issue(SECRET, "lgn_1")
    nonce, signature = token.split(".")
    other = ("0" if signature[0] != "0" else "1") + signature[1:]
    assert not csrf.check(SECRET, "lgn_1", f"{nonce}.{other}")
    assert not csrf.check(SECRET, "lgn_1", f"{nonce}x.{signature}")


@pytest.mark.parametrize(
    "origin",
    [
        "https://bridge.example",
        "https://BRIDGE.example",
        "https://bridge.example:443",
        "http://127.0.0.1:8080",
    ],
)
def test_our_own_origins_are_let_in(origin: str) -> None:
    assert csrf.same_origin(CIMultiDict({"origin": origin}), ALLOWED)


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "http://bridge.example",
        "https://bridge.example.evil",
        "https://evil.bridge.example",
        "https://bridge.example:8443",
        "https://user@bridge.example",
        "https://bridge.example/path",
        "https://bridge.example:notaport",
        "https://[",
        "http://127.0.0.1",
        "file://",
    ],
)
def test_other_origins_are_kept_out_even_when_the_browser_calls_them_the_same(origin: str) -> None:
    headers = CIMultiDict({"Origin": origin, "Sec-Fetch-Site": "same-origin"})
    assert not csrf.same_origin(headers, ALLOWED)


def test_an_unparsable_allowed_origin_lets_nobody_in() -> None:
    assert not csrf.same_origin(CIMultiDict({"Origin": "null"}), ["null", "nonsense"])


@pytest.mark.parametrize(
    ("site", "let_in"),
    [("same-origin", True), ("same-site", False), ("cross-site", False), ("none", False)],
)
def test_without_an_origin_the_browsers_own_word_decides(site: str, *, let_in: bool) -> None:
    assert csrf.same_origin(CIMultiDict({"Sec-Fetch-Site": site}), ALLOWED) is let_in


def test_without_any_word_the_answer_is_no() -> None:
    assert not csrf.same_origin(CIMultiDict(), ALLOWED)
