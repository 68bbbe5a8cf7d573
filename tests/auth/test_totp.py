"""One-time codes: the RFC's own numbers, and which step a code is taken for."""

from __future__ import annotations

import base64
import hmac
from urllib.parse import parse_qs, urlsplit

import pytest

from auth import totp

SECRET = b"12345678901234567890"
# RFC 6238, appendix B (SHA-1), the last six of its eight digits
PUBLISHED = {
    59: "287082",
    1111111109: "081804",
    1111111111: "050471",
    1234567890: "005924",
    2000000000: "279037",
    20000000000: "353130",
}
NOW = 1_800_000_000.0
HERE = int(NOW // 30)


@pytest.mark.parametrize(("at", "code"), PUBLISHED.items())
def test_the_codes_are_those_of_the_standard(at: int, code: str) -> None:
    assert totp.code_at(SECRET, at // 30) == code
    assert totp.step_of(SECRET, code, float(at)) == at // 30


@pytest.mark.parametrize("drift", [-1, 0, 1])
def test_a_clock_that_is_off_by_one_step_is_forgiven(drift: int) -> None:
    assert totp.step_of(SECRET, totp.code_at(SECRET, HERE + drift), NOW) == HERE + drift


@pytest.mark.parametrize("drift", [-3, -2, 2, 3])
def test_a_clock_that_is_further_off_is_not(drift: int) -> None:
    assert totp.step_of(SECRET, totp.code_at(SECRET, HERE + drift), NOW) is None


def test_a_step_that_was_used_and_all_before_it_are_never_taken_again() -> None:
    codes = [totp.code_at(SECRET, HERE + drift) for drift in (-1, 0, 1)]
    assert [totp.step_of(SECRET, code, NOW, HERE) for code in codes] == [None, None, HERE + 1]


def test_every_step_of_the_window_is_compared_in_constant_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[bytes] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(one)
        return one == other

    monkeypatch.setattr(hmac, "compare_digest", compare)
    for typed in (totp.code_at(SECRET, HERE - 1), totp.code_at(SECRET, HERE), "000000"):
        compared.clear()
        totp.step_of(SECRET, typed, NOW)
        assert len(compared) == 3


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("123456", "123456"),
        (" 123 456 ", "123456"),
        ("123-456", "123456"),
        ("12345", None),
        ("1234567", None),
        ("１２３４５６", None),
        ("12345a", None),
        ("", None),
    ],
)
def test_what_was_typed_is_six_digits_or_nothing(typed: str, code: str | None) -> None:
    assert totp.normal(typed) == code


def test_the_address_for_an_app_holds_the_secret_and_whose_it_is() -> None:
    found = urlsplit(totp.address(SECRET, "dana@x.invalid"))
    assert (found.scheme, found.netloc, found.path) == (
        "otpauth",
        "totp",
        "/CrisisBridge:dana%40x.invalid",
    )
    query = parse_qs(found.query)
    assert base64.b32decode(query["secret"][0]) == SECRET
    assert totp.spelled(SECRET).replace(" ", "") == query["secret"][0]
