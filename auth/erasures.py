"""What was deleted stays deleted when an older backup is restored.

A backup that was made before a deletion holds the session with its key. So each backup leaves a
list of what had been deleted by then beside it, and a restore takes that list, and what the record
that it replaces says, and deletes those sessions again before anybody works with them. The list has
ids only, which lead nowhere once the session is gone, and is signed: it makes a restore delete.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from auth.audit import record
from records import retention
from records.crypto import Vault, make_secret_file
from records.engine import Database
from records.schema import audit, session

ERASED: Final = "record.erase"
LIST: Final = "crisisbridge-erased.json"
_AN_ID: Final = re.compile(r"ses_[a-z0-9_-]{1,36}")

Erased = Mapping[str, bool]  # a session's id, and whether a row of numbers was kept


async def known(conn: AsyncConnection) -> dict[str, bool]:
    """All deletions that this record knows of."""
    ids = await conn.execute(
        select(audit.c.object_id).where(
            audit.c.action == ERASED, audit.c.object_kind == "session", audit.c.outcome == "allowed"
        )
    )
    gone = [one for one in ids.scalars() if one]
    kept = set(
        (await conn.execute(select(session.c.id).where(session.c.erased_at.is_not(None)))).scalars()
    )
    return {one: one in kept for one in gone}


async def again(db: Database, vault: Vault, erased: Erased, now: float) -> int:
    """Delete those of a list that are there again; how many."""

    async def one_of_them(conn: AsyncConnection, session_id: str, keep: bool) -> bool:
        done = await retention.erase_again(conn, vault, session_id, keep_numbers=keep, now=now)
        if done:
            await record(conn, None, ERASED, "session", session_id, "allowed", now)
        return done

    total = 0
    for session_id, keep in erased.items():
        total += await db.write(
            lambda conn, one=session_id, k=keep: one_of_them(conn, one, k)  # type: ignore[misc]
        )
    return total


def write_list(folder: Path, vault: Vault, erased: Erased) -> None:
    """The list beside the backups of a folder, with what was in it before."""
    merged = {**read_list(folder, vault), **erased}
    body = json.dumps(merged, sort_keys=True)
    draft = folder / f".{LIST}.new"
    draft.unlink(missing_ok=True)
    make_secret_file(draft, json.dumps({"erased": merged, "tag": _tag(vault, body)}))
    draft.replace(folder / LIST)


def read_list(folder: Path, vault: Vault) -> dict[str, bool]:
    """The list of a folder; empty where there is none. Raises BadList for one that is not ours."""
    try:
        said = json.loads((folder / LIST).read_text())
        erased, tag = said["erased"], str(said["tag"])
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadList from error
    if not isinstance(erased, dict) or not all(
        _AN_ID.fullmatch(one) and isinstance(keep, bool) for one, keep in erased.items()
    ):
        raise BadList
    if not hmac.compare_digest(tag, _tag(vault, json.dumps(erased, sort_keys=True))):
        raise BadList
    return erased


class BadList(ValueError):
    """The list of deletions was changed, or belongs to another record."""

    def __init__(self) -> None:
        super().__init__(
            f"{LIST} beside the backup is not this record's, or was changed. Put its right copy "
            "there, or remove it and delete by hand what had been deleted."
        )


def _tag(vault: Vault, body: str) -> str:
    return vault.tag("list of deletions", body).hex()
