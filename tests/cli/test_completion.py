"""Completions in the shells themselves, and the manual page as `man` shows it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fieldkit import i18n
from fieldkit.cli.completion import SHELLS, Shell, answer, script
from fieldkit.cli.manual import page
from fieldkit.home import Home
from fieldkit.journal.store import Store
from fieldkit.visit.visits import Visits
from tests.conftest import Run, clean_environment
from tests.e2e.terminal import Terminal

START = {
    "bash": ("bash", "--rcfile", "{start}"),
    "zsh": ("zsh", "-d", "-i"),
    "fish": ("fish", "--no-config", "--init-command", "source {start}"),
}
BEFORE = {
    "bash": "PS1='ready> '\n",
    "zsh": "PS1='ready> '\nautoload -U compinit; compinit -u -D\n",
    "fish": "function fish_prompt; echo -n 'ready> '; end\nset -g fish_greeting\n"
    "set -g fish_autosuggestion_enabled 0\n",
}


Candidates = Callable[..., list[str]]


@pytest.fixture
def candidates(home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Candidates:
    """What fieldkit answers a shell that asks for the last of the words."""

    def ask(*words: str, shell: Shell = "bash", **more: str) -> list[str]:
        environment = {
            "_FIELDKIT_COMPLETE": f"{shell}_complete",
            "COMP_WORDS": " ".join(("fieldkit", *words)),
            "COMP_CWORD": str(len(words)),
            "FIELDKIT_HOME": str(home.path),
        }
        for name, value in (environment | more).items():
            monkeypatch.setenv(name, value)
        assert answer() == 0
        printed = capsys.readouterr()
        assert printed.err == ""
        return printed.out.split()

    return ask


@pytest.fixture
def visit(home: Home) -> str:
    with Store.open(home.store) as store:
        return Visits(store, home, who="Lê Văn Thợ").start("MAU-02", "survey").id


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("shell", START)
def test_a_shell_completes_commands_bureaus_visits_and_file_names(
    shell: Shell, home: Home, visit: str, tmp_path: Path
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "fieldkit").write_text(f'#!/bin/sh\nexec {sys.executable} -m fieldkit "$@"\n')
    (programs / "fieldkit").chmod(0o755)
    start = tmp_path / (".zshrc" if shell == "zsh" else "start")
    start.write_text(BEFORE[shell] + script(shell), encoding="utf-8")
    (tmp_path / "công-văn-01.pdf").touch()
    environment = clean_environment(home) | {
        "HOME": str(tmp_path),
        "ZDOTDIR": str(tmp_path),
        "PATH": f"{programs}:{os.environ['PATH']}",
        "LC_ALL": "C.UTF-8",
    }
    wanted = ("HOME", "ZDOTDIR", "PATH", "LC_ALL", "FIELDKIT_HOME", "FIELDKIT_LANG", "PYTHONPATH")
    command = [word.format(start=start) for word in START[shell]]
    with Terminal(
        command, environment={name: environment[name] for name in wanted}, columns=140, rows=40
    ) as terminal:
        terminal.wait_for("ready>")
        for typed, completed in (
            ("fieldkit visit sho", "fieldkit visit show"),
            ("MAU-0", f"visit show {visit}"),
            ("--js", f"{visit} --json"),
        ):
            terminal.type(typed)
            terminal.press("Tab")
            terminal.wait_for(completed)
        terminal.press("C-u")
        terminal.wait_gone(visit)
        terminal.type(f"fieldkit verify {tmp_path}/công-")
        terminal.press("Tab")
        terminal.wait_for("công-văn-01.pdf")
        terminal.press("C-u")
        terminal.wait_gone("công-văn")
        terminal.type("fieldkit visit start --bureau MAU-0")
        terminal.press("Tab")
        terminal.press("Tab")
        terminal.wait_for("MAU-01", "MAU-02", "MAU-08")


def test_what_the_home_has_is_offered_where_it_fits(visit: str, candidates: Candidates) -> None:
    assert f"plain,{visit}" in candidates("visit", "show", "mau-02")
    assert "plain,survey_date" in candidates("visit", "answer", "MAU-02", "survey")
    assert "plain,handover" in candidates("visit", "start", "--checklist", "hand")
    assert "plain,softhsm2" in candidates("driver", "plan", "soft")
    assert candidates("sign", "--level", "b-l") == ["plain,b-lt", "plain,b-lta"]
    assert candidates("visit", "show", "MAU-01") == []
    i18n.use("vi")
    assert "Cơ quan thường trú" in " ".join(candidates("visit", "start", "--bureau", "MAU-01", shell="zsh"))


def test_the_home_that_was_named_in_the_line_is_the_one_looked_into(
    home: Home, visit: str, tmp_path: Path, candidates: Candidates
) -> None:
    elsewhere = tmp_path / "elsewhere"
    assert candidates("--home", str(elsewhere), "visit", "show", "MAU") == []
    assert not elsewhere.exists()
    named = ("visit", "show", "--home", str(home.path), "MAU")
    assert candidates(*named, FIELDKIT_HOME=str(elsewhere)) == [f"plain,{visit}"]


def test_completing_leaves_the_store_as_it_is_and_free_for_whoever_works_in_it(
    home: Home, visit: str, candidates: Candidates
) -> None:
    before = contents(home.path)
    assert candidates("visit", "show", "MAU") == [f"plain,{visit}"]
    assert contents(home.path) == before
    with Store.read(home.store) as reading, Store.open(home.store) as working:
        assert reading.read_only is not None
        assert working.read_only is None
        Visits(working, home, who="Lê Văn Thợ").note(visit, "Đang làm việc")


def test_what_cannot_be_read_is_not_offered_and_nothing_is_said(
    home: Home, visit: str, candidates: Candidates
) -> None:
    (segment,) = home.store.glob("journal-*")
    segment.write_bytes(b"\0" * segment.stat().st_size)
    (home.profiles / "plan").mkdir(parents=True)
    (home.profiles / "plan/plan.yaml").write_text("bureaus: [")
    assert candidates("visit", "show", "MAU") == []
    assert candidates("visit", "start", "--bureau", "MAU") == []
    assert "plain,visit" in candidates("vis")


def test_a_backslash_in_powershells_line_is_part_of_a_path(
    home: Home, visit: str, tmp_path: Path, candidates: Candidates
) -> None:
    named = candidates(
        *("--home", str(home.path).replace("/", "\\"), "visit", "show", "MAU"),
        shell="powershell",
        FIELDKIT_HOME=str(tmp_path),
    )
    assert named[:2] == ["plain", visit]


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shells_script_is_printed_as_it_is_and_in_json(shell: Shell, fieldkit: Run) -> None:
    printed = fieldkit("setup", "--completion", shell)
    assert printed.status == 0
    assert printed.out == script(shell).rstrip("\n") + "\n"
    assert f"{shell}_complete" in printed.out
    assert ("Register-ArgumentCompleter -Native -CommandName fieldkit" in printed.out) == (
        shell == "powershell"
    )
    assert fieldkit("setup", "--completion", shell, "--json").result["script"] == script(shell)


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_manual_page_shows_every_command_in_the_language_in_force(language: str, tmp_path: Path) -> None:
    i18n.use(language)
    (tmp_path / "fieldkit.1").write_text(page(), encoding="utf-8")
    words = {"vi": "Bắt đầu một chuyến triển khai", "en": "Begin a visit at a bureau."}
    assert words[language] in page()
    done = subprocess.run(
        ["man", "--warnings", "-l", tmp_path / "fieldkit.1"],
        env=os.environ | {"LC_ALL": "C.UTF-8", "MANWIDTH": "110"},
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert "fieldkit visit start [OPTIONS]" in done.stdout
    assert "fieldkit demo [OPTIONS]" in done.stdout
    assert "--bureau TEXT" in done.stdout
    assert words[language] in " ".join(done.stdout.split())


def test_the_command_prints_the_manual_page(fieldkit: Run) -> None:
    assert fieldkit("setup", "--manual").out == page()
    assert fieldkit("setup", "--manual", "--json").result["manual"] == page()
