"""Another signing key: introduced by a commit that the one before signed, so that whoever trusts that trusts this."""

from __future__ import annotations

from pathlib import Path

from pipeline import catalog, signing
from pipeline import store as stores
from pipeline.config import Config
from pipeline.errors import UsageError
from pipeline.lock import locked


def rotate(store: Path | str, config: Config, to: str) -> stores.Commit:
    """Commit, signed with the configured key, that the next commits are signed with another one."""
    path = Path(store)
    stores.require(path)
    following = signing.public_key(to)
    if not config.signing.wanted:
        raise UsageError("[signing] names no key that could introduce another.", hint=signing.HINT)
    with locked(path, wait=10.0):
        chain = stores.commits(path)
        done = stores.commit(path, "key", {"next_key": following}, lambda folder: {}, signing=config.signing)
        catalog.publish(path, catalog.recorded_config(chain))
    return done
