"""The one error that people see: where, what, and how to mend it. Used by every stage."""

from __future__ import annotations


class AuditbookError(Exception):
    """Something a person can act on; `exit_code` is what the command leaves behind."""

    exit_code = 1

    def __init__(
        self, message: str, *, path: object = None, line: int | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.line = line
        self.hint = hint

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the sentence, and not where in our code it came up."""
        return [str(self)]

    def __str__(self) -> str:
        where = "" if self.path is None else str(self.path)
        if self.line is not None:
            where += f":{self.line}"
        return " ".join(part for part in (where, self.message, self.hint) if part)


class UsageError(AuditbookError):
    """What was typed cannot be done; nothing was started."""

    exit_code = 2


class VerificationError(AuditbookError):
    """The chain does not hold."""

    exit_code = 5


class StoreBusyError(AuditbookError):
    """Another run holds the store."""

    exit_code = 6
