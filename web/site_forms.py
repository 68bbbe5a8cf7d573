"""`crisisbridge instruments`: which questionnaires there are, and importing a site's own."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final, TextIO

from sqlalchemy.ext.asyncio import AsyncConnection

from auth.audit import record
from records import library
from records.engine import Database
from records.errors import RecordError
from records.instruments import newest
from records.instruments.site import LARGEST, Unfit, prepare


async def show(db: Database, out: TextIO) -> int:
    """List what new answers are given to: code, version, rule, title, and where it is from."""
    async with db.read() as conn:
        forms = await library.current(conn)
    for form in forms.values():
        source = "ships with CrisisBridge" if form.code in newest() else "imported here"
        title = form.body.get("title", "")
        print(
            f"{form.code:<20} {form.version:<8} {form.rule.name:<16} {title} ({source})", file=out
        )
    return 0


async def bring_in(
    db: Database, path: Path, rule: str | None, now: float, out: TextIO, *, check: bool
) -> int:
    """Import one file, or only say whether that is possible; the exit code is 0 when it is."""
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
        made = prepare(raw, rule=rule)
    except OSError as error:
        print(f"The file cannot be read: {error.strerror}.", file=out)
        return 1
    except Unfit as error:
        print("This questionnaire cannot be used:", *error.problems, sep="\n  - ", file=out)
        return 1
    form = made.form
    print(
        f"{form.body['title']} ({form.code} {form.version}), scored by {form.rule.name}", file=out
    )
    for change in made.changes:
        print(f"  - {change}", file=out)
    digest = hashlib.sha256(raw).hexdigest()

    async def write(conn: AsyncConnection) -> tuple[library.Added, str | None]:
        before = (await library.current(conn)).get(form.code)
        added = await library.add(conn, form, digest, now)
        if added != "known":
            name = f"{form.code} {form.version}"
            await record(conn, None, "instrument.import", "instrument", name, "allowed", now)
        return added, before.version if before else None

    try:
        if check:
            async with db.read() as conn:
                await library.is_new(conn, form, digest)
            print("It can be used. Nothing was imported: this was a check.", file=out)
            return 0
        added, before = await db.write(write)
    except RecordError as error:
        print(error, file=out)
        return 1
    print(_SAID[added], file=out)
    if before is not None and added != "known":
        print(f"New answers go to {form.version} now, and no more to {before}.", file=out)
    return 0


_SAID: Final[dict[library.Added, str]] = {
    "new": "Imported. Open consoles show it when they are loaded anew.",
    "again": "This very file was imported before, and is what new answers are given to again. "
    "Open consoles show it when they are loaded anew.",
    "known": "This very file was imported before; nothing was changed.",
}
