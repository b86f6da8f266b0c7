"""Somebody outside is told of each new head, so that a chain that is cut later is found. After the commits are made."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from pipeline import store as stores
from pipeline.errors import AuditbookError
from pipeline.signing import Signing

PATIENCE = 60.0


def tell(store: Path, settings: Signing) -> None:
    """Run the configured command with the newest head on its standard input; that it failed is an error."""
    chain = stores.commits(store) if settings.witness else []
    if not chain:
        return
    newest = chain[-1]
    told = {
        "commit": newest.number, "head": newest.head, "seal": newest.record["seal"],
        "signature": newest.record.get("signature"), "public_key": newest.record["run"].get("signed_with"),
    }  # fmt: skip
    try:
        subprocess.run(
            list(settings.witness), input=json.dumps(told) + "\n", text=True, capture_output=True, check=True,
            timeout=PATIENCE,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        why = (
            f"exit {error.returncode}"
            if isinstance(error, subprocess.CalledProcessError)
            else type(error).__name__
        )
        raise AuditbookError(
            f"the witness was not told of head {newest.head[:12]} ({settings.witness[0]}: {why}).",
            hint="What was done is committed; the next run tells it the newest head.",
        ) from error
