"""Generators and discriminators: perceptrons for points, convolutional networks for images and series, and blocks to
build with.

A generator maps latent vectors z (N, latent) to samples, a discriminator maps samples to logits (N,): the sigmoid is
left to the loss. A conditional network (`classes` given) also takes labels (N,).

Ways to take labels in: "concatenation" puts a one-hot code beside the input (Mirza and Osindero 2014,
https://arxiv.org/abs/1411.1784), "embedding" a learned one, and "projection", for discriminators, adds the inner
product <embed(y), features(x)> to the logit (Miyato and Koyama 2018, https://arxiv.org/abs/1802.05637, equation 3);
"batch_norm", for image generators, gives each class its own scale and shift in BatchNorm (`ConditionalBatchNorm`).

`describe` tells in plain JSON how a network of this package was made, and `build` makes it again.
"""

from __future__ import annotations

from ganlib.nets.base import parameters_count
from ganlib.nets.blocks import (
    ConditionalBatchNorm,
    MinibatchDiscrimination,
    MinibatchStd,
    Packed,
    Referenced,
    SelfAttention,
    VirtualBatchNorm,
    mixes_samples,
)
from ganlib.nets.clustered import Clustered
from ganlib.nets.described import build, describe
from ganlib.nets.encoders import (
    Autoencoder,
    AutoencoderDiscriminator,
    MLPEncoder,
    MLPJointDiscriminator,
    ShuffleEncoder,
    ShuffleJointDiscriminator,
    TwoHeaded,
    logits_and_features,
)
from ganlib.nets.images import DCGANDiscriminator, DCGANGenerator, ShuffleDiscriminator, ShuffleGenerator, fits
from ganlib.nets.imputers import Imputer, MaskDiscriminator
from ganlib.nets.points import MLPDiscriminator, MLPGenerator
from ganlib.nets.progressive import (
    EqualisedConv2d,
    PixelNorm,
    ProgressiveDiscriminator,
    ProgressiveGenerator,
    at_level,
)
from ganlib.nets.r3gan import R3GANBlock, R3GANDiscriminator, R3GANGenerator
from ganlib.nets.sequences import SequenceDiscriminator, SequenceGenerator
from ganlib.nets.style import EqualisedLinear, ModulatedConv2d, StyleGenerator
from ganlib.nets.translation import (
    DomainDiscriminator,
    ImagePool,
    PatchDiscriminator,
    ResidualGenerator,
    ResidualUpsampler,
    SuperResolutionGenerator,
    UNet,
)

__all__ = [
    "Autoencoder",
    "AutoencoderDiscriminator",
    "Clustered",
    "ConditionalBatchNorm",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "DomainDiscriminator",
    "EqualisedConv2d",
    "EqualisedLinear",
    "ImagePool",
    "Imputer",
    "MLPDiscriminator",
    "MLPEncoder",
    "MLPGenerator",
    "MLPJointDiscriminator",
    "MaskDiscriminator",
    "MinibatchDiscrimination",
    "MinibatchStd",
    "ModulatedConv2d",
    "Packed",
    "PatchDiscriminator",
    "PixelNorm",
    "ProgressiveDiscriminator",
    "ProgressiveGenerator",
    "R3GANBlock",
    "R3GANDiscriminator",
    "R3GANGenerator",
    "Referenced",
    "ResidualGenerator",
    "ResidualUpsampler",
    "SelfAttention",
    "SequenceDiscriminator",
    "SequenceGenerator",
    "ShuffleDiscriminator",
    "ShuffleEncoder",
    "ShuffleGenerator",
    "ShuffleJointDiscriminator",
    "StyleGenerator",
    "SuperResolutionGenerator",
    "TwoHeaded",
    "UNet",
    "VirtualBatchNorm",
    "at_level",
    "build",
    "describe",
    "fits",
    "logits_and_features",
    "mixes_samples",
    "parameters_count",
]
