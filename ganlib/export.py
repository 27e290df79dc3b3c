"""A generator for the world outside PyTorch: ONNX (https://onnx.ai), which browsers, phones and other languages run."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import torch
from torch import Tensor, nn

from .engine import Game

__all__ = ["onnx"]


def onnx(game: Game, path: str | Path) -> Path:
    """Write the averaged generator of a game, in evaluation mode and full precision, as an ONNX model.

    The model takes batches of any length N: `z` (N, latent) float32, standard normal or what else the game draws; of a
    game that translates, `inputs` (N, …) float32 before it; of a conditional one, `labels` (N,) int64 after it. It
    returns `samples` (N, …) float32. It is a function: Dropout that a game keeps on as its noise is off in it.

    Args:
        game: any game.
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
    net = game.generator if game.average is None else game.average
    classes = getattr(net, "classes", None)
    if isinstance(net, nn.ModuleDict):  # translators there and back
        net = net["generator"]
    given = _example(game, classes)
    batch = torch.export.Dim("batch", min=1)
    was_training = net.training
    net.eval()
    try:
        program = torch.export.export(net, tuple(given.values()), dynamic_shapes=[{0: batch}] * len(given), strict=True)
        model = torch.onnx.export(
            program, input_names=list(given), output_names=["samples"], dynamo=True, verbose=False
        )
    except (torch.onnx.errors.OnnxExporterError, torch._dynamo.exc.TorchDynamoException) as error:
        raise RuntimeError(f"{type(net).__name__} cannot be written as ONNX: {error}") from error
    finally:
        net.train(was_training)
    assert model is not None
    temporary = path.with_name(f".{path.name}.part")
    try:
        model.save(str(temporary))
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _example(game: Game, classes: int | None, n: int = 3) -> dict[str, Tensor]:
    """What the generator is given, by name, in its order."""
    batch = game.draw(next(iter(game.players)))
    given: dict[str, Tensor] = {}
    if game._sampler is not None:
        given["inputs"] = (batch.real if batch.inputs is None else batch.inputs)[:n]
    if game.latent:
        given["z"] = batch.z[:n]
    if classes is not None:
        given["labels"] = torch.zeros(n, dtype=torch.int64, device=game.device)
    return given
