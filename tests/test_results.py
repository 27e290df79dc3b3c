"""Tables over seeds come from their chapters' cells as these are now, are whole, and say where they were measured."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import results as tool
import torch
from torch import nn

from ganlib import compare, results


@pytest.mark.parametrize("name", tool.names() or ["none"])
def test_a_table_comes_from_the_cells_of_its_chapter(name: str) -> None:
    if name == "none":
        assert results.names() == []
        return
    code = tool.cells(name)
    kept = json.loads((tool.RESULTS / f"{name}.json").read_text(encoding="utf8"))
    assert kept["digest"] == tool.digest(code), f"the cells have changed: python tools/results.py {name}"
    namespace: dict[str, Any] = {"__name__": name}
    for cell in code:
        exec(compile(cell, name, "exec"), namespace)
    cases = namespace["cases"]()
    assert len(kept["rows"]) == len(cases)
    assert all(any(case.items() <= row.items() for row in kept["rows"]) for case in cases)
    assert {"date", "commit", "machine", "versions"} <= set(kept["about"])
    files = tool.RESULTS / name
    named = {
        row[key.removesuffix("_digest")]: mark
        for row in kept["rows"]
        for key, mark in row.items()
        if key.endswith("_digest")
    }
    found = {f.name: hashlib.sha256(f.read_bytes()).hexdigest()[:16] for f in files.glob("*")}
    assert found == named, "a network is the one that was trained with its row, and none is left over"
    table = results.load(name)
    assert len(table) == len(cases) and table.attrs["about"] == kept["about"]


def test_every_table_has_its_chapter() -> None:
    assert results.names() == tool.names()


def test_rows_of_chapter_15_that_no_claim_reads_say_what_its_text_says() -> None:
    wall = results.load("15_image_to_image").query("task == 'wall'")
    rows = {name: part.set_index("seed") for name, part in wall.groupby("machine")}
    blind, modern = "blind D, λ = 0", "RpGAN + R1 + R2, λ = 10"
    assert (rows[blind]["error"] > rows["pix2pix, λ = 0"]["error"]).all(), "a blind D raises the error on every seed"
    for key in ("error", "edges", "spread"):
        pair = rows[modern][key], rows["pix2pix, λ = 10"][key]
        assert not compare.paired(*pair, comparisons=6).differs, "RpGAN + R1 + R2: nothing that five seeds could show"


def test_an_unknown_table_is_refused() -> None:
    with pytest.raises(ValueError, match="name='07_collapse' is not known"):
        results.load("07_collapse")


def test_tables_are_kept_row_by_row_and_follow_their_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "chapters").mkdir()
    notebook, log = tmp_path / "chapters" / "99_try.ipynb", tmp_path / "log"

    def write(*code: str, text: str = "") -> None:
        tagged = [{"cell_type": "code", "metadata": {"tags": ["results"]}, "source": text + c} for c in code]
        plain = {"cell_type": "code", "metadata": {}, "source": "1 / 0"}
        notebook.write_text(json.dumps({"cells": [plain, *tagged]}), encoding="utf8")

    def rows() -> list[dict[str, Any]]:
        tool.compute("99_try")
        return json.loads((tmp_path / "99_try.json").read_text(encoding="utf8"))["rows"]

    def measured() -> int:
        return len(log.read_text().splitlines())

    monkeypatch.setattr(tool, "ROOT", tmp_path)
    monkeypatch.setattr(tool, "RESULTS", tmp_path)
    cases = "def cases():\n    return [{'method': m, 'seed': s} for m in 'ab' for s in range(2)]"
    measure = (
        f"def measure(method, seed):\n    print(method, file=open({str(log)!r}, 'a'))\n    return {{'x': seed * 2}}"
    )
    write(cases, measure.replace("return", "assert method == 'a'\n    return"))
    with pytest.raises(AssertionError):
        tool.compute("99_try")
    kept = json.loads((tmp_path / "99_try.json").read_text(encoding="utf8"))["rows"]
    assert kept == [{"method": "a", "seed": 0, "x": 0}, {"method": "a", "seed": 1, "x": 2}]
    write(cases, measure)
    assert len(rows()) == 4 and measured() == 3 + 4  # the cells have changed: all of them again
    write(cases, measure, text="# a remark\n")
    assert len(rows()) == 4 and measured() == 7  # nothing that counts has
    write(cases.replace("'ab'", "'b'"), measure)
    assert [row["method"] for row in rows()] == ["b", "b"]


def test_a_further_table_leaves_the_first_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = "def cases():\n    return [{'seed': 0}]\ndef measure(seed):\n    return {'x': 1}"
    further = "def cases():\n    return [{'patch': 7}]\nbefore = measure\ndef measure(patch):\n    return before(0)"
    (tmp_path / "chapters").mkdir()
    cells = [
        {"cell_type": "code", "metadata": {"tags": ["hide-input", tag]}, "source": code}
        for tag, code in (("results", first), ("results-patches", further))
    ]
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    monkeypatch.setattr(tool, "RESULTS", tmp_path)
    (tmp_path / "chapters" / "99_try.ipynb").write_text(json.dumps({"cells": cells[:1]}), encoding="utf8")
    alone = tool.digest(tool.cells("99_try"))
    (tmp_path / "chapters" / "99_try.ipynb").write_text(json.dumps({"cells": cells}), encoding="utf8")
    assert tool.names() == ["99_try", "99_try-patches"]
    assert tool.cells("99_try") == [first] and tool.digest(tool.cells("99_try")) == alone
    assert tool.cells("99_try-patches") == [first, further]
    tool.compute("99_try-patches")
    kept = json.loads((tmp_path / "99_try-patches.json").read_text(encoding="utf8"))
    assert kept["rows"] == [{"patch": 7, "x": 1}]


def test_a_network_that_was_trained_is_kept_beside_its_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def make(seed: int) -> nn.Module:
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))

    (tmp_path / "assets" / "results").mkdir(parents=True)
    monkeypatch.setattr(tool, "RESULTS", tmp_path / "assets" / "results")
    monkeypatch.setattr("ganlib.book.results.files", lambda package: tmp_path)
    row = tool.kept("99_try", {"method": "a", "seed": 5}, {"x": 0.5, "network": make(5)})
    assert row["network"] == "a-5-network.safetensors" and row["x"] == 0.5 and len(row["network_digest"]) == 16
    (tool.RESULTS / "99_try.json").write_text("{}", encoding="utf8")
    restored = results.restore(make(6), "99_try", row["network"])
    assert not restored.training
    for ours, theirs in zip(restored.parameters(), make(5).parameters(), strict=True):
        assert torch.equal(ours, theirs.half().float())
    with pytest.raises(ValueError, match="file='b' is not known; choose one of: a-5-network.safetensors"):
        results.restore(make(6), "99_try", "b")
    with pytest.raises(RuntimeError, match="size mismatch"):
        results.restore(nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)), "99_try", row["network"])
    monkeypatch.setattr(tool, "LIMIT", 100)
    with pytest.raises(ValueError, match="99_try: a-5-network.safetensors has .* bytes; the limit is 100"):
        tool.kept("99_try", {"method": "a", "seed": 5}, {"network": make(5)})
