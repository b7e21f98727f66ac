"""`fieldkit certificate`: inspect and check files; import, request, list, export and remove on tokens."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from fieldkit import errors
from fieldkit.certificate.request import KEY_KINDS, RequestedKind
from fieldkit.cli import completion, options
from fieldkit.cli.frame import Call, Reply, noun, option
from fieldkit.cli.options import FILE
from fieldkit.cli.output import Data, data
from fieldkit.operator import SecretRequest
from fieldkit.pdf.errors import OutputUnfit
from fieldkit.text import M, Said
from fieldkit.text_output import finding_lines, verdict_word

if TYPE_CHECKING:
    from fieldkit.action.remove_certificate import Removal
    from fieldkit.action.trust_material import TrustMaterial
    from fieldkit.certificate.contents import Contents
    from fieldkit.certificate.identity import Identity
    from fieldkit.certificate.inspect import Description
    from fieldkit.certificate.request import CertificateRequest
    from fieldkit.profile.model import Bureau
    from fieldkit.secret import Secret
    from fieldkit.token.model import StoredCertificate, Token
    from fieldkit.token.settling import ImportReport

certificate = noun("certificate", M("Look at certificates and certificate files; put them on tokens."))
in_file = option(
    "--certificate", "pick", default="", help=M("Which one in the file: SHA-256, serial number or name.")
)
on_token = option(
    "--token",
    "name",
    required=True,
    shell_complete=completion.tokens,
    help=M("The token: its URI, label or serial number."),
)


@certificate.verb(
    "inspect", M("What a file holds, whatever its kind, and what to think of it."), secrets=("password",)
)
@click.argument("file", metavar="FILE", type=FILE)
@options.trust
def inspect(call: Call, file: Path, trust: tuple[Path, ...], crl: tuple[Path, ...]) -> Reply:
    from fieldkit.certificate.inspect import describe_all

    contents = _read(call, file)
    material = _material(call, trust, crl)
    descriptions = describe_all(
        contents,
        at=datetime.now(UTC),
        anchors=material.anchors,
        issuers=material.others,
        crls=material.crls,
        purposes=material.purposes,
    )
    contents.wipe()
    return Reply(
        [_description(description) for description in descriptions],
        [line for description in descriptions for line in _lines(description)],
    )


@certificate.verb(
    "check",
    M("Judge a certificate; exits 0 only when everything required holds."),
    secrets=("password",),
)
@click.argument("file", metavar="FILE", type=FILE)
@in_file
@options.trust
@option(
    "--bureau",
    default="",
    shell_complete=completion.bureaus,
    help=M("Compare it with the dossier of this bureau, by its code."),
)
def check(
    call: Call, file: Path, pick: str, trust: tuple[Path, ...], crl: tuple[Path, ...], bureau: str
) -> Reply:
    from fieldkit.certificate import check as judge
    from fieldkit.certificate.identity import leaf, matching
    from fieldkit.finding import overall
    from fieldkit.validation.judgement import check_shape

    dossier = _bureau(call, bureau).dossier if bureau else None
    contents = _read(call, file)
    material = _material(call, trust, crl)
    chosen = leaf(contents, pick)
    others = [der for der in contents.certificates if der != chosen]
    judged = judge.check(
        chosen,
        (*others, *material.others),
        material.anchors,
        datetime.now(UTC),
        dossier=dossier,
        crls=(*material.crls, *contents.revocation_lists),
        purposes=material.purposes,
    )
    checks = (*matching(contents, chosen), *judged.checks)
    contents.wipe()
    verdict = overall(checks)
    lines: list[str | Said] = [M("{file}: {verdict}", file=file.name, verdict=str(verdict_word(verdict)))]
    lines += [f"  {line}" for finding in checks for line in finding_lines(finding)]
    return Reply(
        {"verdict": verdict, "checks": [check_shape(finding) for finding in checks]},
        lines,
        good=verdict == "pass",
    )


@certificate.verb(
    "import",
    M("Put a key with its certificate on a token, or join a certificate to the key on it."),
    secrets=("password", "pin"),
    modules=True,
)
@click.argument("file", metavar="FILE", type=FILE)
@option("--key", "key_file", type=FILE, help=M("The file with the private key, if it is another one."))
@on_token
@option("--label", default="", help=M("What key and certificate are called on the token."))
@in_file
@option(
    "--bureau",
    default="",
    shell_complete=completion.bureaus,
    help=M("Refuse a certificate that is not as in this bureau's dossier."),
)
def import_(
    call: Call, file: Path, key_file: Path | None, name: str, label: str, pick: str, bureau: str
) -> Reply:
    from fieldkit.action.import_certificate import import_certificate
    from fieldkit.certificate.identity import identity, joined

    async def work() -> tuple[Token, ImportReport, Identity, Description]:
        async with call.tokens() as access:
            access.agents.warm()
            contents = await asyncio.to_thread(_read, call, file)
            if key_file is not None:
                contents += await asyncio.to_thread(_read, call, key_file)
            # a certificate alone belongs to a key that was made on the token
            single = not contents.keys and bool(contents.certificates)
            material = _material(call)
            holder = (joined if single else identity)(
                contents, at=datetime.now(UTC), pick=pick, purposes=material.purposes
            )
            with holder.key:
                described = _admitted(call, holder, material, bureau)
                token = await access.find(name)
                report = await import_certificate(
                    access, token, holder, described, source=file.name, label=label or holder.name
                )
        return token, report, holder, described

    token, report, holder, described = asyncio.run(work())
    lines: list[str | Said] = []
    if report.resumed:
        lines.append(M("What an interrupted import had left was settled first."))
    lines.append(
        M("On the token {token}, and proved by a signature: {who}", token=token.name, who=holder.name)
    )
    return Reply({"token": token.uri, "subject": described.subject} | data(report), lines)


@certificate.verb(
    "request",
    M("Make a key on a token and write the certificate request for it."),
    secrets=("pin",),
    modules=True,
)
@on_token
@option("--subject", default="", help=M("The subject: CN=…,OU=…,O=…,C=VN. From the dossier with --bureau."))
@option(
    "--bureau",
    default="",
    shell_complete=completion.bureaus,
    help=M("Take subject and e-mail address from this bureau's dossier."),
)
@option("--email", default="", help=M("An e-mail address to be in the certificate."))
@option("--key", "kind", type=click.Choice(KEY_KINDS), default=KEY_KINDS[0], help=M("The kind of key."))
@option("--key-id", default="", help=M("Use this key of the token (CKA_ID) instead of making one."))
@option("--label", default="", help=M("What the key is called on the token."))
@option("--out", required=True, type=FILE, help=M("The file for the request (PEM)."))
def request(
    call: Call,
    name: str,
    subject: str,
    bureau: str,
    email: str,
    kind: RequestedKind,
    key_id: str,
    label: str,
    out: Path,
) -> Reply:
    from fieldkit.action.request_certificate import request_certificate
    from fieldkit.certificate import name as names

    dossier = _bureau(call, bureau).dossier if bureau else None
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
        async with call.tokens() as access:
            token = await access.find(name)
            return token, await request_certificate(
                access, token, wanted, out, email=email, kind=kind, key_id=key_id, label=label
            )

    token, made = asyncio.run(work())
    return Reply(
        {"token": token.uri, "out": str(out), "subject": names.text(wanted)} | data(made),
        [
            M("Written: {file}", file=str(out)),
            M("Send it to the authority; `fieldkit certificate import` puts its answer onto this token."),
        ],
    )


@certificate.verb("list", M("The certificates on a token."), modules=True)
@click.argument("name", metavar="TOKEN", shell_complete=completion.tokens)
@options.certificate
def list_(call: Call, name: str, certificate: str) -> Reply:
    material = _material(call)
    token, stored = _stored(call, name, certificate)
    result: list[Data] = []
    lines: list[str | Said] = []
    for one in stored:
        described = _described(one, stored, material)
        values: Data = {"sha256": one.sha256, "verdict": "fail", "findings": []}
        result.append(
            {"id": one.id, "label": one.label, **(_description(described) if described else values)}
        )
        lines.append(f"{one.label}  {one.id}")
        lines += (
            ["  " + line for line in _lines(described)]
            if described
            else [M("What stands there is no certificate.")]
        )
    return Reply(result, lines or [M("There is no certificate on the token {token}.", token=token.name)])


@certificate.verb("export", M("Write a token's certificates to a file (PEM)."), modules=True)
@click.argument("name", metavar="TOKEN", shell_complete=completion.tokens)
@options.certificate
@option("--out", required=True, type=FILE, help=M("The file for the certificates (PEM)."))
def export(call: Call, name: str, certificate: str, out: Path) -> Reply:
    from fieldkit.certificate.files import pem

    _, stored = _stored(call, name, certificate)
    with contextlib.suppress(FileExistsError), out.open("xb") as file:
        file.write(b"".join(pem(one.der) for one in stored))
        return Reply(
            {"out": str(out), "certificates": [one.sha256 for one in stored]},
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
@click.argument("name", metavar="TOKEN", shell_complete=completion.tokens)
@click.argument("pick", metavar="ID", required=False, default="")
@options.certificate
def remove(call: Call, name: str, pick: str, certificate: str) -> Reply:
    from fieldkit.action.remove_certificate import remove_certificate

    async def work() -> tuple[Token, Removal]:
        async with call.tokens() as access:
            token = await access.find(name)
            return token, await remove_certificate(access, token, pick or certificate)

    token, removal = asyncio.run(work())
    result = {"token": token.uri, "id": removal.id, "removed": removal.gone, "left": removal.left}
    message = (
        M("The token did not let everything be removed; objects left: {count}", count=removal.left)
        if removal.left
        else M("Removed from the token {token}: {what}", token=token.name, what=removal.name)
    )
    return Reply(result, message, good=not removal.left)


def _read(call: Call, file: Path) -> Contents:
    """What is in a file; its password is asked for only if it wants one.

    :raises PasswordNeeded: it does, and nobody is here to enter it.
    """
    from fieldkit.certificate import files
    from fieldkit.certificate.errors import PasswordNeeded

    console = call.console()

    def password() -> Secret:
        if not call.gives("password") and not console.attended:
            raise PasswordNeeded(
                M("The file {name} is protected by a password.", name=file.name),
                unchanged=M("Nothing was changed."),
                hint=M("Run it in a terminal, or give a file with --{role}-file.", role="password"),
            )
        request = SecretRequest(role="password", title=M("Password of the file {name}", name=file.name))
        return asyncio.run(console.secret(request))

    return files.read_contents(files.load(file), password, name=file.name)


def _material(call: Call, trust: Sequence[Path] = (), crl: Sequence[Path] = ()) -> TrustMaterial:
    """What certificates are judged by: what these files hold beside what the profiles name.

    An anchor that is named leaves those of the profiles out. Extended key usages: those of all authorities.
    """
    from fieldkit.certificate import files

    anchors, lists = (
        [files.read_contents(files.load(path), None, name=path.name) for path in paths]
        for paths in (trust, crl)
    )
    known, profiles = call.trusted(), call.profiles()
    return msgspec.structs.replace(
        known,
        anchors=tuple(der for contents in anchors for der in contents.certificates)
        if trust
        else known.anchors,
        others=(*(der for contents in lists for der in contents.certificates), *known.others),
        crls=(*(der for contents in (*anchors, *lists) for der in contents.revocation_lists), *known.crls),
        purposes=profiles.purposes(profiles.authorities),
    )


def _bureau(call: Call, code: str) -> Bureau:
    """The bureau with this code in the plan."""
    bureaus = (bureau for bureau in call.profiles().plan.bureaus if bureau.code == code)
    bureau = next(bureaus, None)
    if bureau is None:
        raise errors.Misused(
            M("The plan has no bureau with the code {code}.", code=code),
            hint=M("`fieldkit plan show` lists them."),
        )
    return bureau


def _admitted(call: Call, holder: Identity, material: TrustMaterial, code: str) -> Description:
    """What is about to be written, judged.

    :raises CertificateRevoked, DossierMismatch: it must not be.
    """
    from fieldkit.certificate.acceptance import admit
    from fieldkit.certificate.inspect import describe

    description = describe(
        holder.certificate,
        at=datetime.now(UTC),
        anchors=material.anchors,
        chain=(*holder.chain, *material.others),
        crls=material.crls,
        has_private_key=bool(holder.key),
        dossier=_bureau(call, code).dossier if code else None,
        purposes=material.purposes,
    )
    admit(description, holder.name)
    return description


def _stored(call: Call, name: str, certificate: str) -> tuple[Token, list[StoredCertificate]]:
    """The token called `name`, and the certificate meant on it, else all of them."""
    with call.agents() as agents:
        token = agents.find(name)
        with agents.session(token) as session:
            return token, [session.certificate(certificate)] if certificate else session.certificates()


def _described(
    stored: StoredCertificate, beside: Sequence[StoredCertificate], material: TrustMaterial
) -> Description | None:
    """A certificate on a token, judged; None where it is none."""
    from fieldkit.certificate.errors import FileUnreadable
    from fieldkit.certificate.inspect import describe

    others = [one.der for one in beside if one.der != stored.der]
    # the second chain where one of the others is no certificate
    for chain in ((*others, *material.others), material.others):
        with contextlib.suppress(FileUnreadable):
            return describe(
                stored.der,
                at=datetime.now(UTC),
                anchors=material.anchors,
                chain=chain,
                crls=material.crls,
                has_private_key=stored.has_private_key,
                purposes=material.purposes,
            )
    return None


def _description(description: Description) -> Data:
    """What `certificate inspect --json` says of a certificate; a part of the command line's contract."""
    findings = [data(finding, "hint", "required", "judge") for finding in description.findings]
    return data(description, "findings") | {"findings": findings}


def _lines(description: Description) -> list[str]:
    """A certificate, request, list or key as lines for a person."""
    from fieldkit.certificate.inspect import valid

    lines: list[Said | str] = []
    if description.kind == "certificate":
        lines += [
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
    lines += [line for finding in description.findings for line in finding_lines(finding)]
    return [description.subject or description.issuer or description.key, *(f"  {line}" for line in lines)]
