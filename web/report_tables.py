"""A report as rows of a table, the same figures as on the page. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from web.i18n import Texts
from web.report_figures import Shown


def as_csv(shown: Shown, texts: Texts) -> str:
    """The figures as rows; unknown is said, never blank."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\r\n")
    rows.writerow(["figure", "value", "part", "whole", "unknown", "before", "definition"])
    rows.writerows(_rows(shown, texts))
    return "\ufeff" + out.getvalue()


def _rows(shown: Shown, texts: Texts) -> Iterator[list[str]]:
    for name, number in shown.endings:
        yield [name, number, "", "", "", "", texts.t(f"reports.ending.{name}.means")]
    for one in shown.figures:
        numbers = [one.part, one.whole, one.unknown, one.before]
        means = texts.t(f"reports.figure.{one.key}.means")
        yield [one.key, one.value, *(number or "" for number in numbers), means]
    for code, number in shown.opioid:
        yield [f"opioid_{code}", number, "", "", "", "", texts.t("reports.opioid.means")]
    for code, number in shown.funding:
        yield [f"funding_{code}", number, "", "", "", "", texts.t("reports.funding.means")]
    for code, number in shown.medication:
        yield [f"medication_{code}", number, "", "", "", "", texts.t("reports.medication.means")]
    for name, cells in shown.matrix:
        for column, cell in zip(shown.columns, cells, strict=True):
            yield [f"recommended {name}, actual {column}", cell, "", "", "", "", ""]
    for day, cells_of_day in enumerate(shown.heat):
        for hour, (cell, _) in enumerate(cells_of_day):
            yield [f"pressed {texts.t(f'reports.day.{day}')} {hour:02d}", cell, *[""] * 5]
    for bar in shown.trend:
        yield [f"offered {bar.name}", bar.count, *[""] * 5]
