"""`./dev mutate [MODULE …] [--sample N] [--seed S] [--jobs J]`: changes that no test notices.

Each change is made in a copy of the tree, and the module's tests (`table.toml`) run there until one fails.
Exit status 1 when one of twenty or more goes unnoticed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import queue
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.mutation.mutants import Mutant, mutants

ROOT = Path(__file__).parent.parent.parent
TABLE: dict[str, Any] = tomllib.loads(Path(__file__).with_name("table.toml").read_text())
MOST = 1 / 20
NOT_COPIED = (".git", ".venv", ".windows", "dist", "build", ".*_cache", ".hypothesis", "__pycache__")


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev mutate", description=__doc__)
    parser.add_argument(
        "modules", nargs="*", metavar="MODULE", help="of table.toml, as sync/opening; without: all"
    )
    parser.add_argument(
        "--sample", type=int, default=40, metavar="N", help="so many of a module's changes (40)"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    for module in options.modules:
        if module not in TABLE["tests"]:
            parser.error(f"{module} is not in the table: {', '.join(TABLE['tests'])}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the copy goes
    with tempfile.TemporaryDirectory(prefix="mutate-", ignore_cleanup_errors=True) as folder:
        trees = [Path(folder) / str(number) for number in range(options.jobs)]
        for tree in trees:
            shutil.copytree(ROOT, tree, symlinks=True, ignore=shutil.ignore_patterns(*NOT_COPIED))
        modules = options.modules or TABLE["tests"]
        good = [examine(module, trees, options.sample, options.seed) for module in modules]
    return 0 if all(good) else 1


def examine(module: str, trees: list[Path], sample: int, seed: int) -> bool:
    """Print which changes of a module no test notices; whether they are few enough."""
    source = (ROOT / "fieldkit" / f"{module}.py").read_text()
    all_of_it = mutants(source)
    equivalent = {
        (change["was"], change["now"]) for change in TABLE.get("equivalent", ()) if change["module"] == module
    }
    stale = equivalent - {(mutant.was, mutant.now) for mutant in all_of_it}
    for was, now in sorted(stale):
        print(f"{module}: named as equivalent, and no longer a change of it: {was!r} to {now!r}")
    differing = [mutant for mutant in all_of_it if (mutant.was, mutant.now) not in equivalent]
    chosen = random.Random(seed).sample(differing, min(sample, len(differing)))
    limit = 0.0
    for tree in trees:
        since = time.monotonic()
        if not passes(tree, module, source, 1800):
            print(f"{module}: its tests fail without any change")
            return False
        limit = max(limit, 10 + 3 * (time.monotonic() - since))
    free: queue.SimpleQueue[Path] = queue.SimpleQueue()
    for tree in trees:
        free.put(tree)

    def survives(mutant: Mutant) -> bool:
        tree = free.get()
        try:
            return passes(tree, module, mutant.source, limit)
        finally:
            free.put(tree)

    with ThreadPoolExecutor(len(trees)) as pool:
        outcomes = list(pool.map(survives, chosen))
    survivors = [mutant for mutant, survived in zip(chosen, outcomes, strict=True) if survived]
    for mutant in survivors:
        print(f"\n{module} {mutant.diff}")
    print(
        f"{module}: {len(survivors)} of {len(chosen)} changes go unnoticed"
        f" ({len(all_of_it)} possible, {len(equivalent)} of them change nothing)",
        flush=True,
    )
    return not stale and len(survivors) < max(1, MOST * len(chosen))


def passes(tree: Path, module: str, source: str, limit: float) -> bool:
    """Whether the module's tests pass in `tree` with this source; a run without an end does not."""
    target = tree / "fieldkit" / f"{module}.py"
    target.write_text(source)
    for stale in (target.parent / "__pycache__").glob(f"{target.stem}.*.pyc"):
        stale.unlink()
    tests = [*TABLE["tests"][module], "-x", "-q", "-p", "no:cacheprovider", "--basetemp", str(tree / "tmp")]
    tests.append("--hypothesis-profile=few")  # the same examples for every change
    environment = os.environ | {"PYTHONPATH": str(tree)}
    run = subprocess.Popen(
        [sys.executable, "-m", "pytest", *tests],
        cwd=tree,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return run.wait(limit) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
        run.wait()


if __name__ == "__main__":
    sys.exit(main())
