"""Every notebook runs from the first cell to the last, and none is committed with its outputs."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))


def test_there_are_notebooks() -> None:
    assert [path.name for path in NOTEBOOKS] == ["first_look.ipynb"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_stripped(path: Path) -> None:
    cells = json.loads(path.read_text("utf-8"))["cells"]
    assert [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")] == []


@pytest.mark.filterwarnings("default")  # what ipykernel warns about is not ours to mend
def test_first_look_leads_from_a_finding_to_its_lines(tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOKS[0], as_version=4)

    NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(tmp_path)}}).execute()

    shown = {
        cell.source.splitlines()[-1]: cell.outputs[-1].data for cell in notebook.cells if cell.get("outputs")
    }
    assert "events" in shown["log"]["text/plain"]
    assert "Caleb Whitaker" in shown['deletions.by("actor_name", "source", "source_ip")']["text/html"]
    assert "Contact Deleted" in str(shown[")"])
