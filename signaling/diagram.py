"""The session's states as a picture, for the documentation. Pure."""

from __future__ import annotations

from signaling.session import TRANSITIONS, State


def diagram() -> str:
    """The table as a Mermaid state diagram, for the documentation."""
    lines = ["stateDiagram-v2", "    [*] --> waiting"]
    for before, row in TRANSITIONS.items():
        by_target: dict[State, list[str]] = {}
        for item, after in row.items():
            if after is not before:
                by_target.setdefault(after, []).append(item.__name__)
        lines += [f"    {before} --> {after}: {', '.join(n)}" for after, n in by_target.items()]
    return "\n".join([*lines, "    closed --> [*]"])
