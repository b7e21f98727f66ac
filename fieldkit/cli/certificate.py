"""`fieldkit certificate`: inspect and check files; import, request, list, export and remove on tokens."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fieldkit import errors
from fieldkit.cli import certificate_material as material
from fieldkit.cli import token as tokens
from fieldkit.cli.frame import Call, Reply, noun, option
from fieldkit.operator import Plan
from fieldkit.text import M, Said
from fieldkit.text_output import finding_lines, verdict_word

if TYPE_CHECKING:
    from fieldkit.certificate.identity import Identity
    from fieldkit.certificate.inspect import Description
    from fieldkit.token.agents import Agents
    from fieldkit.token.intents import Intent, Intents
    from fieldkit.token.model import StoredCertificate, Token
    from fieldkit.token.provision import ImportReport

certificate = noun("certificate", M("Look at certificates and certificate files; put them on tokens."))
KEYS = ("rsa:2048", "rsa:3072", "ec:p256", "ec:p384")
A_FILE = click.Path(path_type=Path)


class OutputExists(errors.Refused):
    """The output is there already."""

    code = "output-exists"


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
    found = describe_all(
        contents,
        at=material.now(),
        anchors=anchors,
        issuers=issuers,
        crls=crls,
        purposes=material.purposes(call),
    )
    contents.wipe()
    return Reply([shape(each) for each in found], [line for each in found for line in lines(each)])


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
    from fieldkit.certificate.inspect import finding
    from fieldkit.validation.judgement import check_shape
    from fieldkit.verdict import overall

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
    said += [f"  {line}" for each in checks for line in finding_lines(finding(each))]
    return Reply(
        {"verdict": verdict, "checks": [check_shape(each) for each in checks]}, said, good=verdict == "pass"
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
    from fieldkit.certificate.identity import identity, joined
    from fieldkit.token import provision

    with _reaching(call) as (running, intents):
        running.warm()
        contents = material.read(call, file)
        if key_file is not None:
            contents += material.read(call, key_file)
        # a certificate alone belongs to a key that was made on the token
        single = not contents.keys and bool(contents.certificates)
        purposes = material.purposes(call)
        holder = (
            joined(contents, at=material.now(), pick=pick, purposes=purposes)
            if single
            else identity(contents, at=material.now(), pick=pick, purposes=purposes)
        )
        with holder.key:
            described = material.described(call, holder, bureau)
            found = running.find(name)
            with running.session(found) as looking:
                present = looking.certificates()
            leftovers = provision.leftovers(found, intents)
            tokens.consent(call, _import_plan(found, holder, described, file, single, present, leftovers))
            report = _write(call, running, intents, leftovers, found, holder, label, single)
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
@option("--key", "kind", type=click.Choice(KEYS), default="rsa:2048", said=M("The kind of key."))
@option("--key-id", default="", said=M("Use this key of the token (CKA_ID) instead of making one."))
@option("--label", default="", said=M("What the key is called on the token."))
@option("--out", required=True, type=A_FILE, said=M("The file for the request (PEM)."))
def request(call: Call, name: str, subject: str, bureau: str, email: str, out: Path, **given: Any) -> Reply:
    from fieldkit.certificate import name as names
    from fieldkit.certificate.request import make
    from fieldkit.token import provision

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
        raise OutputExists(
            M("The file {file} is there already.", file=str(out)),
            unchanged=M("Nothing was changed."),
            hint=M("Give another name; a request is not written over another."),
        )
    with _reaching(call) as (running, intents):
        found = running.find(name)
        plan = Plan(
            title=M("Make a certificate request on the token {token}", token=found.name),
            steps=(
                M("Subject: {subject}", subject=names.text(wanted)),
                M("Key: {key}, already on the token", key=given["key_id"])
                if given["key_id"]
                else M("Key: {key}, made on the token; it can never leave it", key=given["kind"]),
                M("Request: {file}", file=str(out)),
            ),
            keeps=M("What is on the token stays. If it fails, the new key is removed."),
        )
        tokens.consent(call, plan)
        confirmed = tokens.last_try(call, found)
        with (
            tokens.ask_pin(call, found) as pin,
            running.session(found, pin, confirmed_last_try=confirmed) as session,
        ):
            own = given.pop("key_id")
            made = (
                make(session, wanted, out, email=email, key_id=own, **given)
                if own
                else provision.requested(
                    session,
                    intents,
                    lambda key_id, begin: make(
                        session, wanted, out, email=email, key_id=key_id, begin=begin, **given
                    ),
                )
            )
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
        found = running.find(name)
        with running.session(found) as session:
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
    return Reply(result, said or [M("There is no certificate on the token {token}.", token=found.name)])


@certificate.verb("export", M("Write a token's certificates to a file (PEM)."), modules=True)
@click.argument("name", metavar="TOKEN")
@option("--certificate", "pick", default="", said=M("Which certificate on it: CKA_ID, label or SHA-256."))
@option("--out", required=True, type=A_FILE, said=M("The file for the certificates (PEM)."))
def export(call: Call, name: str, pick: str, out: Path) -> Reply:
    from fieldkit.certificate.files import pem

    with tokens.agents(call) as running:
        found = running.find(name)
        with running.session(found) as session:
            stored = [session.certificate(pick)] if pick else session.certificates()
    with contextlib.suppress(FileExistsError), out.open("xb") as file:
        file.write(b"".join(pem(each.der) for each in stored))
        return Reply(
            {"out": str(out), "certificates": [each.sha256 for each in stored]},
            M("Certificates written to {file}: {count}", file=str(out), count=len(stored)),
        )
    raise OutputExists(
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
    from fieldkit.token.errors import CertificateNotFound
    from fieldkit.token.session import needed_by_others

    wanted = pick or more
    with tokens.agents(call) as running:
        found = running.find(name)
        target, shown, who, alone = wanted, wanted, wanted, False
        with running.session(found) as session:
            try:
                chosen = session.certificate(wanted)
            except CertificateNotFound:
                if not wanted:
                    raise
            else:  # otherwise it may be a key without a certificate, which shows only after the login
                alone = needed_by_others(chosen, session.certificates())
                target = chosen.sha256
                shown = chosen.id if chosen.has_private_key and chosen.id and not alone else chosen.sha256
                who = chosen.label or chosen.id
        plan = Plan(
            title=M("Remove {what} from the token {token}", what=who, token=found.name),
            steps=(
                M("The certificate is removed. Its key stays: another certificate on the token needs it.")
                if alone
                else M("Key and certificate are destroyed. Signatures made with them stay valid."),
                M("Identifier: {id}", id=shown),
            ),
            keeps=M("Everything else on the token stays."),
            confirm=shown[:8],
        )
        tokens.consent(call, plan)
        confirmed = tokens.last_try(call, found)
        with (
            tokens.ask_pin(call, found) as pin,
            running.session(found, pin, confirmed_last_try=confirmed) as session,
        ):
            removed = session.remove(target)
    result = {"token": found.uri, "id": shown, "removed": len(removed.gone), "left": len(removed.left)}
    said = (
        M("The token did not let everything be removed; objects left: {count}", count=len(removed.left))
        if removed.left
        else M("Removed from the token {token}: {what}", token=found.name, what=who)
    )
    return Reply(result, said, good=not removed.left)


def lines(found: Description) -> list[str]:
    """What was found, as lines for a person."""
    from fieldkit.certificate.inspect import valid

    said: list[Said | str] = []
    if found.kind == "certificate":
        said += [
            M("Issuer: {issuer}", issuer=found.issuer),
            M("Serial number: {number}", number=found.serial_number),
            valid(found),
            M("Key: {key}; usage: {usage}", key=found.key, usage=", ".join(found.key_usage) or "-"),
            M("SHA-256: {digest}", digest=found.sha256),
            M("Its private key is here.") if found.has_private_key else M("Without private key."),
        ]
    said += [line for each in found.findings for line in finding_lines(each)]
    return [found.subject or found.issuer or found.key, *(f"  {each}" for each in said)]


def _import_plan(
    found: Token,
    holder: Identity,
    described: Description,
    file: Path,
    single: bool,
    present: Sequence[StoredCertificate],
    leftovers: Sequence[Intent],
) -> Plan:
    from fieldkit.certificate.inspect import valid
    from fieldkit.procedure.certificate_facts import on_it
    from fieldkit.token.provision import removal

    return Plan(
        title=M("Import a certificate onto the token {name}", name=found.name),
        steps=(
            M("Certificate: {subject}", subject=described.subject),
            M("Issuer: {issuer}", issuer=described.issuer),
            valid(described),
            *(
                each.message
                for each in described.findings
                if each.severity in ("fail", "warning", "not-checked")
            ),
            M("Written from {file}: the certificate, for the key on the token.", file=file.name)
            if single
            else M(
                "Written from {file}: the key, the certificate, {chain} authority certificate(s).",
                file=file.name,
                chain=len(holder.chain),
            ),
            M("The key then signs once, and the certificate must verify it."),
            on_it(present),
            *map(removal, leftovers),
        ),
        keeps=M("If anything fails, what was written is removed and you are told."),
    )


def _write(
    call: Call,
    running: Agents,
    intents: Intents,
    agreed: Sequence[Intent],
    found: Token,
    holder: Identity,
    label: str,
    single: bool,
) -> ImportReport:
    from fieldkit.token import provision

    label = label or holder.name
    console = call.console()
    confirmed = tokens.last_try(call, found)
    with (
        tokens.ask_pin(call, found) as pin,
        running.session(found, pin, confirmed_last_try=confirmed) as session,
    ):
        if single:
            return provision.import_certificate(
                session, holder.certificate, label, holder.chain, intents=intents, agreed=agreed
            )
        return provision.import_identity(
            session, holder, label, intents=intents, agreed=agreed, progress=console.progress
        )


@contextlib.contextmanager
def _reaching(call: Call) -> Iterator[tuple[Agents, Intents]]:
    """The agents of all modules, and where imports under way are kept: in the store, if it can be written."""
    from fieldkit.journal.errors import StoreDamaged, StoreUnavailable
    from fieldkit.token.intents import MemoryIntents, StoredIntents

    with contextlib.ExitStack() as open_:
        running = open_.enter_context(tokens.agents(call))
        intents: Intents = MemoryIntents()
        with contextlib.suppress(StoreDamaged, StoreUnavailable):
            store = open_.enter_context(call.store())
            if store.read_only is None:
                intents = StoredIntents(store.db)
        yield running, intents
