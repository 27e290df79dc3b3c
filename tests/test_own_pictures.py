"""The reader's own pictures: seen as they are meant, decoded once, and everything done to them said."""

from __future__ import annotations

import errno
import io
import re
import shutil
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ganlib import compute, data, recipes
from ganlib.data import _base, files

RAMP = np.linspace(0, 65535, 256).round().astype(np.uint16).reshape(16, 16)


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("GANLIB_DATA", str(folder))
    return folder


@pytest.fixture
def cached(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As if the few files of a test were many."""
    monkeypatch.setattr(files, "_CACHED_FROM", 0)
    return cache / "pictures"


def flat(path: Path, value: Any = 100, size: tuple[int, int] = (16, 16), mode: str = "RGB", **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value if isinstance(value, tuple) or len(mode) < 2 else (value,) * len(mode)).save(
        path, **options
    )
    return path


def every(folder: Path, **options: Any) -> data.Dataset:
    return data.load(folder, split="all", **options)


# ---- seen as they are meant ----------------------------------------------------------------------------------------


def deep_png(path: Path) -> None:
    Image.fromarray(RAMP).save(path)


def deep_big_endian_tiff(path: Path) -> None:
    Image.frombytes("I;16B", (16, 16), RAMP.astype(">u2").tobytes()).save(path)


def deep_pgm(path: Path) -> None:
    path.write_bytes(b"P5\n16 16\n65535\n" + RAMP.astype(">u2").tobytes())


def deep_integers(path: Path) -> None:
    Image.fromarray(RAMP.astype(np.int32)).save(path)


@pytest.mark.parametrize(
    ("name", "save", "mode"),
    [
        ("a.png", deep_png, "I;16"),
        ("a.tif", deep_png, "I;16"),
        ("a.tiff", deep_big_endian_tiff, "I;16B"),
        ("a.pgm", deep_pgm, "I"),
        ("a.tif", deep_integers, "I"),
    ],
)
def test_16_bit_grey_keeps_its_shades(tmp_path: Path, name: str, save: Any, mode: str) -> None:
    save(tmp_path / name)
    with Image.open(tmp_path / name) as image:
        assert image.mode == mode
    loaded = every(tmp_path)
    assert loaded.image_shape == (1, 16, 16)
    assert np.array_equal(loaded.x[0, 0].numpy(), np.rint(RAMP / 257))
    assert "1 of 16-bit grey, their values (up to 65535) divided by 257" in loaded.notes


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.full((9, 9), 0.5, np.float32), r"floating-point numbers \(mode F\).* save it with 8 or 16 bits"),
        (np.full((9, 9), 70_000, np.int32), "its values go from 70000 to 70000; 16-bit grey ends at 65535"),
        (np.full((9, 9), -1, np.int32), "its values go from -1 to -1"),
    ],
)
def test_a_range_that_nobody_knows_is_refused_by_name(tmp_path: Path, array: np.ndarray, words: str) -> None:
    Image.fromarray(array).save(tmp_path / "depth.tif")
    with pytest.raises(ValueError, match=rf"depth.tif cannot be read as an image: .*{words}"):
        data.load(tmp_path)


@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp"])
def test_exif_orientation_is_applied(tmp_path: Path, ending: str) -> None:
    upright = np.zeros((30, 20), np.uint8)
    upright[:10, :10] = 200  # bright at the left above
    turns = ["FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM", "TRANSPOSE", "ROTATE_90", "TRANSVERSE", "ROTATE_270"]
    for orientation, turn in enumerate(["", *turns], 1):
        stored = Image.fromarray(upright).convert("RGB")
        if turn:
            stored = stored.transpose(Image.Transpose[turn])
        exif = Image.Exif()
        exif[0x0112] = orientation
        stored.save(tmp_path / f"{orientation}.{ending}", exif=exif, quality=95)
    loaded = every(tmp_path)
    assert loaded.image_shape == (3, 30, 20) and len(loaded) == 8
    bright = loaded.x.float().mean(1)
    assert (bright[:, 2:8, 2:8].mean((1, 2)) > 150).all(), bright[:, 5, 5]
    assert (bright[:, 20:].mean((1, 2)) < 20).all() and (bright[:, :8, 13:].mean((1, 2)) < 20).all()
    copies = [note for note in loaded.notes if "the same as another in every pixel" in note]
    turned = ("7 train, 1 held out", "20×30", "7 turned upright by their EXIF orientation")
    assert loaded.notes == (*turned, *copies) and len(copies) <= 1


def test_transparent_becomes_white(tmp_path: Path) -> None:
    flat(tmp_path / "rgba.png", (0, 0, 0, 0), mode="RGBA")
    flat(tmp_path / "half.png", (0, 0, 0, 128), mode="RGBA")
    flat(tmp_path / "la.png", (0, 0), mode="LA")
    flat(tmp_path / "opaque.png", (10, 10, 10, 255), mode="RGBA")
    palette = Image.new("P", (16, 16), 1)
    palette.putpalette([255, 0, 0, 10, 10, 10])
    palette.save(tmp_path / "palette.png", transparency=1)
    palette.save(tmp_path / "palette.gif", transparency=1)
    flat(tmp_path / "rgb.png", (10, 20, 30), transparency=(10, 20, 30))
    flat(tmp_path / "l.png", 10, mode="L", transparency=10)
    loaded = every(tmp_path, size=16)
    values = loaded.x[:, :, 8, 8].float().mean(1).sort().values.tolist()
    assert values == [10.0, 127.0, *[255.0] * 6]
    assert "7 transparent pictures put on white" in loaded.notes
    shutil.rmtree(tmp_path)
    flat(tmp_path / "la.png", (0, 128), mode="LA")
    assert every(tmp_path).image_shape == (1, 16, 16) and every(tmp_path).x.unique().tolist() == [127], "grey stays"


def test_other_modes(tmp_path: Path) -> None:
    flat(tmp_path / "a.png", 1, mode="1")
    assert every(tmp_path).x.unique().tolist() == [255] and every(tmp_path).image_shape == (1, 16, 16)
    flat(tmp_path / "b.jpg", (0, 0, 0, 255), mode="CMYK")
    flat(tmp_path / "c.gif", 90)
    loaded = every(tmp_path)
    values = loaded.x[:, :, 8, 8].sort(0).values
    assert loaded.image_shape == (3, 16, 16) and (values[0] < 3).all() and values[1:].tolist() == [[90] * 3, [255] * 3]


def test_a_large_jpeg_is_decoded_no_larger_than_is_needed(tmp_path: Path) -> None:
    smooth = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    Image.fromarray(smooth).resize((1200, 900), Image.Resampling.BICUBIC).save(tmp_path / "a.jpg", quality=95)
    loaded = every(tmp_path, size=64)
    with Image.open(tmp_path / "a.jpg") as image:
        whole = np.asarray(image).transpose(2, 0, 1)
    expected = _base.resize("a", torch.from_numpy(whole.copy())[None], 64)
    assert (loaded.x.int() - expected.int()).abs().float().mean() < 1
    assert loaded.notes == ("1 train, 0 held out", "64×64, cropped from 1200×900")


# ---- what is no picture --------------------------------------------------------------------------------------------


def test_a_bomb_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flat(tmp_path / "bomb.png", size=(30, 30))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ValueError, match=r"bomb.png cannot be read as an image: .*decompression bomb"):
        data.load(tmp_path)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("ending", ["bmp", "gif", "jpg", "pgm", "png", "tif", "webp"])
def test_damaged_files_are_refused_by_name_or_read(tmp_path: Path, ending: str) -> None:
    whole = flat(tmp_path / f"a.{ending}", mode="L" if ending == "pgm" else "RGB").read_bytes()
    rng = np.random.default_rng(0)
    for length in (0, 3, 10, 20, 40, len(whole) // 2):
        for changed in range(4):
            content = bytearray(whole[: length or None] if changed else whole[:length])
            for _ in range(changed if content else 0):
                content[rng.integers(min(60, len(content)))] = rng.integers(256)
            (tmp_path / f"a.{ending}").write_bytes(content)
            try:
                every(tmp_path, size=16)
            except ValueError as error:
                assert f"a.{ending} cannot be read as an image: " in str(error) and "\n" not in str(error)


def test_what_systems_leave_is_no_picture_and_other_kinds_are_counted(tmp_path: Path) -> None:
    for i in range(5):
        flat(tmp_path / "cats" / f"{i}.png")
    for name in (".ipynb_checkpoints/0.png", "@eaDir/0.png", "__MACOSX/0.png", "cats/@eaDir/0.png", "cats/._0.png"):
        flat(tmp_path / name.replace("._0", "x")).rename((tmp_path / name).absolute())
    for name in ("Thumbs.db", "cats/Thumbs.db", "cats/.DS_Store", "cats/desktop.ini"):
        (tmp_path / name).write_bytes(b"")
    for name in ("notes.txt", "cats/a.heic", "cats/b.HEIC", "cats/c.avif", "dogs/a.heic", "cats/licence"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    loaded = every(tmp_path)
    assert len(loaded) == 5 and loaded.classes == ("cats",)
    assert loaded.notes == (
        "4 train, 1 held out, 1 class (cats: 5)",
        "16×16",
        "without a picture, and left out: dogs/",
        "6 files skipped: 3 .heic, 1 .txt, 1 .avif, 1 without ending",
    )
    shutil.rmtree(tmp_path / "cats")
    with pytest.raises(ValueError, match=r"holds no images; looked for .* \(2 files skipped: 1 .txt, 1 .heic\)"):
        data.load(tmp_path)


def test_classes_are_in_natural_order(tmp_path: Path) -> None:
    for k in (10, 9, 1, 2):
        for i in range(5):
            flat(tmp_path / str(k) / f"{i}.png", 20 * k)
    loaded = every(tmp_path)
    assert loaded.classes == ("1", "2", "9", "10") and loaded.y is not None
    means = [loaded.x[loaded.y == k].float().mean().item() for k in range(4)]
    assert means == [20, 40, 180, 200]
    assert loaded.notes[0] == "16 train, 4 held out, 4 classes (1: 5, 2: 5, 9: 5, 10: 5)"


@pytest.mark.parametrize("values", [range(1, 11), (0, 5), (7,)])
def test_labels_of_an_npz_are_renumbered_and_keep_their_names(tmp_path: Path, values: Any) -> None:
    n, labels = len(values), np.repeat(np.array(values), 10)
    np.savez(tmp_path / "a.npz", points=labels[:, None] + np.zeros((1, 2)), labels=labels)
    loaded = data.load(tmp_path / "a.npz")
    assert loaded.classes == tuple(str(value) for value in values) and loaded.y is not None
    assert torch.equal(loaded.x[:, 0], torch.tensor(list(values))[loaded.y].float())
    assert loaded.notes == (
        f"{8 * n} train, {2 * n} held out, {n} class{'es' * (n > 1)} ({': 10, '.join(loaded.classes)}: 10)",
    )


@pytest.mark.parametrize("kind", [str, bytes])
def test_text_labels_of_an_npz_are_the_classes_in_the_order_of_folders(tmp_path: Path, kind: type) -> None:
    names = ["item 10", "item 9", "café"]
    text = np.array(names * 10) if kind is str else np.array([name.encode() for name in names * 10])
    points = np.arange(30)[:, None] % 3 * np.ones((1, 2))
    np.savez(tmp_path / "a.npz", points=points, labels=text)
    loaded = every(tmp_path / "a.npz")
    assert loaded.classes == ("café", "item 9", "item 10") and loaded.y is not None
    assert torch.equal(loaded.x[:, 0], torch.tensor([2.0, 1.0, 0.0])[loaded.y])
    assert loaded.notes == ("24 train, 6 held out, 3 classes (café: 10, item 9: 10, item 10: 10)",)
    np.savez(tmp_path / "a.npz", points=points, labels=text, classes=np.array(["x", "y", "z"]))
    assert every(tmp_path / "a.npz").notes[1:] == ("classes are left out: the labels are names",)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(
    ("scale", "start", "range"), [(1 / 255, 0, "[0, 1]"), (2 / 255, -1, "[-1, 1]"), (1, 0, "whole numbers up to 255")]
)
@pytest.mark.parametrize("shape", [(10, 8, 9), (10, 8, 9, 3), (10, 3, 8, 9)])
def test_float_images_of_an_npz_are_taken_and_their_range_is_said(
    tmp_path: Path, shape: tuple[int, ...], scale: float, start: float, range: str, dtype: type
) -> None:
    shades = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    np.savez(tmp_path / "bytes.npz", images=shades)
    np.savez(tmp_path / "floats.npz", images=(shades * scale + start).astype(dtype))
    loaded = every(tmp_path / "floats.npz")
    assert torch.equal(loaded.x, every(tmp_path / "bytes.npz").x)
    assert loaded.notes[1] == f"float images, taken as {range} and kept in 256 shades"


@pytest.mark.parametrize(
    ("ending", "writes"), [("csv", 'points=numpy.loadtxt(CSV, delimiter=",")'), ("npy", "points=numpy.load(NPY)")]
)
def test_other_files_are_told_how_to_become_an_npz(tmp_path: Path, ending: str, writes: str) -> None:
    path = tmp_path / f"a.{ending}"
    if ending == "csv":
        path.write_text("1,2\n3,4\n")
    else:
        np.save(path, np.zeros((5, 2)))
    with pytest.raises(ValueError, match=re.escape(f"numpy.savez(FILE, {writes}) writes one")):
        data.load(path)


# ---- decoded once --------------------------------------------------------------------------------------------------


def numbered(folder: Path, n: int = 10) -> None:
    for i in range(n):
        flat(folder / "ab"[i % 2] / f"{i}.png", i, mode="L")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names of the pictures that were opened."""
    names: list[str] = []
    before = Image.open

    def open(path: Any, *rest: Any) -> Any:
        names.append(Path(path).name)
        return before(path, *rest)

    monkeypatch.setattr(Image, "open", open)
    yield names


def test_rows_and_their_order_are_those_of_the_fixed_split(tmp_path: Path) -> None:
    numbered(tmp_path, 20)
    stored = np.array([0, 10, 12, 14, 16, 18, 2, 4, 6, 8, 1, 11, 13, 15, 17, 19, 3, 5, 7, 9])  # by class, then by name
    y = stored % 2
    for split, rows in zip(("train", "test"), _base.fixed_split(y), strict=True):
        loaded = data.load(tmp_path, split)
        assert loaded.y is not None and loaded.x[:, 0, 0, 0].tolist() == stored[rows].tolist()
        assert loaded.y.tolist() == y[rows].tolist()


def test_a_folder_is_decoded_once_for_all_splits(tmp_path: Path, cached: Path, opened: list[str]) -> None:
    numbered(tmp_path)
    first = data.load(tmp_path)
    assert len(opened) == 20 and len(set(opened)) == 10, "each header, then each picture"
    opened.clear()
    test, again = data.load(tmp_path, split="test"), data.load(tmp_path)
    assert not opened and len(test) == 2 and torch.equal(again.x, first.x) and again.notes == first.notes
    again.x.zero_()
    assert torch.equal(data.load(tmp_path).x, first.x), "whoever writes, writes to a copy"
    assert sorted(path.suffix for path in cached.iterdir()) == [".json", ".npy"]


def test_a_changed_folder_is_decoded_again_and_takes_its_old_place(tmp_path: Path, cached: Path) -> None:
    numbered(tmp_path)
    data.load(tmp_path)
    data.load(tmp_path, size=8)
    assert len([*cached.glob("*.npy")]) == 2
    flat(tmp_path / "a" / "0.png", 77, mode="L")
    assert 77 in every(tmp_path).x and len([*cached.iterdir()]) == 4


def test_half_a_cache_is_made_again(tmp_path: Path, cached: Path) -> None:
    numbered(tmp_path)
    first = data.load(tmp_path)
    for suffix, content in ((".npy", b"\x93NUMPY\x01"), (".json", b"[")):
        (file,) = cached.glob(f"*{suffix}")
        file.unlink()
        file.write_bytes(content)
        assert torch.equal(data.load(tmp_path).x, first.x)
        assert len([*cached.iterdir()]) == 2


def test_a_cache_larger_than_memory_is_mapped_as_it_is(tmp_path: Path, cached: Path, monkeypatch: Any) -> None:
    numbered(tmp_path)
    load, modes = np.load, []

    def full(path: Any, mmap_mode: str) -> Any:
        modes.append(mmap_mode)
        if mmap_mode == "c" and Path(path).exists():
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        return load(path, mmap_mode=mmap_mode)

    monkeypatch.setattr(np, "load", full)
    assert len(data.load(tmp_path)) == 8 and modes[-1] == "r"


def test_pictures_are_decoded_only_a_few_ahead(tmp_path: Path, opened: list[str]) -> None:
    numbered(tmp_path / "x", 200)
    (tmp_path / "x" / "a").rename(tmp_path / "even")
    names = sorted(path.name for path in (tmp_path / "even").iterdir())
    rows = files._decoded(tmp_path / "even", names, (100, 1, 16, 16), Counter())
    next(rows)
    rows.close()  # type: ignore[attr-defined]
    assert len(opened) <= 4 * 8


def test_without_a_cache_pictures_are_kept_in_memory(tmp_path: Path, cached: Path, monkeypatch: Any) -> None:
    numbered(tmp_path)
    first = data.load(tmp_path)
    shutil.rmtree(cached)
    cached.write_text("in the way")
    loaded = data.load(tmp_path)
    assert torch.equal(loaded.x, first.x) and loaded.notes[:2] == first.notes
    assert loaded.notes[2].startswith(f"kept in memory: {cached} cannot be written (")


def test_what_cannot_be_decoded_leaves_nothing(tmp_path: Path, cached: Path) -> None:
    numbered(tmp_path)
    whole = flat(tmp_path / "a" / "x.png", 3, (300, 300), "L").read_bytes()
    (tmp_path / "a" / "x.png").write_bytes(whole[:60])  # the header is all right
    with pytest.raises(ValueError, match=r"x.png cannot be read as an image"):
        data.load(tmp_path, size=16)
    assert not [*cached.iterdir()]


# ---- sizes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "side", "note"),
    [
        ((28, 28), 28, "28×28"),
        ((48, 48), 48, "48×48"),
        ((30, 30), 16, "16×16, resized from 30×30"),
        ((128, 128), 64, "64×64, resized from 128×128"),
        ((120, 90), 64, "64×64, cropped from 120×90"),
        ((20, 16), 16, "16×16, cropped from 20×16"),
    ],
)
def test_the_command_and_fit_bring_pictures_to_a_side_the_networks_take(
    tmp_path: Path, size: tuple[int, int], side: int, note: str
) -> None:
    for i in range(5):
        flat(tmp_path / f"{i}.png", size=size)
    for loaded in (recipes.load_data(str(tmp_path)), data.load(tmp_path, size="fit")):
        assert loaded.image_shape == (3, side, side) and loaded.notes[1] == note
    assert data.load(tmp_path).image_shape == (3, *size[::-1]), "else they stay as they are"
    assert recipes.load_data(str(tmp_path), size=24).image_shape == (3, 24, 24)
    with pytest.raises(ValueError, match="size must be 16, 20, 24, .* got 30"):
        recipes.load_data(str(tmp_path), size=30)


def test_pictures_of_several_sizes_come_to_the_middle_one(tmp_path: Path) -> None:
    for i, size in enumerate([(10, 99), (40, 50), (70, 45), (300, 200), (60, 41)]):
        flat(tmp_path / f"{i}.png", size=size)
    for loaded in (every(tmp_path), every(tmp_path, size="fit"), recipes.load_data(str(tmp_path), "all")):
        assert loaded.image_shape == (3, 32, 32)
        assert loaded.notes[1] == (
            "32×32, the middle squares of pictures whose shorter sides are 10 … 200 pixels; 1 of them enlarged"
        )


def test_an_npz_keeps_its_side_where_the_networks_take_it(tmp_path: Path) -> None:
    for side, expected in ((128, 128), (100, 64), (28, 28)):
        np.savez(tmp_path / "a.npz", images=np.zeros((5, side, side), np.uint8))
        assert recipes.load_data(str(tmp_path / "a.npz")).image_shape == (1, expected, expected)
    np.savez(tmp_path / "a.npz", images=np.zeros((5, 12, 30), np.uint8))
    with pytest.raises(ValueError, match="are images with a side of 12 pixels; they need at least 16"):
        recipes.load_data(str(tmp_path / "a.npz"))


def test_a_name_wins_over_a_folder_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("photos", "ring"):
        for i in range(5):
            flat(tmp_path / name / f"{i}.png")
    note = "using the built-in set photos; for the folder write ./photos"
    assert recipes.load_data("photos").notes == (note,) and data.load("photos").notes == (note,)
    assert recipes.load_data("./photos").notes[0] == "4 train, 1 held out" and data.load("digits8").notes == ()
    with pytest.warns(UserWarning, match="using the built-in set ring; for the folder write ./ring"):
        recipes.load_data("ring")


def test_growing_games_get_a_power_of_two_of_what_was_read(tmp_path: Path, opened: list[str]) -> None:
    for i in range(5):
        flat(tmp_path / f"{i}.png", size=(28, 28))
    loaded = recipes.load_for(recipes.Settings(str(tmp_path), game="progressive_gan"))
    assert loaded.image_shape == (3, 32, 32) and loaded.notes[-1] == "enlarged to 32×32, a power of two"
    assert len(opened) == 10
    wanted = recipes.load_for(recipes.Settings("digits", game="progressive_gan"))
    assert torch.equal(wanted.x, data.load("digits", size=32).x)


# ---- pairs ---------------------------------------------------------------------------------------------------------


def test_a_folder_of_pairs(tmp_path: Path) -> None:
    for i in range(10):
        flat(tmp_path / "inputs" / f"{i}.png", 10 * i, (40, 50))
        flat(tmp_path / "targets" / f"{i}.jpg", 10 * i + 5, (80, 100))
    (tmp_path / "inputs" / "a.txt").write_text("")
    for game in ("pix2pix", "bicycle_gan"):
        train, test = (
            recipes.load_for(recipes.Settings(str(tmp_path), game=game), split) for split in ("train", "test")
        )
        assert (len(train), len(test), train.paired) == (8, 2, True)
        assert train.inputs.shape == train.targets.shape == (8, 3, 32, 32)
        for pairs in (train, test):
            assert ((pairs.targets.int() - pairs.inputs.int() - 5).abs() <= 2).all(), "of one name"
    assert train.notes == (
        "inputs: 8 train, 2 held out",
        "inputs: 32×32, cropped from 40×50",
        "targets: 8 train, 2 held out",
        "targets: 32×32, cropped from 80×100",
        "1 file skipped: 1 .txt",
    )
    (tmp_path / "targets" / "3.jpg").rename(tmp_path / "targets" / "x.jpg")
    with pytest.raises(ValueError, match=r"1 of the inputs have no picture of their name in targets \(3.png\)"):
        data.load_pairs(tmp_path)
    flat(tmp_path / "targets" / "y.png")
    with pytest.raises(
        ValueError, match=r"\(3.png\); 2 of the targets have no .* in inputs \(x.jpg, y.png\); of unpaired"
    ):
        data.load_pairs(tmp_path)
    pairs = recipes.load_for(recipes.Settings(str(tmp_path), game="cycle_gan"))
    assert (len(pairs.inputs), len(pairs.targets), pairs.paired) == (8, 9, False)
    assert not recipes.load_for(recipes.Settings(str(tmp_path), game="cycle_gan"), "test").paired
    assert data.load_pairs(tmp_path, paired=False, size=20).inputs.shape[2:] == (20, 20)
    flat(tmp_path / "inputs" / "0.gif")
    with pytest.raises(ValueError, match="inputs holds two pictures of one name .*: 0.gif, 0.png"):
        data.load_pairs(tmp_path)


def test_two_folders_of_other_names_are_named_inputs_first(tmp_path: Path) -> None:
    for name, shade in (("photo", 10), ("map", 200)):
        for i in range(6):
            flat(tmp_path / name / f"{i}.png", shade)
    say = "inputs holds none; it holds pictures in map, photo: say which is which, as in --inputs map --targets photo"
    with pytest.raises(ValueError, match=say):
        recipes.load_for(recipes.Settings(str(tmp_path), "pix2pix"))
    for folders in (("photo", "map"), ("map", "photo")):
        pairs = recipes.load_for(recipes.Settings(str(tmp_path), "pix2pix", inputs=folders[0], targets=folders[1]))
        assert (pairs.inputs.max() == 10) == (folders[0] == "photo") and pairs.inputs.max() != pairs.targets.max()
        assert torch.equal(data.load_pairs(tmp_path, folders=folders).inputs, pairs.inputs)
    with pytest.raises(ValueError, match="inputs and targets must be two folders, got map for both"):
        data.load_pairs(tmp_path, folders=("map", "map"))
    with pytest.raises(
        ValueError, match="in two folders, map and maps: maps holds none; it holds pictures in map, photo"
    ):
        data.load_pairs(tmp_path, folders=("map", "maps"))
    with pytest.raises(ValueError, match="inputs='map' is for game=pix2pix or bicycle_gan or cycle_gan, got gan"):
        recipes.Settings(str(tmp_path), "gan", inputs="map")
    with pytest.raises(ValueError, match="name folders, and data 'scenes' have none, got 'map'"):
        recipes.load_for(recipes.Settings("scenes", "pix2pix", inputs="map"))


def test_two_in_one_picture_are_to_be_cut_first(tmp_path: Path) -> None:
    flat(tmp_path / "0.jpg", size=(64, 32))
    with pytest.raises(
        ValueError, match="inputs holds none; they lie in it itself: of those that hold input and target"
    ):
        data.load_pairs(tmp_path)
    flat(tmp_path / "train" / "0.jpg", size=(64, 32))
    with pytest.raises(ValueError, match="holds pictures in train: of those that hold input and target"):
        data.load_pairs(tmp_path)


def test_the_two_of_a_pair_show_the_same_part(tmp_path: Path) -> None:
    flat(tmp_path / "inputs" / "0.png", size=(100, 75))
    flat(tmp_path / "targets" / "0.png", size=(50, 38))  # 37.5
    assert len(data.load_pairs(tmp_path, "all")) == 1
    flat(tmp_path / "inputs" / "1.png", size=(60, 80))
    flat(tmp_path / "targets" / "1.png", size=(80, 60))
    with pytest.raises(
        ValueError, match=r"inputs/1.png has 60×80 pixels and its target 1.png 80×60: the two of a pair"
    ):
        data.load_pairs(tmp_path, "all")
    assert len(data.load_pairs(tmp_path, "all", paired=False)) == 2
    turned = Image.Exif()
    turned[0x0112] = 6
    flat(tmp_path / "inputs" / "1.png", size=(60, 80), exif=turned)
    assert len(data.load_pairs(tmp_path, "all")) == 2, "as they stand upright"


@pytest.mark.parametrize(
    ("orientation", "size", "partner", "said"),
    [
        (6, (80, 60), (60, 80), None),  # made from the upright one: no other proportions would fit
        (6, (80, 60), (80, 60), "refused"),
        (6, (60, 60), (60, 60), "doubtful"),
        (3, (80, 60), (80, 60), "doubtful"),
        (1, (80, 60), (80, 60), None),
    ],
)
@pytest.mark.parametrize("turned", ["inputs", "targets"])
def test_pairs_of_which_exif_turns_one_alone(
    tmp_path: Path, orientation: int, size: tuple[int, int], partner: tuple[int, int], said: str | None, turned: str
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    other = "targets" if turned == "inputs" else "inputs"
    for i in range(2):
        flat(tmp_path / turned / f"{i}.jpg", i, size, exif=exif)
        flat(tmp_path / other / f"{i}.png", i, partner)
    if said == "refused":
        with pytest.raises(ValueError, match=r"only one of them is turned by its EXIF.*data.picture\('0.jpg'"):
            data.load_pairs(tmp_path)
        return
    notes = [note for note in data.load_pairs(tmp_path).notes if "EXIF turns one alone" in note]
    assert len(notes) == (said == "doubtful") and all("alone: 2 (0." in note for note in notes)
    assert not [note for note in data.load_pairs(tmp_path, paired=False).notes if "turns one alone" in note]


def test_copies_are_counted(tmp_path: Path) -> None:
    for i in range(6):
        ramp = np.arange(256, dtype=np.uint8).reshape(16, 16) // (1 + i // 2)  # each twice
        Image.fromarray(ramp).save(tmp_path / f"{i}.png")
    assert every(tmp_path).notes[-1].startswith("3 the same as another in every pixel: copies may be trained on")


def test_a_folder_above_the_two_is_told_which_is_meant(tmp_path: Path) -> None:
    for side in ("map", "photo"):
        flat(tmp_path / "mine" / side / "0.png")
    flat(tmp_path / "others" / "0.png")
    flat(tmp_path / "more" / "0.png")
    with pytest.raises(ValueError, match=r"map holds none; meant is probably .*/mine$"):
        data.load_pairs(tmp_path, folders=("map", "photo"))
    for side in ("map", "photo"):
        flat(tmp_path / "his" / side / "0.png")
    with pytest.raises(ValueError, match=r"meant is probably .*/his or .*/mine$"):
        data.load_pairs(tmp_path, folders=("map", "photo"))


@pytest.mark.parametrize("game", ["pix2pix", "bicycle_gan", "cycle_gan"])
def test_grey_becomes_coloured_and_the_sets_are_of_any_size(tmp_path: Path, game: str) -> None:
    for i in range(6):
        flat(tmp_path / "inputs" / f"{i}.png", 20 * i, (30, 20), "L")
    for i in range(6 if game != "cycle_gan" else 1):
        flat(tmp_path / "targets" / f"{i}.png", 20 * i, (30, 20))
    made = recipes.build(recipes.Settings(str(tmp_path), game, batch=9))
    made.play(2, progress=False)
    assert made.translate(torch.zeros(2, 1, 16, 16)).shape == (2, 3, 16, 16)


@pytest.mark.parametrize(("few", "many"), [("inputs", "targets"), ("targets", "inputs")])
def test_one_picture_against_many_plays_without_pairs(tmp_path: Path, few: str, many: str) -> None:
    flat(tmp_path / few / "x.png", 200, (40, 61))
    for i in range(20):
        flat(tmp_path / many / f"{i}.png", i, (33, 20))
    made = recipes.build(recipes.Settings(str(tmp_path), "cycle_gan", size=16))
    assert made.batch == 16
    made.play(2, progress=False)
    for each in (tmp_path / many).iterdir():
        each.unlink()
    flat(tmp_path / many / "0.png")
    with pytest.raises(ValueError, match="hold 1 sample to train on"):
        recipes.build(recipes.Settings(str(tmp_path), "cycle_gan", size=16))


def test_sides_that_no_translator_takes_are_refused(tmp_path: Path) -> None:
    for side in ("inputs", "targets"):
        flat(tmp_path / side / "0.png", size=(12, 12))
    for game, size, wanted in (("pix2pix", 24, "a power of two"), ("cycle_gan", 18, "a multiple of 4")):
        with pytest.raises(ValueError, match=f"size must be {wanted} from 16 for game='{game}', got {size}"):
            recipes.load_for(recipes.Settings(str(tmp_path), game, size=size))
    with pytest.raises(ValueError, match="come to a side of 8 pixels, and game='bicycle_gan' needs 16: larger"):
        recipes.load_for(recipes.Settings(str(tmp_path), "bicycle_gan"))
    assert recipes.load_for(recipes.Settings(str(tmp_path), "cycle_gan", size=20)).inputs.shape[2] == 20


def test_a_folder_that_holds_no_pairs(tmp_path: Path) -> None:
    numbered(tmp_path)
    with pytest.raises(ValueError, match="must hold pictures in two folders, inputs and targets: inputs holds none"):
        recipes.load_for(recipes.Settings(str(tmp_path), game="cycle_gan"))
    with pytest.raises(ValueError, match="'digits' are no pairs: .* choose one of: scenes, or a folder that holds"):
        recipes.load_for(recipes.Settings("digits", game="cycle_gan"))


def test_all_damaged_pictures_are_named_together(tmp_path: Path) -> None:
    for i in range(4):
        flat(tmp_path / f"{i}.png")
    for name in ("a.png", "b.jpg"):
        (tmp_path / name).write_bytes(b"no picture")
    with pytest.raises(
        ValueError, match=r"a\.png cannot be read as an image: .*; .*b\.jpg cannot be read as an image: "
    ):
        data.load(tmp_path)


def test_one_picture_is_read_as_those_of_folders_are(tmp_path: Path) -> None:
    Image.new("RGBA", (3, 2), (255, 0, 255, 0)).save(tmp_path / "a.png")
    assert set(data.picture(tmp_path / "a.png").getdata()) == {(255, 255, 255)}
    with pytest.raises(ValueError, match=r"b\.png cannot be read as an image"):
        data.picture(tmp_path / "b.png")


def resident() -> int:
    """Bytes of this process that lie in memory and in a file."""
    found = re.search(r"RssFile:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return 1024 * int(found[1])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux what is in memory")
def test_reading_a_large_cache_leaves_nothing_of_it_in_memory(tmp_path: Path) -> None:
    path, megabytes = tmp_path / "pictures.npy", 200
    np.save(path, np.full((megabytes * 64, 1, 128, 128), 7, np.uint8))
    pictures = data.Dataset("pictures", files._mapped(path)[16:])  # a view of it, as of the training part
    before = resident()
    digest, most = data.digest(pictures), 0
    for seed in range(40):
        drawn, _ = pictures.draw(256, compute.generator(seed))
        most = max(most, resident() - before)
    assert drawn.min() == drawn.max() == pytest.approx(7 / 127.5 - 1)
    assert most < 40e6, "of 200 MB"
    pictures.x.fill_(9)  # a reader's own copy
    assert data.digest(pictures) != digest
    assert pictures.draw(256, compute.generator(0))[0].max() == pytest.approx(9 / 127.5 - 1), "what was changed stays"
    assert np.load(path).max() == 7, "and the file as it was"


# ---- what strangers brought ----------------------------------------------------------------------------------------


def test_pictures_with_damaged_exif_are_read_and_truncated_ones_are_not(tmp_path: Path) -> None:
    for name in ("a.png", "b.webp"):
        flat(tmp_path / name, exif=b"no exif at all")
    assert every(tmp_path).x.shape == (2, 3, 16, 16)
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:-40])
    with pytest.raises(ValueError, match=r"a.png cannot be read as an image"):
        every(tmp_path)


def test_links_to_nothing_are_counted(tmp_path: Path) -> None:
    flat(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to("nowhere.png")
    (tmp_path / "c.png").symlink_to("c.png")
    assert "2 files skipped: 2 linked to nothing" in every(tmp_path).notes


def test_the_hidden_shade_of_16_bit_grey_becomes_white(tmp_path: Path) -> None:
    Image.fromarray(np.full((16, 16), 1000, np.uint16)).save(tmp_path / "a.png", transparency=1000)
    loaded = every(tmp_path)
    assert loaded.x.unique().tolist() == [255] and "1 transparent picture put on white" in loaded.notes


def test_a_run_among_the_pictures_is_none_of_them(tmp_path: Path) -> None:
    flat(tmp_path / "a.png")
    flat(tmp_path / "run" / "samples.png")
    for name in ("settings.json", ".lock"):
        (tmp_path / "run" / name).touch()
    assert len(every(tmp_path)) == 1


def test_archives_of_no_arrays_or_of_two_kinds_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images", b"hello")
    with pytest.raises(ValueError, match=r"a.npz: images must be images as uint8"):
        data.load(path)
    header = io.BytesIO()
    shape = (10**6, 10**4, 10**4)
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", header.getvalue())
    with pytest.raises(ValueError, match=r"a.npz cannot be read as an .npz file"):
        data.load(path)
    np.savez(path, images=np.zeros((5, 16, 16), np.uint8), points=np.zeros((5, 2)))
    with pytest.raises(ValueError, match="must hold one array called .*, got images, points"):
        data.load(path)
    np.savez(path, points=np.full((5, 2), 1e300))
    with pytest.raises(ValueError, match=r"a.npz: points must be finite: row 0 is not, as float32"):
        data.load(path)


def test_classes_that_do_not_name_the_labels_are_said_to_be_left_out(tmp_path: Path) -> None:
    for names in (["x", "y"], ["x", "x", "y"]):
        np.savez(tmp_path / "a.npz", points=np.zeros((9, 2)), labels=np.arange(9) % 3, classes=np.array(names))
        loaded = every(tmp_path / "a.npz")
        assert loaded.classes == ("0", "1", "2") and "classes are left out" in loaded.notes[1]


def test_nothing_is_no_name_of_a_folder() -> None:
    for load in (data.load, recipes.load_data):
        with pytest.raises(ValueError, match="='' is not known"):
            load("")


# ---- one folder too high -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stray", [0, 1])
@pytest.mark.parametrize("above", ["", "train/", "a/b/"])
def test_the_folder_above_the_one_meant_is_refused_and_that_one_named(tmp_path: Path, above: str, stray: int) -> None:
    for kind in ("circle", "square", "star"):
        for i in range(4):
            flat(tmp_path / "pictures" / above / kind / f"{i}.png")
    for i in range(stray):
        flat(tmp_path / f"stray{i}.png")
    for place in (tmp_path, *([tmp_path / "pictures"] if above else [])):
        with pytest.raises(
            ValueError, match=f"12 pictures lie deeper than is read here, and {stray * (place == tmp_path)} do"
        ) as refused:
            data.load(place)
        assert str(refused.value).endswith(f"meant is probably {tmp_path / 'pictures' / above}")
    assert len(every(tmp_path / "pictures" / above)) == 12


def test_the_few_pictures_that_lie_deeper_are_said_to_be_left_out(tmp_path: Path) -> None:
    numbered(tmp_path)
    for i in range(3):
        flat(tmp_path / "a" / "old" / f"{i}.png")
        flat(tmp_path / "a" / ".git" / f"{i}.png")
    flat(tmp_path / "empty" / "of" / "a.png").unlink()
    loaded = every(tmp_path)
    assert len(loaded) == 10
    assert loaded.notes[2:] == ("without a picture, and left out: empty/", "3 that lie deeper are left out: a/old/ 3")


def test_pairs_that_lie_deeper_are_not_passed_over(tmp_path: Path) -> None:
    for side in ("inputs", "targets"):
        flat(tmp_path / side / "a.png")
        flat(tmp_path / side / "more" / "b.png")
    loaded = data.load_pairs(tmp_path, "all")
    assert [note for note in loaded.notes if "deeper" in note] == [
        f"{side}: 1 that lie deeper are left out: more/ 1" for side in ("inputs", "targets")
    ]
    flat(tmp_path / "inputs" / "more" / "c.png")
    with pytest.raises(ValueError, match=r"inputs: 2 pictures lie deeper .* meant is probably .*more"):
        data.load_pairs(tmp_path)


def test_one_picture_is_nothing_to_train_on(tmp_path: Path) -> None:
    flat(tmp_path / "a.png")
    with pytest.raises(ValueError, match="hold 1 sample to train on: a game needs several"):
        recipes.build(recipes.Settings(str(tmp_path)))


@pytest.mark.parametrize("name", ["no/pictures", "./pictures", "pictures/", "pictures.zip"])
def test_a_mistyped_path_is_no_unknown_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    for load in (data.load, recipes.load_data):
        with pytest.raises(ValueError, match="there is no such file or folder"):
            load(name)
        with pytest.raises(ValueError, match="'pictures' is not known; .*; and there is no file or folder called so"):
            load("pictures")
