"""Rules of one's own: those in the folder of [detectors] path, which win over ours, and those that a store ran.

A file that is wrong is a rule that fails, not a night that is lost. The chain keeps the text of each that was
evaluated, so that reports can be made again without the folder.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from pipeline import detector
from pipeline.config_file import own_rules
from pipeline.detector import Detector
from pipeline.errors import AuditbookError, UsageError
from pipeline.store import Commit

_ID = re.compile(r"[a-z][a-z0-9_]*")


def known(folder: Path | None) -> dict[str, Detector]:
    """Ours, and over them those of a folder of the user's own, by id."""
    return dict(sorted({**detector.shipped(), **own(folder)}.items()))


def own(folder: Path | None) -> dict[str, Detector]:
    """The rules of a folder as they are now, by id."""
    if folder is None:
        return {}
    if not folder.is_dir():
        hint = "[detectors] path names the folder of your own rules."
        raise UsageError("is not a folder.", path=folder, hint=hint)
    return {path.stem: _read_now(path) for path in own_rules(folder)}


def origin(one: Detector, folder: Path | None) -> str:
    """Where a rule is from: what `detectors list` and `show` say."""
    if one.id not in own(folder):
        return "auditbook"
    return "own, instead of auditbook's" if one.id in detector.shipped() else "own"


def _read_now(path: Path) -> Detector:
    try:
        content = path.read_bytes()
    except OSError as error:
        return _broken(path, b"", f"{path}: cannot be read: {error.strerror}.")
    return _read(path, content)


@cache
def _read(path: Path, content: bytes) -> Detector:
    try:
        if not _ID.fullmatch(path.stem):
            hint = "Lower-case letters, digits and _, like many_refunds.sql."
            raise AuditbookError("has a name that is no rule's id.", path=path, hint=hint)
        return detector.read(path)
    except AuditbookError as error:
        return _broken(path, content, str(error))


def _broken(path: Path, content: bytes, error: str) -> Detector:
    """What stands for a rule whose file cannot be read: it is recorded as failed."""
    return Detector(
        id=path.stem, title="A rule that cannot be read", severity="info", version=0, why="", false_positives="",
        next_steps="", controls={}, scope="true", needs=(), classes=(), attack=(), requires=(), baseline_days=0,
        baseline_parameter=None, parameters={}, sql="", sha256=hashlib.sha256(content).hexdigest(), path=str(path),
        error=error,
    )  # fmt: skip


def texts(rules: Iterable[Detector], chain: Sequence[Commit]) -> dict[str, str]:
    """The texts of rules that are not ours and that no commit keeps yet, by their sha256."""
    kept = {one.sha256 for one in detector.shipped().values()} | _kept(chain).keys()
    return {one.sha256: one.sql for one in rules if one.sha256 not in kept and not one.error}


def ran(chain: Sequence[Commit]) -> dict[str, Detector]:
    """Ours, and over them those that the newest evaluation ran of the user's own, as it ran them; of one that failed in
    it, as it ran before: what it found then stands."""
    evaluations = [link.content for link in reversed(chain) if link.kind == "detect"]
    found, kept = dict(detector.shipped()), _kept(chain)
    for name in evaluations[0].get("rules", {}) if evaluations else ():
        worked = (
            one["rules"][name] for one in evaluations if name in one.get("bases", {}) and name in one["rules"]
        )
        digest = next(worked, evaluations[0]["rules"][name])
        if digest in kept:
            found[name] = detector.parse(kept[digest], name=name, path=f"{name}.sql", check=False)
    return dict(sorted(found.items()))


def _kept(chain: Sequence[Commit]) -> Mapping[str, str]:
    return {digest: text for link in chain for digest, text in link.content.get("rule_texts", {}).items()}
