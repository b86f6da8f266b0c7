"""Abbreviations of zones behind a local time that the engine does not know, or takes for another place."""

from __future__ import annotations

from pipeline.modifiers import quote

# Summer time above all: ICU knows PST, and not PDT. BST is London's here; the engine would take it for Dhaka's.
OFFSETS = {
    "EDT": "-0400",
    "CDT": "-0500",
    "MDT": "-0600",
    "PDT": "-0700",
    "AKDT": "-0800",
    "WEST": "+0100",
    "BST": "+0100",
    "CEST": "+0200",
    "EEST": "+0300",
    "AEST": "+1000",
    "AEDT": "+1100",
    "NZDT": "+1300",
}


def with_offset(raw: str) -> str:
    """SQL: the text with its abbreviation as an offset; null where it ends with none of them."""
    named = f"regexp_extract({raw}, ' ({'|'.join(OFFSETS)})$', 1)"
    cases = " ".join(f"WHEN {quote(name)} THEN {quote(offset)}" for name, offset in OFFSETS.items())
    return f"regexp_replace({raw}, '[A-Z]+$', CASE {named} {cases} END)"
