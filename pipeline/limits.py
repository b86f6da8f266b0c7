"""How far a packed file may expand before it is taken for a bomb: `[load]` of auditbook.toml. Data for load."""

from __future__ import annotations

from dataclasses import dataclass

RATIO_FROM = 64 * 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """Bytes in all, and, of a file that expands to more than `ratio_from`, bytes for each packed one."""

    max_expanded: int = 10**12
    max_ratio: int = 1000
    ratio_from: int = RATIO_FROM


DEFAULT = Limits()
