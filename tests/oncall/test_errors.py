"""Every refusal of the queue has its own stable code and an HTTP status."""

from __future__ import annotations

import re

from oncall.errors import OnCallError


def test_codes_are_kebab_case_and_unique() -> None:
    kinds: list[type[OnCallError]] = [OnCallError, *OnCallError.__subclasses__()]
    codes = [kind.code for kind in kinds]
    assert len(set(codes)) == len(codes) >= 5
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in codes)
    assert all(400 <= kind.status < 600 for kind in kinds)
