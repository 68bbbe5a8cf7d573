"""`crisisbridge instruments`: what it says, and that it changes nothing unless it says so."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from records.schema import audit as audit_log
from records.schema import instrument
from tests.records.test_site_forms import screener
from tests.web.cast import Site
from web.site_forms import bring_in

NOW = 1_800_000_000.0
IMPORT = "instrument.import"


async def _kept(site: Site) -> tuple[int, int]:
    """How many forms are here, and how many entries the trail has of imports."""
    entries = select(func.count()).select_from(audit_log).where(audit_log.c.action == IMPORT)
    async with site.services.db.read() as conn:
        forms = await conn.scalar(select(func.count()).select_from(instrument))
        return forms or 0, await conn.scalar(entries) or 0


def _written(file: Path, body: Any) -> Path:
    file.write_text(body if isinstance(body, str) else json.dumps(body), encoding="utf-8")
    return file


async def _typed(
    site: Site, file: Path, body: Any, *, check: bool = False, now: float = NOW
) -> tuple[int, str]:
    out = io.StringIO()
    code = await bring_in(site.services.db, _written(file, body), None, now, out, check=check)
    return code, out.getvalue()


async def test_a_file_is_imported_once_and_the_trail_says_so(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "form.json"
    code, said = await _typed(site, file, screener(), check=True)
    assert (code, "It can be used." in said) == (0, True)
    assert await _kept(site) == (0, 0)
    assert (await _typed(site, file, screener()))[1].endswith(
        "Open consoles show it when they are loaded anew.\n"
    )
    assert await _kept(site) == (1, 1)
    assert "nothing was changed" in (await _typed(site, file, screener()))[1]
    assert await _kept(site) == (1, 1)


async def test_an_import_says_which_version_it_takes_the_place_of_and_the_trail_has_each(
    site: Site, tmp_path: Path
) -> None:
    file = tmp_path / "form.json"
    for no, (version, before) in enumerate((("2027", None), ("2025", "2027"), ("2027", "2025"))):
        body = screener() | {"version": version}
        said = (await _typed(site, file, body, now=NOW + no))[1]
        replaced = f"New answers go to {version} now, and no more to {before}."
        assert (replaced in said) == (before is not None), said
    assert await _kept(site) == (2, 3)


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("{", "The file is not JSON."),
        ({"resourceType": "Bundle"}, "not a FHIR Questionnaire"),
        (screener() | {"id": "field-safety"}, "one of our own forms"),
        (screener() | {"title": "Other words"}, "This version is here with other content"),
        (screener() | {"title": "x" * 600_000}, "larger than 512 KiB"),
    ],
    ids=["no JSON", "no questionnaire", "ours", "other content", "too large"],
)
async def test_what_cannot_be_used_is_said_by_a_check_too_and_changes_nothing(
    site: Site, tmp_path: Path, body: Any, says: str, check: bool
) -> None:
    file = tmp_path / "form.json"
    await _typed(site, file, screener())
    code, said = await _typed(site, file, body, check=check)
    assert (code, says in said) == (1, True), said
    assert await _kept(site) == (1, 1)


async def test_a_file_that_is_not_there_is_said(site: Site, tmp_path: Path) -> None:
    out = io.StringIO()
    assert await bring_in(site.services.db, tmp_path / "none", None, NOW, out, check=False) == 1
    assert out.getvalue() == "The file cannot be read: No such file or directory.\n"
