"""Make the picture of the cover page, web/cover.png, from a real run: a generator learns to draw handwritten digits.
Each row is one latent vector of a GAN trained on the 5000 digits, each column a moment of its training.
Run from the root of the repository: `python tools/cover.py` (about two minutes on two CPU cores)."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import torch

from ganlib import compute, data, games, nets, penalties, plot

MOMENTS = (0, 25, 50, 100, 200, 500, 1000, 3000)
ROWS = 4
OUT = Path(__file__).parents[1] / "web" / "cover.png"


def main() -> None:
    """Train, draw and write."""
    torch.manual_seed(0)
    generator, discriminator = nets.ShuffleGenerator(), nets.ShuffleDiscriminator()
    game = games.gan(
        generator,
        discriminator,
        data.load("digits", split="all"),
        penalty=penalties.r1(0.1, every=8),
        batch=32,
        lr=2e-3,
        betas=(0.0, 0.99),
    )
    columns = []
    for moment in MOMENTS:
        if moment > game.step:
            game.play(steps=moment - game.step, progress=False)
        columns.append(game.sample(ROWS, seed=3))
    images = torch.stack(columns, dim=1).flatten(0, 1)
    plot.use_style()
    plot.sample_grid(images, columns=len(MOMENTS), titles=[f"step {moment}" for moment in MOMENTS])
    plt.savefig(OUT, bbox_inches="tight", pad_inches=0.05)
    print(f"{OUT}: {OUT.stat().st_size / 1e3:.0f} kB, trained on {compute.describe()}")


if __name__ == "__main__":
    main()
