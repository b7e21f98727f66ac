"""The one place where the exceptions of the PDF libraries are met and become words.

Damaged files make them raise almost anything (KeyError, RecursionError, AssertionError, …), so all of
`Exception` is met here; what fieldkit itself raised passes through, however deep it was wrapped.
"""

from __future__ import annotations

import contextlib
import errno
import logging
from collections.abc import Callable, Iterator

from fieldkit.certificate.errors import CertificateRevoked
from fieldkit.errors import FieldkitError
from fieldkit.pdf.errors import (
    DocumentDangerous,
    DocumentEncrypted,
    DocumentLocked,
    DocumentMissing,
    DocumentUnfit,
    FieldUnfit,
    OutputNotWritten,
    RevocationMissing,
    SigningFailed,
    TimestampFailed,
)
from fieldkit.secret import Secret
from fieldkit.text import M, Message

UNCHANGED = M("Nothing was signed, and no file was changed.")
NOT_WRITTEN = M("No file was changed.")


@contextlib.contextmanager
def reading(name: str) -> Iterator[None]:
    """Around everything that parses a document called `name`; reading leaves nothing in doubt."""
    _quiet()
    try:
        yield
    except FieldkitError:
        raise
    except OSError as error:
        if error.errno == errno.EINVAL:  # a place in the file that cannot be: the document sent us there
            raise _unreadable(error, name) from error
        raise not_read(error, name) from None
    except Exception as error:
        raise _unreadable(error, name) from error


@contextlib.contextmanager
def signing(name: str) -> Iterator[None]:
    """Around everything that signs a document called `name`."""
    _quiet()
    try:
        yield
    except FieldkitError:
        raise
    except Exception as error:
        own = _own(error)
        if own is not None:
            raise own from None
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise not_finished(error, name) from None
        raise _unsigned(error, name) from error


def _quiet() -> None:
    """Nobody hears what the libraries log: it is said in words here, and would tear a screen."""
    for name in ("pyhanko", "pyhanko_certvalidator"):
        log = logging.getLogger(name)
        log.propagate = False
        if not log.handlers:
            log.addHandler(logging.NullHandler())


def not_read(error: OSError, name: str) -> FieldkitError:
    """The operating system does not let the document be opened or read."""
    return DocumentMissing(
        M("The file {name} cannot be read: {reason}.", name=name, reason=error.strerror or str(error)),
        hint=M("Check the path and your rights."),
    )


def not_finished(error: OSError, name: str) -> FieldkitError:
    """The operating system stopped work that reads and writes: no space, no rights, a stick pulled."""
    return OutputNotWritten(
        M("The system stopped the work on {name}: {reason}.", name=name, reason=error.strerror or str(error)),
        unchanged=NOT_WRITTEN,
        hint=M("Check the free space, the path and your rights, then try again."),
    )


def kind_of(error: BaseException) -> str:
    """The technical name of a fault: its class and the first line of its text."""
    text = str(error).splitlines()
    return f"{type(error).__name__}: {text[0][:200]}" if text else type(error).__name__


def words(error: FieldkitError) -> Message:
    """What an error says, to stand in another sentence and stay readable in both languages."""
    return error.message if isinstance(error.message, Message) else M("{reason}", reason=str(error.message))


def _unreadable(error: Exception, name: str) -> FieldkitError:
    from pyhanko.pdf_utils.misc import PdfDecodeLimitError, PdfError
    from pyhanko.sign.general import SigningError

    if isinstance(error, PdfDecodeLimitError):
        return DocumentDangerous(
            M("The file {name} unpacks to far more than it should; it was not opened.", name=name),
            hint=M("Do not use this file. Ask for it again from where it came."),
            detail=kind_of(error),
        )
    if type(error).__name__ in ("PdfKeyNotAvailableError", "PdfKeyNotAvailable"):
        return _needs_password(name)
    if isinstance(error, PdfError) and "ecurity handler" in str(error):
        return _needs_key(error, name)
    if isinstance(error, SigningError):
        return _unsigned(error, name)
    return DocumentUnfit(
        M("The file {name} is not a PDF that can be read.", name=name)
        if isinstance(error, PdfError)
        else M("The file {name} is damaged: its parts contradict each other.", name=name),
        hint=M("Open it in a viewer and save it again as PDF, or ask for it again."),
        detail=kind_of(error),
    )


def unlock(decrypt: Callable[[str], object], name: str, password: Secret | None) -> None:
    """Decrypt an open document, by a reader's `decrypt` or a writer's `encrypt`.

    :raises DocumentEncrypted: the password is missing or wrong.
    """
    from pyhanko.pdf_utils.crypt import AuthStatus

    outcome = decrypt(password.reveal() if password else "")
    if getattr(outcome, "status", outcome) == AuthStatus.FAILED:
        raise _needs_password(name)


def _needs_password(name: str) -> FieldkitError:
    """The document is encrypted and no password fits."""
    return DocumentEncrypted(
        M("The file {name} is encrypted, and no password that fits was given.", name=name),
        hint=M("Give its password with --password-file, or ask its author for a copy without one."),
    )


def _needs_key(error: Exception, name: str) -> FieldkitError:
    """The document is encrypted in a way that no password opens: for the keys of its receivers, mostly."""
    return DocumentEncrypted(
        M("The file {name} is encrypted for the keys of its receivers; no password opens it.", name=name),
        hint=M("Ask its author for a copy without encryption, or with a password."),
        detail=kind_of(error),
        password=False,
    )


def _unsigned(error: Exception, name: str) -> FieldkitError:
    from pyhanko.pdf_utils.misc import PdfError
    from pyhanko.sign.general import SigningError
    from pyhanko.sign.timestamps import TimestampRequestError

    if isinstance(error, TimestampRequestError):
        return timestamp_failed(kind_of(error))
    if (fault := _revoked(error)) is not None:
        return revoked(fault)
    if isinstance(error, path_faults()) or "validat" in str(error).lower():
        return RevocationMissing(
            M("The level asked for needs a complete path and revocation data, and they cannot be had."),
            unchanged=UNCHANGED,
            hint=M("Give the authority's certificates and revocation lists, or sign at level B-T or B-B."),
            detail=kind_of(error),
        )
    if type(error).__name__ in ("PdfKeyNotAvailableError", "PdfKeyNotAvailable"):
        return _needs_password(name)
    if isinstance(error, PdfError) and not isinstance(error, SigningError):
        return _unreadable(error, name)
    text = str(error)
    if "hybrid" in text.lower():
        return DocumentLocked(
            M(
                "The file {name} holds two tables of contents (hybrid), which viewers read differently.",
                name=name,
            ),
            unchanged=UNCHANGED,
            hint=M("Save it as PDF again, or agree to have it rewritten before it is signed."),
            detail=text,
        )
    if "doesn't allow" in text or "not allow" in text or "prohibit" in text or "DocMDP" in text:
        return DocumentLocked(
            M("An earlier signature in {name} forbids this signature.", name=name),
            unchanged=UNCHANGED,
            hint=M("Ask its signer for a copy that still allows signatures."),
            detail=kind_of(error),
        )
    if "filled already" in text or "signature field" in text:
        return FieldUnfit(
            M("The signature field cannot be used."),
            unchanged=UNCHANGED,
            hint=M("Name another field, or none for a new one."),
            detail=kind_of(error),
        )
    return SigningFailed(
        M("The file {name} could not be signed.", name=name),
        unchanged=UNCHANGED,
        hint=M("Open it in a viewer and save it again as PDF, then try again."),
        detail=kind_of(error),
    )


def path_faults() -> tuple[type[Exception], ...]:
    """What the path validator raises."""
    from pyhanko_certvalidator.errors import PathError, ValidationError

    return (PathError, ValidationError)


def revoked(fault: BaseException) -> FieldkitError:
    """A revocation list, or the authority's answer, names the certificate or one above it."""
    return CertificateRevoked(
        M("The certificate, or one of its authorities, is revoked."),
        unchanged=UNCHANGED,
        hint=M("Do not use this token. Report it to head office, which recovers it."),
        detail=kind_of(fault),
    )


def timestamp_failed(detail: str) -> FieldkitError:
    """No timestamp could be had."""
    return TimestampFailed(
        M("The timestamp authority gave no timestamp."),
        unchanged=UNCHANGED,
        hint=M("Check the network and the address, or sign at level B-B."),
        detail=detail,
    )


def _revoked(error: BaseException) -> BaseException | None:
    from pyhanko_certvalidator.errors import RevokedError

    return next((cause for cause in _causes(error) if isinstance(cause, RevokedError)), None)


def _own(error: BaseException) -> FieldkitError | None:
    """The error of fieldkit's own that a library wrapped, or None."""
    return next((cause for cause in _causes(error) if isinstance(cause, FieldkitError)), None)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it, as far as libraries nest."""
    seen: BaseException | None = error
    for _ in range(10):
        if seen is None:
            return
        yield seen
        seen = seen.__cause__ or seen.__context__
