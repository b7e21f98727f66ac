"""MuPDF's mutool: whether the document is unchanged. It knows no anchors, so it has no word on paths."""

from __future__ import annotations

import re

from fieldkit.finding import Finding
from fieldkit.text import M
from fieldkit.validation.judges.judge import Case, Judge

CHANGED = re.compile(r"digest (?:failure|is invalid|mismatch)|invalidated|did not verify", re.IGNORECASE)
UNCHANGED = re.compile(r"unchanged since signing|but there have been edits")


class Mutool(Judge):
    name = program = "mutool"
    package = "mupdf-tools"
    version = ("-v",)
    needed = False

    def examine(self, program: str, case: Case) -> list[Finding]:
        done = self.run(program, "sign", "-v", str(case.path.absolute()))
        if done.problem is not None:
            return [self.silent(done.problem)]
        text = done.text + done.complaint
        detail = " / ".join(line.strip() for line in text.splitlines() if "sign" in line.lower())[:200]
        if CHANGED.search(text):
            return [self.integrity("fail", M("mutool: the document was changed."), detail)]
        if UNCHANGED.search(text):
            return [self.integrity("pass", M("mutool: the signatures fit the document."), detail)]
        return [self.integrity("not-checked", M("mutool has no clear word on it."), detail)]
