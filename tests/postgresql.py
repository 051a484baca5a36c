"""A PostgreSQL server of its own for a test, where the machine has the program."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/local/pgsql/bin", "/opt/homebrew/bin")


def folder_of_programs() -> Path | None:
    """Find initdb and pg_ctl on the path, or where packages put them."""
    on_path = shutil.which("initdb")
    places = [Path(on_path).resolve().parent] if on_path else []
    places += [found for place in _PLACES for found in sorted(Path("/").glob(place[1:]))]
    return next((each for each in places if (each / "pg_ctl").exists()), None)


@contextmanager
def server(programs: Path) -> Iterator[str]:
    """Run a server on a free port; give its URI."""
    as_user = {"user": "postgres"} if os.geteuid() == 0 else {}  # root may not run it
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        data = Path(folder, "data")
        if as_user:
            shutil.chown(folder, user="postgres")

        def run(program: str, *arguments: str) -> None:
            subprocess.run(
                [programs / program, "-D", data, *arguments],
                check=True,
                stdout=subprocess.DEVNULL,
                cwd=folder,
                **as_user,  # type: ignore[call-overload] # one keyword or none
            )

        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        run("initdb", "--auth=trust", "--username=shop", "--encoding=UTF8", "--no-sync")
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        run("pg_ctl", "start", "-w", "-o", options, "-l", f"{folder}/log")
        try:
            yield f"postgresql://shop:secret@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "stop", "-m", "immediate")
