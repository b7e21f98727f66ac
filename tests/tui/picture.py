"""Make the picture in README: the visit screen after the test signatures, drawn by the app itself.

python -m tests.tui.picture docs/visit.svg
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from fieldkit import demo, i18n
from fieldkit.cli.console import Console
from fieldkit.home import Home
from fieldkit.journal.store import Store
from fieldkit.tui.terminal.link import TerminalLink
from fieldkit.visit.guide import guide
from fieldkit.visit.visits import Visits

SIZE = (100, 30)
STEPS = ("machine", "driver", "token", "signature")


async def _played(home: Home) -> str:
    """The sample visit as far as its test signatures."""
    laid = demo.lay_out(home)
    with Store.open(home.store) as store:
        visits = Visits(store, home, "Cán bộ kỹ thuật MẪU")
        visit = demo.open_visit(visits)
        script = demo.Script(
            lambda _: None,
            demo.answers(laid, demo.BUREAU),
            laid.password,
            Console(yes=False, secret_files={}),
        )
        for step in STEPS:
            await guide(visits, visit, script, step=step)
        visits.remember(visit, "test_signature")
    return visit


async def _drawn(home: Home, visit: str) -> str:
    from fieldkit.tui.app import FieldkitApp

    app = FieldkitApp(home, link=TerminalLink(colours="truecolor"), visit=visit)
    async with app.run_test(size=SIZE) as pilot:
        for _ in range(100):
            await pilot.pause(0.05)
            if app.front is not None and not app.front.holding and "17" in app.front.status_text:
                break
        return app.export_screenshot(title="fieldkit")


def main(out: Path) -> None:
    """Draw it into `out`."""
    os.environ.update(TerminalLink(colours="truecolor").settings())
    i18n.use("vi")
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        visit = asyncio.run(_played(home))
        out.write_text(asyncio.run(_drawn(home, visit)), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
