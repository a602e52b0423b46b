"""The picture: build/bench/bench.png."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")  # draws into a file: no window, no display
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from tests.load.report import Row

_INK, _QUIET, _GRID = "#1f2933", "#697586", "#d9dee5"
_MET, _MISSED, _PLAIN, _GOAL = "#2b7a5b", "#c2571a", "#8a97a8", "#1f2933"
_BAR = 0.56
_LEGEND = "Upright line: goal (green: met, orange: missed) · thin line: the middle half of the rounds"


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw throughput and latency of the rows that are compared with the bare handler, into the PNG file `path`."""
    compared = [row for row in rows if row.ratio is not None]
    others = [f"{row.about}: {row.per_s:,.0f} a second" for row in rows if row.ratio is None]
    with mpl.rc_context({"font.size": 10, "text.color": _INK, "axes.labelcolor": _QUIET, "font.family": "DejaVu Sans"}):
        figure, (left, right) = plt.subplots(1, 2, figsize=(13, 1.9 + 0.62 * len(compared)), sharey=True)
        _draw_ratios(left, compared)
        _draw_latencies(right, compared)
        _lay_out(left, [f"{row.name}\n{row.about}" for row in compared])
        figure.suptitle(
            "One gateway process on one core, beside a bare aiohttp handler", x=0.01, ha="left", weight="bold"
        )
        figure.text(0.01, 0.012, " · ".join([_LEGEND, *others]), color=_QUIET, ha="left", va="bottom")
        figure.tight_layout(rect=(0, 0.05, 1, 0.99), w_pad=3)
        figure.savefig(path, dpi=140)
        plt.close(figure)


def _lay_out(axes: Axes, labels: Sequence[str]) -> None:
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()


def _draw_ratios(axes: Axes, rows: Sequence[Row]) -> None:
    """Bars of R with the middle half of the rounds, and a line where the goal is."""
    for at, row in enumerate(rows):
        ratio = row.ratio or 0.0
        axes.barh(at, ratio, _BAR, color=_color(row, "ratio"))
        end = ratio
        if row.lower is not None and row.upper is not None:
            axes.plot([row.lower, row.upper], [at, at], color=_INK, linewidth=1.2, solid_capstyle="butt")
            end = max(ratio, row.upper)
        end = max(end, _draw_goal(axes, at, _bound(row, "ratio")))
        axes.text(end + 0.015, at, f"{ratio:.2f} R   {row.per_s:,.0f}/s   {row.cpu_us or 0:,.0f} µs CPU", va="center")
    _finish(axes, "Throughput at the peak", "R: requests a second, bare handler = 1", 1.5)


def _draw_latencies(axes: Axes, rows: Sequence[Row]) -> None:
    """From p50 to p99 for each row, and a line where its p99 must not go beyond."""
    bare = rows[0].p99_ms or 0.0
    for at, row in enumerate(rows):
        p50, p99 = row.p50_ms or 0.0, row.p99_ms or 0.0
        color = _color(row, "p99_over_bare_ms")
        axes.plot([p50, p99], [at, at], color=color, linewidth=3, alpha=0.45, solid_capstyle="butt")
        axes.plot(p50, at, "o", color=color, markersize=6, markerfacecolor="white", markeredgewidth=1.8)
        axes.plot(p99, at, "o", color=color, markersize=8)
        bound = _bound(row, "p99_over_bare_ms")
        end = max(p99, _draw_goal(axes, at, None if bound is None else bare + bound))
        axes.annotate(f"{p50:.2f} · {p99:.2f} ms", (end, at), (9, 0), textcoords="offset points", va="center")
    widest = max([(row.p99_ms or 0.0) for row in rows] + [bare + 6])
    _finish(axes, "Latency at half of each peak", "ms since the request was due: ring p50, dot p99", widest * 1.3)


def _draw_goal(axes: Axes, at: int, bound: float | None) -> float:
    if bound is None:
        return 0.0
    axes.plot([bound, bound], [at - 0.4, at + 0.4], color=_GOAL, linewidth=2.4, solid_capstyle="butt")
    return bound


def _finish(axes: Axes, title: str, label: str, widest: float) -> None:
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_xlabel(label, loc="left")
    axes.set_xlim(0, widest)
    axes.grid(axis="x", color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(axis="both", length=0)
    axes.tick_params(axis="x", colors=_QUIET)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _bound(row: Row, figure: str) -> float | None:
    return next((goal.at_least or goal.at_most for goal in row.goals if goal.figure == figure), None)


def _color(row: Row, figure: str) -> str:
    goal = next((goal for goal in row.goals if goal.figure == figure), None)
    value = getattr(row, figure)
    if goal is None or value is None:
        return _PLAIN
    return _MET if goal.is_met_by(value) else _MISSED
