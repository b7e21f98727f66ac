"""The other programs that judge signatures: pdfsig, openssl and mutool share no code with fieldkit.

    for judge in JUDGES:
        judge.judge(Case(path, trust=anchors))    # findings, each with the judge's name

A further one is a file with a class below `Judge`, and its line here.
"""

from fieldkit.validation.judges.judge import Case, Judge, is_integrity, is_path
from fieldkit.validation.judges.mutool import Mutool
from fieldkit.validation.judges.openssl import Openssl
from fieldkit.validation.judges.pdfsig import Pdfsig

JUDGES: tuple[Judge, ...] = (Pdfsig(), Openssl(), Mutool())

__all__ = ["JUDGES", "Case", "Judge", "is_integrity", "is_path"]
