"""Files that every machine of a training needs, or that each of its processes has written.

A checkpoint is written where rank 0 runs, and every process writes its random state beside it. On
machines that do not share a disk the files travel by the process group. Alone, nothing happens.
"""

from pathlib import Path
from typing import Final

import process_group
from podtune.storage.artifact_folder import sha256_file

CHUNK_BYTES: Final = 64 << 20
"""What of a file is held in memory at a time."""


def share_folder(folder: Path | None) -> Path | None:
    """The main process's folder, with the same files at the same path on every machine.

    A checkpoint is written where rank 0 runs. Machines that do not share a disk get it by the
    process group; where the files are there already, nothing is written.
    """
    if not process_group.is_together():
        return folder
    folder = process_group.share(folder)
    if folder is None:
        return None
    main = process_group.member().is_main
    names = process_group.share(
        sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    )
    for name in names if not process_group.member().is_alone else ():
        _share_file(folder / name, main)
    return folder


def collect(path: Path) -> None:
    """Every process's own file, brought to the main process's folder where it is not there yet.

    A checkpoint holds the random state of each process, which writes it on its own machine.

    Args:
        path: This process's file; small, and under another name than the others'.
    """
    if not process_group.is_together():
        return
    import torch

    main = process_group.member().is_main
    pieces: list[tuple[str, bytes]] | None = (
        [("", b"")] * process_group.member().world if main else None
    )
    torch.distributed.gather_object((path.name, path.read_bytes()), pieces, dst=0)
    for name, content in pieces or ():
        if not path.with_name(name).is_file():
            path.with_name(name).write_bytes(content)


def _share_file(path: Path, main: bool) -> None:
    size, digest = process_group.share(
        (path.stat().st_size, sha256_file(path)) if main else (0, "")
    )
    same = (
        not main and path.is_file() and path.stat().st_size == size and sha256_file(path) == digest
    )
    wanted = process_group.member().local_rank == 0 and not main and not same
    if not process_group.any_rank(wanted):
        return
    temporary = path.with_name(f".{path.name}.part")
    if wanted:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(b"")
    for offset in range(0, size, CHUNK_BYTES):
        piece = process_group.share(_piece(path, offset) if main else b"")
        if wanted:
            with temporary.open("ab") as stream:
                stream.write(piece)
    if wanted:
        temporary.replace(path)
    process_group.barrier()  # the machine's other processes find it whole


def _piece(path: Path, offset: int) -> bytes:
    with path.open("rb") as stream:
        stream.seek(offset)
        return stream.read(CHUNK_BYTES)
