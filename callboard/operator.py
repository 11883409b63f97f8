"""The operator: who may read the data directory may use the command line on a running server, without a key."""

import getpass
import hmac
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from callboard.api.access import Principal
from callboard.api.gate import Authenticate
from callboard.keys import find_principal
from memory.store import Store

OPERATOR_KEY_FILE = "operator.key"


@contextmanager
def lend_operator_key(data_dir: Path) -> Iterator[str]:
    """A key for this machine's operator, in a file of the private data directory for as long as the server runs."""
    key = f"cb_operator_{secrets.token_urlsafe(32)}"
    path = data_dir / OPERATOR_KEY_FILE
    path.unlink(missing_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(file, key.encode())
    finally:
        os.close(file)
    try:
        yield key
    finally:
        path.unlink(missing_ok=True)


def authenticator(store: Store, *, operator_key: str) -> Authenticate:
    """Says who holds a key: the operator, or whom the records name."""
    operator = Principal(name=f"operator {_user()}", role="admin")

    async def authenticate(key: str) -> Principal | None:
        if hmac.compare_digest(key.encode(), operator_key.encode()):
            return operator
        return await store.read(lambda unit: find_principal(unit, key=key))

    return authenticate


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user may have no name.
        return str(os.getuid())
