"""`fieldkit kit`: build a kit for a stick, and check one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from fieldkit.cli.frame import Call, Reply, noun, option
from fieldkit.plain import finding_lines
from fieldkit.text import M, Said

FOLDER = click.Path(path_type=Path, file_okay=False)

kit = noun("kit", M("The offline kit: everything a bureau without a network needs, on a stick."))


@kit.verb("verify", M("Check a kit: its signature, and every file missing, changed or added."))
@click.argument("folder", metavar="DIR", type=FOLDER)
@option("--fingerprint", default="", said=M("The fingerprint of the key that must have signed it."))
def verify_(call: Call, folder: Path, fingerprint: str) -> Reply:
    from fieldkit.kit.verify import KINDS, verify

    found = verify(folder, call.home, fingerprint=fingerprint, progress=call.console().progress)
    lines: list[str | Said] = []
    for finding in found.findings:
        lines += finding_lines(finding)
        if finding.id == "files":
            for problem in found.problems:
                said = str(KINDS[problem.kind]).format(path=problem.path)
                lines.append(f"    {said}" + (f" ({problem.detail})" if problem.detail else ""))
    result: dict[str, Any] = {
        "verdict": "pass" if found.good else "fail",
        "checks": [
            {
                "id": finding.id,
                "verdict": "pass" if finding.severity == "info" else finding.severity,
                "detail": str(finding.message),
            }
            for finding in found.findings
        ],
        "problems": [
            {"kind": problem.kind, "path": problem.path, "detail": problem.detail}
            for problem in found.problems
        ],
    }
    if found.read is not None:
        manifest = found.read.manifest
        result |= {
            "version": manifest.version,
            "fingerprint": manifest.fingerprint,
            "manifest_sha256": found.read.sha256,
            "files": len(manifest.files),
            "size": manifest.size,
        }
        lines.append(M("Fingerprint of the kit's key: {fingerprint}", fingerprint=manifest.fingerprint))
        lines.append(M("SHA-256 of the manifest: {sha256}", sha256=found.read.sha256))
    return Reply(result, lines, good=found.good)
