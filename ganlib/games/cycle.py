r"""Images into images and back, learned without pairs (Zhu et al. 2017, https://arxiv.org/abs/1703.10593)."""

from __future__ import annotations

from typing import Any, Unpack

import torch
from torch import Tensor, nn

from .. import losses
from .._check import positive_int
from ..engine import Batch, Game
from ..nets.translation import ImagePool
from ..penalties import Critic
from .contest import Adversary, Options, Penalties, Table, must_make
from .translation import must_be_pairs, must_judge, pair, weights_of


def cycle_gan(
    generator: nn.Module,
    inverse: nn.Module,
    discriminator: nn.Module,
    inverse_discriminator: nn.Module,
    data: Any,
    *,
    loss: str | losses.Loss = "least_squares",
    penalty: Penalties = (),
    cycle: float = 10.0,
    identity: float = 5.0,
    pool: int = 50,
    turns: int = 1,
    **options: Unpack[Options],
) -> Game:
    """Translation learned without pairs: G there, F back, and a round trip must end where it began.

    First built in chapter 16.

    Both translators are one side of the game and move together: the "generator" is an `nn.ModuleDict` of "generator"
    (G: x -> y) and "inverse" (F: y -> x), and so is its average. Nothing in the losses tells G from another bijection
    between the two sets: a symmetry of the data (a mirror, an exchange of modes) is learned as readily as the map that
    was meant, but for the identity term, which prefers a G that changes little.

    Source: Zhu et al. 2017, https://arxiv.org/abs/1703.10593, equations 1 to 3, identity term of section 5.2, pool of
    section 4. `losses` gives least squares a factor 1/2, so that the paper's λ = 10 is a `cycle` of 5 here.

    Args:
        generator: G, images x -> y, such as `nets.ResidualGenerator`.
        inverse: F, images y -> x.
        discriminator: y -> logits (N,) or maps (N, h, w), such as `nets.PatchDiscriminator`.
        inverse_discriminator: x -> logits.
        data: pairs, matched or not, such as `data.load_pairs("scenes", paired=False)`.
        loss: a name of `losses.LOSSES`, or a `losses.Loss`.
        penalty: one or several of `penalties`, added to both discriminators' losses.
        cycle: λ, weight of the two round trips' mean absolute errors.
        identity: weight of the mean absolute errors of G(y) and F(x), which should change nothing; half of `cycle` in
            the paper. 0 leaves them out.
        pool: earlier fakes that each discriminator is shown; 0 for none.
        turns: updates of each discriminator a round.
        options: see `Options`; here batch is 16 by default.

    Returns:
        A `Game` with the players "discriminator", "inverse_discriminator" and "generator".

    Raises:
        ValueError, TypeError: naming the argument, what came, and what would be right.
    """
    drawn = must_be_pairs(data, matched=False)
    if generator is inverse or discriminator is inverse_discriminator:
        raise ValueError("generator and inverse, and the two discriminators, must be networks of their own")
    weights = weights_of(cycle=cycle, identity=identity)
    adversary, table = Adversary(loss, penalty), Table(options, batch=16)
    if adversary.memory:
        kept = next(p.name for p in adversary.penalties if isinstance(p.function, nn.Module))
        raise ValueError(f"penalty must be without memory, which two discriminators would share, got {kept}")
    assert drawn.inputs is not None
    y_shape, x_shape = tuple(drawn.real.shape[1:]), tuple(drawn.inputs.shape[1:])
    if identity and x_shape != y_shape:
        raise ValueError(f"identity must be 0 where inputs {x_shape} and targets {y_shape} differ, got {identity}")
    positive_int("pool", pool, minimum=0)
    pool_y, pool_x = ImagePool(y_shape, pool), ImagePool(x_shape, pool)

    def discriminator_loss(batch: Batch) -> dict[str, Tensor]:
        x, y = pair(batch)
        with torch.no_grad():
            fake = pool_y.exchange(generator(x), batch.rng)
        return adversary.discriminator(Critic(discriminator), y, fake, batch)[0]

    def inverse_discriminator_loss(batch: Batch) -> dict[str, Tensor]:
        x, y = pair(batch)
        with torch.no_grad():
            fake = pool_x.exchange(inverse(y), batch.rng)
        return adversary.discriminator(Critic(inverse_discriminator), x, fake, batch)[0]

    def generator_loss(batch: Batch) -> dict[str, Tensor]:
        x, y = pair(batch)
        fake_y, fake_x = generator(x), inverse(y)
        there_and_back, back_and_there = inverse(fake_y) - x, generator(fake_x) - y
        terms = {
            "loss": adversary.generator(Critic(discriminator), y, fake_y, batch)[0]["loss"],
            "inverse": adversary.generator(Critic(inverse_discriminator), x, fake_x, batch)[0]["loss"],
            "cycle": cycle * (there_and_back.abs().mean() + back_and_there.abs().mean()),
        }
        if identity:
            kept_y, kept_x = generator(y) - y, inverse(x) - x
            terms["identity"] = identity * (kept_y.abs().mean() + kept_x.abs().mean())
        return terms

    both = nn.ModuleDict({"generator": generator, "inverse": inverse})
    players = {
        "discriminator": table.judging(discriminator, discriminator_loss, adversary, turns),
        "inverse_discriminator": table.judging(inverse_discriminator, inverse_discriminator_loss, adversary, turns),
        "generator": table.making(both, generator_loss),
    }
    memory = {"pool": pool_y, "inverse_pool": pool_x} if pool else {}
    settings = {**weights, "pool": pool}
    made = {"takes": ["inputs"], "part": "generator", "latent": 0, "memory": memory}
    game = table.game("cycle_gan", players, data, settings, adversary, **made)

    def look_back(batch: Batch) -> None:
        made = tuple(inverse(batch.real).shape[1:])
        if made != x_shape:
            raise ValueError(f"the inverse's samples have shape {made}, but the inputs {x_shape}")

    return must_make(
        game,
        (inverse, look_back),
        (discriminator, lambda b: must_judge(Critic(discriminator), b.real)),
        (inverse_discriminator, lambda b: must_judge(Critic(inverse_discriminator), pair(b)[0])),
    )
