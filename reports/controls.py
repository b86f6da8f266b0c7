"""The control matrix: which controls the rules speak to, and what can be said of each. Never that one is met."""

from __future__ import annotations

from dataclasses import dataclass

from reports.findings import Finding, Findings
from reports.method import Rule
from reports.sight import Unseen
from reports.text import count, listed

FRAMEWORKS = {
    "soc2": "SOC 2",
    "iso27001": "ISO/IEC 27001:2022",
    "pci": "PCI DSS 4.0.1",
    "hipaa": "HIPAA 45 CFR",
    "nist": "NIST SP 800-53 Rev. 5",
}


NOBODY_SAYS = "no source says what the rules need"


@dataclass(frozen=True)
class Control:
    id: str
    status: str
    why: str
    rules: tuple[Rule, ...]
    findings: tuple[Finding, ...]

    @property
    def evaluated(self) -> tuple[Rule, ...]:
        """The rules that looked at some source."""
        return tuple(rule for rule in self.rules if rule.count("evaluated"))

    @property
    def widest(self) -> Rule | None:
        """The rule that looked at most events: what one rule saw another saw too, so they are not added up."""
        return max(self.evaluated, key=lambda rule: rule.in_scope, default=None)

    @property
    def remark(self) -> str:
        """What the status, the numbers and the note below the table do not say already."""
        plain = self.status in ("evidence present", "needs review") or self.why == NOBODY_SAYS
        return "" if plain else self.why

    @property
    def undecided(self) -> int:
        return sum(finding.undecided for finding in self.findings)


@dataclass(frozen=True)
class Framework:
    title: str
    controls: tuple[Control, ...]


def controls(rules: tuple[Rule, ...], found: Findings, unseen: Unseen, entries: int) -> tuple[Framework, ...]:
    """Every control that a rule names, frameworks in a fixed order; `entries` are the events of the period."""
    blind = unseen.short or ("" if entries else "no event in this period")
    named: dict[str, dict[str, list[Rule]]] = {framework: {} for framework in FRAMEWORKS}
    for rule in rules:
        for framework, ids in rule.controls:
            for control in ids:
                named.setdefault(framework, {}).setdefault(control, []).append(rule)
    return tuple(
        Framework(
            FRAMEWORKS.get(framework, framework),
            tuple(
                _control(control, by_control[control], found, blind)
                for control in sorted(by_control, key=_natural)
            ),
        )
        for framework, by_control in named.items()
        if by_control
    )


def _control(control: str, rules: list[Rule], found: Findings, blind: str) -> Control:
    names = {rule.id for rule in rules}
    raised = tuple(f for f in (*found.full, *found.brief) if f.rule in names and f.state != "withdrawn")
    status, why = _status(rules, raised, blind)
    return Control(control, status, why, tuple(rules), raised)


def _status(rules: list[Rule], raised: tuple[Finding, ...], blind: str) -> tuple[str, str]:
    """Exceptions are what somebody confirmed; what nobody decided yet needs review; `blind` is what nobody saw."""
    failed = [rule.id for rule in rules if rule.status == "failed"]
    confirmed = sum(f.confirmed for f in raised)
    undecided = sum(f.undecided for f in raised)
    told = [
        f"{count(confirmed, 'finding')} confirmed" if confirmed else "",
        f"{count(undecided, 'finding')} to decide" if undecided else "",
        f"{listed(failed)} failed" if failed else "",
        *(f"{rule.id} is {rule.idle}" if rule.idle == "disabled" else "" for rule in rules),
    ]
    evaluated = any(rule.count("evaluated") for rule in rules)
    if confirmed or (failed and evaluated):
        status = "exception"
    elif undecided:
        status = "needs review"
    elif blind or not evaluated:
        status = "not evaluated"
        told += [blind or ("" if any(told) else NOBODY_SAYS)]
    else:
        status = "evidence present"
        told = [_looked(rules), *told]
    return status, "; ".join(part for part in told if part)


def _looked(rules: list[Rule]) -> str:
    """What the evaluation says: it looks at everything there is, whatever the period of the report."""
    ran = [rule for rule in rules if rule.count("evaluated")]
    unable = sum(rule.count("not_evaluable") > 0 for rule in rules)
    looked = (
        f"{len(ran)} of {count(len(rules), 'rule')} evaluated, on up to "
        f"{count(max(rule.in_scope for rule in ran), 'event')} in the whole store; nothing undecided"
    )
    return looked + (f"; {count(unable, 'rule')} not evaluable in a source" if unable else "")


def _natural(text: str) -> list[tuple[int, int, str]]:
    """10.2 comes after 9.1."""
    parts = text.replace("(", ".").replace(")", "").replace("-", ".").split(".")
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts]
