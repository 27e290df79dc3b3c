"""Blocks that networks are built from: layers in which samples meet, attention, and normalisation with a condition.

Where samples meet in a discriminator it can judge how much they differ, and a generator that makes one thing only is
found out. Real and generated samples must not meet there: `mixes_samples` tells a game to judge them apart. A network
or a layer can say it itself, by an attribute of that name.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from ganlib import _check, distributed
from ganlib.nets.base import _Net

__all__ = [
    "ConditionalBatchNorm",
    "MinibatchDiscrimination",
    "MinibatchStd",
    "Packed",
    "Referenced",
    "SelfAttention",
    "VirtualBatchNorm",
    "mixes_samples",
]


_DIMENSIONAL = """Conv ConvTranspose AdaptiveAvgPool AdaptiveMaxPool AvgPool MaxPool LPPool InstanceNorm CircularPad
    ConstantPad ReflectionPad ReplicationPad ZeroPad""".split()
_PLAIN = """Identity Sequential ModuleList ModuleDict ParameterList ParameterDict Linear Embedding Flatten Unflatten
    GroupNorm LayerNorm RMSNorm LocalResponseNorm Upsample UpsamplingBilinear2d UpsamplingNearest2d ChannelShuffle
    PixelShuffle PixelUnshuffle Fold Unfold CELU ELU GELU Hardshrink Hardsigmoid Hardswish Hardtanh LeakyReLU LogSigmoid
    Mish PReLU ReLU ReLU6 SELU Sigmoid SiLU Softmax2d Softplus Softshrink Softsign Tanh Tanhshrink Threshold""".split()
_ONE_BY_ONE = {
    *(getattr(nn, name) for name in _PLAIN),
    *(getattr(nn, f"{name}{d}d") for name in _DIMENSIONAL for d in (1, 2, 3)),
    parametrize.ParametrizationList,
    parametrizations._Orthogonal,
    parametrizations._SpectralNorm,
    parametrizations._WeightNorm,
}


def _one_by_one(module: nn.Module) -> bool:
    """Whether a module, its children aside, is known to treat samples one by one, and to draw nothing."""
    kind = parametrize.type_before_parametrizations(module)
    changed = "forward" in vars(module) or module._forward_hooks or module._forward_pre_hooks
    if changed or getattr(module, "track_running_stats", False):
        return False
    if isinstance(module, nn.Flatten) and module.start_dim <= 0 and (module.start_dim, module.end_dim) != (0, -1):
        return False  # but for (0, -1), which makes logits (N,) of (N, 1)
    if isinstance(module, nn.Unflatten) and not (isinstance(module.dim, int) and module.dim > 0):
        return False
    return kind in _ONE_BY_ONE or kind.__module__.startswith("ganlib.nets.")


def mixes_samples(net: nn.Module) -> bool:
    """Whether what a network says of one sample may depend on the others of its batch, or on chance.

    Games judge real and generated samples in one batch only where it is False. It is False if every layer is known to
    treat samples one by one and to draw nothing: networks of this package and layers of torch, but for those in which
    samples meet (`MinibatchStd`, BatchNorm, …) and those that draw (dropout, …). Any other module, such as a class of
    your own, is judged apart, which is always right. To be judged in one batch, which is quicker, it has to say so.

    Example:
        >>> from ganlib import nets
        >>> class Judge(torch.nn.Module):
        ...     mixes_samples = False
        >>> nets.mixes_samples(Judge())
        False

    Args:
        net: a network. Its attribute `mixes_samples` is believed, for all within it too; so is that of a layer in it.

    Raises:
        TypeError: such an attribute is neither True nor False.
    """
    said = getattr(net, "mixes_samples", None)
    if said is None:
        return not _one_by_one(net) or any(mixes_samples(child) for child in net.children())
    if not isinstance(said, bool):
        raise TypeError(f"mixes_samples of {type(net).__name__} must be True or False, got {said!r}")
    return said


def _groups(x: Tensor, size: int, what: str) -> int:
    """How many groups of `size` consecutive samples there are."""
    _check.shape("x", x, f"(N, …) with N, the batch, a multiple of {what}={size}", len(x) > 0 and len(x) % size == 0)
    return len(x) // size


class MinibatchStd(_Net):
    """Appends how much the samples of a group differ: one more feature, or one more plane of an image.

    First built in chapter 7.

    It is the standard deviation of every number over the group, averaged over them all: one value a group. Groups are
    of consecutive samples.

    Source: Karras et al. 2018, https://arxiv.org/abs/1710.10196, section 3; groups: Karras et al. 2020,
    https://arxiv.org/abs/1912.04958.

    Args:
        group: samples a group, at least 2; batches must be multiples of it.
    """

    mixes_samples = True

    def __init__(self, group: int = 4) -> None:
        super().__init__()
        self.group = _check.positive_int("group", group, minimum=2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, …) -> (N, C + 1, …)."""
        grouped = x.reshape(_groups(x, self.group, "group"), self.group, -1)
        grouped = grouped if x.dtype == torch.float64 else grouped.float()
        std = (grouped.var(1, correction=0) + 1e-8).sqrt().mean(1)
        value = std.repeat_interleave(self.group).to(x.dtype).view(-1, *[1] * (x.dim() - 1))
        return torch.cat([x, value.expand(-1, 1, *x.shape[2:])], 1)


class MinibatchDiscrimination(_Net):
    """Appends to features how close each sample is to the others: o(x_i)_b = Σ_j exp(-‖M_ib - M_jb‖₁), M = T f(x).

    Source: Salimans et al. 2016, https://arxiv.org/abs/1606.03498, section 3.2.

    Args:
        features: length of f(x).
        kernels: how many closenesses b are learned.
        dims: length of each M_ib.
    """

    mixes_samples = True

    def __init__(self, features: int, kernels: int = 16, dims: int = 4) -> None:
        super().__init__()
        self.shape = _check.positive_int("kernels", kernels), _check.positive_int("dims", dims)
        self.t = nn.Linear(_check.positive_int("features", features), kernels * dims, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, features) -> (N, features + kernels)."""
        m = cast(Tensor, self.t(x)).view(len(x), *self.shape)
        closeness = (-(m[:, None] - distributed.gather(m)[None]).abs().sum(3)).exp().sum(1)
        return torch.cat([x, closeness.to(x.dtype)], 1)


class Packed(_Net):
    """PacGAN: a discriminator that judges `pack` samples together, laid one behind the other in its channels.

    First built in chapter 7.

    A pack that lacks variety is seldom real, so collapse is seen at once. There is one logit a pack: N samples get
    N / pack logits, and losses take their means over packs. A gradient penalty, a mean over samples, then is 1 / pack
    of the same penalty on packs.

    Source: Lin et al. 2018, https://arxiv.org/abs/1712.04086, section 3.

    Args:
        net: an unconditional discriminator of `pack` times as many channels (or numbers in a point) as the data have.
        pack: samples in each pack; batches must be multiples of it.

    Example:
        >>> from ganlib import nets
        >>> discriminator = nets.Packed(nets.MLPDiscriminator(inputs=2 * 3), 3)
        >>> discriminator(torch.zeros(12, 2)).shape
        torch.Size([4])
    """

    mixes_samples = True

    def __init__(self, net: nn.Module, pack: int = 2) -> None:
        super().__init__()
        if getattr(net, "classes", None) is not None:
            raise ValueError("net must be made without classes: the samples of a pack may be of different ones")
        self.net, self.pack, self.classes = net, _check.positive_int("pack", pack), None

    def _packed(self, x: Tensor) -> Tensor:
        return x.reshape(_groups(x, self.pack, "pack"), self.pack * x.shape[1], *x.shape[2:])

    def last_features(self, x: Tensor) -> Tensor:
        """Features (N / pack, F) from samples (N, C, …)."""
        return cast(Tensor, self.net.last_features(self._packed(x)))  # type: ignore[operator]

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N / pack,) from samples (N, C, …)."""
        return cast(Tensor, self.net(self._packed(x)))


class SelfAttention(_Net):
    """y = x + γ o: every place of an image looks at all others, with γ = 0 at the start.

    o_j = W_v Σ_i β_ji h(x_i), and β_ji is the softmax over i of f(x_i)ᵀ g(x_j); f, g, h and W_v are 1×1 convolutions.

    Source: Zhang et al. 2019, https://arxiv.org/abs/1805.08318, equations 1 to 3.

    Args:
        channels: C; f, g and h have an eighth of them.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, _check.positive_int("channels", channels) // 8)
        self.f, self.g, self.h = (nn.Conv2d(channels, inner, 1, bias=False) for _ in range(3))
        self.v = nn.Conv2d(inner, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        f, g, h = (part(x).flatten(2) for part in (self.f, self.g, self.h))
        # Written out: torch's fused attention cannot be differentiated twice, as gradient penalties want it.
        beta = (f.transpose(1, 2) @ g).softmax(1)
        o = self.v((h @ beta).view(len(x), -1, *x.shape[2:]))
        return cast(Tensor, x + self.gamma * o)


class ConditionalBatchNorm(_Net):
    """BatchNorm with a scale and a shift for each class. First built in chapter 12.

    Source: Dumoulin et al. 2017, https://arxiv.org/abs/1610.07629, equation 5; de Vries et al. 2017,
    https://arxiv.org/abs/1707.00683.

    Args:
        channels: C.
        classes: number of classes.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(_check.positive_int("channels", channels), affine=False)
        self.scale = nn.Embedding(_check.positive_int("classes", classes), channels)
        self.shift = nn.Embedding(classes, channels)
        nn.init.ones_(self.scale.weight)
        nn.init.zeros_(self.shift.weight)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """(N, C, H, W) and labels (N,) -> (N, C, H, W)."""
        scale, shift = (embed(labels)[:, :, None, None].to(x.dtype) for embed in (self.scale, self.shift))
        return cast(Tensor, self.norm(x) * scale + shift)


class VirtualBatchNorm(_Net):
    """BatchNorm by a reference batch: each sample with the statistics of the reference and itself, never of others.

    The first `reference` samples of what comes in are the reference; `Referenced` puts them there.

    Source: Salimans et al. 2016, https://arxiv.org/abs/1606.03498, section 3.5.

    Args:
        channels: C.
        reference: samples in the reference batch.
    """

    mixes_samples = True

    def __init__(self, channels: int, reference: int) -> None:
        super().__init__()
        self.reference = _check.positive_int("reference", reference)
        self.weight = nn.Parameter(torch.ones(_check.positive_int("channels", channels)))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = 1e-5

    def forward(self, x: Tensor) -> Tensor:
        """(reference + N, C, …) -> the same shape."""
        r = self.reference
        flat = (x if x.dtype == torch.float64 else x.float()).flatten(2) if x.dim() > 2 else x[:, :, None]
        var_one, mean_one = torch.var_mean(flat, 2, correction=0, keepdim=True)  # of each sample by itself
        mean_ref = mean_one[:r].mean(0, keepdim=True)
        var_ref = (var_one[:r] + (mean_one[:r] - mean_ref).square()).mean(0, keepdim=True)
        mean = (r * mean_ref + mean_one[r:]) / (r + 1)
        var = (r * (var_ref + (mean_ref - mean).square()) + var_one[r:] + (mean_one[r:] - mean).square()) / (r + 1)
        mean, var = (torch.cat([of_ref.expand(r, -1, -1), rest]) for of_ref, rest in ((mean_ref, mean), (var_ref, var)))
        normal = (flat - mean) * (var + self.eps).rsqrt() * self.weight[:, None] + self.bias[:, None]
        return normal.view(x.shape).to(x.dtype)


class Referenced(_Net):
    """A generator with VirtualBatchNorm in the place of BatchNorm, and the reference batch that it needs.

    The reference is drawn once, before training, and goes through the network with every batch: it costs as many
    samples more. What comes out for one z no longer depends on the other z of its batch.

    Args:
        generator: a network with BatchNorm layers; they are replaced in place.
        z: reference latents (R, latent), such as `torch.randn(64, generator.latent)`.
        labels: their classes (R,), for a conditional generator.

    Raises:
        ValueError: the network has no BatchNorm.
    """

    z: Tensor
    labels: Tensor | None

    def __init__(self, generator: nn.Module, z: Tensor, labels: Tensor | None = None) -> None:
        super().__init__()
        self.latent, self.classes, self.prior = (getattr(generator, a, None) for a in ("latent", "classes", "prior"))
        _check.shape("z", z, "(R, latent)", isinstance(z, Tensor) and z.dim() == 2 and len(z) > 0)
        self.register_buffer("z", z.detach().clone())
        self.register_buffer("labels", None if labels is None else labels.clone())
        places = [
            (parent, name)
            for parent in generator.modules()
            for name, child in parent.named_children()
            if isinstance(child, (nn.BatchNorm1d, nn.BatchNorm2d))
        ]
        if not places:
            raise ValueError(f"generator must have a BatchNorm to replace, got {type(generator).__name__} without one")
        for parent, name in places:
            old = getattr(parent, name)
            virtual = VirtualBatchNorm(old.num_features, len(z))
            if old.affine:
                virtual.load_state_dict({"weight": old.weight, "bias": old.bias})
            setattr(parent, name, virtual)
        self.generator = generator

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Samples from z (N, latent) and labels (N,)."""
        z = torch.cat([self.z.to(z.dtype), z])
        if labels is None or self.labels is None:
            return cast(Tensor, self.generator(z))[len(self.z) :]
        return cast(Tensor, self.generator(z, torch.cat([self.labels, labels])))[len(self.z) :]
