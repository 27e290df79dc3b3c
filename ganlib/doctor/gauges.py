"""The gauges: numbers measured on a game that is left as it was, each with its yardstick."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from .. import compute, losses, metrics
from ..data import Drawn, source
from ..engine import Batch, Game
from ..generator import at_rest
from ..penalties import Critic

GAUGES: dict[str, str] = {
    "not_finite": "numbers that are infinite or none, of all that was drawn and computed: 0",
    "beyond": "share of real values that the generator's last layer cannot reach: 0",
    "lowest": "least real value, where generated ones start at -1: -1",
    "rate": "learning rate: above 0",
    "remembers": "updates that the optimizer knows of, as a share of those played: 1",
    "gradient": "root mean square over the parameters, in the coming turn: far above 1e-8, Adam's epsilon",
    "towards": "cosine of the generator's step with the one that raises what D says of its samples: above 0",
    "loss": "mean over the last rounds",
    "swing": "largest less smallest loss of the last rounds, over their mean size: above 0",
    "lead": "D's loss as a share of what it is at equilibrium: 1, less while D is ahead",
    "separation": "share of pairs, held-out and generated, that D puts in order: 0.5 blind, 1 never wrong",
    "separation_train": "the same with training samples",
    "memorising": "share of pairs, training and held-out, of which D prefers the training one: 0.5",
    "verdicts": "standard deviation of what D says: above 0",
    "squashed": "share of what D says, and would say with weights 100 or -100 times its own, in [0, 1]: below 1",
    "slope": "mean slope of D at generated samples: 1 under a gradient penalty",
    "snapped": "separation_train, once generated values are moved on to the few that the data take: the same",
    "momentum": "least momentum of BatchNorm's running statistics: 0.1",
    "at_rest": "change of samples from training to evaluation mode, in deviations of the data: near 0",
    "alone": "change, in evaluation mode, of a sample made alone, likewise: 0",
    "spread": "median distance of two generated samples over that of two real ones: 1",
    "told_apart": "share whose nearest neighbour is of its kind, real or generated: 0.5 alike, 1 never",
    "duplicates": "share of samples within a quarter of the usual distance of neighbours of another: near 0",
    "missing": "share of the data that lies in cells where hardly a sample comes: 0",
    "copying": "distance of the nearest over the fifth nearest training sample, over that of held-out samples: 1",
    "checkerboard": "power at every second pixel over that beside it, over that of real images: 1",
    "correlation": "of neighbouring pixels, over that of real images: 1, noise 0",
    "label_effect": "change by another label, over that by another z: near 1",
    "noise_effect": "deviation within a class, over that of real samples: 1",
    "label_match": "share nearest to the mean of the class asked for, over that of real samples: 1",
    "worse": "the last of the watched distances over the best: 1",
}
"""What each gauge of a `Report` measures, and after the colon where it stands in a healthy game."""

EARLY = 300
"""Rounds before which samples, and who is ahead, say nothing of a game: healthy ones looked broken after 160."""
LATELY = 50
"""Rounds whose losses are looked at."""
OF_SAMPLES = (None, "gan", "conditional_gan", "clustered_gan", "ac_gan", "info_gan", "eb_gan")
"""Games (None: the reader's own) whose discriminator judges single samples, as they are, by its first output."""
CELLS, LARGE = 20, 16
"""Cells that the data are divided into; side to which larger images are brought for distances."""


class Examination:
    """The gauges of one game, as far as they can be read."""

    def __init__(self, game: Game, held_out: Any, samples: int, seed: int) -> None:
        self.game, self.seed, self.where = game, seed, ""
        self.gauges: dict[str, float] = {"not_finite": 0.0}
        self.unjudged: dict[str, str] = {}
        self.kind, self.takes = game.settings.get("game"), game.snapshot().takes
        self.loss = losses.LOSSES.get(str(game.settings.get("loss")).partition("(")[0])
        self.judges = self.kind in OF_SAMPLES and "discriminator" in game.players and "inputs" not in self.takes
        self.n = game.batch * max(1, samples // game.batch)  # for a D that looks across a batch
        self.fresh = held_out is not None or (game.source.size is None and game.source.exact)
        self.real = self._drawn(game.source, "train")
        self.held = self._drawn(game.source if held_out is None else source(held_out, game.device), "held-out")
        if self.held.real.shape != self.real.real.shape:
            wanted, got = tuple(self.real.real.shape[1:]), tuple(self.held.real.shape[1:])
            raise ValueError(f"held_out must be samples of shape {wanted}, like those of the game, got {got}")
        self.unit = self.real.real.std(0).square().mean().sqrt()

    def _drawn(self, feed: Any, what: str) -> Drawn:
        drawn: Drawn = feed.draw(self.n, compute.generator(self.seed, "doctor", what))
        return drawn

    def run(self) -> None:
        """Read every gauge there is."""
        self._data()
        for name in self.game.players:
            self._turn(name)
        self._history()
        if self.gauges["not_finite"]:
            self.unjudged["the rest"] = "nothing can be computed from such numbers"
        elif "inputs" in self.takes:
            self.unjudged["samples"] = "this game translates; `ganlib evaluate` compares its answers with the truth"
        else:
            if self.judges:
                self._verdicts()
                self._batch_norm()
            else:
                self.unjudged["discriminator"] = f"none of {self.kind or 'this game'} judges single samples"
            if self.game.step < EARLY:
                self.unjudged["samples"] = f"{self.game.step} rounds are too few, {EARLY} are needed"
            else:
                self._samples()
                self._labels()

    # ---- the data and the turns ----------------------------------------------------------------

    def _note(self, where: str, *tensors: Tensor | None) -> None:
        bad = sum(int((~x.isfinite()).sum()) for x in tensors if x is not None)
        self.gauges["not_finite"] += bad
        self.where = self.where or (where if bad else "")

    def _data(self) -> None:
        x, last = self.real.real, _last(self.game.snapshot().maker)
        self._note("the real samples", x, self.real.inputs)
        for name, player in self.game.players.items():
            self._note(f"the weights of the {name}", *player.net.state_dict().values())
        if x.dim() == 4 or isinstance(last, nn.Tanh | nn.Sigmoid):
            low = 0.0 if isinstance(last, nn.Sigmoid) else -1.0
            self.gauges["beyond"] = ((x < low - 0.05) | (x > 1.05)).double().mean().item()
            self.gauges |= {"lowest": x.min().item()} if low else {}
        else:
            self.unjudged["range"] = "the generator's last layer has no bounds"

    def _turn(self, name: str) -> None:
        game, player, g = self.game, self.game.players[name], self.gauges
        g[f"rate.{name}"] = max(group["lr"] for group in player.optimizer.param_groups)
        if game.step and isinstance(player.optimizer, torch.optim.Adam | torch.optim.RMSprop):
            steps = [float(state["step"]) for state in player.optimizer.state.values() if "step" in state]
            g[f"remembers.{name}"] = max(steps, default=0.0) / (game.step * player.turns)
        own = [w for w in player.net.parameters() if w.requires_grad]
        if not own or g["not_finite"]:
            return
        scale = game.scalers[name].get_scale() if name in game.scalers else 1.0  # else fp16 rounds it to 0
        with game.rehearsing(name) as batch:
            said = player.loss(batch)
            loss = torch.stack([*said.values()]).sum() if isinstance(said, dict) else said
            slopes = torch.autograd.grad(loss * scale, own, allow_unused=True, materialize_grads=True)
            self._note(f"the coming turn of the {name}", loss, *slopes)
            gradient = _joined(slopes) / scale
            g[f"gradient.{name}"] = gradient.square().mean().sqrt().item()
            if name == game.generating and self.judges and self.loss is not None:
                up = self._say(self._make(batch), batch).mean()
                slopes = torch.autograd.grad(up, own, allow_unused=True, materialize_grads=True)
                g["towards"] = F.cosine_similarity(-gradient, _joined(slopes), 0).item()

    def _history(self) -> None:
        game, history, g = self.game, self.game.history, self.gauges
        for name in game.players if game.step else ():
            last = torch.tensor(history[name][-LATELY:], dtype=torch.float64)
            self._note(f"the losses of the {name}", last)
            g[f"loss.{name}"] = last.mean().item()
            if len(last) == LATELY and last.any():  # at 0 a hinge is satisfied
                g[f"swing.{name}"] = ((last.max() - last.min()) / last.abs().mean().clamp(min=1e-12)).item()
        usual = losses.LOSSES.get(str(game.settings.get("loss")))  # no margin or share of its own
        level = 0.0 if usual is None or usual.name == "ragan_hinge" else usual.at_equilibrium[0]  # whose D rests at 0
        if level > 0 and self.judges and game.step >= EARLY:
            g["lead"] = torch.tensor(history["discriminator"][-LATELY:]).median().item() / level
        for key in ("frechet", "fid", "kid", "distance"):
            seen = [w[key] for w in history.watched if isinstance(w.get(key), int | float)]
            if len(seen) >= 4:
                g["worse"] = seen[-1] / max(min(seen), 1e-12)
                return
        self.unjudged["good, then bad"] = "no distance was watched, at four rounds or more"

    # ---- what D says ---------------------------------------------------------------------------

    def _make(self, batch: Batch) -> Tensor:
        labelled = "labels" in self.takes or self.kind == "clustered_gan"
        made: Tensor = self.game.generator(batch.z, *((batch.labels,) if labelled else ()))
        return made

    def _say(self, x: Tensor, batch: Batch, times: float = 1.0) -> Tensor:
        """What D says of x, more of what is more real; or what it would say with so many times its weights."""
        D = self.game.discriminator
        given = () if getattr(D, "classes", None) is None else (batch.labels,)
        weights = {} if times == 1 else {name: times * w for name, w in D.named_parameters()}
        net = (lambda *shown: torch.func.functional_call(D, weights, shown)) if weights else D
        logits = Critic(net, *given).judge(x)[0].flatten()
        return -logits if self.loss is not None and self.loss.energies else logits

    def _verdicts(self) -> None:
        game, g, of_held = self.game, self.gauges, self.held.labels
        if self.kind == "clustered_gan" and self.fresh:
            of_held = self._clusters(self.held.real)
        if getattr(game.discriminator, "classes", None) and of_held is None:
            self.unjudged["discriminator"] = "it is shown labels, and the held-out samples have none"
            return
        z = game.draw_latent(self.n, compute.generator(self.seed, "doctor", "z"))
        snap, slopes = _snap(self.real.real), []
        said: dict[str, list[Tensor]] = {"train": [], "held-out": [], "fake": [], "snapped": [], "steep": []}
        with game.rehearsing("discriminator"):
            for rows in torch.arange(self.n).split(game.batch):
                seen, new = (
                    Batch(x[rows], None if y is None else y[rows], z[rows], game.step, game.progress, torch.Generator())
                    for x, y in ((self.real.real, self.real.labels), (self.held.real, of_held))
                )
                with torch.no_grad():
                    fake = self._make(seen)
                    said["train"].append(self._say(seen.real, seen))
                    said["held-out"].append(self._say(new.real, new))
                    said["snapped"] += [] if snap is None else [self._say(snap(fake), seen)]
                    said["steep"] += [self._say(x, seen, times) for x in (seen.real, fake) for times in (100, -100)]
                judged = self._say(fake.requires_grad_(), seen)
                slopes.append(torch.autograd.grad(judged.sum(), fake)[0].flatten(1).norm(dim=1))
                said["fake"].append(judged.detach())
        train, held, fake = (torch.cat(said[kind]) for kind in ("train", "held-out", "fake"))
        upwards = self.loss is not None or area(train, fake) >= 0.5  # of a loss of one's own, nobody knows
        train, held, fake = (x if upwards else -x for x in (train, held, fake))
        g["separation_train"] = area(train, fake)
        if not self.fresh:
            self.unjudged["memorising and copying"] = "no held-out samples were given"
        else:
            g["separation"] = area(held, fake)
            if why := self._unlike():
                self.unjudged["memorising"] = why
            else:
                g["memorising"] = area(train, held)
        both = torch.cat([train, fake])
        g["verdicts"], g["slope"] = both.std().item(), torch.cat(slopes).mean().item()
        # Least squares aims at 0 and 1, which a sigmoid reaches. A D that died without one says 0 throughout.
        if self.loss is not None and not self.loss.energies and "least_squares" not in self.loss.name:
            ever = torch.cat([train, fake, *said["steep"]])
            g["squashed"] = ((ever >= 0) & (ever <= 1)).double().mean().item() if ever.any() else 0.0
        if snap is not None:
            g["snapped"] = area(train, torch.cat(said["snapped"]) * (1 if upwards else -1))

    def _unlike(self) -> str:
        """Why D may tell held-out samples from training ones without having seen these, or nothing."""
        see = _Seen(self.real.real)
        train, held = (_distinct(see(drawn.real)) for drawn in (self.real, self.held))
        few = min(len(train), len(held))
        told, spread = _told_apart(train[:few], held[:few])[0], _spread(held, train)
        if told > 0.7 or not 0.8 < spread < 1.25:  # by chance 0.5 +- 0.07 and 1 +- 0.1, of 30 samples
            return f"held-out samples are others: neighbours tell {told:.0%}, they lie {spread:.2g} times as far apart"
        return ""

    def _clusters(self, x: Tensor) -> Tensor:
        data = self.game.data
        means = torch.stack([data.floats[data.y == k].flatten(1).mean(0) for k in range(len(data.classes))])
        return torch.cdist(x.flatten(1).cpu(), means.cpu()).argmin(1).to(x.device)

    # ---- what G makes --------------------------------------------------------------------------

    def _batch_norm(self) -> None:
        game = self.game
        layers = [layer for layer in game.generator.modules() if isinstance(layer, _BatchNorm)]
        if not layers:
            return
        if kept := [layer.momentum for layer in layers if layer.track_running_stats and layer.momentum is not None]:
            self.gauges["momentum"] = min(kept)
        with torch.no_grad(), game.rehearsing(game.generating) as batch:
            played = self._make(batch)
            with at_rest(game.generator):
                rested = self._make(batch)
                first = Batch(
                    batch.real, None if batch.labels is None else batch.labels[:1], batch.z[:1], 0, 0.0, batch.rng
                )
                alone = self._make(first)
        self.gauges["at_rest"] = ((played - rested).square().mean().sqrt() / self.unit).item()
        self.gauges["alone"] = ((rested[:1] - alone).square().mean().sqrt() / self.unit).item()

    def _samples(self) -> None:
        game, g, x = self.game, self.gauges, self.real.real.float().cpu()
        made = game.sample(self.n, self.real.labels if "labels" in self.takes else None, seed=self.seed)
        self._note("generated samples", made)
        if g["not_finite"]:
            return
        if x.dim() == 4 and min(x.shape[2:]) >= 8:
            g["checkerboard"] = _peak(made) / _peak(x)
            g["correlation"] = _correlation(made) / max(_correlation(x), 1e-12)
        see = _Seen(x)
        real, fake = see(x), see(made)
        g["spread"] = _spread(fake, real)
        real = _distinct(real)
        few = len(real)
        if few < 3 * CELLS:
            self.unjudged["neighbours"] = f"the data hold only {few} different samples"
            return
        g["told_apart"], apart = _told_apart(real, fake[:few])
        of_real, of_fake = apart[:few, :few].min(1).values, apart[few:, few:].min(1).values
        g["duplicates"] = (of_fake < of_real.median() / 4).double().mean().item()
        cells = _cells(real)
        there, come = (_distances(x, cells).argmin(1).bincount(minlength=CELLS) for x in (real, fake[:few]))
        g["missing"] = (there[come < 0.1 * there].sum() / few).item()
        if game.source.size is None:
            self.unjudged["copying"] = f"{game.source.name} does not say how many samples it has"
        elif self.fresh:
            count = min(3 * game.source.size, 8192, max(self.n, 2**26 // x[0].numel()))
            everything = _distinct(see(game.source.draw(count, compute.generator(self.seed, "doctor", "all")).real))
            near, usual = (_nearness(some, everything) for some in (fake, see(self.held.real)))
            g["copying"] = near / usual

    def _labels(self) -> None:
        if "labels" not in self.takes or self.real.labels is None:
            return
        net, g = self.game.snapshot(), self.gauges
        asked = torch.arange(self.n) % len(net.classes)
        made, other = (net.sample(self.n, y, seed=self.seed) for y in (asked, (asked + 1) % len(net.classes)))
        again = net.sample(self.n, asked, seed=self.seed + 1)
        by_label, by_noise = ((x - made).square().mean().sqrt().item() for x in (other, again))
        real, labels = self.real.real.flatten(1).float().cpu(), self.real.labels.cpu()
        there = labels.unique()
        means = torch.stack([real[labels == k].mean(0) for k in there])
        within = (real - means[torch.searchsorted(there, labels)]).square().mean().sqrt().item()
        g["label_effect"] = by_label / max(by_noise, 1e-12)
        g["noise_effect"] = by_noise / math.sqrt(2) / max(within, 1e-12)
        right, best = (
            (there[torch.cdist(x, means).argmin(1)] == y).double().mean().item() - 1 / len(net.classes)
            for x, y in ((made.flatten(1), asked), (real, labels))
        )
        g["label_match"] = right / max(best, 1e-12)


# ---- measuring -------------------------------------------------------------------------------------------------------


def area(high: Tensor, low: Tensor) -> float:
    """P(high > low) + ½ P(high = low) of two sets of numbers (N,), (M,): the area under the ROC curve."""
    return ((high[:, None] > low).double() + 0.5 * (high[:, None] == low).double()).mean().item()


def _joined(parts: Iterable[Tensor]) -> Tensor:
    return torch.cat([part.flatten() for part in parts])


def _last(net: nn.Module) -> nn.Module:
    return [part for part in net.modules() if not any(True for _ in part.children())][-1]


class _Seen:
    """Samples as vectors (N, F) whose distances mean something: images made small, points in deviations of their
    columns, but for columns that hardly ever change."""

    def __init__(self, real: Tensor) -> None:
        x = self._vectors(real)
        self.shift, self.scale = x.mean(0), torch.ones(x.shape[1])
        if real.dim() == 2:
            still = (x == x.mode(0).values).double().mean(0) > 0.95
            self.scale = torch.where(still, x.std(0).square().mean().sqrt(), x.std(0)).clamp(min=1e-12)

    def _vectors(self, x: Tensor) -> Tensor:
        x = x.detach().float().cpu()
        return (F.adaptive_avg_pool2d(x, LARGE) if x.dim() == 4 and max(x.shape[2:]) > LARGE else x).flatten(1)

    def __call__(self, x: Tensor) -> Tensor:
        return (self._vectors(x) - self.shift) / self.scale


def _distances(a: Tensor, b: Tensor) -> Tensor:
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")  # which finds twins at 0


def _distinct(x: Tensor) -> Tensor:
    """Each row once, in an order that has nothing to do with its values."""
    rows = x.unique(dim=0)
    return rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))]


def _spread(a: Tensor, b: Tensor) -> float:
    """The median distance of two of a over that of two of b: a few samples far away change nothing."""
    return (F.pdist(a).median() / F.pdist(b).median().clamp(min=1e-12)).item()


def _told_apart(a: Tensor, b: Tensor) -> tuple[float, Tensor]:
    """The share of both, equally many, whose nearest neighbour is of its own kind; and the distances of all."""
    both = torch.cat([a, b])
    apart = _distances(both, both).fill_diagonal_(math.inf)
    first = torch.arange(len(both)) < len(a)
    return (first[apart.argmin(1)] == first).double().mean().item(), apart


def _cells(x: Tensor) -> Tensor:
    """Centres of k-means, by Lloyd's algorithm from the first samples."""
    centres = x[:CELLS].clone()
    for _ in range(20):
        nearest = _distances(x, centres).argmin(1)
        for k in nearest.unique():
            centres[k] = x[nearest == k].mean(0)
    return centres


def _nearness(x: Tensor, everything: Tensor) -> float:
    """Median of the distance to the nearest over that to the fifth nearest."""
    distance, _ = metrics.nearest(x, everything, 5)
    return (distance[:, 0] / distance[:, 4].clamp(min=1e-12)).median().item()


def _snap(real: Tensor) -> Callable[[Tensor], Tensor] | None:
    """Moves values on to the nearest that the data take, in columns where these repeat; None where they do not."""
    columns = real.flatten(1).T.contiguous()
    found = [(k, values) for k, column in enumerate(columns) if len(values := column.unique()) <= len(column) / 4]
    if not found:
        return None
    which = torch.tensor([k for k, _ in found], device=real.device)
    values = nn.utils.rnn.pad_sequence([v for _, v in found], batch_first=True, padding_value=math.inf)
    between = (values[:, 1:] + values[:, :-1]) / 2

    def snapped(x: Tensor) -> Tensor:
        moved = x.flatten(1).T.contiguous()
        moved[which] = values.gather(1, torch.searchsorted(between, moved[which]))
        return moved.T.reshape(x.shape)

    return snapped


def _peak(x: Tensor) -> float:
    """Power at every second pixel over that beside it."""
    power = torch.fft.fft2(x - x.mean((2, 3), keepdim=True)).abs().square().mean((0, 1))
    row, column = power.shape[0] // 2, power.shape[1] // 2
    beside = power[row - 1].mean() + power[:, column - 1].mean()
    return ((power[row].mean() + power[:, column].mean()) / beside.clamp(min=1e-12)).item()


def _correlation(x: Tensor) -> float:
    return 1 - (x.diff(dim=3).square().mean() / x.var().clamp(min=1e-12)).item() / 2
