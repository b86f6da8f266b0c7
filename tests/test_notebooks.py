"""Every notebook runs from the first cell to the last and shows what it says, and none is committed with outputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))
# What the cell that ends in these words must show.
SHOWN = {
    "first_look": {
        "log": ["5,495 events", "craftstage"],
        'deletions.by("actor_name", "source", "source_ip")': ["Caleb Whitaker"],
        ")": ["Contact Deleted", "weekend"],
        "log.findings().limit(10)": ["Many records deleted in a short time", "10 rows"],
        'log.events(actor_type="user").heatmap()': ["outside working hours", "<svg"],
    },
    "investigate_an_incident": {
        'log.findings(severity=["critical", "high"])': ["Many records deleted in a short time"],
        "night.timeline()": ["<svg", "bswagic, 21 Oct 23:00: 31 events", "Events by hour and source"],
        "strange.limit(12)": ["Contact Exported", "12 rows"],
        'log.events(since="2026-10-01", actor_type="user").shared_ips()': ["203.0.113.10", "Nkechi Obi"],
        "log.sql(\"SELECT DISTINCT person FROM events JOIN actors USING (actor_key) WHERE source_ip = '192.0.2.214'\")":
            ["caleb@fernhollow.example", "1 row"],
        "log.event(bulk)": ["sku.delete", "raw line: printago.jsonl, line 398"],
        'print(json.dumps({name: manifest[name] for name in ("rows", "sha256", "by_source", "store")}, indent=1))':
            ['"rows": 36', '"sha256": "', '"bswagic": 34', '"head": "'],
        'log.events(uids=finding["events"]).write(folder / "case-4411.pdf").name': ["'case-4411.pdf'"],
        "found.ok": ["True"],
    },
    "baseline_of_a_person": {
        "theirs.heatmap()": ["42 events, 2 outside working hours", "Wednesday 02:00–02:59: 2 events"],
        "theirs.timeline()": ["oncloudwine", "Events by day and source"],
        "outside": ["02:00:00", "Setting Updated", "2 rows"],
        'log.events(actor_type="user").matrix("actor", "action")': ["Theo Brandt, login: 22 events"],
    },
    "tune_a_detector": {
        'log.evaluate("failed_job")': ["would give 3 findings", "it gives 3"],
        "tried": ["would give 1 finding;", "it gives 3", "min_failures = 2", "(was 1)"],
        "tried.gone": ["2 rows", "gone"],
        "loose": ["would give 2 findings", "only here"],
        "    print(error)": ["treshold: no such parameter. Known are: threshold, window_minutes"],
        "    print(f\"{name} = {tried.parameters[name]}\")": ["[detectors.failed_job]\nmin_failures = 2\n"],
    },
}  # fmt: skip


def test_every_notebook_is_run() -> None:
    assert {path.stem for path in NOTEBOOKS} == set(SHOWN)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_stripped(path: Path) -> None:
    cells = json.loads(path.read_text("utf-8"))["cells"]
    assert [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")] == []


@pytest.mark.filterwarnings("default")  # what ipykernel warns about is not ours to mend
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_shows_what_it_says(path: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)

    NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(tmp_path)}}).execute()

    shown: dict[str, str] = {}
    for cell in notebook.cells:
        if cell.get("outputs"):
            shown.setdefault(cell.source.splitlines()[-1], "")
            shown[cell.source.splitlines()[-1]] += "".join(map(_text, cell.outputs))
    for last, words in SHOWN[path.stem].items():
        for said in words:
            assert said in shown[last], (last, said, shown[last][:2000])


def _text(output: Any) -> str:
    if output.output_type == "stream":
        return str(output.text)
    return str(output.data.get("text/html") or output.data.get("text/plain"))
