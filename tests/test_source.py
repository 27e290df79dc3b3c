"""What samples are drawn from: everything that is taken gives a `Feed`, whose batches follow from the generator."""

from __future__ import annotations

import hashlib
import random
import re
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, Subset, TensorDataset

from ganlib import data, toys
from ganlib.data import Drawn, source


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def index(size: int, n: int, seed: int = 0) -> Tensor:
    """The stream of indices that games have drawn from the beginning."""
    return torch.randint(size, (n,), generator=rng(seed))


X = torch.randn(30, 2, generator=rng(1))
Y = torch.arange(30) % 3
PIXELS = torch.randint(256, (30, 3, 5, 4), generator=rng(2), dtype=torch.uint8)
SCALED = PIXELS.float() / 127.5 - 1


class Pictures(torch.utils.data.Dataset[Any]):
    """Like torchvision's: PIL pictures, a label each, and a transform."""

    classes = ("even", "odd")

    def __init__(self, transform: Any = None) -> None:
        self.transform = transform

    def __len__(self) -> int:
        return 30

    def __getitem__(self, i: int) -> tuple[Any, int]:
        picture = Image.fromarray(PIXELS[i].permute(1, 2, 0).numpy())
        return (self.transform(picture) if self.transform else picture), i % 2


class Endless(IterableDataset[Tensor]):
    def __iter__(self) -> Iterator[Tensor]:
        i = 0
        while True:
            yield torch.full((2,), float(i))
            i += 1


class Circle:
    name = "circle"

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        angle = 2 * torch.pi * torch.rand(n, generator=rng)
        return torch.stack([angle.cos(), angle.sin()], 1)


# Where the numbers are those of the indices that were always drawn.


def test_tensors_and_arrays_are_drawn_by_the_same_indices_as_ever() -> None:
    for given in (X, X.numpy(), X.double().numpy()):  # an array is of float64 where nobody chose it
        feed = source(given)
        assert (feed.name, feed.size, feed.classes, feed.exact, feed.paired) == ("tensor (30, 2)", 30, (), True, None)
        drawn = feed.draw(64, rng())  # more than there are
        assert isinstance(drawn, Drawn) and drawn.labels is None and drawn.inputs is None
        assert torch.equal(drawn.real, X[index(30, 64)]) and drawn.real.dtype == torch.float32
    assert torch.equal(source(X.double(), dtype=torch.float64).draw(5, rng()).real, X.double()[index(30, 5)])


@pytest.mark.parametrize(
    "given", [PIXELS, PIXELS.numpy(), PIXELS.permute(0, 2, 3, 1), PIXELS.permute(0, 2, 3, 1).numpy()]
)
def test_bytes_are_images_and_scaled(given: Any) -> None:
    drawn = source(given).draw(8, rng()).real
    assert torch.allclose(drawn, SCALED[index(30, 8)]) and drawn.dtype == torch.float32
    assert source(given, dtype=torch.float64).draw(8, rng()).real.dtype == torch.float64
    assert source(PIXELS[:, 0]).draw(8, rng()).real.shape == (8, 1, 5, 4)


def test_labelled_tensors() -> None:
    for x, y in ((X, Y), (X.numpy(), Y.numpy()), (X, Y.to(torch.uint8))):
        feed = source((x, y))
        drawn = feed.draw(40, rng())
        chosen = index(30, 40)
        assert drawn.labels is not None and drawn.labels.dtype == torch.int64
        assert torch.equal(drawn.real, X[chosen]) and torch.equal(drawn.labels, Y[chosen])
        assert feed.classes == ("0", "1", "2") and feed.size == 30


def test_data_sets_pairs_and_densities_draw_as_they_do() -> None:
    digits, ring = data.load("digits8"), toys.ring()
    feed = source(digits)
    x, y = digits.draw(9, rng())
    drawn = feed.draw(9, rng())
    assert drawn.labels is not None and y is not None
    assert torch.equal(drawn.real, x) and torch.equal(drawn.labels, y)
    assert (feed.name, feed.size, feed.classes) == (f"digits8 ({len(digits)})", len(digits), digits.classes)
    pairs = data.Pairs("mine", PIXELS, PIXELS[:20], False)
    feed, (real, inputs) = source(pairs), pairs.draw_pair(50, rng())
    drawn = feed.draw(50, rng())
    assert drawn.inputs is not None and torch.equal(drawn.real, real) and torch.equal(drawn.inputs, inputs)
    assert (feed.name, feed.paired) == ("mine (30 pairs)", False)
    feed = source(ring)
    assert torch.equal(feed.draw(7, rng()).real, ring.sample(7, rng())) and feed.size is None
    assert feed.name == ring.name


def test_unpaired_images_may_be_of_unequal_number() -> None:
    x = torch.arange(40, dtype=torch.uint8).view(-1, 1, 1, 1)
    real, inputs = data.Pairs("mine", x[:10], x, False).draw_pair(400, rng())
    back = [((images + 1) * 127.5).round().long().unique().tolist() for images in (real, inputs)]
    assert back == [list(range(40)), list(range(10))]
    equal = data.Pairs("mine", x, x, False).draw_pair(9, rng())
    g = rng()
    for images in equal:  # two draws of one stream, targets first
        assert torch.equal(((images + 1) * 127.5).round().long().flatten(), torch.randint(40, (9,), generator=g))


# Objects of one's own, torch's data sets and loaders.


def test_an_object_that_draws() -> None:
    feed = source(Circle())
    assert torch.equal(feed.draw(6, rng()).real, Circle().draw(6, rng())) and (feed.name, feed.size) == ("circle", None)
    assert torch.equal(source(feed).draw(6, rng()).real, Circle().draw(6, rng())), "a feed is one, too"

    class All(Circle):
        classes, paired, exact = ("a", "b"), True, False

        def draw(self, n: int, rng: torch.Generator) -> Any:
            return PIXELS[:n], torch.zeros(n, dtype=torch.int32), PIXELS[:n].flip(3)

    feed = source(All())
    real, labels, inputs = feed.draw(4, rng())
    assert labels is not None and inputs is not None and labels.dtype == torch.int64
    assert torch.allclose(real, SCALED[:4]) and torch.allclose(inputs, SCALED[:4].flip(3))
    assert (feed.classes, feed.paired, feed.exact) == (("a", "b"), True, False)


@pytest.mark.parametrize(
    ("drawn", "error", "words"),
    [
        (X[:3], ValueError, "circle must draw 4 real where 4 are asked for, got shape (3, 2)"),
        ((X[:4], Y[:3]), ValueError, "circle must draw 4 labels where 4 are asked for, got shape (3,)"),
        ((X[:4], Y[:4], None, None), TypeError, "got (Tensor, Tensor, NoneType, NoneType)"),
        ([[0.0, 1.0]] * 4, TypeError, "must draw real, (real, labels) or (real, labels, inputs), got (list,"),
        ((X[:4], X[:4]), TypeError, "labels of circle must be whole numbers of shape (n,), got torch.float32"),
        ((None, Y[:4]), ValueError, "circle must draw 4 real where 4 are asked for, got shape None"),
        (X[:4].long(), TypeError, "samples of circle must be floats, or images of uint8, got torch.int64"),
    ],
)
def test_an_object_that_draws_something_else_is_named(drawn: Any, error: type[Exception], words: str) -> None:
    circle = Circle()
    circle.draw = lambda n, rng: drawn  # type: ignore[method-assign]
    with pytest.raises(error, match=re.escape(words)):
        source(circle).draw(4, rng())


def test_a_torch_data_set() -> None:
    for given in (TensorDataset(X, Y), [(x, int(y)) for x, y in zip(X, Y, strict=True)]):
        feed = source(given)
        drawn = feed.draw(50, rng())
        assert drawn.labels is not None and feed.size == 30 and feed.exact
        assert torch.equal(drawn.real, X[index(30, 50)]) and torch.equal(drawn.labels, Y[index(30, 50)])
    assert source(TensorDataset(X)).draw(3, rng()).labels is None
    feed = source(Pictures())
    drawn = feed.draw(8, rng())
    assert feed.classes == ("even", "odd") and feed.name == "Pictures (30)" and drawn.labels is not None
    assert torch.allclose(drawn.real, SCALED[index(30, 8)]) and torch.equal(drawn.labels, index(30, 8) % 2)
    assert source(Subset(Pictures(), range(10))).classes == ("even", "odd")


def test_transforms_are_drawn_anew_and_follow_from_the_generator() -> None:
    transforms = pytest.importorskip("torchvision.transforms")

    def own(picture: Any) -> Any:  # also of numpy's and Python's generators
        return picture.rotate(180) if random.random() + np.random.rand() > 1 else picture

    flips = transforms.Compose([transforms.RandomHorizontalFlip(), own])
    feed = source(Pictures(flips))
    torch.manual_seed(5)
    np.random.seed(5)
    random.seed(5)
    first = feed.draw(30, rng(7)).real
    after = torch.rand(1), np.random.rand(), random.random()
    torch.manual_seed(5)
    np.random.seed(5)
    random.seed(5)
    assert after == (torch.rand(1), np.random.rand(), random.random()), "the generators are as they were"
    assert torch.equal(feed.draw(30, rng(7)).real, first)
    plain = SCALED[index(30, 30, 7)]
    changed = [plain, plain.flip(3), plain.flip(2), plain.flip(2, 3)]
    which = torch.stack([torch.isclose(first, x).flatten(1).all(1) for x in changed])
    assert which.any(0).all() and which.any(1).all(), "each of the four happens, and nothing else"
    g = rng(7)
    again = [feed.draw(30, g).real for _ in range(2)]
    assert not torch.equal(*again)


def test_a_loader_is_cut_to_size_and_begun_again() -> None:
    feed = source(DataLoader(TensorDataset(X, Y), batch_size=7))
    assert not feed.exact and feed.size == 30 and feed.name == "DataLoader (30)"
    drawn = [feed.draw(20, rng()) for _ in range(3)]
    joined = torch.cat([batch.real for batch in drawn])
    assert torch.equal(joined, torch.cat([X, X])), "every row, in order, twice"
    labels = [batch.labels for batch in drawn]
    assert torch.equal(torch.cat([y for y in labels if y is not None]), torch.cat([Y, Y]))
    assert source(DataLoader(Pictures(lambda p: torch.zeros(2)), batch_size=4)).classes == ("even", "odd")
    feed = source(Endless())
    assert torch.equal(torch.cat([feed.draw(50, rng()).real for _ in range(3)])[:, 0], torch.arange(150.0))
    assert feed.size is None and not feed.exact and feed.name == "Endless"


def test_what_ends_and_cannot_begin_again_says_so() -> None:
    feed = source(x for x in X.split(10))
    assert torch.equal(feed.draw(25, rng()).real, X[:25])
    with pytest.raises(ValueError, match="generator has no batch left: give something that can begin again"):
        feed.draw(25, rng())
    with pytest.raises(ValueError, match=r"list has no batch$"):
        source([]).draw(1, rng())
    with pytest.raises(TypeError, match=r"batches of generator must be .*, got \(dict\)"):
        source({"x": x} for x in X.split(10)).draw(1, rng())


# What is scaled otherwise, and what is no data.


@pytest.mark.parametrize(
    ("given", "low", "high"),
    [
        (lambda: SCALED * 127.5 + 127.5, "0", "255"),
        (lambda: (SCALED + 1) / 2, "0", "1"),
        (lambda: (SCALED.numpy() + 1) / 2, "0", "1"),
        (lambda: ((SCALED + 1) / 2, Y), "0", "1"),
        (lambda: [(x + 1) / 2 for x in SCALED], "0", "1"),
        (lambda: DataLoader(TensorDataset((SCALED + 1) / 2), batch_size=30), "0", "1"),
    ],
)
def test_images_of_another_range_are_warned_of_once(given: Any, low: str, high: str) -> None:
    with pytest.warns(UserWarning, match=rf"are float images, .* in \[-1, 1\], but these go from {low} to {high}"):
        feed = source(given())
        feed.draw(1000, rng())
    with warnings.catch_warnings(action="error"):
        feed.draw(1000, rng())


@pytest.mark.parametrize("given", [SCALED, torch.zeros(9, 1, 4, 4), X * 100, PIXELS])
def test_the_right_range_is_not_warned_of(given: Tensor) -> None:
    with warnings.catch_warnings(action="error"):
        source(given).draw(9, rng())


def test_float_images_are_a_data_set() -> None:
    pictures = data.Dataset("mine", SCALED, Y, ("a", "b", "c"))
    assert pictures.is_image and pictures.image_shape == (3, 5, 4) and torch.equal(pictures.floats, SCALED)
    assert torch.equal(pictures.draw(9, rng())[0], SCALED[index(30, 9)])
    with pytest.raises(ValueError, match=r"x must lie in \[-1, 1\] for float32 images, got 0 … 255"):
        data.Dataset("mine", SCALED * 127.5 + 127.5)
    with pytest.warns(UserWarning, match="these go from 0 to 1"):
        data.Dataset("mine", (SCALED + 1) / 2)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ("ring", TypeError, "got str: for a set by its name, ganlib.recipes.load_data(name)"),
        (None, TypeError, "data must be a ganlib.data.Dataset or Pairs, a density of ganlib.toys, a float tensor"),
        (
            3,
            TypeError,
            "a torch Dataset or DataLoader, an iterable of batches, or an object with name",
        ),
        ({"x": X}, TypeError, "got dict"),
        ((X, Y, X), TypeError, "got tuple"),
        (X.double(), TypeError, "data must be torch.float32 like the generator's parameters, got torch.float64"),
        (X[:0], ValueError, "data must be a float tensor (N, …) with N > 0"),
        (X[:, 0], ValueError, "got torch.float32 of shape (30,)"),
        (X.long(), ValueError, "data must be a float tensor (N, …) with N > 0, or uint8 images, got torch.int64"),
        (X / 0, ValueError, "data must be finite"),
        (
            torch.zeros(3, 5, 4, 4, dtype=torch.uint8),
            ValueError,
            "1 or 3 channels, got uint8 of shape (3, 5, 4, 4)",
        ),
        ((X, Y[:9]), ValueError, "data (x, y) must be N samples and N whole numbers, got shapes (30, 2) and (9,)"),
        ((X, Y.float()), ValueError, "y of torch.float32"),
        ((X, Y - 1), ValueError, "labels must be whole numbers from 0, got -1 … 1"),
        ([{"x": 1}], TypeError, "a sample of list must be a tensor, an array or a PIL picture, got dict"),
        ([(X[0], "cat")], TypeError, "labels of list must be whole numbers, got 'cat'"),
        ([(PIXELS[0], PIXELS[1])], TypeError, "got Tensor of shape (3, 5, 4); images to translate are data.Pairs"),
        ([X[0], X[0, :1], X[0]], ValueError, "items of list must all have one shape and type, got (1,) and (2,)"),
    ],
)
def test_what_is_no_data_is_refused(given: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=re.escape(words)):
        source(given).draw(9, rng())


def test_a_pandas_frame_is_its_numbers() -> None:
    frame = pytest.importorskip("pandas").DataFrame(X.numpy())
    assert torch.equal(source(frame).draw(9, rng()).real, X[index(30, 9)])


# Digests.


def test_digests() -> None:
    digits = data.load("digits8")
    assert data.digest(digits) == hashlib.sha256(digits.x.numpy().tobytes()).hexdigest()
    pairs = data.Pairs("mine", PIXELS, PIXELS[:7], False)
    both = PIXELS.numpy().tobytes() + PIXELS[:7].contiguous().numpy().tobytes()
    assert data.digest(pairs) == hashlib.sha256(both).hexdigest()
    turned = PIXELS.permute(0, 2, 3, 1)
    assert data.digest(turned) == hashlib.sha256(turned.contiguous().numpy().tobytes()).hexdigest()
    assert data.digest(toys.ring()) == toys.ring().name
    assert data.digest(X) != data.digest(X + 1)


def test_what_samples_as_a_density_does_is_taken():
    class Stacks:
        name = "stacks"

        def sample(self, n: int, rng: torch.Generator) -> torch.Tensor:
            return torch.rand(n, 3, 4, 4, generator=rng)

    feed = source(Stacks())
    assert feed.name == "stacks" and feed.size is None and feed.draw(5, torch.Generator()).real.shape == (5, 3, 4, 4)
