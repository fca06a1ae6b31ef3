"""A folder that appears whole or not at all: written beside its place, synced, then renamed."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from mergekit_speech.errors import MsmError, OutputError

_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}


@contextmanager
def whole_folder(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Give an empty sibling folder to write into, and move it to its place when the block ends well.

    When the block raises, or is interrupted, the sibling is removed and `path` is as it was.

    Args:
        path: The folder to make; its parents are made too.
        overwrite: Replace what is there; the old folder stays until the new one is whole.

    Yields:
        The folder to write into.

    Raises:
        OutputError: `path` exists and `overwrite` is not set, it cannot be written to, or the disk is full.
    """
    check_free(path, overwrite=overwrite)
    parents = [parent for parent in path.parents if not parent.exists()]
    partial = _make_sibling(path)
    try:
        yield partial
        _sync(partial)
        _move(partial, path)
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        _remove_empty(parents)
        if isinstance(error, Exception) and not isinstance(error, MsmError) and _is_disk(error):
            raise OutputError(
                f"cannot write {path}: {_reason(error)}; make room or choose another folder, nothing was left behind"
            ) from error
        raise


def check_free(path: Path, *, overwrite: bool = False) -> None:
    """Check, before any work, that a folder may be made here.

    Raises:
        OutputError: `path` exists and `overwrite` is not set, or is no folder.
    """
    if path.exists() and not path.is_dir():
        raise OutputError(f"expected a folder to write, came {str(path)!r}, which is a file; choose another path")
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists; choose another folder, or give --overwrite to replace it")


def _make_sibling(path: Path) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent))
        # mkdtemp gives 0700; the finished folder has the rights that mkdir would have given.
        mask = os.umask(0)
        os.umask(mask)
        partial.chmod(0o777 & ~mask)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {_reason(error)}; choose another folder") from error
    return partial


def _remove_empty(folders: Sequence[Path]) -> None:
    # Somebody else may have put something into one of them meanwhile.
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


def _sync(folder: Path) -> None:
    for root, _, files in os.walk(folder):
        for name in [*files, "."]:
            descriptor = os.open(Path(root) / name, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _move(partial: Path, path: Path) -> None:
    if not path.exists():
        partial.rename(path)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".old", dir=path.parent))
    path.rename(old / path.name)
    try:
        partial.rename(path)
    except BaseException:
        (old / path.name).rename(path)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _is_disk(error: Exception) -> bool:
    # torch and safetensors report a full disk in errors of their own, as text.
    return getattr(error, "errno", None) in _DISK_ERRORS or "No space left on device" in str(error)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
