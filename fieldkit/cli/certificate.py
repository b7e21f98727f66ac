"""`fieldkit certificate`: inspect and check files; import, request, list, export and remove on tokens."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fieldkit import errors
from fieldkit.certificate.request import KEY_KINDS
from fieldkit.cli import certificate_material as material
from fieldkit.cli import token as tokens
from fieldkit.cli.frame import Call, Reply, noun, option
from fieldkit.pdf.errors import OutputUnfit
from fieldkit.text import M, Said
from fieldkit.text_output import finding_lines, verdict_word

if TYPE_CHECKING:
    from fieldkit.action.remove_certificate import Removal
    from fieldkit.certificate.identity import Identity
    from fieldkit.certificate.inspect import Description
    from fieldkit.certificate.request import CertificateRequest
    from fieldkit.token.model import Token
    from fieldkit.token.settling import ImportReport

certificate = noun("certificate", M("Look at certificates and certificate files; put them on tokens."))
A_FILE = click.Path(path_type=Path)


@certificate.verb(
    "inspect", M("What a file holds, whatever its kind, and what to think of it."), secrets=("password",)
)
@click.argument("file", metavar="FILE", type=A_FILE)
@option("--trust", multiple=True, type=A_FILE, said=M("A root certificate; repeatable."))
@option("--crl", multiple=True, type=A_FILE, said=M("A revocation list; may be repeated."))
def inspect(call: Call, file: Path, trust: tuple[Path, ...], crl: tuple[Path, ...]) -> Reply:
    from fieldkit.certificate.inspect import describe_all, shape

    contents = material.read(call, file)
    anchors, issuers, crls = material.known(call, trust, crl)
    descriptions = describe_all(
        contents,
        at=material.now(),
        anchors=anchors,
        issuers=issuers,
        crls=crls,
        purposes=material.purposes(call),
    )
    contents.wipe()
    return Reply(
        [shape(description) for description in descriptions],
        [line for description in descriptions for line in lines(description)],
    )


@certificate.verb(
    "check",
    M("Judge a certificate; exits 0 only when everything required holds."),
    secrets=("password",),
)
@click.argument("file", metavar="FILE", type=A_FILE)
@option("--certificate", "pick", default="", said=M("Which one in the file: SHA-256, serial number or name."))
@option("--trust", multiple=True, type=A_FILE, said=M("A root certificate; repeatable."))
@option("--crl", multiple=True, type=A_FILE, said=M("A revocation list; may be repeated."))
@option("--bureau", default="", said=M("Compare it with the dossier of this bureau, by its code."))
def check(
    call: Call, file: Path, pick: str, trust: tuple[Path, ...], crl: tuple[Path, ...], bureau: str
) -> Reply:
    from fieldkit.certificate import check as judge
    from fieldkit.certificate.identity import leaf, matching
    from fieldkit.finding import overall
    from fieldkit.validation.judgement import check_shape

    dossier = material.bureau(call, bureau).dossier if bureau else None
    contents = material.read(call, file)
    anchors, issuers, crls = material.known(call, trust, crl)
    chosen = leaf(contents, pick)
    others = [der for der in contents.certificates if der != chosen]
    judged = judge.check(
        chosen,
        (*others, *issuers),
        anchors,
        material.now(),
        dossier=dossier,
        crls=(*crls, *contents.revocation_lists),
        purposes=material.purposes(call),
    )
    checks = (*matching(contents, chosen), *judged.checks)
    contents.wipe()
    verdict = overall(checks)
    said: list[str | Said] = [M("{file}: {verdict}", file=file.name, verdict=str(verdict_word(verdict)))]
    said += [f"  {line}" for finding in checks for line in finding_lines(finding)]
    return Reply(
        {"verdict": verdict, "checks": [check_shape(finding) for finding in checks]},
        said,
        good=verdict == "pass",
    )


@certificate.verb(
    "import",
    M("Put a key with its certificate on a token, or join a certificate to the key on it."),
    secrets=("password", "pin"),
    modules=True,
)
@click.argument("file", metavar="FILE", type=A_FILE)
@option("--key", "key_file", type=A_FILE, said=M("The file with the private key, if it is another one."))
@option("--token", "name", required=True, said=M("The token: its URI, label or serial number."))
@option("--label", default="", said=M("What key and certificate are called on the token."))
@option("--certificate", "pick", default="", said=M("Which one in the file: SHA-256, serial number or name."))
@option("--bureau", default="", said=M("Refuse a certificate that is not as in this bureau's dossier."))
def import_(
    call: Call, file: Path, key_file: Path | None, name: str, label: str, pick: str, bureau: str
) -> Reply:
    from fieldkit.action.import_certificate import import_certificate
    from fieldkit.certificate.identity import identity, joined

    async def work() -> tuple[Token, ImportReport, Identity, Description]:
        async with tokens.access(call) as access:
            access.agents.warm()
            contents = await asyncio.to_thread(material.read, call, file)
            if key_file is not None:
                contents += await asyncio.to_thread(material.read, call, key_file)
            # a certificate alone belongs to a key that was made on the token
            single = not contents.keys and bool(contents.certificates)
            purposes = material.purposes(call)
            holder = (joined if single else identity)(
                contents, at=material.now(), pick=pick, purposes=purposes
            )
            with holder.key:
                described = material.described(call, holder, bureau)
                token = await access.find(name)
                report = await import_certificate(
                    access, token, holder, described, source=file.name, label=label or holder.name
                )
        return token, report, holder, described

    found, report, holder, described = asyncio.run(work())
    result = {
        "token": found.uri,
        "id": report.id,
        "label": report.label,
        "sha256": report.sha256,
        "subject": described.subject,
        "chain": list(report.chain),
        "mechanism": report.mechanism,
        "resumed": report.resumed,
    }
    said: list[str | Said] = []
    if report.resumed:
        said.append(M("What an interrupted import had left was settled first."))
    said.append(
        M("On the token {token}, and proved by a signature: {who}", token=found.name, who=holder.name)
    )
    return Reply(result, said)


@certificate.verb(
    "request",
    M("Make a key on a token and write the certificate request for it."),
    secrets=("pin",),
    modules=True,
)
@option("--token", "name", required=True, said=M("The token: its URI, label or serial number."))
@option("--subject", default="", said=M("The subject: CN=…,OU=…,O=…,C=VN. From the dossier with --bureau."))
@option("--bureau", default="", said=M("Take subject and e-mail address from this bureau's dossier."))
@option("--email", default="", said=M("An e-mail address to be in the certificate."))
@option("--key", "kind", type=click.Choice(KEY_KINDS), default=KEY_KINDS[0], said=M("The kind of key."))
@option("--key-id", default="", said=M("Use this key of the token (CKA_ID) instead of making one."))
@option("--label", default="", said=M("What the key is called on the token."))
@option("--out", required=True, type=A_FILE, said=M("The file for the request (PEM)."))
def request(call: Call, name: str, subject: str, bureau: str, email: str, out: Path, **given: Any) -> Reply:
    from fieldkit.action.request_certificate import request_certificate
    from fieldkit.certificate import name as names

    dossier = material.bureau(call, bureau).dossier if bureau else None
    if not subject and dossier is None:
        raise errors.Misused(
            M("A request needs a subject."),
            unchanged=M("Nothing was changed."),
            hint=M("Give --subject, or --bureau to take it from the dossier."),
        )
    wanted = names.parse(subject) if subject else names.build(dossier.subject if dossier else {})
    email = email or (dossier.email if dossier else "")
    if out.exists():
        raise OutputUnfit(
            M("The file {file} is there already.", file=str(out)),
            unchanged=M("Nothing was changed."),
            hint=M("Give another name; a request is not written over another."),
        )

    async def work() -> tuple[Token, CertificateRequest]:
        async with tokens.access(call) as access:
            token = await access.find(name)
            return token, await request_certificate(access, token, wanted, out, email=email, **given)

    found, made = asyncio.run(work())
    result = {"token": found.uri, "out": str(out), "subject": names.text(wanted)}
    result |= {"id": made.id, "key": made.key, "label": made.label, "sha256": made.sha256}
    return Reply(
        result,
        [
            M("Written: {file}", file=str(out)),
            M("Send it to the authority; `fieldkit certificate import` puts its answer onto this token."),
        ],
    )


@certificate.verb("list", M("The certificates on a token."), modules=True)
@click.argument("name", metavar="TOKEN")
@option("--certificate", "pick", default="", said=M("Which certificate on it: CKA_ID, label or SHA-256."))
def list_(call: Call, name: str, pick: str) -> Reply:
    from fieldkit.certificate.inspect import shape

    anchors, issuers, crls = material.known(call)
    with tokens.agents(call) as running:
        token = running.find(name)
        with running.session(token) as session:
            stored = [session.certificate(pick)] if pick else session.certificates()
    result: list[dict[str, Any]] = []
    said: list[str | Said] = []
    for each in stored:
        described = material.stored(each, stored, anchors, issuers, crls, material.purposes(call))
        values = shape(described) if described else {"sha256": each.sha256, "verdict": "fail", "findings": []}
        result.append({"id": each.id, "label": each.label} | values)
        said.append(f"{each.label}  {each.id}")
        said += (
            ["  " + line for line in lines(described)]
            if described
            else [M("What stands there is no certificate.")]
        )
    return Reply(result, said or [M("There is no certificate on the token {token}.", token=token.name)])


@certificate.verb("export", M("Write a token's certificates to a file (PEM)."), modules=True)
@click.argument("name", metavar="TOKEN")
@option("--certificate", "pick", default="", said=M("Which certificate on it: CKA_ID, label or SHA-256."))
@option("--out", required=True, type=A_FILE, said=M("The file for the certificates (PEM)."))
def export(call: Call, name: str, pick: str, out: Path) -> Reply:
    from fieldkit.certificate.files import pem

    with tokens.agents(call) as running:
        token = running.find(name)
        with running.session(token) as session:
            stored = [session.certificate(pick)] if pick else session.certificates()
    with contextlib.suppress(FileExistsError), out.open("xb") as file:
        file.write(b"".join(pem(each.der) for each in stored))
        return Reply(
            {"out": str(out), "certificates": [each.sha256 for each in stored]},
            M("Certificates written to {file}: {count}", file=str(out), count=len(stored)),
        )
    raise OutputUnfit(
        M("The file {file} is there already.", file=str(out)),
        unchanged=M("Nothing was changed."),
        hint=M("Give another name."),
    )


@certificate.verb(
    "remove", M("Remove a certificate and its key from a token, for good."), secrets=("pin",), modules=True
)
@click.argument("name", metavar="TOKEN")
@click.argument("pick", metavar="ID", required=False, default="")
@option("--certificate", "more", default="", said=M("Which certificate on it: CKA_ID, label or SHA-256."))
def remove(call: Call, name: str, pick: str, more: str) -> Reply:
    from fieldkit.action.remove_certificate import remove_certificate

    async def work() -> tuple[Token, Removal]:
        async with tokens.access(call) as access:
            token = await access.find(name)
            return token, await remove_certificate(access, token, pick or more)

    found, removal = asyncio.run(work())
    result = {"token": found.uri, "id": removal.id, "removed": removal.gone, "left": removal.left}
    message = (
        M("The token did not let everything be removed; objects left: {count}", count=removal.left)
        if removal.left
        else M("Removed from the token {token}: {what}", token=found.name, what=removal.name)
    )
    return Reply(result, message, good=not removal.left)


def lines(description: Description) -> list[str]:
    """What was found, as lines for a person."""
    from fieldkit.certificate.inspect import valid

    said: list[Said | str] = []
    if description.kind == "certificate":
        said += [
            M("Issuer: {issuer}", issuer=description.issuer),
            M("Serial number: {number}", number=description.serial_number),
            valid(description),
            M(
                "Key: {key}; usage: {usage}",
                key=description.key,
                usage=", ".join(description.key_usage) or "-",
            ),
            M("SHA-256: {digest}", digest=description.sha256),
            M("Its private key is here.") if description.has_private_key else M("Without private key."),
        ]
    said += [line for finding in description.findings for line in finding_lines(finding)]
    return [description.subject or description.issuer or description.key, *(f"  {each}" for each in said)]
