"""Files and folders for this account alone: by their mode, on Windows by an access list.

Windows knows no mode: what lies in a folder inherits the folder's list, so that is what is set and looked at.
Administrators and the system itself, which could open anything anyway, keep their access: backups and
virus scanners need it.
"""

from __future__ import annotations

import sys
from pathlib import Path

PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600
OTHERS = 0o077

SYSTEM = "S-1-5-18"
ADMINISTRATORS = "S-1-5-32-544"
EVERYONE = "S-1-1-0"
OWN = ("S-1-3-0", "S-1-3-4")  # "creator owner" and "owner rights": whoever made it


def make_private_folder(folder: Path) -> None:
    """Make `folder`, and what is missing above it, for this account alone; nothing if it is there."""
    for path in (*reversed([above for above in folder.parents if not above.is_dir()]), folder):
        try:
            _make_folder(path)
        except OSError:
            if not path.is_dir():
                raise


def close_to_others(path: Path, mode: int = PRIVATE_FILE) -> None:
    """Take all access of other accounts from what is at `path`; on Windows also from what is in it."""
    if sys.platform == "win32":
        _set_list(path)
    else:
        path.chmod(mode)


def other_accounts(path: Path) -> tuple[str, ...]:
    """Those besides this account, the system and administrators that have access to `path` on Windows.

    Elsewhere its mode says as much, and this is empty.
    """
    if sys.platform == "win32":
        return tuple(_account_name(sid) for sid in _others(path))
    return ()


def closing_command(folder: Path) -> tuple[str, ...]:
    """What does as much as `close_to_others`, typed at a prompt."""
    if sys.platform == "win32":
        own = [f"*{sid}:(OI)(CI)F" for sid in (_own_sid(), SYSTEM, ADMINISTRATORS)]
        others = [f"*{sid}" for sid in _others(folder)]
        return (
            *("icacls", str(folder), "/inheritance:r", "/grant:r", *own),
            *(("/remove", *others) if others else ()),
        )
    return ("chmod", f"{PRIVATE_FOLDER:o}", str(folder))


if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    DACL = 0x4
    PROTECTED = 0x8000_0000
    FILE_OBJECT = 1
    TOKEN_QUERY = 0x8
    TOKEN_USER = 1
    ACCESS_ALLOWED = 0
    # To read, write, append, delete in it, delete it, change its list or owner; and all of that in one bit.
    USEFUL = 0x1 | 0x2 | 0x4 | 0x40 | 0x1_0000 | 0x4_0000 | 0x8_0000 | 0xF000_0000

    _security = ctypes.WinDLL("advapi32", use_last_error=True)
    _kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    _kernel.GetCurrentProcess.restype = ctypes.c_void_p
    _kernel.LocalFree.argtypes = [ctypes.c_void_p]

    class _SecurityAttributes(ctypes.Structure):
        _fields_ = (
            ("size", wintypes.DWORD),
            ("descriptor", ctypes.c_void_p),
            ("inherit", wintypes.BOOL),
        )

    class _AccessList(ctypes.Structure):
        _fields_ = (
            ("revision", ctypes.c_ubyte),
            ("zero", ctypes.c_ubyte),
            ("size", wintypes.WORD),
            ("count", wintypes.WORD),
            ("zero_too", wintypes.WORD),
        )

    class _AccessEntry(ctypes.Structure):
        """Its beginning; the account's identifier follows."""

        _fields_ = (
            ("kind", ctypes.c_ubyte),
            ("flags", ctypes.c_ubyte),
            ("size", wintypes.WORD),
            ("mask", wintypes.DWORD),
        )

    def _must(done: int) -> None:
        if not done:
            raise ctypes.WinError(ctypes.get_last_error())

    def _own_sid() -> str:
        token, size = wintypes.HANDLE(), wintypes.DWORD()
        process = ctypes.c_void_p(_kernel.GetCurrentProcess())
        _must(_security.OpenProcessToken(process, TOKEN_QUERY, ctypes.byref(token)))
        try:
            _security.GetTokenInformation(token, TOKEN_USER, None, 0, ctypes.byref(size))
            user = ctypes.create_string_buffer(size.value)
            _must(_security.GetTokenInformation(token, TOKEN_USER, user, size, ctypes.byref(size)))
        finally:
            _kernel.CloseHandle(token)
        return _sid_text(ctypes.c_void_p.from_buffer(user))

    def _sid_text(sid: ctypes.c_void_p) -> str:
        text = wintypes.LPWSTR()
        _must(_security.ConvertSidToStringSidW(sid, ctypes.byref(text)))
        try:
            return str(text.value)
        finally:
            _kernel.LocalFree(text)

    def _private_descriptor() -> ctypes.c_void_p:
        """A list of this account, the system and administrators, that inherits nothing; to be freed."""
        entries = "".join(f"(A;OICI;FA;;;{sid})" for sid in (_own_sid(), SYSTEM, ADMINISTRATORS))
        descriptor = ctypes.c_void_p()
        convert = _security.ConvertStringSecurityDescriptorToSecurityDescriptorW
        _must(convert(f"D:P{entries}", 1, ctypes.byref(descriptor), None))
        return descriptor

    def _make_folder(path: Path) -> None:
        descriptor = _private_descriptor()
        try:
            attributes = _SecurityAttributes(ctypes.sizeof(_SecurityAttributes), descriptor, False)
            _must(_kernel.CreateDirectoryW(str(path), ctypes.byref(attributes)))
        finally:
            _kernel.LocalFree(descriptor)

    def _set_list(path: Path) -> None:
        descriptor = _private_descriptor()
        try:
            present, defaulted, entries = wintypes.BOOL(), wintypes.BOOL(), ctypes.c_void_p()
            _must(
                _security.GetSecurityDescriptorDacl(
                    descriptor, ctypes.byref(present), ctypes.byref(entries), ctypes.byref(defaulted)
                )
            )
            set_down = _security.SetNamedSecurityInfoW
            error = set_down(str(path), FILE_OBJECT, DACL | PROTECTED, None, None, entries, None)
            if error:
                raise ctypes.WinError(error)
            # That passes it on to what is in there; this is the list itself, whatever is above it.
            _must(_security.SetFileSecurityW(str(path), DACL, descriptor))
        finally:
            _kernel.LocalFree(descriptor)

    def _others(path: Path) -> list[str]:
        entries, descriptor = ctypes.c_void_p(), ctypes.c_void_p()
        error = _security.GetNamedSecurityInfoW(
            str(path), FILE_OBJECT, DACL, None, None, ctypes.byref(entries), None, ctypes.byref(descriptor)
        )
        if error:
            raise ctypes.WinError(error)
        try:
            if not entries.value:  # a disk that keeps no lists, as FAT
                return [EVERYONE]
            ours = {_own_sid(), SYSTEM, ADMINISTRATORS, *OWN}
            sids = []
            for number in range(_AccessList.from_address(entries.value).count):
                place = ctypes.c_void_p()
                _must(_security.GetAce(entries, number, ctypes.byref(place)))
                assert place.value
                entry = _AccessEntry.from_address(place.value)
                if entry.kind == ACCESS_ALLOWED and entry.mask & USEFUL:
                    sids.append(_sid_text(ctypes.c_void_p(place.value + ctypes.sizeof(_AccessEntry))))
            return [sid for sid in dict.fromkeys(sids) if sid not in ours]
        finally:
            _kernel.LocalFree(descriptor)

    def _account_name(sid: str) -> str:
        """What people call the account; its identifier where nobody here knows it."""
        binary = ctypes.c_void_p()
        _must(_security.ConvertStringSidToSidW(sid, ctypes.byref(binary)))
        try:
            name, domain = ctypes.create_unicode_buffer(260), ctypes.create_unicode_buffer(260)
            sizes = [wintypes.DWORD(260), wintypes.DWORD(260)]
            if not _security.LookupAccountSidW(
                *(None, binary, name, ctypes.byref(sizes[0])),
                *(domain, ctypes.byref(sizes[1]), ctypes.byref(wintypes.DWORD())),
            ):
                return sid
            return f"{domain.value}\\{name.value}" if domain.value else name.value
        finally:
            _kernel.LocalFree(binary)

else:

    def _make_folder(path: Path) -> None:
        path.mkdir(mode=PRIVATE_FOLDER)
