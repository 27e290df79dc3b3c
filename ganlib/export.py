"""A generator for the world outside PyTorch: ONNX (https://onnx.ai), which browsers, phones and other languages run."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path

import torch
from torch import Tensor

from .engine import Game
from .generator import Generator, at_rest

__all__ = ["onnx"]


def onnx(generator: Game | Generator, path: str | Path) -> Path:
    """Write a generator, of a game the averaged one, in evaluation mode and full precision, as ONNX.

    The model takes batches of any length N: `z` (N, latent) float32, standard normal or what else the prior draws; of
    one that translates, `inputs` (N, …) float32 before it; of a conditional one, `labels` (N,) int64 after it. It
    returns `samples` (N, …) float32, of images in [-1, 1], as `inputs` are: 127.5 · (samples + 1) are shades from 0 to
    255. Its metadata hold the names of the `classes`, as JSON, and its doc string says these scales. It is a function:
    Dropout that a game keeps on as its noise is off in it.

    Args:
        generator: a game, or a `Generator` such as `ganlib.load` returns.
        path: the file, which must not exist yet.

    Returns:
        The path written.

    Raises:
        FileExistsError: there is something at `path`.
        ModuleNotFoundError: the packages onnx and onnxscript, which torch writes ONNX with, are missing.
        RuntimeError: the generator does something that torch cannot express in ONNX.
    """
    path = Path(path)
    if path.exists():
        raise FileExistsError(f"{path} exists: choose another name")
    for package in ("onnx", "onnxscript"):
        if importlib.util.find_spec(package) is None:
            raise ModuleNotFoundError(f"{package} is needed for an export and not installed: pip install {package}")
    made = generator.snapshot() if isinstance(generator, Game) else generator
    net, given = made.maker, _example(made)
    batch = torch.export.Dim("batch", min=1)
    with at_rest(net):
        with torch.no_grad():
            if not torch.equal(net(*given.values()), net(*given.values())):
                raise RuntimeError(
                    f"{type(net).__name__} draws numbers of its own, and so is no function of its inputs: take its "
                    f"noise from further entries of z, or draw none where it is in evaluation mode"
                )
        try:
            program = torch.export.export(
                net, tuple(given.values()), dynamic_shapes=[{0: batch}] * len(given), strict=True
            )
            model = torch.onnx.export(
                program, input_names=list(given), output_names=["samples"], dynamo=True, verbose=False
            )
        except (torch.onnx.errors.OnnxExporterError, torch._dynamo.exc.TorchDynamoException) as error:
            raise RuntimeError(f"{type(net).__name__} cannot be written as ONNX: {error}") from error
    assert model is not None
    model.model.doc_string = (
        "Images, taken or returned, are float32 (N, C, H, W) in [-1, 1]; points are as in the data."
    )
    if made.classes:
        model.model.metadata_props["classes"] = json.dumps(made.classes)
    temporary = path.with_name(f".{path.name}.part")
    try:
        model.save(str(temporary))
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _example(made: Generator, n: int = 3) -> dict[str, Tensor]:
    """What the generator is given, by name, in its order."""
    kinds = {
        "inputs": torch.zeros(n, *made.shape),
        "z": made.draw(n, torch.Generator()),
        "labels": torch.zeros(n, dtype=torch.int64),
    }
    return {name: kinds[name].to(made.device) for name in made.takes}
