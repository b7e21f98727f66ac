"""What client and agent say to each other over two pipes: framed JSON, and secrets beside it as raw bytes.

A frame is a JSON document's length (4 bytes, big-endian), a count of secrets (1 byte), the document,
then each secret with its length (4 bytes). Secrets stay out of JSON, so that they can be overwritten.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, Literal

import msgspec

from fieldkit.secret import Secret

LARGEST = 16 * 1024 * 1024
KeyKind = Literal["rsa:2048", "rsa:3072", "rsa:4096", "ec:p256", "ec:p384"]


class Load(msgspec.Struct, tag="load", frozen=True):
    """Load and initialise the module; the agent's first call. Answer: `ModuleInfo`."""

    path: str


class List(msgspec.Struct, tag="list", frozen=True):
    """Every slot with a token. Answer: list[`SlotToken`]."""

    mechanisms: bool = True


class OpenSession(msgspec.Struct, tag="open", frozen=True):
    """Open a session with the token of this serial number and label, wherever it is now. Answer: int."""

    slot: int
    serial: bytes
    label: bytes
    initialized: bool = True
    write: bool = True


class Login(msgspec.Struct, tag="login", frozen=True):
    """Log in with the PIN in secret 0; without a secret the device asks for it itself."""

    session: int
    so: bool = False


class Close(msgspec.Struct, tag="close", frozen=True):
    """Log out and close a session."""

    session: int


class InitToken(msgspec.Struct, tag="init-token", frozen=True):
    """Erase and initialise a token; secret 0 is the SO PIN. Answer: `SlotToken`, as it is then."""

    slot: int
    serial: bytes
    old_label: bytes
    initialized: bool
    label: bytes


class InitPin(msgspec.Struct, tag="init-pin", frozen=True):
    """Set the user PIN (secret 0) in a session of the SO."""

    session: int


class SetPin(msgspec.Struct, tag="set-pin", frozen=True):
    """Change the PIN of whoever is logged in, from secret 0 to secret 1."""

    session: int


class Certificates(msgspec.Struct, tag="certificates", frozen=True):
    """Every certificate. Answer: list[`model.StoredCertificate`]."""

    session: int


class Keys(msgspec.Struct, tag="keys", frozen=True):
    """Every private and public key that can be seen. Answer: list[`model.StoredKey`]."""

    session: int


UNCOUNTED = "uncounted"  # a fault of `Sign`


class Sign(msgspec.Struct, tag="sign", frozen=True):
    """Sign with the private key of this CKA_ID. mechanism: "SHA256_RSA_PKCS", "ECDSA_SHA256", …

    counted: the attempt is counted, should the key want the PIN again for every signature; if it does and
    the attempt is not, the answer is the fault `UNCOUNTED`, and the PIN was not sent. Answer: bytes.
    """

    session: int
    id: str
    mechanism: str
    data: bytes
    counted: bool = False


class CreateKey(msgspec.Struct, tag="create-key", frozen=True):
    """Write the private key in secret 0 (PKCS#8) and its public key. Answer: `WrittenObjects`."""

    session: int
    id: str
    label: str
    subject: bytes = b""


class CreateCertificate(msgspec.Struct, tag="create-certificate", frozen=True):
    """Write a certificate. Answer: `WrittenObjects`."""

    session: int
    id: str
    label: str
    der: bytes
    authority: bool = False


class GenerateKey(msgspec.Struct, tag="generate-key", frozen=True):
    """Make a key pair on the token. Answer: `WrittenObjects`, with the public key."""

    session: int
    id: str
    label: str
    kind: KeyKind


class Destroy(msgspec.Struct, tag="destroy", frozen=True):
    """Remove the objects with these handles. Answer: `RemovedObjects`."""

    session: int
    handles: tuple[int, ...]


Request = (
    Load
    | List
    | OpenSession
    | Login
    | Close
    | InitToken
    | InitPin
    | SetPin
    | Certificates
    | Keys
    | Sign
    | CreateKey
    | CreateCertificate
    | GenerateKey
    | Destroy
)


class ModuleInfo(msgspec.Struct, frozen=True):
    """What the module says of itself."""

    manufacturer: str
    description: str
    version: str


class SlotToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token as the module describes it, undecoded; sizes are -1 where it does not say."""

    slot: int
    label: bytes
    manufacturer: bytes
    model: bytes
    serial: bytes
    flags: int
    pin_min: int
    pin_max: int
    free_memory: int
    firmware: str
    mechanisms: tuple[str, ...]


class WrittenObjects(msgspec.Struct, frozen=True):
    """Objects that a call made: handles, and the public key (SubjectPublicKeyInfo) where one is known."""

    handles: tuple[int, ...]
    public: bytes = b""


class RemovedObjects(msgspec.Struct, frozen=True):
    """Objects that a call removed, and those that it could not remove."""

    gone: tuple[int, ...]
    left: tuple[int, ...] = ()


class CallAnswer(msgspec.Struct, tag="done", frozen=True):
    """A call's answer."""

    value: msgspec.Raw


class CallFault(msgspec.Struct, tag="fault", frozen=True):
    """A call failed. name: CKR_…, or what kind of fault; never any value that was passed.

    made: handles of objects that had been written before it failed and could not be removed.
    """

    name: str
    detail: str = ""
    made: tuple[int, ...] = ()


_requests: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)
_replies: msgspec.json.Decoder[CallAnswer | CallFault] = msgspec.json.Decoder(CallAnswer | CallFault)
_encoder = msgspec.json.Encoder()


def write(pipe: IO[bytes], document: msgspec.Struct, secrets: Sequence[Secret] = ()) -> None:
    """Send one frame; the only copy of the secrets that is made for it is overwritten."""
    body = _encoder.encode(document)
    head = len(body).to_bytes(4, "big") + bytes([len(secrets)]) + body
    frame = bytearray(len(head) + sum(4 + len(secret) for secret in secrets))  # grown, it would be moved
    frame[: len(head)] = head
    view = memoryview(frame)
    at = len(head)
    for secret in secrets:
        view[at : at + 4] = len(secret).to_bytes(4, "big")
        at += 4
        secret.put_into(view[at : at + len(secret)])
        at += len(secret)
    try:
        while view:  # an unbuffered pipe may take less than it is offered
            taken = pipe.write(view)
            view = view[taken:] if taken else view
        pipe.flush()
    finally:
        view.release()
        frame[:] = bytes(len(frame))


def read_request(pipe: IO[bytes]) -> tuple[Request, list[bytearray]] | None:
    """The next request and its secrets, or None at the end."""
    frame = _read_frame(pipe)
    return None if frame is None else (_requests.decode(frame[0]), frame[1])


def read_reply(pipe: IO[bytes]) -> CallAnswer | CallFault | None:
    """The next reply, or None at the end.

    :raises ValueError: what came is no frame of this protocol.
    """
    frame = _read_frame(pipe)
    return None if frame is None else _replies.decode(frame[0])


def _read_frame(pipe: IO[bytes]) -> tuple[bytearray, list[bytearray]] | None:
    head = _exactly(pipe, 5)
    if head is None:
        return None
    body = _exactly(pipe, int.from_bytes(head[:4], "big"))
    secrets = []
    for _ in range(head[4]):
        length = _exactly(pipe, 4)
        secret = _exactly(pipe, int.from_bytes(length, "big")) if length else None
        if secret is None:
            return None
        secrets.append(secret)
    return None if body is None else (body, secrets)


def _exactly(pipe: IO[bytes], count: int) -> bytearray | None:
    """`count` bytes, or None where the pipe ended first."""
    if count > LARGEST:
        raise ValueError("frame too large")
    buffer = bytearray(count)
    filled = 0
    with memoryview(buffer) as view:
        while filled < count:
            size = pipe.readinto(view[filled:])  # type: ignore[attr-defined]
            if not size:
                return None
            filled += size
    return buffer
