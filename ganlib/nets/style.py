r"""The style-based generator: z is first mapped to a style w, and w steers every layer of a network that starts from a
constant.

`mapping` makes w from z. `synthesis` makes the image: a learned 4×4 constant, then convolutions at 4, 8, … `size`
pixels, each steered by its own w (`ModulatedConv2d`) and disturbed by its own noise; every resolution adds its colours
to the enlarged image of the one before. Two pictures are mixed by giving some layers the w of one and the rest that of
the other (`StyleGenerator.mix`), and a picture is made more typical by moving its w towards the mean w (`psi`).

Sources: Karras et al. 2018, https://arxiv.org/abs/1812.04948 (mapping, noise, mixing, truncation in w);
Karras et al. 2019, https://arxiv.org/abs/1912.04958 (StyleGAN2: modulated convolutions, image skips).
"""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganlib import _check
from ganlib.nets.base import _check_input, _doubling_widths, _full_precision, _Net
from ganlib.nets.progressive import PixelNorm

__all__ = ["EqualisedLinear", "ModulatedConv2d", "StyleGenerator"]

NOISES = ("fresh", "fixed", "none")


class EqualisedLinear(nn.Linear, _Net):
    """A linear layer whose weights are of unit variance, and scaled each time they are used: ŵ = w · gain / √inputs.

    Source: Karras et al. 2018, https://arxiv.org/abs/1710.10196, section 4.1; the slower rate of the mapping:
    Karras et al. 2018, https://arxiv.org/abs/1812.04948, appendix C.

    Args:
        inputs: numbers that go in.
        outputs: numbers that come out.
        gain: √2 before a rectifier; with 1 the output has the variance of the input.
        rate: how fast it learns, relative to other layers under Adam: what it computes at first stays the same.
        bias: what is added at first.
    """

    def __init__(self, inputs: int, outputs: int, gain: float = 2**0.5, rate: float = 1.0, bias: float = 0.0) -> None:
        super().__init__(inputs, outputs)
        self.rate = _check.finite("rate", rate)
        if rate <= 0:
            raise ValueError(f"rate must be above 0, got {rate}")
        self.gain = rate * gain / inputs**0.5
        nn.init.normal_(self.weight, std=1 / rate)
        nn.init.constant_(self.bias, bias / rate)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs) -> (N, outputs)."""
        return F.linear(x, self.weight * self.gain, self.bias * self.rate)


class ModulatedConv2d(_Net):
    r"""A convolution whose weights depend on a style w: each sample has its own.

    A linear layer makes a scale s_i of each input channel from w. Then w'_ijk = s_i · w_ijk (equation 1), and each
    output channel j is divided by the length of its weights, w''_ijk = w'_ijk / √(Σ_ik w'_ijk² + 1e-8) (equation 3), so
    that inputs of unit variance give outputs of unit variance whatever the style says. Both are computed outside the
    convolution, which comes to the same: inputs times s, outputs times the factor of their channel.

    Source: Karras et al. 2019 (StyleGAN2), https://arxiv.org/abs/1912.04958, section 2.2.

    Args:
        inputs: channels that go in.
        outputs: channels that come out.
        style: length of w.
        kernel: side of the kernel, odd; the image keeps its size.
        demodulate: False leaves equation 3 out, as layers that make colours do.
    """

    def __init__(self, inputs: int, outputs: int, style: int, kernel: int = 3, demodulate: bool = True) -> None:
        super().__init__()
        if _check.positive_int("kernel", kernel) % 2 == 0:
            raise ValueError(f"kernel must be odd, got {kernel}")
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.affine = EqualisedLinear(style, inputs, gain=1, bias=1.0)
        self.gain = 1 / (inputs * kernel**2) ** 0.5
        self.demodulate = demodulate

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """(N, inputs, H, W) and styles (N, style) -> (N, outputs, H, W)."""
        scale, weight = self.affine(w), self.weight * self.gain
        y = F.conv2d(x * scale[:, :, None, None], weight, padding=weight.shape[-1] // 2)
        if not self.demodulate:
            return y
        lengths = _full_precision(scale).square() @ _full_precision(weight).square().sum((2, 3)).T  # (N, outputs)
        return y * (lengths + 1e-8).rsqrt().to(y.dtype)[:, :, None, None]


class StyleLayer(_Net):
    """A modulated convolution, noise, bias and LeakyReLU; enlarges the image before if asked to."""

    fixed: Tensor

    def __init__(self, inputs: int, outputs: int, style: int, side: int, enlarge: bool) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(inputs, outputs, style)
        self.enlarge = enlarge
        self.strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.register_buffer("fixed", torch.randn(1, 1, side, side))

    def forward(self, x: Tensor, w: Tensor, noise: str) -> Tensor:
        x = self.conv(_doubled(x) if self.enlarge else x, w)
        if noise != "none":
            drawn = torch.randn_like(x[:, :1]) if noise == "fresh" else self.fixed.to(x.dtype)
            x = x + self.strength.to(x.dtype) * drawn
        return 2**0.5 * F.leaky_relu(x + self.bias[:, None, None].to(x.dtype), 0.2)


def _doubled(x: Tensor) -> Tensor:
    """Twice the side, bilinear: the weights 1, 3, 3, 1 of the paper's filter."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class StyleGenerator(_Net):
    """A small StyleGAN2: mapping, synthesis by styles, noise, mixing, truncation in w. First built in chapter 14.

    While it trains, noise is drawn afresh and `mean_w` follows the styles; in evaluation mode noise is a fixed pattern,
    so that an image is a function of z. What it makes is not squashed by tanh.

    Source: see the head of this file; path length regularisation is left out.

    Args:
        size: side of the images, a power of two from 8.
        channels: 1 for grey, 3 for colour.
        latent: length of z, and of w.
        width: channels of the hidden layers at full size; each resolution below has twice as many, up to 512.
        depth: linear layers of the mapping; 0 leaves z, normalised, as it is.
        rate: how fast the mapping learns relative to the rest (0.01 in the paper, which trains far longer).
        mixing: while training, share of samples whose layers from one drawn at random on get another sample's w.

    Attributes:
        layers: L, how many layers take a style, the coarsest first.
        sides: pixels a side at each of them.
        mean_w: running mean of w, (latent,).
    """

    mean_w: Tensor

    def __init__(
        self,
        size: int = 32,
        channels: int = 3,
        latent: int = 64,
        width: int = 16,
        depth: int = 4,
        rate: float = 0.1,
        mixing: float = 0.0,
    ) -> None:
        super().__init__()
        widths = _doubling_widths(size, width)
        self.size, self.channels = size, _check.positive_int("channels", channels)
        self.latent, self.width = _check.positive_int("latent", latent), width
        self.mixing = _check.finite("mixing", mixing, minimum=0)
        if mixing > 1:
            raise ValueError(f"mixing must be a share from 0 to 1, got {mixing}")
        linear: list[nn.Module] = [PixelNorm()]
        for _ in range(_check.positive_int("depth", depth, minimum=0)):
            linear += [EqualisedLinear(latent, latent, rate=rate), nn.LeakyReLU(0.2)]
        self.mapping = nn.Sequential(*linear)
        self.constant = nn.Parameter(torch.randn(1, widths[0], 4, 4))
        convolutions = [StyleLayer(widths[0], widths[0], latent, 4, enlarge=False)]
        for i, (a, b) in enumerate(pairwise(widths), 1):
            convolutions += [StyleLayer(a, b, latent, 4 * 2**i, True), StyleLayer(b, b, latent, 4 * 2**i, False)]
        self.convolutions = nn.ModuleList(convolutions)
        self.to_image = nn.ModuleList(ModulatedConv2d(width, channels, latent, 1, False) for width in widths)
        self.shift = nn.Parameter(torch.zeros(channels))
        self.layers = len(convolutions)
        self.sides = [4 * 2 ** ((layer + 1) // 2) for layer in range(self.layers)]
        with torch.no_grad():
            self.register_buffer("mean_w", self.mapping(torch.randn(512, latent)).mean(0))

    def synthesis(self, w: Tensor, noise: str = "fixed") -> Tensor:
        """Images (N, channels, size, size) from styles.

        Args:
            w: (N, latent), one style for all layers, or (N, layers, latent), one for each, the coarsest first. The
                layer that makes a resolution's colours has the style of the last convolution before it.
            noise: "fresh" draws it from torch's generator, "fixed" is a pattern of the network's own, "none" is none.
        """
        _check.one_of("noise", noise, NOISES)
        styles = self._each(w)
        x, image = self.constant.expand(len(w), -1, -1, -1).to(w.dtype), None
        for i, layer in enumerate(self.convolutions):
            x = layer(x, styles[:, i], noise)
            if i % 2 == 0:  # the last at its resolution
                colours = self.to_image[i // 2](x, styles[:, i])
                image = colours if image is None else _doubled(image) + colours
        return _full_precision(cast(Tensor, image) + self.shift[:, None, None])

    def forward(self, z: Tensor, psi: float = 1.0, noise: str | None = None) -> Tensor:
        """Images (N, channels, size, size) from z.

        Args:
            z: (N, latent).
            psi: truncation: w' = mean_w + psi (w - mean_w); below 1 more typical and less varied, at 0 one image.
            noise: as in `synthesis`; by default "fresh" while training, and "fixed" otherwise.
        """
        _check_input("z", z, self.latent)
        w = self.mapping(z)
        if self.training:
            with torch.no_grad():
                self.mean_w.lerp_(_full_precision(w).mean(0).to(self.mean_w.dtype), 0.005)
            if self.mixing:
                w = self._mixed(w)
        return self.synthesis(self.truncate(w, psi), noise or ("fresh" if self.training else "fixed"))

    def truncate(self, w: Tensor, psi: float) -> Tensor:
        """w' = mean_w + psi (w - mean_w), for styles (N, latent) or (N, layers, latent)."""
        return w if psi == 1 else self.mean_w + psi * (w - self.mean_w)

    def mix(self, first: Tensor, second: Tensor, crossover: int) -> Tensor:
        """Styles (N, layers, latent): those of `first` in the layers before `crossover`, those of `second` from it on.

        Args:
            first, second: (N, latent) or (N, layers, latent).
            crossover: from 0, all second, to `layers`, all first.
        """
        if not 0 <= _check.positive_int("crossover", crossover, minimum=0) <= self.layers:
            raise ValueError(f"crossover must lie between 0 and {self.layers}, got {crossover}")
        return torch.cat([self._each(first)[:, :crossover], self._each(second)[:, crossover:]], 1)

    def _each(self, w: Tensor) -> Tensor:
        """One style for each layer, (N, layers, latent)."""
        good = isinstance(w, Tensor) and w.shape[1:] in ((self.latent,), (self.layers, self.latent))
        _check.shape("w", w, f"(N, {self.latent}) or (N, {self.layers}, {self.latent})", good)
        return w[:, None].expand(-1, self.layers, -1) if w.dim() == 2 else w

    def _mixed(self, w: Tensor) -> Tensor:
        """Some samples get the w of their neighbour in the batch from a layer on that is drawn for each."""
        crossover = torch.randint(1, self.layers, (len(w), 1, 1), device=w.device)
        kept = torch.rand(len(w), 1, 1, device=w.device) >= self.mixing
        own = kept | (torch.arange(self.layers, device=w.device)[None, :, None] < crossover)
        return torch.where(own, self._each(w), self._each(w.roll(1, 0)))
