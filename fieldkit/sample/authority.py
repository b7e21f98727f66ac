"""A certification authority for demonstration and tests, made on the spot and marked MẪU / SAMPLE throughout.

It lives in one folder and can be loaded again. What it issues has no legal effect; its keys lie in the open.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs12 import load_key_and_certificates

from fieldkit import errors
from fieldkit.access import PRIVATE_FOLDER, close_to_others, make_private_folder
from fieldkit.certificate import name
from fieldkit.home import Home
from fieldkit.sample import issue
from fieldkit.sample.issue import SIGNING, CertificateWish, Issuer, PrivateKey, Purpose, Usage, days, seconds
from fieldkit.sample.place import replace, write
from fieldkit.secret import Secret
from fieldkit.text import M

PERSON = {"CN": "Nguyễn Thị Mẫu (MẪU)", "OU": "Cơ quan thường trú Sông Mơ", "O": "Cơ quan MẪU", "C": "VN"}
AGENCY = {
    "CN": "Cơ quan thường trú Sông Mơ (MẪU)",
    "OU": "Cơ quan thường trú Sông Mơ",
    "O": "Cơ quan MẪU",
    "C": "VN",
}
EMAIL = "mau01@example.invalid"
RECIPIENTS = ("head-office", "escrow")


class SampleExists(errors.Refused, code="sample-authority-exists"):
    """A folder for a new sample authority holds something already."""


class SampleMissing(errors.Missing, code="sample-authority-missing"):
    """There is no sample authority in the folder, or part of it is gone."""


class IssuedCertificate(msgspec.Struct, frozen=True):
    """A key and the certificate issued for it; `pkcs12` holds both with the chain, `password` opens it.

    key: PKCS#8 (DER). chain: issuing CA, root. password: a file whose first line it is.
    """

    certificate: bytes
    key: Secret
    chain: tuple[bytes, ...]
    pkcs12: Path
    password: Path

    def secret(self) -> Secret:
        """The password of the PKCS#12 file."""
        return Secret(self.password.read_bytes().rstrip(b"\n"))


class SampleAuthority(msgspec.Struct, frozen=True):
    """Everything the sample authority is, by its folder. Made by `create`, found again by `load`."""

    folder: Path

    @property
    def root_path(self) -> Path:
        """The trust anchor, PEM."""
        return self.folder / "root.pem"

    @property
    def issuing_path(self) -> Path:
        """The issuing CA's certificate, PEM."""
        return self.folder / "issuing.pem"

    @property
    def crl_paths(self) -> tuple[Path, Path]:
        """The revocation lists of root and issuing CA, DER."""
        return self.folder / "root.crl", self.folder / "issuing.crl"

    @property
    def root(self) -> bytes:
        """The trust anchor, DER."""
        return self._certificate("root").public_bytes(Encoding.DER)

    @property
    def issuing(self) -> bytes:
        """The issuing CA's certificate, DER."""
        return self._certificate("issuing").public_bytes(Encoding.DER)

    @property
    def anchors(self) -> tuple[bytes, ...]:
        """What to trust: the root, DER."""
        return (self.root,)

    @property
    def chain(self) -> tuple[bytes, bytes]:
        """Issuing CA and root, DER."""
        return self.issuing, self.root

    @property
    def crls(self) -> tuple[bytes, ...]:
        """The revocation lists of root and issuing CA, DER."""
        return tuple(path.read_bytes() for path in self.crl_paths)

    @property
    def person(self) -> IssuedCertificate:
        """A person's certificate, as the dossier of the bureau MAU-01 asks for it."""
        return self._kept("person")

    @property
    def agency(self) -> IssuedCertificate:
        """An agency's certificate, for its seal."""
        return self._kept("agency")

    def signer(self, file: str) -> Issuer:
        """Certificate and key of "root", "issuing", "tsa" or "ocsp"."""
        return Issuer(
            self._certificate(file), issue.load_key((self.folder / f"{file}.key").read_bytes()), file
        )

    def recipients(self) -> tuple[str, ...]:
        """The age public keys of head office and escrow."""
        return tuple(
            (self.folder / f"{recipient}.age").read_text("ascii").strip() for recipient in RECIPIENTS
        )

    def identity_path(self, who: str = "head-office") -> Path:
        """The file with the age identity of "head-office" or "escrow"."""
        return self.folder / f"{who}.identity"

    def install(self, home: Home) -> None:
        """Put what may be public where a technician's home has it: anchors, revocation lists, recipients."""
        place = home.profiles / "authorities" / "sample"
        keys = home.path / "recipients"
        for folder in (place, keys):
            folder.mkdir(parents=True, exist_ok=True)
        for path in (self.root_path, self.issuing_path, *self.crl_paths):
            replace(place / path.name, path.read_bytes())
        for recipient in RECIPIENTS:
            replace(keys / f"{recipient}.age", (self.folder / f"{recipient}.age").read_bytes())

    def write_pkcs12(self, path: Path, password: Secret, *, agency: bool = False) -> None:
        """Write the person's (or the agency's) key, certificate and chain to `path`, under this password."""
        issued = self.agency if agency else self.person
        key = issue.load_key(issued.key.reveal_bytes())
        friendly = _common_name(issued.certificate)
        replace(path, issue.pkcs12(key, issued.certificate, issued.chain, password, friendly), 0o600)

    def issue(
        self,
        subject: Mapping[str, str] | None = None,
        *,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        key: str | PrivateKey = "rsa:2048",
        usage: Sequence[Usage] = SIGNING,
        purposes: Sequence[Purpose] = (),
        email: str = "",
        services: str = "",
        authority: bool = False,
    ) -> IssuedCertificate:
        """Issue a certificate; valid from yesterday for two years unless said otherwise.

        key: its kind ("rsa:2048", "ec:p256", …) or a key made before. services: an address at which
        its revocation list and responder are; the certificate names them.
        """
        start = seconds(not_before) if not_before else seconds(None) - days(1)
        wish = CertificateWish(
            subject=name.build(subject or PERSON),
            not_before=start,
            not_after=seconds(not_after) if not_after else start + days(730),
            usage=usage,
            purposes=purposes,
            email=email,
            services=services,
            authority=authority,
        )
        own = issue.generate(key) if isinstance(key, str) else key
        der = issue.certificate(wish, own.public_key(), self.signer("issuing"))
        make_private_folder(self.folder / "issued")
        serial = x509.load_der_x509_certificate(der).serial_number
        return _write_issued(self.folder / "issued" / f"{serial:x}", own, der, self.chain)

    def renew_crl(
        self,
        *,
        more: Mapping[int, datetime] | None = None,
        this_update: datetime | None = None,
        next_update: datetime | None = None,
        file: str = "issuing",
    ) -> bytes:
        """Make the revocation list of "issuing" or "root" anew, with `more` on it; valid for 30 days."""
        path = self.folder / f"{file}.crl"
        before = x509.load_der_x509_crl(path.read_bytes())
        revoked = {
            revoked_certificate.serial_number: revoked_certificate.revocation_date_utc
            for revoked_certificate in before
        } | dict(more or {})
        number = before.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number + 1
        start = seconds(this_update) if this_update else seconds(None) - days(1 / 24)
        end = seconds(next_update) if next_update else start + days(30)
        der = issue.revocation_list(self.signer(file), revoked, number, start, end)
        replace(path, der)
        return der

    def _certificate(self, file: str) -> x509.Certificate:
        return x509.load_pem_x509_certificate((self.folder / f"{file}.pem").read_bytes())

    def _kept(self, file: str) -> IssuedCertificate:
        """What was issued when the authority was made, read back from its PKCS#12 file."""
        path = self.folder / f"{file}.p12"
        password = path.with_suffix(".password")
        key, cert, _ = load_key_and_certificates(path.read_bytes(), password.read_bytes().rstrip(b"\n"))
        assert isinstance(key, PrivateKey)
        assert cert is not None
        der = cert.public_bytes(Encoding.DER)
        return IssuedCertificate(der, Secret(issue.der_key(key)), self.chain, path, password)


def create(folder: Path, *, now: datetime | None = None, key: str = "rsa:2048") -> SampleAuthority:
    """Make a sample authority in `folder`, which is empty or not there yet.

    key: the kind of the keys. now: the moment it is made for.
    :raises SampleExists: there is something in the folder.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise SampleExists(
            M("There is something in {folder} already.", folder=str(folder)),
            unchanged=M("Nothing was changed."),
            hint=M("Give an empty folder for the sample authority."),
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        close_to_others(made, PRIVATE_FOLDER)
        _fill(SampleAuthority(made), seconds(now), key)
        if folder.is_dir():
            folder.rmdir()
        made.rename(folder)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return SampleAuthority(folder)


def load(folder: Path) -> SampleAuthority:
    """The sample authority that was made in `folder`.

    :raises SampleMissing: it is not there, or not all of it.
    """
    authority = SampleAuthority(folder)
    needed = [
        folder / f"{stem}{end}" for stem in ("root", "issuing", "tsa", "ocsp") for end in (".pem", ".key")
    ]
    needed += [*authority.crl_paths, folder / "person.p12", folder / "person.password"]
    missing = [path.name for path in needed if not path.is_file()]
    if missing:
        raise SampleMissing(
            M("There is no complete sample authority in {folder}.", folder=str(folder)),
            hint=M("Remove the folder; a new sample authority is made in its place."),
            detail=", ".join(missing),
        )
    return authority


def _fill(made: SampleAuthority, now: datetime, kind: str) -> None:
    """Write every file of a new authority."""
    top, below, end = now - days(5 * 365), now - days(4 * 365), now + days(10 * 365)
    signs: tuple[Usage, ...] = ("key_cert_sign", "crl_sign")
    root = _authority(made, "root", "Root CA MẪU (SAMPLE)", None, kind, top, end + days(5 * 365), signs)
    issuing = _authority(made, "issuing", "CA cấp phát MẪU (SAMPLE)", root, kind, below, end, signs)
    start, until = now - days(30), now + days(730)
    # the timestamp service signs with RSA only, whatever the kind of the other keys
    _service(made, "tsa", "TSA MẪU (SAMPLE)", issuing, "rsa:2048", start, until, "timestamp")
    _service(made, "ocsp", "OCSP MẪU (SAMPLE)", issuing, kind, start, until, "ocsp")
    for issuer in (root, issuing):
        listed = issue.revocation_list(issuer, {}, 1, now - days(1 / 24), now + days(365))
        write(made.folder / f"{issuer.file}.crl", listed)
    for file, subject in (("person", PERSON), ("agency", AGENCY)):
        key = issue.generate(kind)
        wish = CertificateWish(
            subject=name.build(subject), not_before=now - days(1), not_after=until, email=EMAIL
        )
        der = issue.certificate(wish, key.public_key(), issuing)
        _write_issued(made.folder / file, key, der, made.chain)
    for recipient in RECIPIENTS:
        _age(made, recipient)


def _authority(
    made: SampleAuthority,
    file: str,
    common_name: str,
    issuer: Issuer | None,
    kind: str,
    start: datetime,
    end: datetime,
    usage: Sequence[Usage],
) -> Issuer:
    wish = CertificateWish(
        subject=_subject(common_name),
        not_before=start,
        not_after=end,
        usage=usage,
        authority=True,
        depth=0 if issuer else None,
    )
    return _own(made, file, wish, issuer, kind)


def _service(
    made: SampleAuthority,
    file: str,
    common_name: str,
    issuer: Issuer,
    kind: str,
    start: datetime,
    end: datetime,
    purpose: Purpose,
) -> None:
    wish = CertificateWish(
        subject=_subject(common_name),
        not_before=start,
        not_after=end,
        usage=("digital_signature",),
        purposes=(purpose,),
    )
    _own(made, file, wish, issuer, kind)


def _own(made: SampleAuthority, file: str, wish: CertificateWish, issuer: Issuer | None, kind: str) -> Issuer:
    """A key and certificate of the authority itself, written as FILE.key and FILE.pem."""
    key = issue.generate(kind)
    der = issue.certificate(wish, key.public_key(), issuer, key)
    write(made.folder / f"{file}.pem", issue.pem(der))
    write(made.folder / f"{file}.key", issue.der_key(key), 0o600)
    return Issuer(x509.load_der_x509_certificate(der), key, file)


def _age(made: SampleAuthority, who: str) -> None:
    """An age key pair: WHO.age is public, WHO.identity opens what is encrypted to it."""
    from pyrage import x25519  # type: ignore[attr-defined]

    identity = x25519.Identity.generate()
    write(made.folder / f"{who}.age", f"{identity.to_public()}\n".encode())
    write(made.identity_path(who), f"{identity}\n".encode(), 0o600)


def _write_issued(stem: Path, key: PrivateKey, der: bytes, chain: Sequence[bytes]) -> IssuedCertificate:
    """Write STEM.p12 under a new password, and the password beside it."""
    path, password = stem.with_name(f"{stem.name}.p12"), stem.with_name(f"{stem.name}.password")
    with Secret(secrets.token_urlsafe(15)) as secret:
        write(path, issue.pkcs12(key, der, chain, secret, _common_name(der)), 0o600)
        write(password, secret.reveal_bytes() + b"\n", 0o600)
    return IssuedCertificate(der, Secret(issue.der_key(key)), tuple(chain), path, password)


def _subject(common_name: str) -> x509.Name:
    return name.build({"CN": common_name, "O": "Tổ chức MẪU (SAMPLE) - không có giá trị pháp lý", "C": "VN"})


def _common_name(der: bytes) -> str:
    return name.common_name(x509.load_der_x509_certificate(der).subject)
