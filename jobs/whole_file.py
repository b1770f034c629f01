"""Small files that are complete under their name, or not there: pages, pictures, tables."""

import os
import platform
from pathlib import Path


def write(path: Path, content: str | bytes) -> None:
    """Write `path`, all of it or, on a full disk, nothing: what was there before stays.  Raises
    OSError.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{platform.node()}-{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
