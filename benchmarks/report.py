"""Table and figure from `results/results.json`: medians, and the smallest and largest of the repeats."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

Row = dict[str, Any]
Results = dict[str, dict[str, Any]]


def write(results: Results, folder: Path) -> None:
    """`results.md` and `results.png` in this folder, of whatever parts were measured."""
    (folder / "results.md").write_text(markdown(results), encoding="utf8")
    figure(results, folder / "results.png")


def groups(rows: Iterable[Row], *keys: str) -> dict[tuple[Any, ...], list[Row]]:
    """Rows by the values of these keys, in the order in which they come first."""
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row[key] for key in keys), []).append(row)
    return found


def spread(values: list[float], digits: int = 0) -> str:
    """Such as "12.3 (11.9 … 13.0)"."""
    return f"{median(values):.{digits}f} ({min(values):.{digits}f} … {max(values):.{digits}f})"


# ---- the table -------------------------------------------------------------------------------------


def markdown(results: Results) -> str:
    """The report as Markdown, each part under its heading with where it was measured."""
    text = ["Medians, in brackets the smallest and the largest of the repeats.", ""]
    for part, lines in {
        "throughput": _throughput,
        "distance": _distance,
        "mixtures": _mixtures,
        "scaling": _scaling,
    }.items():
        if part in results:
            text += [*lines(results[part]["rows"]), "", _where(results[part]["about"]), ""]
    return "\n".join(text)


def _where(about: Row) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    amx = "with" if about["bf16"] else "without"
    return f"*{about['machine']}, {amx} a bf16 matrix unit; {versions}; commit {about['commit']}, {about['date']}.*"


def _table(*head: str, rows: list[list[str]]) -> list[str]:
    ruler = ["---", *["---:"] * (len(head) - 1)]
    return ["| " + " | ".join(line) + " |" for line in [list(head), ruler, *rows]]


def _throughput(rows: list[Row]) -> list[str]:
    lines = ["## Images a second, identical networks", ""]
    for (set_up,), here in groups(rows, "set_up").items():
        by_name = {name: [r["per_second"] for r in of] for (name,), of in groups(here, "contender").items()}
        table = []
        for name, rates in by_name.items():
            # Within a repeat all ran one after another, so their ratio is less disturbed than the rates are.
            ratios = [ours / rate for ours, rate in zip(by_name["ganlib"], rates, strict=True)]
            table.append([name, spread(rates), spread(ratios, 2)])
        lines += [f"### {set_up}", "", *_table("", "a second", "ganlib is … times as fast", rows=table), ""]
    return lines[:-1]


def _distance(rows: list[Row]) -> list[str]:
    table = []
    for name, of in groups(rows, "contender").items():
        by_length: dict[int, list[Row]] = {}
        for row in of:
            by_length.setdefault(5 * round(row["seconds"] / 5), []).append(row)
        for length, measured in by_length.items():
            table.append([*name, f"{length}", spread([r["distance"] for r in measured], 1)])
    return ["## Fréchet distance of digits", "", *_table("", "seconds of training", "distance", rows=table)]


def _mixtures(rows: list[Row]) -> list[str]:
    table = []
    for (data, name), of in groups(rows, "data", "contender").items():
        table.append(
            [
                f"{data}, {name}",
                f"{spread([r['modes'] for r in of])} of {of[0]['total']}",
                spread([100 * r["quality"] for r in of], 1),
                spread([r["reverse_kl"] for r in of], 4),
                spread([r["seconds"] for r in of], 1),
            ]
        )
    head = ("", "modes", "high quality, %", "reverse KL, nats", "processor seconds, one thread")
    return [f"## Modes of the ring and the grid, {len(of)} seeds", "", *_table(*head, rows=table)]


def _scaling(rows: list[Row]) -> list[str]:
    best = [r["gflops"] for r in rows if r["what"] == "matrix product"]
    table = []
    for key, of in groups([r for r in rows if r["what"] == "round"], "width", "batch", "size").items():
        rates = [r["gflops"] for r in of]
        share = f"{100 * median(rates) / median(best):.0f} %"
        table.append([" / ".join(map(str, key)), spread([r["ms"] for r in of], 1), spread(rates), share])
    head = ("width / batch / side", "ms a round", "GFLOP/s", "of the matrix product")
    return [
        "## What a round of the DCGAN game costs, fp32",
        "",
        f"One product of two matrices of 1500 × 1500 runs at {spread(best)} GFLOP/s on the same threads.",
        "",
        *_table(*head, rows=table),
    ]


# ---- the figure ------------------------------------------------------------------------------------


def figure(results: Results, path: Path) -> None:
    """One panel for each part, in the book's style."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from ganlib import plot

    plot.use_style()
    fig, axes = plt.subplots(2, 2, figsize=(10, 7.5))
    panels = {"throughput": _bars, "distance": _lines, "mixtures": _dots, "scaling": _rates}
    for ax, (part, draw) in zip(axes.flat, panels.items(), strict=True):
        if part in results:
            draw(ax, results[part]["rows"], plot)
        else:
            ax.set_axis_off()
    fig.savefig(path)
    plt.close(fig)


def _bars(ax: Any, rows: list[Row], plot: Any) -> None:
    """Speed of each contender beside ours, paired within a repeat."""
    set_ups = groups(rows, "set_up")
    names = list(dict.fromkeys(r["contender"] for r in rows))
    colors = [plot.MODEL, "#F0A060", plot.NEUTRAL, "#AAAAAA", plot.DATA, plot.DISCRIMINATOR]
    height = 0.8 / len(names)
    for i, ((_,), here) in enumerate(set_ups.items()):
        by_name = {name: [r["per_second"] for r in of] for (name,), of in groups(here, "contender").items()}
        for j, name in enumerate(names):
            if name not in by_name:
                continue
            ratios = [rate / ours for rate, ours in zip(by_name[name], by_name["ganlib"], strict=True)]
            middle = median(ratios)
            errors = [[middle - min(ratios)], [max(ratios) - middle]]
            ax.barh(
                i + j * height, middle, height * 0.9, xerr=errors, color=colors[j % 6], label=name if i == 0 else None
            )
    ax.set_yticks(
        [i + 0.4 for i in range(len(set_ups))], [name.replace(", ", "\n", 1) for (name,) in set_ups], fontsize=9
    )
    ax.invert_yaxis()
    ax.axvline(1, color=plot.NEUTRAL, linewidth=0.8)
    ax.set(title="Speed, ganlib in fp32 = 1", xlabel="images a second, relative")
    ax.set_xlim(right=1.45 * ax.get_xlim()[1])  # room for the legend
    ax.legend(fontsize=8, loc="lower right")


def _lines(ax: Any, rows: list[Row], plot: Any) -> None:
    for color, ((name,), of) in zip((plot.MODEL, plot.NEUTRAL), groups(rows, "contender").items(), strict=False):
        for i, run in enumerate(groups(of, "repeat").values()):
            label = name if i == 0 else None
            ax.loglog(
                [r["seconds"] for r in run], [r["distance"] for r in run], "o-", ms=4, lw=1.2, color=color, label=label
            )
    ax.set(title="Digits: each line one seed", xlabel="seconds of training", ylabel="Fréchet distance")
    ax.legend()


def _dots(ax: Any, rows: list[Row], plot: Any) -> None:
    labels = []
    for x, ((data, name), of) in enumerate(groups(rows, "data", "contender").items()):
        color = plot.MODEL if name == "ganlib" else plot.NEUTRAL
        ax.plot([x] * len(of), [100 * r["quality"] for r in of], "o", color=color, alpha=0.7)
        found = sorted({r["modes"] for r in of})
        span = f"{found[0]}" if len(found) == 1 else f"{found[0]}–{found[-1]}"
        labels.append(f"{data}\n{name}\n{span} of {of[0]['total']}")
    ax.axhline(98.9, color=plot.DATA, linewidth=1, label="real samples")
    ax.set_xticks(range(len(labels)), labels, fontsize=9)
    ax.set(title="Mixtures: each dot one seed", ylabel="samples of high quality, %", ylim=(0, 103))
    ax.legend(loc="lower right")


def _rates(ax: Any, rows: list[Row], plot: Any) -> None:
    made = groups([r for r in rows if r["what"] == "round"], "width", "batch", "size")
    best = median([r["gflops"] for r in rows if r["what"] == "matrix product"])
    keys = sorted(made)
    values = [median([r["gflops"] for r in made[key]]) for key in keys]
    ax.bar(range(len(keys)), values, color=plot.MODEL)
    ax.axhline(best, color=plot.DATA, linewidth=1, label="matrix product")
    ax.set_xticks(range(len(keys)), [" / ".join(map(str, key)) for key in keys], rotation=45, ha="right", fontsize=8)
    ax.set(title="DCGAN rounds in fp32", xlabel="width / batch / side of the images", ylabel="GFLOP/s")
    ax.legend()
