"""Errors: stable codes of their own, a status, and a sentence that gives nothing away."""

from __future__ import annotations

import re

import pytest

from auth import errors
from auth.errors import AuthError


def _all(base: type[AuthError] = AuthError) -> list[type[AuthError]]:
    return [base, *(found for one in base.__subclasses__() for found in _all(one))]


@pytest.mark.parametrize("error", _all())
def test_every_error_has_a_code_a_client_status_and_a_sentence(error: type[AuthError]) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)+|locked|forbidden", error.code)
    assert error.status in {400, 401, 403, 404, 409, 410, 422, 423, 503}
    assert str(error()) == error.sentence
    assert error.sentence.endswith(".")
    assert error.__doc__


def test_no_two_errors_share_a_code() -> None:
    codes = [error.code for error in _all()]
    assert len(set(codes)) == len(codes)


def test_nothing_raised_by_a_checked_secret_says_which_part_was_wrong() -> None:
    for error in (errors.BadCredentials, errors.BadCode, errors.BadPin):
        assert not re.search(r"no such|unknown|exist|found", error.sentence, re.IGNORECASE)
