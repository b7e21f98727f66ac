"""`fieldkit kit`: build a kit for a stick, check one, take its papers."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import click

from fieldkit.cli import completion
from fieldkit.cli.frame import Call, Reply, noun, option
from fieldkit.cli.output import Data, fields
from fieldkit.operator import must_agree
from fieldkit.text import M, Message, Said
from fieldkit.text_output import finding_lines

FOLDER = click.Path(path_type=Path, file_okay=False)
A_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)

kit = noun("kit", M("The offline kit: everything a bureau without a network needs, on a stick."))
fingerprint = option(
    "--fingerprint", default="", help=M("The fingerprint of the key that must have signed it.")
)


@kit.verb("build", M("Make a kit in a folder on a stick: programs, drivers, plan and dossiers, signed."))
@click.argument("folder", metavar="DIR", type=FOLDER)
@option("--python", multiple=True, help=M("A Python it is for, as 3.11; this one unless given."))
@option(
    "--platform", multiple=True, help=M("A platform it is for, as windows-x86_64; this one unless given.")
)
@option(
    "--bureau",
    multiple=True,
    shell_complete=completion.bureaus,
    help=M("A bureau whose dossier goes along; all of the plan unless given."),
)
@option(
    "--driver",
    multiple=True,
    shell_complete=completion.drivers,
    help=M("A token whose driver goes along; those of the bureaus unless given."),
)
@option("--vendor", type=FOLDER, help=M("The folder with makers' installers that profiles name."))
@option("--sample", multiple=True, type=A_FILE, help=M("A PDF to take along for trials; may be repeated."))
def build_(
    call: Call,
    folder: Path,
    python: tuple[str, ...],
    platform: tuple[str, ...],
    bureau: tuple[str, ...],
    driver: tuple[str, ...],
    vendor: Path | None,
    sample: tuple[Path, ...],
) -> Reply:
    from fieldkit.kit import build

    profiles, console = call.profiles(), call.console()
    choice = build.KitChoice(python, platform, bureau, driver, vendor, sample)
    prepared = build.prepare(folder.absolute(), choice, profiles, call.home)
    for finding in prepared.findings:
        console.show_finding(finding)
    agreed = must_agree(
        console, prepared.shown(), M("No kit was built: not agreed to."), M("Nothing was written.")
    )
    asyncio.run(agreed)
    with call.store() as store:
        built = build.build(prepared, profiles, call.home, store, console.progress)
    manifest, sha256 = built.manifest, hashlib.sha256(built.data).hexdigest()
    installer = next(file.sha256 for file in manifest.files if file.path == "install.py")
    lines: list[str | Said] = []
    for finding in built.findings[len(prepared.findings) :]:
        lines += finding_lines(finding)
    lines += [
        M(
            "The kit in {folder} is finished: {count} files, {size} MB; {copied} were written now.",
            folder=str(folder),
            count=len(manifest.files),
            size=-(-manifest.size // 10**6),
            copied=built.copied,
        ),
        M("Fingerprint of the kit's key: {fingerprint}", fingerprint=manifest.fingerprint),
        M("SHA-256 of the manifest: {sha256}", sha256=sha256),
        M("SHA-256 of install.py: {sha256}", sha256=installer),
        M("Tell the technician the fingerprint by another way than this stick."),
        M("On the machine, in the kit's folder: {command}", command="python3 -I install.py"),
    ]
    result = {
        "folder": folder,
        **fields(manifest, "version", "fingerprint", "size", "bureaus"),
        "manifest_sha256": sha256,
        "installer_sha256": installer,
        "files": len(manifest.files),
        "copied": built.copied,
        "targets": [fields(target, "python", "platform") for target in manifest.targets],
        "drivers": [
            {"profile": driver_files.profile, "system": driver_files.system, "files": len(driver_files.files)}
            for driver_files in manifest.drivers
        ],
        "findings": [fields(finding, "id", "severity", "message") for finding in built.findings],
    }
    return Reply(result, lines)


@kit.verb("load", M("Take a kit's profiles, checklists, plan and dossiers into this home."))
@click.argument("folder", metavar="DIR", type=FOLDER)
@fingerprint
@option("--older", is_flag=True, help=M("Agree in advance to a kit older than one taken before."))
def load_(call: Call, folder: Path, fingerprint: str, older: bool) -> Reply:
    from fieldkit.kit import load
    from fieldkit.kit.errors import KitOlder

    contents = load.prepare(folder, call.home, fingerprint=fingerprint)
    if contents.older is not None and call.yes and not older:
        raise KitOlder(
            contents.older,
            unchanged=M("Nothing was taken from the kit."),
            hint=M("Get the newest kit from head office; to take this one: kit load --older"),
        )
    result = fields(contents, "new", "replaced", "same")
    result["drivers"] = [driver.profile for driver in contents.drivers]
    agreed = must_agree(
        call.console(),
        contents.shown(call.home),
        M("The kit's papers were not taken: not agreed to."),
        M("Nothing was taken from the kit."),
    )
    asyncio.run(agreed)
    load.load(contents, call.home)
    message = M(
        "Taken from the kit: {new} new, {replaced} replaced; {same} were here already.",
        new=len(contents.new),
        replaced=len(contents.replaced),
        same=contents.same,
    )
    return Reply(result, [message])


@kit.verb("verify", M("Check a kit: its signature, and every file missing, changed or added."))
@click.argument("folder", metavar="DIR", type=FOLDER)
@fingerprint
def verify_(call: Call, folder: Path, fingerprint: str) -> Reply:
    from fieldkit.kit.verify import KINDS, verify

    verified_kit = verify(folder, call.home, fingerprint=fingerprint, progress=call.console().progress)
    lines: list[str | Said] = []
    for finding in verified_kit.findings:
        lines += finding_lines(finding)
        if finding.id == "files":
            for problem in verified_kit.problems:
                message = Message(KINDS[problem.kind].text, {"path": problem.path})
                lines.append(f"    {message}" + (f" ({problem.detail})" if problem.detail else ""))
    result: Data = {
        "verdict": "pass" if verified_kit.good else "fail",
        "checks": [
            {
                "id": finding.id,
                "verdict": "pass" if finding.severity == "info" else finding.severity,
                "detail": str(finding.message),
            }
            for finding in verified_kit.findings
        ],
        "problems": [problem._asdict() for problem in verified_kit.problems],
    }
    if verified_kit.read is not None:
        manifest = verified_kit.read.manifest
        result |= fields(manifest, "version", "fingerprint", "size")
        result |= {"manifest_sha256": verified_kit.read.sha256, "files": len(manifest.files)}
        lines.append(M("Fingerprint of the kit's key: {fingerprint}", fingerprint=manifest.fingerprint))
        lines.append(M("SHA-256 of the manifest: {sha256}", sha256=verified_kit.read.sha256))
    return Reply(result, lines, good=verified_kit.good)
