"""The command line on Windows: UTF-8 through pipes whatever the code page, words instead of tracebacks."""

from __future__ import annotations

from tests.windows.bed import Windows
from tests.windows.conftest import OnWindows


def test_python_there_is_windows_own(windows: Windows) -> None:
    ran = windows.python("-c", "import os, sys; print(os.name, sys.platform, sys.stdout.encoding)")
    assert ran.out.split()[:2] == ["nt", "win32"]
    assert ran.out.split()[2] != "utf-8"  # the ANSI code page: what fieldkit prints must not follow it


def test_json_in_a_pipe_is_utf8_in_vietnamese(fieldkit: OnWindows) -> None:
    assert "Kế hoạch MẪU" in fieldkit("plan", "show", "--json", "--lang", "vi").result["title"]
