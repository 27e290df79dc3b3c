"""Train the generator that runs on the cover page: `python tools/cover_generator.py` writes
`tools/cover_generator.safetensors` (float16) and prints what it is worth. Five minutes on one core.

A small conditional generator, all 5000 digits, a projection discriminator, R1, and rates that fall to almost nothing;
what is kept is the running average. The file's header holds the settings, the seed, two measures, and where, when and
with what it was made. `_ext/live.py` puts it into the page.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import provenance
import torch
from safetensors.torch import safe_open, save_file

from ganlib import compute, data, games, metrics, nets, penalties

TARGET = Path(__file__).with_suffix(".safetensors")
NETWORK: dict[str, Any] = {"latent": 24, "width": 10, "classes": 10}
SEED = 0


def read(path: Path = TARGET) -> tuple[nets.ShuffleGenerator, dict[str, Any]]:
    """The generator of a file, in evaluation mode and float32, and the facts of its header."""
    with safe_open(path, framework="pt") as file:
        facts = json.loads(file.metadata()["ganlib"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    net = nets.ShuffleGenerator(**facts["network"])
    net.load_state_dict(tensors)
    return net.eval(), facts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--out", type=Path, default=TARGET)
    options = parser.parse_args()
    torch.manual_seed(SEED)
    generator = nets.ShuffleGenerator(**NETWORK)
    discriminator = nets.ShuffleDiscriminator(classes=10, condition="projection")
    recipe: dict[str, Any] = {"batch": 64, "lr": 2e-3, "betas": (0.0, 0.99), "averaging": 0.999}
    game = games.conditional_gan(
        generator,
        discriminator,
        data.load("digits", split="all"),
        penalty=penalties.r1(0.1, every=8),
        anneal=options.steps,
        seed=SEED,
        **recipe,
    )
    game.play(options.steps)
    assert isinstance(game.average, nets.ShuffleGenerator)
    halved = {
        name: value.half() if value.is_floating_point() else value for name, value in game.average.state_dict().items()
    }
    game.average.load_state_dict(halved)
    requests = torch.arange(2000) % 10
    made = game.sample(2000, requests)
    facts = {
        "network": NETWORK,
        "data": "digits, all 5000",
        "steps": options.steps,
        "seed": SEED,
        **recipe,
        "seconds": round(game.history.seconds),
        "requested class recognised": round(metrics.class_accuracy(made, requests), 4),
        "Frechet distance": round(metrics.frechet_digits(made), 2),
        **provenance.about(("torch", "numpy"), ("ganlib", "tools/cover_generator.py")),
    }
    save_file({name: value.contiguous() for name, value in halved.items()}, options.out, {"ganlib": json.dumps(facts)})
    print(f"{options.out}: {options.out.stat().st_size / 1000:.0f} kB, trained on {compute.describe()}")
    print(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main()
