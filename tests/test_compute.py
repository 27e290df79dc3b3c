"""Device, precision, budgets and keyed generators, and the environment variables that override them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ganlib import compute


@pytest.fixture(autouse=True)
def no_overrides(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GANLIB_DEVICE", "GANLIB_PRECISION", "GANLIB_QUICK"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which torch reports two CUDA devices (nothing is computed on them)."""
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("cuda"))
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 2)


@pytest.fixture
def no_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)


def test_device_without_an_accelerator_is_the_cpu(no_accelerator: None) -> None:
    assert compute.device() == torch.device("cpu")


def test_device_is_the_accelerator_where_there_is_one(accelerator: None) -> None:
    assert compute.device() == torch.device("cuda")


def test_device_override(accelerator: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANLIB_DEVICE", "cpu")
    assert compute.device() == torch.device("cpu")


@pytest.mark.parametrize("name", ["banana", "meta", "xpu:7", "cuda:99"])
def test_device_override_that_cannot_be_used_names_the_ones_that_can(
    name: str, no_accelerator: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANLIB_DEVICE", name)
    with pytest.raises(ValueError, match=f"GANLIB_DEVICE='{name}' cannot be used here; choose one of: cpu$"):
        compute.device()


def test_device_override_error_lists_every_accelerator(accelerator: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANLIB_DEVICE", "banana")
    with pytest.raises(ValueError, match=r"choose one of: cpu, cuda, cuda:0, cuda:1$"):
        compute.device()


@pytest.mark.parametrize("tiles", [True, False])
def test_precision_of_a_cpu_depends_on_amx(tiles: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: tiles)
    assert compute.precision("cpu") == ("bf16" if tiles else "fp32")


@pytest.mark.parametrize("ampere", [True, False])
def test_precision_of_cuda_ignores_emulated_bf16(ampere: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or ampere)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0) if ampere else (7, 5))
    assert compute.precision(torch.device("cuda")) == ("bf16" if ampere else "fp16")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (6, 1))
    assert compute.precision(torch.device("cuda")) == ("bf16" if ampere else "fp32")


def test_precision_of_other_devices_is_fp32() -> None:
    assert compute.precision("mps") == "fp32"


@pytest.mark.parametrize("name", ["bf16", "fp32"])
@pytest.mark.parametrize("tiles", [True, False])
def test_precision_override(name: str, tiles: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: tiles)
    monkeypatch.setenv("GANLIB_PRECISION", name)
    assert compute.precision("cpu") == name


def test_precision_override_that_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANLIB_PRECISION", "fp8")
    with pytest.raises(ValueError, match=r"GANLIB_PRECISION='fp8' is not known; choose one of: .*bf16"):
        compute.precision("cpu")


def product_dtype(context: contextlib.AbstractContextManager[object]) -> torch.dtype:
    with context:
        return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype


def test_autocast() -> None:
    assert product_dtype(compute.autocast("cpu", "bf16")) == torch.bfloat16
    assert product_dtype(compute.autocast("cpu", "fp32")) == torch.float32
    assert product_dtype(contextlib.nullcontext()) == torch.float32
    with pytest.raises(ValueError, match="precision='half' is not known"):
        compute.autocast("cpu", "half")


@pytest.mark.parametrize("name, dtype", [("bf16", torch.bfloat16), ("fp32", torch.float32)])
def test_autocast_follows_the_precision_of_this_machine(
    name: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANLIB_DEVICE", "cpu")
    monkeypatch.setenv("GANLIB_PRECISION", name)
    assert product_dtype(compute.autocast()) == dtype


def test_describe_a_cpu(monkeypatch: pytest.MonkeyPatch, no_accelerator: None) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr(torch, "__version__", "2.9.1+cu128")
    monkeypatch.setenv("GANLIB_PRECISION", "fp32")
    assert compute.describe() == "CPU (2 threads), fp32, torch 2.9.1"
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert compute.describe().startswith("CPU (1 thread), ")


def test_describe_an_accelerator(monkeypatch: pytest.MonkeyPatch, accelerator: None) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA Something")
    monkeypatch.setenv("GANLIB_PRECISION", "bf16")
    assert compute.describe().startswith("NVIDIA Something, bf16, torch ")
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("mps"))
    assert compute.describe().startswith("MPS, bf16, torch ")


@pytest.mark.parametrize("text, expected", [(None, False), ("", False), ("0", False), ("1", True)])
def test_quick(text: str | None, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if text is not None:
        monkeypatch.setenv("GANLIB_QUICK", text)
    assert compute.quick() is expected


def test_budget_on_a_cpu(no_accelerator: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert compute.budget(1500) == compute.budget(cpu=1500, gpu=20000) == 1500
    monkeypatch.setenv("GANLIB_QUICK", "1")
    assert compute.budget(1500) == compute.budget(cpu=1500, gpu=20000) == 3
    assert compute.budget(1500, quick=10) == 10
    assert compute.budget(2) == 2  # a quick run is never the longer one


def test_budget_on_an_accelerator(accelerator: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert compute.budget(1500) == 1500
    assert compute.budget(cpu=1500, gpu=20000) == 20000
    monkeypatch.setenv("GANLIB_QUICK", "1")
    assert compute.budget(cpu=1500, gpu=20000) == 3


@pytest.mark.parametrize("name", ["cpu", "gpu", "quick"])
@pytest.mark.parametrize("wrong", [0, -5, 2.5])
def test_budget_refuses_wrong_numbers_even_when_unused(name: str, wrong: float, no_accelerator: None) -> None:
    arguments = {"cpu": 10, "gpu": 10, "quick": 3, name: wrong}
    with pytest.raises(ValueError, match=f"{name} must be a whole number of at least 1, got {wrong}"):
        compute.budget(**arguments)


parts: st.SearchStrategy[int | str] = st.integers() | st.text(max_size=8)
keys: st.SearchStrategy[tuple[int | str, ...]] = st.lists(parts, min_size=1, max_size=4).map(tuple)


def draws(*key: int | str) -> list[float]:
    return torch.rand(4, generator=compute.generator(*key), dtype=torch.float64).tolist()


@given(keys)
def test_generator_is_a_pure_function_of_its_key(key: tuple[int | str, ...]) -> None:
    before = torch.get_rng_state()
    first = draws(*key)
    compute.generator("something", "else")
    torch.rand(3)
    assert draws(*key) == first
    torch.set_rng_state(before)


@given(keys, keys)
def test_generator_differs_where_the_key_does(one: tuple[int | str, ...], other: tuple[int | str, ...]) -> None:
    assert (draws(*one) == draws(*other)) == (one == other)


def test_generator_keeps_parts_and_types_apart() -> None:
    alike: list[tuple[int | str, ...]] = [
        (1,),
        ("1",),
        (1, 1),
        (11,),
        ("ab", "c"),
        ("a", "bc"),
        ("abc",),
        (0, 1),
        (1, 0),
        ("a', 'b",),
        ("a", "b"),
    ]
    assert len({tuple(draws(*key)) for key in alike}) == len(alike)


def test_generator_takes_whole_numbers_of_every_kind() -> None:
    assert draws(np.int64(3), "z") == draws(3, "z")


def test_generator_has_no_global_side_effect() -> None:
    state = torch.get_rng_state()
    compute.generator(0)
    assert torch.equal(torch.get_rng_state(), state)


def test_generator_is_the_same_in_another_process_whatever_its_hash_seed() -> None:
    code = "from ganlib import compute; print(compute.generator(0, 'z', 17).initial_seed())"
    path = os.pathsep.join(sys.path)
    other = next(seed for seed in "12" if seed != os.environ.get("PYTHONHASHSEED"))
    environment = {**os.environ, "PYTHONHASHSEED": other, "PYTHONPATH": path}
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert there.stdout == f"{compute.generator(0, 'z', 17).initial_seed()}\n"


def test_neighbouring_keys_give_unrelated_streams() -> None:
    streams = torch.stack([torch.randn(2000, generator=compute.generator(0, step, "z")) for step in range(40)])
    correlation = torch.corrcoef(streams) - torch.eye(40)
    assert correlation.abs().max() < 5 / 2000**0.5
    assert abs(float(streams.mean())) < 4 / streams.numel() ** 0.5


@pytest.mark.parametrize("key", [(), (1.5,), (True,), (None,), (0, [1])])
def test_generator_refuses_other_keys(key: tuple[object, ...]) -> None:
    with pytest.raises(TypeError, match=r"^key must"):
        compute.generator(*key)


def test_float32_is_whole_where_penalties_say_so() -> None:
    before = torch.backends.cudnn.allow_tf32
    with compute.full_precision("cpu"):
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32 is before
