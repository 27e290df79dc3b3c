"""The screenful of chapter 13 plays the library's game, and moves digits as the library does."""

from __future__ import annotations

import json
from typing import Any

import torch

from ganlib import augment, games

from .notebooks import ROOT

#: What the chapter writes out: its settings, the pieces of the method, the loop, and moving.
CELLS = ("86e46c85", "61a34e88", "bf025fe0", "ff739bd5", "dede0732", "13draws1", "479e2a57", "e00f39e0")


def written() -> dict[str, Any]:
    cells = json.loads((ROOT / "chapters" / "13_modern.ipynb").read_text(encoding="utf8"))["cells"]
    source = {cell["id"]: "".join(cell["source"]) for cell in cells}
    namespace: dict[str, Any] = {}
    for name in CELLS:
        exec(compile(source[name], name, "exec"), namespace)
    return namespace


def test_the_screen_plays_the_library_s_game() -> None:
    n, rounds = written(), 9
    G, D = n["fresh_pair"](0)
    average = n["r3gan"](G, D, rounds)
    game = games.conditional_gan(
        *n["fresh_pair"](0),
        n["digits"],
        loss="rpgan",
        penalty=n["PENALTIES"]["R1 + R2"],
        device="cpu",
        precision="fp32",
        **n["SETTINGS"],
    )
    game.play(rounds, progress=False)
    start = n["fresh_pair"](0)[1]
    moved = max((a - b).abs().max().item() for a, b in zip(start.parameters(), D.parameters(), strict=True))
    for mine, theirs in ((average, game.average), (D, game.discriminator)):
        assert theirs is not None
        for a, b in zip(mine.parameters(), theirs.parameters(), strict=True):
            assert (a - b).abs().max() < 0.05 * moved  # rounding, which Adam's first steps amplify


def test_moving_is_the_library_s_on_black() -> None:
    """Each image is found again among the places that the library's translation can bring it to."""
    n = written()
    x = n["digits"].floats[:40]
    mine = n["moved"](x, torch.Generator().manual_seed(0))
    change = augment.get("translation", fill=-1.0)
    assert change is not None
    drawn = [change(x, torch.Generator().manual_seed(seed)) for seed in range(400)]
    found = [any(torch.equal(mine[i], y[i]) for y in drawn) for i in range(len(x))]
    assert sum(found) >= 38  # 81 places, 400 draws each: a place is missed once in 140
