"""A real terminal for tests: tmux at a given size, keys in, the text of the screen out."""

from __future__ import annotations

import shlex
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType


class Terminal:
    """A tmux server of its own with one window running `command`; a context manager."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str],
        columns: int = 80,
        rows: int = 24,
    ) -> None:
        self._server = f"fieldkit-{uuid.uuid4().hex[:8]}"
        shown = " ".join(f"{name}={shlex.quote(value)}" for name, value in environment.items())
        program = f"env {shown} {shlex.join(map(str, command))}"
        line = f"{program}; status=$?; echo; echo ended with $status; sleep 600"
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows), line)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tmux("kill-server", check=False)

    def _tmux(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(
            ["tmux", "-L", self._server, "-u", *arguments], capture_output=True, text=True, check=check
        )
        return done.stdout

    def screen(self) -> str:
        """What the person sees now, as text."""
        return self._tmux("capture-pane", "-p")

    def press(self, *keys: str) -> None:
        """Press keys by their tmux names: Enter, Down, Escape, F2, a letter."""
        for key in keys:
            self._tmux("send-keys", key)
            time.sleep(0.05)

    def type(self, text: str) -> None:
        """Type text as it is."""
        self._tmux("send-keys", "-l", "--", text)
        time.sleep(0.05)

    def wait_for(self, *texts: str, seconds: float = 30) -> str:
        """The screen, once all of `texts` show; fails with the last screen otherwise."""
        deadline = time.monotonic() + seconds
        while True:
            shown = self.screen()
            if all(text in shown for text in texts):
                return shown
            if time.monotonic() > deadline:
                raise AssertionError(f"waited for {texts!r}, saw:\n{shown}")
            time.sleep(0.05)

    def wait_gone(self, text: str, seconds: float = 30) -> str:
        """The screen, once `text` no longer shows."""
        deadline = time.monotonic() + seconds
        while True:
            shown = self.screen()
            if text not in shown:
                return shown
            if time.monotonic() > deadline:
                raise AssertionError(f"{text!r} stayed:\n{shown}")
            time.sleep(0.05)
