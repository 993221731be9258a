"""The stage `generate` of an external method: find each asset's mesh, or run the command that makes it."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from jsdpipe.base.errors import UserError, printable
from jsdpipe.base.files import read_json, sha256, write_json
from jsdpipe.base.mesh_references import files_of
from jsdpipe.base.progress import progress
from jsdpipe.base.provenance import provenance
from jsdpipe.config.external import External
from jsdpipe.config.path_patterns import OUT
from jsdpipe.config.prompts import Prompt
from jsdpipe.pipeline.layout import Shard
from jsdpipe.pipeline.manifests import asset_record, write_manifest
from jsdpipe.pipeline.run import Run

ROOM = 200  # characters of a command's last words


def collect(run: Run, shard: Shard) -> None:
    """Write each asset's `asset.json`, with the hashes of its mesh's files, and the shard's manifest.

    A command is not run again for an asset that it has made; its output is `external/` beside `asset.json`, with
    `stdout.log` and `stderr.log`. An asset without a mesh is a failed record with its reason.
    """
    assets, method = list(shard.assets()), run.config.methods[shard.method]
    assert isinstance(method, External)
    records, failed = [], []
    with progress(f"generate {shard.name}", len(assets)) as advance:
        for prompt, seed in assets:
            reason = _one(run, shard, method, prompt, seed)
            records.append(asset_record(prompt, seed, reason))
            failed += [reason] if reason else []
            advance()
    if failed:
        print(f"generate {shard.name}: {len(failed)} of {len(assets)} failed, first: {failed[0]}", file=sys.stderr)
    write_manifest(run, "generate", shard, records, provenance())


def _one(run: Run, shard: Shard, method: External, prompt: Prompt, seed: int) -> str | None:
    """Have an asset's mesh, and write its `asset.json`; returns why there is none, or None."""
    mesh = method.mesh_path(run, shard, prompt, seed)
    report = run.layout.asset(shard.key(prompt.id, seed)) / "asset.json"
    reason = None
    # {out} stays, so that a run may be moved
    made_by = (
        {"command": method.command_line(run, shard, prompt, seed, f"{{{OUT}}}"), "cwd": method.cwd}
        if method.command
        else {}
    )
    if made_by and not _made(report, made_by, mesh):
        report.unlink(missing_ok=True)
        reason = _run(method.command_line(run, shard, prompt, seed, str(mesh.absolute())), method, mesh)
    elif not os.path.isfile(mesh):  # noqa: PTH113, which takes any name
        why = "matches no file, or several" if "*" in (method.path or "") else "no such file"
        reason = printable(f"{mesh}: {why}")
    content = made_by | ({} if made_by else {"mesh": str(mesh)})
    files = {} if reason else _hashes(mesh)
    write_json(report, content | {"status": "failed" if reason else "ok", "reason": reason, "files": files})
    return reason


def _hashes(mesh: Path) -> dict[str, str]:
    return {os.path.relpath(path, mesh.parent): sha256(path) for path in files_of(mesh)}


def _made(report: Path, made_by: dict[str, str], mesh: Path) -> bool:
    """Whether a command has made a mesh, which has not changed since."""
    try:
        done: dict[str, Any] = read_json(report)
    except UserError:  # missing or damaged
        return False
    return done["status"] == "ok" and made_by.items() <= done.items() and done["files"] == _hashes(mesh) != {}


def _run(line: str, method: External, mesh: Path) -> str | None:
    """Run a command in a folder of its own for what it writes; returns why it failed, or None."""
    shutil.rmtree(mesh.parent, ignore_errors=True)
    mesh.parent.mkdir(parents=True)
    stdout, stderr = mesh.with_name("stdout.log"), mesh.with_name("stderr.log")
    with stdout.open("wb") as out, stderr.open("wb") as err, _signals_as_exceptions():
        process = subprocess.Popen(
            ["bash", "-c", line], cwd=method.cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=err, process_group=0
        )
        try:
            status = process.wait(method.timeout_s)
        except subprocess.TimeoutExpired:
            return f"the command took more than {method.timeout_s:g} s and was stopped"
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)  # and what it has started
                process.wait()
    if status:
        return f"the command ended with status {status}: {_last_line(stderr)}"
    return None if mesh.is_file() else f"the command wrote no {mesh.name}: {_last_line(stderr)}"


@contextmanager
def _signals_as_exceptions() -> Iterator[None]:
    """Have SIGTERM and SIGHUP raise SystemExit, as SIGINT raises KeyboardInterrupt, so that a command ends with us."""

    def stop(number: int, _: FrameType | None) -> None:
        sys.exit(128 + number)

    heeded = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return printable(lines[-1].strip()[:ROOM]) if lines else "it said nothing on stderr"
