"""`fieldkit demo`: the sample visit, on the screens or, headless, by itself."""

from __future__ import annotations

import asyncio
import sys

from fieldkit import demo as sample
from fieldkit import i18n
from fieldkit.cli.frame import Call, Reply, option, verb
from fieldkit.home import Home
from fieldkit.text import M, visible
from fieldkit.visit.visits import Visits


@verb("demo", M("A whole sample visit on a fresh software token; nothing of it is real."))
@option("--headless", is_flag=True, help=M("Play the visit by itself and print what is done."))
def demo(call: Call, headless: bool) -> Reply:
    home = Home(call.home.path) if call.home_given else Home(call.home.path / "demo")
    laid = sample.lay_out(home)
    with call.visits_in(home) as visits:
        if headless:
            return _play(call, visits, laid)
        visit = sample.open_visit(visits)
    return _show(laid, visit)


def _play(call: Call, visits: Visits, laid: sample.SampleSetup) -> Reply:
    out = sys.stderr if call.json else sys.stdout

    def tell(line: str) -> None:
        out.write(visible(line) + "\n")
        out.flush()

    made = asyncio.run(sample.play(visits, laid, tell, call.console()))
    failed = [check for check in made.checks if check["verdict"] == "fail"]
    return Reply(
        made,
        [
            M("Visit: {visit}", visit=made.visit),
            M("Record: {path}", path=str(made.record)),
            M("Signed sample: {path}", path=str(made.signed)),
            M("Bundle: {path}", path=str(made.bundle)),
        ],
        good=not failed,
    )


def _show(laid: sample.SampleSetup, visit: str) -> Reply:
    """Tell the sample file and its password, wait, and open the screens on the visit."""
    from fieldkit.tui.start import run

    for line in (
        M("The sample certificate file: {path}", path=str(laid.certificate_file)),
        M("Its password (kept nowhere, so write it down): {password}", password=laid.password),
        M("Press Enter to open the screens."),
    ):
        sys.stderr.write(f"{line}\n")
    sys.stdin.readline()
    status = run(laid.home, lang=i18n.language(), visit=visit)
    return Reply({"visit": visit}, good=status == 0)
