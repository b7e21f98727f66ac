"""Every judge on one document: fieldkit, the other programs (`JUDGES`), and one that draws its pages.

Disagreement is a finding of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fieldkit.errors import FieldkitError
from fieldkit.finding import Finding
from fieldkit.pdf import boundary, document, engines
from fieldkit.pdf.byte_ranges import signed_ranges
from fieldkit.pdf.errors import DocumentChanged
from fieldkit.program import bring
from fieldkit.text import M
from fieldkit.validation import appearance
from fieldkit.validation.appearance import AppearanceComparison
from fieldkit.validation.judgement import Judgement as Judgement
from fieldkit.validation.judgement import Policy
from fieldkit.validation.judges import JUDGES, Case, Judge, is_integrity, is_path
from fieldkit.validation.online import Online
from fieldkit.validation.validate import validate

if TYPE_CHECKING:
    from fieldkit.profile.rules import RuleSet
    from fieldkit.secret import Secret


def judge(
    path: Path,
    trust: Sequence[bytes],
    crls: Sequence[bytes] = (),
    *,
    others: Sequence[bytes] = (),
    at: datetime | None = None,
    network: bool | Online = False,
    policy: Policy = Policy(),  # noqa: B008 (frozen)
    password: Secret | None = None,
    rules: Sequence[RuleSet] = (),
    draw: bool = True,
) -> Judgement:
    """Have every judge look at `path` at the same time; the verdict needs all that are here to agree.

    The options are those of `validate`. draw: have the pages drawn, to compare what they show.
    A program that is missing is "not-checked" and does not keep the verdict from "pass": what one judge needs
    is its own word, and the list says who was asked.
    """
    # held open from the first to the last word, so that all judge the same file; a named pipe or an endless
    # device is refused here, since programs would wait for it
    with document.opened(path) as file:
        if draw and appearance.expected(file):
            engines.prepare()
        # pyHanko's modules import each other in a circle, which two threads must not enter at the same time
        import pyhanko.sign.validation  # noqa: F401

        own, heard, compared = _asked(path, trust, crls, others, at, network, policy, password, rules, draw)
    words = tuple(_optional(check) for check in heard)
    checks = (*own.checks, *words, _agreement(own, words))
    return appearance.judged(msgspec.structs.replace(own, checks=checks), compared)


def _asked(
    path: Path,
    trust: Sequence[bytes],
    crls: Sequence[bytes],
    others: Sequence[bytes],
    at: datetime | None,
    network: bool | Online,
    policy: Policy,
    password: Secret | None,
    rules: Sequence[RuleSet],
    draw: bool,
) -> tuple[Judgement, list[Finding], AppearanceComparison]:
    """fieldkit's own judgement, and what the other judges said meanwhile."""
    case = Case(path, trust, at, password=password, locked=password is not None and not _opens(path))
    early, late = ([judge for judge in JUDGES if judge.after_fieldkit is later] for later in (False, True))
    with ThreadPoolExecutor(len(JUDGES) + 1, "fieldkit-judge") as pool:
        drawing = pool.submit(_compared, path, password) if draw else None
        waiting = [pool.submit(_heard, judge, case) for judge in early]
        own = validate(
            path,
            trust=trust,
            crls=crls,
            others=others,
            at=at,
            network=network,
            policy=policy,
            password=password,
            rules=rules,
        )
        timed = msgspec.structs.replace(case, times=_proven(own))
        waiting += [pool.submit(_heard, judge, timed) for judge in late]
        words = [finding for task in waiting for finding in task.result()]
        return own, words, drawing.result() if drawing is not None else appearance.left_out()


def _compared(path: Path, password: Secret | None) -> AppearanceComparison:
    """What the pages show; a document that cannot be taken apart was not looked at."""
    try:
        return appearance.compare(path, password=password)
    except DocumentChanged:
        raise
    except FieldkitError as error:
        return AppearanceComparison(
            (_stumbled(appearance.JUDGE, appearance.JUDGE, f"{error.code}: {error.detail}", required=True),)
        )


def _proven(own: Judgement) -> dict[str, datetime]:
    """By field, the time that a timestamp proves for its signature."""
    times = {}
    for number, signature in enumerate(own.signatures):
        word = {check.id: check.severity for check in signature.checks}
        if word.get("timestamp") == "pass" and word.get("timestamp-revocation") != "fail":
            times[signature.field] = datetime.fromisoformat(signature.signed_at)
            continue
        later = (one for one in own.signatures[number:] if one.kind == "timestamp" and one.verdict == "pass")
        archived = next(later, None)
        if signature.kind == "signature" and archived is not None:
            times[signature.field] = datetime.fromisoformat(archived.signed_at)
    return times


def _opens(path: Path) -> bool:
    """Whether the document can be read without a password."""
    try:
        signed_ranges(path)
    except FieldkitError:
        return False
    return True


def _heard(judge: Judge, case: Case) -> list[Finding]:
    """What a judge said; one that stumbles over the document has not checked it."""
    try:
        return judge.judge(case)
    except FieldkitError as error:
        detail = f"{error.code}: {error.detail}" if error.detail else error.code
    except Exception as error:
        detail = boundary.kind_of(error)
    return [_stumbled(judge.name, f"{judge.name}-integrity", detail)]


def _stumbled(judge: str, check: str, detail: str, *, required: bool = False) -> Finding:
    message = M("{judge} could not judge the document: its signatures cannot be read.", judge=judge)
    hint = M("What fieldkit itself says of the document tells what is wrong with it.")
    return Finding(check, "not-checked", message, detail, hint, required, judge)


def _optional(check: Finding) -> Finding:
    """A judge's silence is no verdict; its word is."""
    return msgspec.structs.replace(check, required=check.required and check.severity != "not-checked")


def _agreement(own: Judgement, others: Iterable[Finding]) -> Finding:
    """Whether all that judged the integrity came to the same end, and those that judge paths on these too.

    Who cannot judge something has no word on it: no anchors, no judgement on the path.
    """
    others = tuple(others)
    words = {"fieldkit": _integrity(own)} | integrity_words(others)
    paths = _paths(own)
    on_paths = {judge.name for judge in JUDGES if judge.judges_path} if paths else set()
    for finding in others:
        if finding.judge in on_paths and (is_path(finding) or finding.severity == "pass"):
            before = paths.get(finding.judge)
            paths[finding.judge] = "fail" if "fail" in (before, finding.severity) else "pass"
    detail = ", ".join(f"{judge}: {word}" for judge, word in sorted(words.items()))
    if len(set(paths.values())) > 1:
        detail += "; path: " + ", ".join(f"{judge}: {word}" for judge, word in sorted(paths.items()))
    if len(words) == 1:
        return Finding(
            "agreement",
            "not-checked",
            M("No other program was there to judge the document."),
            detail,
            required=False,
            hint=bring(JUDGES[0].program, JUDGES[0].package),
        )
    if len(set(words.values())) == 1 and len(set(paths.values())) < 2:
        return Finding("agreement", "pass", M("All judges agree."), detail)
    return Finding(
        "agreement",
        "fail",
        M("The judges disagree: do not rely on this document before it is clear why."),
        detail,
        hint=M("Keep the file as it is and send it to head office with this list."),
    )


def integrity_words(checks: Iterable[Finding]) -> dict[str, str]:
    """By judge, its word on the integrity of all signatures; of those that have one."""
    words: dict[str, str] = {}
    for check in checks:
        if is_integrity(check) and check.severity != "not-checked":
            words[check.judge] = "fail" if "fail" in (words.get(check.judge), check.severity) else "pass"
    return words


def _integrity(own: Judgement) -> str:
    outcomes = _outcomes(own, ("integrity", "coverage", "structure", "kind"))
    return "fail" if "fail" in outcomes or not outcomes else "pass"


def _paths(own: Judgement) -> dict[str, str]:
    """fieldkit's word on paths and dates, where it has one and what was signed is whole."""
    outcomes = _outcomes(own, ("path", "dates"))
    if "not-checked" in outcomes or _integrity(own) == "fail":
        return {}
    return {"fieldkit": "fail" if "fail" in outcomes else "pass"}


def _outcomes(own: Judgement, names: Sequence[str]) -> list[str]:
    return [check.severity for signature in own.signatures for check in signature.checks if check.id in names]
