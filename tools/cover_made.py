"""Make the second picture of the cover page, web/made.png: what generators stored with the chapters make.
Run from the root of the repository: `python tools/cover_made.py` (some seconds; nothing is trained)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import results as tables
import torch
from torch import Tensor

from ganlib import compute, data, nets, plot, results
from ganlib.data import scenes

OUT = Path(__file__).parents[1] / "web" / "made.png"


def chapter(name: str) -> dict[str, Any]:
    """What the cells behind a chapter's stored networks define."""
    namespace: dict[str, Any] = {"__name__": name}
    for cell in tables.cells(name):
        exec(compile(cell, name, "exec"), namespace)
    return namespace


def painted() -> Tensor:
    """Five drawings, and each painted by day and by night (chapter 15): (15, 3, 32, 32)."""
    vectors = scenes.parameters(scenes.COUNT)[scenes.numbers("test")][[11, 13, 2, 20, 6]]
    rows = [scenes.drawing(vectors).float() / 127.5 - 1]
    for time in ("day", "night"):
        net = results.restore(
            nets.UNet(32, 3, width=9, dropout=0.0, latent=1), "15_image_to_image", f"pad-{time}-0-network.safetensors"
        )
        rows.append(net(rows[0], torch.zeros(5, 1)))
    return torch.cat(rows)


def completed() -> Tensor:
    """Upper halves of three digits, each with six lower ones (chapter 18): (21, 1, 16, 16)."""
    new, left = data.load("digits", "test", size=16), torch.arange(16)[:, None] < 8
    known = torch.as_tensor(new.y)
    some = new.floats[[int((known == digit).nonzero()[0]) for digit in (3, 4, 8)]]
    net = results.restore(
        nets.UNet(16, 2, 1, width=11, dropout=0, latent=8),
        "18_missing_data",
        "holes-two, score-4000-0-game.safetensors",
    )
    seen = torch.cat([some * left, 2.0 * left.expand_as(some) - 1], 1)
    z = torch.randn(6, 3, 8, generator=compute.generator("cover"))
    draws = [torch.where(left, some, net(seen, one)) for one in z]
    return torch.stack([torch.where(left, some, torch.tensor(0.0)), *draws], 1).flatten(0, 1)


def wall() -> Tensor:
    """A strip of a wall that nobody built (chapter 21): (1, 1, 56, 148)."""
    made = chapter("21_art_and_misuse")
    net = results.restore(made["maker"](), "21_art_and_misuse", "texture-brick-0-net.safetensors")
    picture: Tensor = made["paint"](net, 56, 148, seed=1)
    return picture[None, None]


def sea() -> Any:
    """Forty years of a sea that nobody measured, in °C off the usual (chapter 20): (480,)."""
    made = chapter("20_sequences")
    net = results.restore(made["Generator"](48), "20_sequences", "sea-GAN-0-network.safetensors")
    return made["forge"](net, "sea", 1, 7)[0][:480]


@torch.no_grad()
def main() -> None:
    """Draw and write."""
    plot.use_style()
    _, axes = plt.subplots(2, 2, figsize=(7.0, 4.0), layout="constrained", height_ratios=(1.35, 1))
    (paint, complete), (build, forge) = axes
    plot.sample_grid(painted(), 5, paint)
    plot.sample_grid(completed(), 7, complete)
    plot.sample_grid(wall(), 1, build)
    forge.plot(sea(), color=plot.MODEL, linewidth=1.2)
    forge.set(xlim=(0, 480), xticks=(), yticks=(0, 2, 4))
    for ax, title in zip(
        axes.flat,
        ("painted from drawings", "halves of digits, completed", "a wall without end", "forty years of a sea (°C)"),
        strict=True,
    ):
        ax.set_title(title, fontsize=11)
    plt.savefig(OUT)
    print(f"{OUT}: {OUT.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
