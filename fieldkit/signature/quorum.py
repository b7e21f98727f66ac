"""Every judge on one document: fieldkit, pdfsig, openssl and mutool; disagreement is a finding of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import msgspec

from fieldkit.errors import FieldkitError
from fieldkit.signature import boundary, independent
from fieldkit.signature.judgement import Judgement as Judgement
from fieldkit.signature.judgement import Policy, every_check
from fieldkit.signature.validate import validate
from fieldkit.text import M
from fieldkit.verdict import Check, overall


def judge(
    path: Path,
    trust: Sequence[bytes],
    crls: Sequence[bytes] = (),
    *,
    at: datetime | None = None,
    network: bool = False,
    policy: Policy = Policy(),  # noqa: B008 (frozen)
) -> Judgement:
    """Have every judge look at `path` at the same time; the verdict needs all that are here to agree.

    A program that is missing is "not-checked" and does not keep the verdict from "pass": what one
    judge needs is its own word, and the list says who was asked.
    """
    judges: tuple[Callable[[], list[Check]], ...] = (
        lambda: independent.pdfsig(path, trust),
        lambda: independent.openssl_cms(path, trust, at=at),
        lambda: independent.mutool(path),
    )
    with ThreadPoolExecutor(len(judges), "fieldkit-judge") as pool:
        waiting = [pool.submit(_heard, each) for each in judges]
        own = validate(path, trust=trust, crls=crls, at=at, network=network, policy=policy)
        heard = [check for each in waiting for check in each.result()]
    others = tuple(_optional(check) for check in heard)
    checks = (*own.checks, *others, _agreement(own, others))
    judged = Judgement("pass", own.signatures, checks)
    return msgspec.structs.replace(judged, verdict=overall(every_check(judged)))


def _heard(ask: Callable[[], list[Check]]) -> list[Check]:
    """What a judge said; one that stumbles over the document has not checked it."""
    try:
        return ask()
    except FieldkitError as error:
        return [Check("independent", "not-checked", M("A judge could not read the document."), str(error))]
    except Exception as error:
        return [
            Check(
                "independent",
                "not-checked",
                M("A judge could not read the document."),
                boundary.kind_of(error),
            )
        ]


def _optional(check: Check) -> Check:
    """A judge's silence is no verdict; its word is."""
    return msgspec.structs.replace(check, required=check.required and check.verdict != "not-checked")


def _agreement(own: Judgement, others: Iterable[Check]) -> Check:
    """Whether all that looked at the integrity came to the same end."""
    words = {"fieldkit": _integrity(own)}
    for check in others:
        judge, _, what = check.id.partition("-")
        if what == "integrity" and check.verdict != "not-checked":
            before = words.get(judge, "pass")
            words[judge] = "fail" if "fail" in (before, check.verdict) else "pass"
    detail = ", ".join(f"{judge}: {word}" for judge, word in sorted(words.items()))
    if len(words) == 1:
        return Check(
            "agreement",
            "not-checked",
            M("No other program was there to judge the document."),
            detail,
            required=False,
        )
    if len(set(words.values())) == 1:
        return Check("agreement", "pass", M("All judges agree."), detail)
    return Check(
        "agreement",
        "fail",
        M("The judges disagree: do not rely on this document before it is clear why."),
        detail,
    )


def _integrity(own: Judgement) -> str:
    outcomes = [
        check.verdict
        for each in own.signatures
        for check in each.checks
        if check.id in ("integrity", "coverage", "path", "dates", "algorithm")
    ]
    return "fail" if "fail" in outcomes or not outcomes else "pass"
