"""What can go wrong with certificate files and what they hold, by what a person can do about it."""

from __future__ import annotations

from fieldkit import errors


class FileNotThere(errors.Missing, code="file-not-found"):
    """There is no such file, or it cannot be opened for reading."""


class FileUnreadable(errors.Misused, code="certificate-file-unreadable"):
    """It is not a certificate file, it is damaged, or it is too large to be one."""


class PasswordNeeded(errors.Missing, code="password-needed"):
    """The file is encrypted, and no password was given."""


class PasswordIncorrect(errors.Failed, code="password-incorrect"):
    """The password given does not open the file."""


class OpenSslMissing(errors.Missing, code="openssl-missing"):
    """The file uses an old encryption that only the program `openssl` still reads, and it is not here."""


class KeyUnsupported(errors.Misused, code="key-unsupported"):
    """The key is of a kind that no token for signatures takes."""


class KeyWithoutCertificate(errors.Missing, code="key-without-certificate"):
    """There is a private key, and no certificate for it."""


class CertificateWithoutKey(errors.Missing, code="certificate-without-key"):
    """There is a certificate, and no private key for it."""


class NotInFile(errors.Missing, code="certificate-not-in-file"):
    """The file has no certificate of the name or number that was given."""


class CertificateAmbiguous(errors.Misused, code="certificate-ambiguous"):
    """More than one certificate would do, and nobody said which is meant."""


class KeyMismatch(errors.Refused, code="key-mismatch"):
    """Key and certificate do not belong together."""


class CertificateExpired(errors.Refused, code="certificate-expired"):
    """The certificate may no longer sign."""


class CertificateNotYetValid(errors.Refused, code="certificate-not-yet-valid"):
    """The certificate may not sign yet, or the clock is wrong."""


class CertificateUsage(errors.Refused, code="certificate-usage"):
    """The certificate was not issued for signatures."""


class SubjectInvalid(errors.Misused, code="subject-invalid"):
    """The subject given is not a distinguished name that a certificate can have."""


class RequestInvalid(errors.Misused, code="request-invalid"):
    """A certificate request cannot be made from what was given."""


class RequestFailed(errors.Failed, code="certificate-request-failed"):
    """A certificate request was made, and it does not verify."""


class KeyNotFound(errors.Missing, code="key-not-found"):
    """The token has no key that fits, or none with the identifier given."""


class KeyLeftBehind(errors.Failed, code="request-incomplete"):
    """A request failed, and the key made for it is still on the token."""


class DossierMismatch(errors.Refused, code="dossier-mismatch"):
    """The certificate is not the one that the dossier asks for."""


class CertificateRevoked(errors.Refused, code="certificate-revoked"):
    """A revocation list names the certificate."""
