"""Judge the signatures of documents, by fieldkit and by every other program that is here:

    judged = verify_documents([Path("published")], VerificationOptions(material))

One document that cannot be judged stops no other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from fieldkit.action.trust_material import TrustMaterial
from fieldkit.operator import Progress
from fieldkit.profile.rules import RuleSet

if TYPE_CHECKING:
    from fieldkit.secret import Secret
    from fieldkit.validation.folder import JudgedDocument
    from fieldkit.validation.judgement import Judgement, Policy
    from fieldkit.validation.online import Online


class VerificationOptions(msgspec.Struct, frozen=True):
    """By what and by whom documents are judged.

    revocation, timestamp: what a signature must prove. online: asks the authorities' servers; None asks
    nobody. rules: every rule set there is, for stamps. alone: no other program is asked. draw: pages are
    drawn to see what was changed on them.
    """

    material: TrustMaterial
    revocation: bool = True
    timestamp: bool = False
    online: Online | None = None
    rules: tuple[RuleSet, ...] = ()
    alone: bool = False
    draw: bool = True
    password: Secret | None = None

    @property
    def policy(self) -> Policy:
        """The same, as the judges take it."""
        from fieldkit.validation.judgement import Policy

        return Policy(revocation=self.revocation, timestamp=self.timestamp, purposes=self.material.purposes)


def verify_documents(
    files: Sequence[Path],
    options: VerificationOptions,
    progress: Callable[[Progress], None] = lambda _: None,
) -> list[JudgedDocument]:
    """A result for each of `files`, and for each PDF inside those that are folders."""
    from fieldkit.validation.folder import judge_each

    return judge_each(files, lambda path: verify_document(path, options), progress=progress)


def verify_document(path: Path, options: VerificationOptions) -> Judgement:
    """The judgement on one document.

    :raises DocumentMissing, DocumentUnfit, DocumentEncrypted: it cannot be judged.
    """
    from fieldkit.validation import appearance
    from fieldkit.validation.quorum import judge
    from fieldkit.validation.validate import validate

    material = options.material
    common: dict[str, Any] = {
        "others": material.others,
        "network": options.online or False,
        "policy": options.policy,
        "password": options.password,
        "rules": options.rules,
    }
    if not options.alone:
        return judge(path, material.anchors, material.crls, draw=options.draw, **common)
    own = validate(path, trust=material.anchors, crls=material.crls, **common)
    compared = appearance.left_out()
    if options.draw:  # PDFium comes with fieldkit: it is no other program
        compared = appearance.compare(path, password=options.password, asked=("pdfium",))
    return appearance.judged(own, compared)
