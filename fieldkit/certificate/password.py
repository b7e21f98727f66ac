"""The ways one typed password was turned into bytes by the programs that make certificate files.

Vietnamese letters are typed composed, decomposed, or as Windows' own layout makes them (letter composed,
tone apart); old programs took each byte of the UTF-8 for a letter. One of these opens the file, or none.
"""

from __future__ import annotations

import unicodedata

from fieldkit.secret import Secret

TONES = ("\u0300", "\u0301", "\u0303", "\u0309", "\u0323")


def forms(password: Secret) -> tuple[bytes, ...]:
    """The bytes to try, the likeliest first; each once."""
    raw = password.reveal_bytes()
    try:
        typed = raw.decode()
    except UnicodeDecodeError:
        return (raw, raw.decode("latin-1").encode())
    composed = unicodedata.normalize("NFC", typed)
    tried = (
        raw,
        composed.encode(),
        unicodedata.normalize("NFD", typed).encode(),
        _tones_apart(composed).encode(),
        composed.encode().decode("latin-1").encode(),
    )
    return tuple(dict.fromkeys(tried))


def _tones_apart(composed: str) -> str:
    """`composed` as the Vietnamese layout of Windows types it: ế becomes ê and a combining acute."""
    made = ""
    for letter in composed:
        parts = unicodedata.normalize("NFD", letter)
        tone = "".join(mark for mark in parts if mark in TONES)
        rest = "".join(mark for mark in parts if mark not in TONES)
        made += unicodedata.normalize("NFC", rest) + tone
    return made
