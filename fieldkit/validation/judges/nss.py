"""Make an NSS database that trusts certificates: `python -m fieldkit.validation.judges.nss FOLDER DER…`.

A process of its own, since it calls libnss3 (which pdfsig needs anyway) through ctypes and never returns to
Python what went wrong inside. Nothing else uses NSS.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import sys
from collections.abc import Sequence
from pathlib import Path

# certdb.h: valid CA, trusted CA for servers, trusted CA for clients
VALID_CA, TRUSTED_CA, TRUSTED_CLIENT_CA = 1 << 3, 1 << 4, 1 << 7


class _Trust(ctypes.Structure):
    """CERTCertTrust: flags for TLS, mail and code."""

    _fields_ = (("tls", ctypes.c_uint), ("mail", ctypes.c_uint), ("code", ctypes.c_uint))


def make(folder: str, names: Sequence[str]) -> None:
    """Create the database in `folder` and trust the DER certificates in the files `names`."""
    nss, smime = _library("nss3"), _library("smime3")
    pointer = ctypes.c_void_p
    nss.PK11_GetInternalKeySlot.restype = pointer
    nss.PK11_InitPin.argtypes = (pointer, ctypes.c_char_p, ctypes.c_char_p)
    nss.PK11_ImportCert.argtypes = (pointer, pointer, ctypes.c_ulong, ctypes.c_char_p, ctypes.c_int)
    nss.CERT_GetDefaultCertDB.restype = pointer
    nss.CERT_ChangeCertTrust.argtypes = (pointer, pointer, pointer)
    smime.CERT_DecodeCertFromPackage.restype = pointer
    smime.CERT_DecodeCertFromPackage.argtypes = (ctypes.c_char_p, ctypes.c_int)
    _good(nss.NSS_InitReadWrite(f"sql:{folder}".encode()), "init")
    slot = nss.PK11_GetInternalKeySlot()
    _good(nss.PK11_InitPin(slot, None, b""), "pin")
    flags = VALID_CA | TRUSTED_CA
    trust = _Trust(flags | TRUSTED_CLIENT_CA, flags, flags)
    for number, name in enumerate(names):
        der = Path(name).read_bytes()
        certificate = smime.CERT_DecodeCertFromPackage(der, len(der))
        if not certificate:
            raise SystemExit(f"{name}: not a certificate")
        _good(nss.PK11_ImportCert(slot, certificate, 0, f"anchor-{number}".encode(), 0), "import")
        database = nss.CERT_GetDefaultCertDB()
        _good(nss.CERT_ChangeCertTrust(database, certificate, ctypes.byref(trust)), "trust")


def _library(name: str) -> ctypes.CDLL:
    for candidate in (f"lib{name}.so", ctypes.util.find_library(name)):
        if candidate:
            try:
                return ctypes.CDLL(candidate)
            except OSError:
                continue
    raise SystemExit(f"lib{name} is not here")


def _good(status: int, step: str) -> None:
    if status != 0:
        raise SystemExit(f"NSS: {step} failed")


if __name__ == "__main__":
    make(sys.argv[1], sys.argv[2:])
