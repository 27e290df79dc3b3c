"""ganlib beside a textbook loop, vegans and torchgan, measured on this machine.

    python benchmarks/run.py              every part, then the report
    python benchmarks/run.py throughput   images a second with identical networks
    python benchmarks/run.py distance     Fréchet distance of digits against seconds of training
    python benchmarks/run.py mixtures     modes found on the ring and the grid
    python benchmarks/run.py scaling      cost against width, batch and image size
    python benchmarks/run.py report       table and figure from what is measured already

Each part keeps what it measured in `results/results.json` beside the machine, the versions and the commit; the report
turns that into `results/results.md` and `results/results.png`. What is compared takes turns within every repeat, so
that a machine that gets slower gets slower for all. vegans and torchgan are installed into an environment of their own,
`.benchmarks`, which sees the first one's torch.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".benchmarks"
RESULTS = ROOT / "benchmarks" / "results"
OTHERS = ("vegans==0.4.0", "torchgan==0.1.0")
SECONDS = (5, 10, 20, 60)
"""Lengths of our trainings that are scored; each is a run of its own, because schedules follow the clock."""
TEXTBOOK_SECONDS = (5, 10, 20, 40, 60, 100)
"""When the textbook loop, which has no schedule, is stopped for scoring; its clock stands still meanwhile."""

Row = dict[str, Any]


# ---- the environment of vegans and torchgan --------------------------------------------------------


def enter_environment() -> None:
    """Go on in `.benchmarks`, which is made first if need be: this process ends there."""
    if Path(sys.prefix).resolve() == ENVIRONMENT.resolve():
        return
    python = ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin") / "python"
    stamp = ENVIRONMENT / "installed"
    if not stamp.exists() or stamp.read_text(encoding="utf8") != f"{sys.prefix} {OTHERS}":
        print(f"making {ENVIRONMENT} with {' and '.join(OTHERS)}", flush=True)
        venv.create(ENVIRONMENT, clear=True, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", *OTHERS], check=True)
        ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
        here = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True).stdout.strip()
        first = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n{ROOT}\n"
        Path(here, "first_environment.pth").write_text(first, encoding="utf8")
        stamp.write_text(f"{sys.prefix} {OTHERS}", encoding="utf8")
    os.chdir(ROOT)
    sys.exit(subprocess.run([python, __file__, *sys.argv[1:]]).returncode)


# ---- the parts -------------------------------------------------------------------------------------


def throughput(repeats: int = 5, seconds: float = 2.0) -> list[Row]:
    """Real images (or points) a second, for each contender and each repeat, with identical networks."""
    import torch
    from contenders import CONTENDERS

    from ganlib import compute, data, nets, toys

    digits = data.load("digits")
    images = digits.draw(len(digits), compute.generator(0))[0]
    points = toys.get("ring").sample(10_000, compute.generator(0))
    perceptrons: dict[str, Any] = {"layers": 4, "scale": 0.7}
    set_ups: dict[str, tuple[Callable[[], Any], Any, int, int]] = {
        "DCGAN, width 32, 28×28, batch 128": (
            lambda: (nets.DCGANGenerator(width=32), nets.DCGANDiscriminator(width=32)),
            images,
            128,
            os.cpu_count() or 1,
        ),
        "perceptrons of the mixtures, batch 256": (
            lambda: (
                nets.MLPGenerator(prior="uniform", negative_slope=0.0, **perceptrons),
                nets.MLPDiscriminator(fourier=32, **perceptrons),
            ),
            points,
            256,
            1,
        ),
        "perceptrons of width 16, batch 32": (
            lambda: (nets.MLPGenerator(width=16, layers=4), nets.MLPDiscriminator(width=16, layers=4)),
            points,
            32,
            1,
        ),
    }
    rows = []
    for set_up, (make, real, batch, threads) in set_ups.items():
        torch.set_num_threads(threads)
        bf16 = "DCGAN" in set_up and compute.precision("cpu") == "bf16"  # perceptrons always stay in fp32
        names = [name for name in CONTENDERS if bf16 or "bf16" not in name]
        plays, rounds = {}, {}
        for name in names:
            torch.manual_seed(0)
            generator, discriminator = make()
            plays[name] = CONTENDERS[name](generator, discriminator, real, batch, 2e-4)
            plays[name](2)
            once = _timed(plays[name], 3) / 3
            rounds[name] = max(3, round(seconds / once))
        for repeat in range(repeats):
            for name in _turned(names, repeat):
                rate = batch * rounds[name] / _timed(plays[name], rounds[name])
                rows.append({"set_up": set_up, "contender": name, "repeat": repeat, "per_second": round(rate, 1)})
                print(f"{set_up}: {name}: {rate:.0f} a second", flush=True)
    return rows


def distance(repeats: int = 3) -> list[Row]:
    """Fréchet distance of 2000 digits against seconds of training: ours as `ganlib train digits` plays it, and the
    textbook's DCGAN loop (width 32, batch 128, Adam 2e-4 (0.5, 0.999), BatchNorm in both)."""
    import torch
    from contenders import latents, textbook

    from ganlib import compute, data, metrics, nets, recipes

    torch.set_num_threads(os.cpu_count() or 1)
    digits = data.load("digits")
    images = digits.draw(len(digits), compute.generator(0))[0]
    rows: list[Row] = []

    def note(name: str, repeat: int, seconds: float, samples: Any) -> None:
        found = round(metrics.frechet_digits(samples), 2)
        rows.append({"contender": name, "repeat": repeat, "seconds": round(seconds, 2), "distance": found})
        print(f"{name}, seed {repeat}: {found} after {seconds:.1f} s", flush=True)

    for repeat in range(repeats):
        for limit in SECONDS:
            game = recipes.build(recipes.Settings("digits", seconds=limit, seed=repeat))
            game.play(seconds=limit, progress=False)
            note("ganlib", repeat, game.history.seconds, game.sample(2000, seed=1))
        torch.manual_seed(repeat)
        generator, discriminator = nets.DCGANGenerator(width=32), nets.DCGANDiscriminator(width=32)
        play, spent = textbook(generator, discriminator, images, 128, 2e-4), 0.0
        for limit in TEXTBOOK_SECONDS:
            while spent < limit:
                spent += _timed(play, 5)
            generator.eval()
            with torch.no_grad():
                samples = torch.cat([generator(latents(generator, 500)) for _ in range(4)])
            generator.train()
            note("textbook loop", repeat, spent, samples)
    return rows


def mixtures(repeats: int = 5) -> list[Row]:
    """Modes, share of high quality and reverse KL of 20 000 samples on the ring and the grid, one thread: ours as
    `ganlib train` plays it, and a textbook loop with networks of the same size for as many rounds."""
    import torch
    from contenders import latents, lean_textbook

    from ganlib import compute, metrics, nets, recipes, toys

    torch.set_num_threads(1)
    rows = []
    for repeat in range(repeats):
        for name in ("ring", "grid"):
            mixture = toys.get(name)
            assert isinstance(mixture, toys.Mixture)
            settings = recipes.Settings(name, seed=repeat)
            game = recipes.build(settings, device="cpu")
            start = time.process_time()
            game.play(settings.steps, progress=False)
            made = {"ganlib": (game.sample(20_000, seed=1), time.process_time() - start)}

            torch.manual_seed(repeat)
            generator, discriminator = nets.MLPGenerator(layers=4), nets.MLPDiscriminator(layers=4)
            points = mixture.sample(100_000, compute.generator(repeat))
            play, start = lean_textbook(generator, discriminator, points, 256, 2e-4), time.process_time()
            play(game.step)
            with torch.no_grad():
                samples = generator(latents(generator, 20_000))
            made["textbook loop"] = samples, time.process_time() - start
            for contender, (samples, seconds) in made.items():
                found = metrics.modes(samples, mixture)._asdict()
                rows.append(
                    {"data": name, "contender": contender, "seed": repeat, "seconds": round(seconds, 1), **found}
                )
                print(f"{name}: {rows[-1]}", flush=True)
    return rows


def scaling(repeats: int = 3) -> list[Row]:
    """Milliseconds a round of the DCGAN game, and the floating-point operations a second that this makes, against
    width, batch and image size; beside them the rate of one large matrix product on the same threads."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from ganlib import games, nets

    torch.set_num_threads(os.cpu_count() or 1)
    sizes = [(width, 64, 32) for width in (8, 16, 32, 64)]
    sizes += [(16, batch, 32) for batch in (8, 32, 128)] + [(16, 64, size) for size in (16, 64)]
    a, b = torch.randn(2, 1500, 1500)
    rows: list[Row] = []
    for repeat in range(repeats):
        seconds = min(_timed(lambda n: [a @ b for _ in range(n)], 5) / 5 for _ in range(4))
        rows.append({"what": "matrix product", "repeat": repeat, "gflops": round(2 * 1500**3 / seconds / 1e9, 1)})
        for width, batch, size in _turned(sizes, repeat):
            torch.manual_seed(0)
            pair = nets.DCGANGenerator(size, width=width), nets.DCGANDiscriminator(size, width=width)
            data = torch.randn(256, 1, size, size).clamp(-1, 1)
            game = games.gan(*pair, data, batch=batch, precision="fp32", device="cpu")
            with FlopCounterMode(display=False) as counter:
                game.play(1, progress=False)
            play = lambda rounds, game=game: game.play(rounds, progress=False)  # noqa: E731
            rounds = max(2, round(0.5 / _timed(play, 2) * 2))
            seconds = _timed(play, rounds) / rounds
            row = {"what": "round", "repeat": repeat, "width": width, "batch": batch, "size": size}
            operations = counter.get_total_flops()
            rows.append({**row, "ms": round(seconds * 1e3, 2), "gflops": round(operations / seconds / 1e9, 1)})
            print(rows[-1], flush=True)
    return rows


PARTS: dict[str, Callable[[], list[Row]]] = {
    "throughput": throughput,
    "distance": distance,
    "mixtures": mixtures,
    "scaling": scaling,
}


def _timed(play: Callable[[int], object], rounds: int) -> float:
    start = time.perf_counter()
    play(rounds)
    return time.perf_counter() - start


def _turned(names: list[Any], repeat: int) -> list[Any]:
    """The same names, beginning with another one in each repeat."""
    first = repeat % len(names)
    return names[first:] + names[:first]


def about() -> Row:
    """Where and with what this was measured."""
    import torch

    sys.path.append(str(ROOT / "tools"))
    import provenance

    from ganlib import compute

    where = provenance.about(("torch", "vegans", "torchgan"), ("ganlib", "benchmarks/*.py"))
    return {**where, "bf16": compute.fast_bf16(torch.device("cpu"))}


def main(arguments: list[str] | None = None) -> None:
    """Measure the parts asked for, each kept as soon as it is done, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="*", help=f"{', '.join(PARTS)} or report; all of them by default")
    parts = parser.parse_args(arguments).part or [*PARTS, "report"]
    for part in parts:
        if part not in (*PARTS, "report"):
            parser.error(f"part {part!r} is not known; choose from: {', '.join(PARTS)}, report")
    if parts != ["report"]:
        enter_environment()
    file = RESULTS / "results.json"
    RESULTS.mkdir(parents=True, exist_ok=True)
    for part in parts:
        if part == "report":
            continue
        where = about()  # before it: a commit that comes meanwhile is not what is measured
        rows = PARTS[part]()
        results = json.loads(file.read_text(encoding="utf8")) if file.exists() else {}
        results[part] = {"about": where, "rows": rows}
        file.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf8")
    import report

    report.write(json.loads(file.read_text(encoding="utf8")), RESULTS)
    print(f"wrote {RESULTS.relative_to(ROOT)}/results.md and results.png")


if __name__ == "__main__":
    main()
