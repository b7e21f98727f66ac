"""What can go wrong with certificate files and what they hold, by what a person can do about it."""

from __future__ import annotations

from fieldkit import errors


class FileNotThere(errors.Missing):
    """There is no such file, or it cannot be opened for reading."""

    code = "file-not-found"


class FileUnreadable(errors.Misused):
    """It is not a certificate file, it is damaged, or it is too large to be one."""

    code = "certificate-file-unreadable"


class PasswordNeeded(errors.Missing):
    """The file is encrypted, and no password was given."""

    code = "password-needed"


class PasswordIncorrect(errors.Failed):
    """The password given does not open the file."""

    code = "password-incorrect"


class OpenSslMissing(errors.Missing):
    """The file uses an old encryption that only the program `openssl` still reads, and it is not here."""

    code = "openssl-missing"


class KeyUnsupported(errors.Misused):
    """The key is of a kind that no token for signatures takes."""

    code = "key-unsupported"


class KeyWithoutCertificate(errors.Missing):
    """There is a private key, and no certificate for it."""

    code = "key-without-certificate"


class CertificateWithoutKey(errors.Missing):
    """There is a certificate, and no private key for it."""

    code = "certificate-without-key"


class NotInFile(errors.Missing):
    """The file has no certificate of the name or number that was given."""

    code = "certificate-not-in-file"


class CertificateAmbiguous(errors.Misused):
    """More than one certificate would do, and nobody said which is meant."""

    code = "certificate-ambiguous"


class KeyMismatch(errors.Refused):
    """Key and certificate do not belong together."""

    code = "key-mismatch"


class CertificateExpired(errors.Refused):
    """The certificate may no longer sign."""

    code = "certificate-expired"


class CertificateNotYetValid(errors.Refused):
    """The certificate may not sign yet, or the clock is wrong."""

    code = "certificate-not-yet-valid"


class CertificateUsage(errors.Refused):
    """The certificate was not issued for signatures."""

    code = "certificate-usage"


class SubjectInvalid(errors.Misused):
    """The subject given is not a distinguished name that a certificate can have."""

    code = "subject-invalid"


class RequestFailed(errors.Failed):
    """A certificate request was made, and it does not verify."""

    code = "certificate-request-failed"


class KeyNotFound(errors.Missing):
    """The token has no key that fits, or none with the identifier given."""

    code = "key-not-found"


class KeyLeftBehind(errors.Failed):
    """A request failed, and the key made for it is still on the token."""

    code = "request-incomplete"


class DossierMismatch(errors.Refused):
    """The certificate is not the one that the dossier asks for."""

    code = "dossier-mismatch"


class CertificateRevoked(errors.Refused):
    """A revocation list names the certificate."""

    code = "certificate-revoked"
