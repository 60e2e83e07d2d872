"""What to say to a user who may not open the database: whom to be."""

import os
import pwd
from pathlib import Path


def denied(path: Path, error: OSError) -> str:
    """Return why ``path`` cannot be opened: the system's reason, and whose it is when that is another user."""
    reason = error.strerror or str(error)
    owner = _owner(path) if isinstance(error, PermissionError) else None
    if owner is None:
        return f"cannot open {path}: {reason}"
    whom = "root" if owner == "root" else f"that user (sudo -u {owner} …) or as root"
    return f"cannot open {path}: {reason}. It belongs to {owner}: run this as {whom}"


def _owner(path: Path) -> str | None:
    """Return the name of who owns what can be seen of ``path``, the folder at least; None when it is this process's
    own user, or nobody's name."""
    for place in (path, *path.parents):
        try:
            owner = place.stat().st_uid
            return None if owner == os.geteuid() else pwd.getpwuid(owner).pw_name
        except OSError:
            continue  # not there, or in a folder that may not be entered: whose is the folder?
        except KeyError:
            return None
    return None
