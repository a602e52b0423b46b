"""What a measurement gives, and how it is shown: a table on standard output and build/bench/bench.json."""

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
from msgspec import Struct


class Goal(Struct, frozen=True):
    """A bound for one figure of a row: `at_least` or `at_most` is set."""

    figure: str
    at_least: float | None = None
    at_most: float | None = None

    def is_met_by(self, value: float) -> bool:
        """Whether `value` keeps the bound."""
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    def describe(self, value: float | None) -> str:
        """Say the bound and whether `value` keeps it."""
        if value is None:
            return f"{self._bound()} not measured"
        return f"{self._bound()} {'met' if self.is_met_by(value) else 'MISSED'}"

    def _bound(self) -> str:
        sign, bound = ("≥", self.at_least) if self.at_least is not None else ("≤", self.at_most)
        return f"{_LABELS[self.figure]} {sign} {bound:,g}"


class Row(Struct, frozen=True, kw_only=True):
    """One line of the table; what was not measured is None.

    `ratio` compares `per_s` with the bare handler's of the same round (median), `cpu_ratio` the CPU time a request;
    half of the rounds have their ratio between `lower` and `upper`. Times are in the unit of their names; `p50_ms` and
    `p99_ms` of delivery scenarios are taken at half of the row's own peak, `best_p99_ms` is the calmest round's.
    """

    name: str
    about: str
    per_s: float
    ratio: float | None = None
    lower: float | None = None
    upper: float | None = None
    cpu_us: float | None = None
    cpu_ratio: float | None = None
    busy: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    best_p99_ms: float | None = None
    p99_over_bare_ms: float | None = None
    mb: float | None = None
    failed: int = 0
    goals: tuple[Goal, ...] = ()

    def describe_goals(self) -> str:
        """Say each goal and whether it is met."""
        return ", ".join(goal.describe(getattr(self, goal.figure)) for goal in self.goals)


_LABELS = {"per_s": "per s", "ratio": "R", "p99_over_bare_ms": "over bare", "p99_ms": "p99"}
_COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("per_s", "per s", ",.0f"),
    ("ratio", "ratio R", ".2f"),
    ("lower", "from", ".2f"),
    ("upper", "to", ".2f"),
    ("cpu_us", "CPU µs", ",.0f"),
    ("cpu_ratio", "CPU R", ".2f"),
    ("busy", "core", ".0%"),
    ("p50_ms", "p50 ms", ".2f"),
    ("p99_ms", "p99 ms", ".2f"),
    ("best_p99_ms", "best p99", ".2f"),
    ("p99_over_bare_ms", "over bare", "+.2f"),
    ("mb", "MB", ",.0f"),
    ("failed", "failed", "d"),
)


def format_table(rows: Sequence[Row]) -> str:
    """Give the rows as text, one line each, goals last."""
    lines = [["", *(title for _, title, _ in _COLUMNS), "goals"]]
    for row in rows:
        values = [getattr(row, figure) for figure, _, _ in _COLUMNS]
        shown = ["" if v is None else format(v, form) for v, (_, _, form) in zip(values, _COLUMNS, strict=True)]
        lines.append([row.name, *shown, row.describe_goals()])
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    return "\n".join(_format_line(line, widths) for line in lines)


def _format_line(line: Sequence[str], widths: Sequence[int]) -> str:
    middle = (text.rjust(width) for text, width in zip(line[1:-1], widths[1:-1], strict=True))
    return "  ".join([line[0].ljust(widths[0]), *middle, line[-1]]).rstrip()


def describe_machine() -> dict[str, Any]:
    """Give what the figures depend on besides the code."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
    }


def write_json(path: Path, rows: Sequence[Row], settings: dict[str, Any]) -> None:
    """Write every figure, with how it was measured."""
    content = {"machine": describe_machine(), "settings": settings, "rows": rows}
    path.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n")


def percentile(values: Sequence[float], share: float) -> float:
    """Give the value that `share` (0 to 1) of `values` do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def middle(values: Sequence[float]) -> float:
    """Give the median of the rounds."""
    return float(median(values))
