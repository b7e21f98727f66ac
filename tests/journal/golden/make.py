"""Make the golden store of the present format: `python -m tests.journal.golden.make FOLDER`.

When the format changes: run this at the last commit of the old one, add its folder here under the
number of the format, and never touch it again. Key and clock are fixed, so it gives the same bytes.
"""

from __future__ import annotations

import hashlib
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tinydb import where

from fieldkit.journal.entry import Draft
from fieldkit.journal.store import Store

SEED = hashlib.sha256(b"the golden store signs nothing that counts").digest()
VISIT = "MAU-1-20261124-0001"


class Clock:
    """A minute for each entry, from the morning of 24 November 2026 in Hà Nội."""

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 24, 8, 0, tzinfo=timezone(timedelta(hours=7)))

    def __call__(self) -> datetime:
        self._now += timedelta(minutes=1)
        return self._now


def make(folder: Path) -> None:
    """A visit with every shape of value, tables and an attachment; signed off and closed."""
    folder.mkdir(parents=True, mode=0o700)
    key = Ed25519PrivateKey.from_private_bytes(SEED)
    (folder / "device.key").write_bytes(SEED + key.public_key().public_bytes_raw())
    (folder / "device.key").chmod(0o600)
    with Store.open(folder, now=Clock()) as store:
        photo = store.attach(b"not really a photo\n", "ảnh.jpg")
        store.append(
            Draft("start", visit=VISIT, who="Kỹ thuật viên mẫu", value={"bureau": {"code": "MAU-1"}})
        )
        for item, value in (
            ("text", 'Đà Lạt: "trích dẫn", \\ và một dòng\nkhác \u2028 🏢'),
            ("number", -(2**53 - 1)),
            ("yes", True),
            ("list", ["a", None, {"b": [0]}]),
            ("empty", ""),
        ):
            store.append(Draft("answer", visit=VISIT, item=item, value=value, who="Kỹ thuật viên mẫu"))
        kept = {"sha256": photo.sha256, "size": photo.size, "name": photo.name}
        store.append(Draft("answer", visit=VISIT, item="photo", value=kept, blob=photo.sha256))
        first = next(entry for entry in store.entries(visit=VISIT) if entry.item == "yes")
        store.append(Draft("answer", visit=VISIT, item="yes", value=False, base=first.hash))
        places = store.db.table("places")
        places.insert({"visit": VISIT, "item": "photo"})
        places.upsert({"visit": VISIT, "item": "yes"}, where("visit") == VISIT)
        places.insert_multiple([{"visit": "other"}, {"visit": "gone"}])
        places.remove(where("visit") == "gone")
        store.db.table("dropped").insert({"a": 1})
        store.db.drop_table("dropped")
        store.append(Draft("signoff", visit=VISIT, value={"officer": "Người nhận mẫu"}))
    for made in (
        "lock",
        "reserve",
    ):  # an empty file, and a megabyte that says nothing: made again when opened
        (folder / made).unlink()


if __name__ == "__main__":
    make(Path(sys.argv[1]))
