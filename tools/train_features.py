"""Train the digit classifier that `ganlib.features` ships: `python tools/train_features.py` writes
`ganlib/assets/digits.safetensors` (float16) and prints the accuracy on the 1000 test digits, which training never
sees. Two minutes on one quiet core.

Adam with a one-cycle schedule, label smoothing, dropout, and digits that are shifted, turned, scaled and sheared at
random; the shipped weights are the running average over the steps. The same seed gives the same file on the same
machine.
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor
from torch.nn import functional as F

from ganlib import data
from ganlib.features import DigitClassifier

TARGET = Path(__file__).parents[1] / "ganlib" / "assets" / "digits.safetensors"


def distort(images: Tensor, rng: torch.Generator) -> Tensor:
    """(N, 1, 28, 28): each turned by up to 15°, scaled and sheared by up to 15 %, shifted by up to 3 pixels."""
    n = len(images)
    angle, stretch, squeeze, shear, right, down = torch.rand(6, n, generator=rng).mul(2).sub(1)
    angle, scale_x, scale_y = angle * math.radians(15), 1 + 0.15 * stretch, 1 + 0.15 * squeeze
    cos, sin, shear = angle.cos(), angle.sin(), 0.15 * shear
    rows = (scale_x * cos, scale_x * (shear * cos - sin), 3 / 14 * right, scale_y * sin, scale_y * (shear * sin + cos))
    matrix = torch.stack([*rows, 3 / 14 * down], dim=1).view(n, 2, 3)
    grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
    return F.grid_sample(images + 1, grid, align_corners=False) - 1  # zeros outside are black


def accuracy(net: DigitClassifier, images: Tensor, labels: Tensor) -> float:
    net.eval()
    with torch.no_grad():
        right = (net(images).argmax(1) == labels).double().mean().item()
    net.train()
    return right


def train(images: Tensor, labels: Tensor, steps: int, batch: int = 128, seed: int = 0) -> DigitClassifier:
    """Train on (N, 1, 28, 28) floats in [-1, 1]; returns the averaged network, its features scaled to variance 1."""
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    net = DigitClassifier(dropout=0.3)
    average = copy.deepcopy(net).requires_grad_(False).eval()
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps, pct_start=0.15)
    start = time.time()
    for step in range(steps):
        chosen = torch.randint(len(images), (batch,), generator=rng)
        logits = net(distort(images[chosen], rng))
        loss = F.cross_entropy(logits, labels[chosen], label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            beta = min(0.998, (1 + step) / (10 + step))
            for mean, now in zip(average.parameters(), net.parameters(), strict=True):
                mean.lerp_(now, 1 - beta)
        if (step + 1) % 500 == 0:
            print(f"step {step + 1} of {steps}, loss {loss.item():.4f}, {time.time() - start:.0f} s", flush=True)
    rescale(average, images)
    return average


@torch.no_grad()
def rescale(net: DigitClassifier, images: Tensor) -> None:
    """Give each feature variance 1 over the images. Leaky ReLU commutes with a positive factor, so the logits stay."""
    std = net.features(images).std(0)
    net.project.weight.div_(std[:, None])
    net.project.bias.div_(std)
    net.classify.weight.mul_(std)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=TARGET)
    options = parser.parse_args()
    shown, held_out = data.load("digits", split="train"), data.load("digits", split="test")
    assert shown.y is not None and held_out.y is not None
    net = train(shown.floats, shown.y, options.steps, seed=options.seed)
    halved = {name: tensor.half().contiguous() for name, tensor in net.state_dict().items()}
    net.load_state_dict({name: tensor.float() for name, tensor in halved.items()})
    print(f"accuracy on {len(shown)} training digits: {accuracy(net, shown.floats, shown.y):.4f}")
    print(f"accuracy on {len(held_out)} test digits: {accuracy(net, held_out.floats, held_out.y):.4f}")
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_bytes(save(halved))
    print(f"{options.out}: {options.out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
