"""A report as the data that its document is set from. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from web import present
from web.i18n import Texts
from web.report_figures import Figure, Frame, Shown


def data(
    shown: Shown, frame: Frame, names: Sequence[str], now: float, texts: Texts, title: str = ""
) -> dict[str, object]:
    """Everything that the page shows, tables and definitions, in one language."""
    t = texts.t
    first, last = present.day(frame.since, frame.zone), present.day(frame.until - 1, frame.zone)
    made = datetime.fromtimestamp(now, ZoneInfo(frame.zone)).strftime("%Y-%m-%d %H:%M")
    return {
        "lang": texts.locale,
        "title": f"{title or t('reports.title')} {first} – {last}",
        "footer": f"{' · '.join(names)} · {first} – {last}",
        "about": [
            " · ".join(names),
            t("reports.span", first=first, last=last, zone=frame.zone),
            *([t("reports.shared"), t("reports.star"), t("reports.apart")] if frame.share else []),
            t("reports.made", when=made),
        ],
        "endings": table(
            t("reports.ended"),
            [t("reports.ending"), t("reports.sessions"), t("reports.means")],
            [
                [t(f"reports.ending.{name}"), number, t(f"reports.ending.{name}.means")]
                for name, number in shown.endings
            ],
        ),
        "groups": [
            table(
                t(f"reports.group.{group.key}"),
                [t("reports.figure"), t("reports.value"), t("reports.from"), t("reports.means")],
                [
                    [t(f"reports.figure.{one.key}"), one.value, behind(one, texts),
                     t(f"reports.figure.{one.key}.means")]
                    for one in group.figures
                ],
            )
            for group in shown.groups
        ],
        "grants": [
            table(
                t(f"reports.{name}"),
                [t(f"reports.{name}"), t("reports.sessions")],
                [[t(f"reports.{name}.{code}"), number] for code, number in counts],
                t(f"reports.{name}.means"),
            )
            for name, counts in shown.grants
        ],
        "matrix": table(
            t("reports.matrix"),
            [t("reports.recommended"), *shown.columns],
            [[name, *cells] for name, cells in shown.matrix],
            t("reports.matrix.means"),
        ),
        "heat": table(
            t("reports.heat"),
            [t("reports.day"), *(f"{hour:02d}" for hour in range(24))],
            [
                [t(f"reports.day.{day}"), *(words for words, _ in cells)]
                for day, cells in enumerate(shown.heat)
            ],
            t("reports.heat.means", zone=frame.zone),
        )
        | {"shades": [[shade for _, shade in cells] for cells in shown.heat]},
        "trend": table(
            t("reports.trend"),
            [t("reports.when"), t("reports.sessions")],
            [[bar.name, bar.count] for bar in shown.trend],
        )
        | {"heights": [round(bar.height, 4) for bar in shown.trend]},
    }  # fmt: skip


def behind(one: Figure, texts: Texts) -> str:
    """The numbers behind a figure, in words."""
    parts = []
    if one.whole is not None:
        parts.append(texts.t("reports.of", part=one.part, whole=one.whole))
        if one.unknown is not None:
            parts.append(texts.t("reports.unknown", count=one.unknown))
    else:
        parts.append(texts.t("reports.sessions_of", count=one.part))
    said = " ".join(parts)
    if one.before is None:
        return said
    return f"{said} · {texts.t('reports.before', value=one.before)}"


def table(
    title: str, head: Sequence[str], rows: Sequence[Sequence[str]], means: str = ""
) -> dict[str, object]:
    """A table as the template reads it."""
    return {"title": title, "means": means, "head": list(head), "rows": [list(r) for r in rows]}
