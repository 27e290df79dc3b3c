"""The side-by-side runs: every contender plays the same rounds, the report says what was measured, `import ganlib` is
light, and the recipe for points finds every mode."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import contenders
import pytest
import report
import run
import torch
from torch import Tensor, nn

from ganlib import metrics, recipes, toys

from .tiny import TinyGenerator, tiny_data

HERE = ["ganlib", "ganlib, bf16", "textbook loop", "textbook loop, lean"]
ELSEWHERE = ["vegans 0.4.0", "torchgan 0.1.0"]


class Normalised(nn.Module):
    """A discriminator with BatchNorm, which must see real and generated samples apart; it notes what it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
        self.seen: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(len(x))
        return self.net(x).squeeze(1)


def played(name: str, rounds: int) -> tuple[list[int], list[int], bool]:
    """Sizes of the batches that both networks see in so many rounds, and whether all of their weights moved."""
    torch.manual_seed(0)
    generator, discriminator, made = TinyGenerator(), Normalised(), []
    play = contenders.CONTENDERS[name](generator, discriminator, tiny_data(), 16, 1e-2)
    before = [w.detach().clone() for net in (generator, discriminator) for w in net.parameters()]
    discriminator.seen.clear()
    generator.register_forward_hook(lambda net, z, x: made.append(len(x)))
    play(rounds)
    after = [w for net in (generator, discriminator) for w in net.parameters()]
    # A bias before a BatchNorm has no effect, so no gradient beyond rounding.
    moved = all(not torch.equal(a, b) for a, b in zip(before, after, strict=True) if a.dim() == 2)
    return discriminator.seen, made, moved and all(w.isfinite().all() for w in after)


def same_rounds(name: str) -> None:
    judged, made, moved = played(name, 3)
    assert judged == [16] * 9  # a round: real, fake, and fake again for the generator
    assert made in ([16] * 3, [16] * 6)  # fakes are used again (textbook) or drawn afresh
    assert moved


@pytest.mark.parametrize("name", HERE)
def test_a_round_is_the_same_for_all(name: str) -> None:
    same_rounds(name)


@pytest.mark.slow
def test_a_round_is_the_same_for_vegans_and_torchgan() -> None:
    python = run.ENVIRONMENT / "bin" / "python"
    if not (run.ENVIRONMENT / "installed").exists():
        pytest.skip("needs .benchmarks, which `make benchmark` makes")
    code = f"from tests.test_benchmarks import same_rounds\nfor name in {ELSEWHERE}: same_rounds(name)"
    script = f"import sys; sys.path[:0] = [{str(run.ROOT)!r}, {str(run.ROOT / 'benchmarks')!r}]\n{code}"
    done = subprocess.run([python, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_textbook_minimises_the_non_saturating_losses() -> None:
    """One round by hand: D on −log D(x) − log(1 − D(G(z))), then G on −log D(G(z)) with the new D."""
    torch.manual_seed(0)
    nets: list[tuple[nn.Module, nn.Module]] = []
    for _ in range(2):
        torch.manual_seed(0)
        nets.append((TinyGenerator(), nn.Sequential(nn.Linear(2, 1), nn.Flatten(0))))
    real, rate = tiny_data()[:16], 1e-2
    (generator, discriminator), (g, d) = nets
    step = contenders._textbook_step(generator, discriminator, 16, rate, fused=False)
    torch.manual_seed(1)
    step(real)
    torch.manual_seed(1)
    fake = g(contenders.latents(g, 16))
    softplus = nn.functional.softplus
    for net, loss in (
        (d, lambda: softplus(-d(real)).mean() + softplus(d(fake.detach())).mean()),
        (g, lambda: softplus(-d(fake)).mean()),
    ):
        optimizer = torch.optim.Adam(net.parameters(), rate, contenders.BETAS)
        gradients = torch.autograd.grad(loss(), list(net.parameters()))
        for weight, gradient in zip(net.parameters(), gradients, strict=True):
            weight.grad = gradient
        optimizer.step()
    # Adam's first step is the gradient's sign: where that is nearly 0, rounding decides. Those are left out.
    for net, mine in ((generator, g), (discriminator, d)):
        for a, b in zip(net.parameters(), mine.parameters(), strict=True):
            torch.testing.assert_close(a[b.grad.abs() > 1e-6], b[b.grad.abs() > 1e-6])


def test_latents_follow_the_prior() -> None:
    generator = TinyGenerator()
    assert contenders.latents(generator, 5000).std().item() == pytest.approx(1, rel=0.05)
    generator.prior = "uniform"  # type: ignore[assignment]
    assert contenders.latents(generator, 5000).abs().max() <= 1


# ---- the report ------------------------------------------------------------------------------------

ABOUT = {"machine": "M, 2 cores", "bf16": False, "versions": {"torch": "2"}, "commit": "abc", "date": "2026-01-01"}


def made_up() -> dict[str, dict[str, Any]]:
    speeds = {"ganlib": (30.0, 10.0, 20.0), "textbook loop": (15.0, 10.0, 5.0)}
    throughput = [
        {"set_up": "nets, batch 2", "contender": name, "repeat": i, "per_second": rate}
        for i in range(3)
        for name, rates in speeds.items()
        for rate in rates[i : i + 1]
    ]
    distance = [
        {"contender": name, "repeat": repeat, "seconds": seconds, "distance": 100 / seconds + repeat}
        for name in speeds
        for repeat in range(3)
        for seconds in (5.1, 10.2)
    ]
    mixtures = [
        {"data": "ring", "contender": name, "seed": seed, "seconds": 20.0}
        | {"modes": 8 - seed, "total": 8, "quality": 0.9, "reverse_kl": 0.01}
        for name in speeds
        for seed in range(2)
    ]
    size = {"what": "round", "repeat": 0, "width": 8, "batch": 4, "size": 16}
    scaling = [{"what": "matrix product", "repeat": 0, "gflops": 200.0}, {**size, "ms": 2.5, "gflops": 50.0}]
    parts = {"throughput": throughput, "distance": distance, "mixtures": mixtures, "scaling": scaling}
    return {name: {"about": ABOUT, "rows": rows} for name, rows in parts.items()}


def test_the_table_has_medians_spreads_and_where() -> None:
    text = report.markdown(made_up())
    assert "| ganlib | 20 (10 … 30) | 1.00 (1.00 … 1.00) |" in text
    assert "| textbook loop | 10 (5 … 15) | 2.00 (1.00 … 4.00) |" in text  # paired: 30/15, 10/10, 20/5
    assert "| ganlib | 10 | 10.8 (9.8 … 11.8) |" in text
    assert "| ring, ganlib | 8 (7 … 8) of 8 | 90.0 (90.0 … 90.0) | 0.0100 (0.0100 … 0.0100) |" in text
    assert "| 8 / 4 / 16 | 2.5 (2.5 … 2.5) | 50 (50 … 50) | 25 % |" in text
    assert text.count("*M, 2 cores, without a bf16 matrix unit; torch 2; commit abc, 2026-01-01.*") == 4


def test_parts_that_were_not_measured_are_left_out(tmp_path: Path) -> None:
    one = {"scaling": made_up()["scaling"]}
    report.write(one, tmp_path)
    assert "Fréchet" not in (tmp_path / "results.md").read_text(encoding="utf8")
    report.write(made_up(), tmp_path)
    assert (tmp_path / "results.png").read_bytes().startswith(b"\x89PNG")


def test_the_committed_table_is_of_the_committed_numbers() -> None:
    results = json.loads((run.RESULTS / "results.json").read_text(encoding="utf8"))
    assert (run.RESULTS / "results.md").read_text(encoding="utf8") == report.markdown(results)
    assert results.keys() <= run.PARTS.keys()


def test_contenders_take_turns_to_begin() -> None:
    assert [run._turned(["a", "b", "c"], i)[0] for i in range(4)] == ["a", "b", "c", "a"]


def test_an_unknown_part_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        run.main(["speed"])
    assert stop.value.code == 2
    assert "part 'speed' is not known; choose from: throughput, distance" in capsys.readouterr().err


# ---- weight ----------------------------------------------------------------------------------------


def test_import_ganlib_costs_at_most_half_a_second_more_than_import_torch() -> None:
    """The median of three fresh processes, the third left out where two agree: `import ganlib` once torch is there.

    In processor time: what else the machine does is not ganlib's.
    """
    code = "import time, torch; start = time.process_time(); import ganlib; print(time.process_time() - start)"
    quick: list[bool] = []
    while max(quick.count(True), quick.count(False)) < 2:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        quick.append(float(done.stdout) <= 0.5)
    assert quick.count(True) == 2


# ---- the recipe for points -------------------------------------------------------------------------


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def scored(name: str, seed: int, steps: int | None = None) -> tuple[metrics.ModeReport, float]:
    """What 20 000 samples of the default recipe are worth, and the processor seconds of the training."""
    mixture = toys.get(name)
    assert isinstance(mixture, toys.Mixture)
    settings = recipes.Settings(name, steps=steps, seed=seed)
    game = recipes.build(settings, device="cpu")
    start = time.process_time()
    game.play(settings.steps, progress=False)
    return metrics.modes(game.sample(20_000, seed=1), mixture), time.process_time() - start


def test_the_recipe_finds_the_whole_ring_in_a_third_of_its_rounds(one_thread: None) -> None:
    found, _ = scored("ring", seed=1, steps=1200)  # of five seeds all found it, with a quality of 0.77 to 0.95
    assert found.modes == 8 and found.quality > 0.65, found


@pytest.mark.slow
@pytest.mark.parametrize("name, total, quality", [("ring", 8, 0.95), ("grid", 25, 0.90)])
def test_the_recipe_in_full(name: str, total: int, quality: float, one_thread: None) -> None:
    found, seconds = scored(name, seed=0)
    assert found.modes == total and found.quality >= quality and found.reverse_kl <= 0.02, found
    assert seconds <= 60
