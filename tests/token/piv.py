"""A PIV card (NIST SP 800-73-4) in software, for the virtual reader of a real pcscd (vpcd's TCP protocol).

It keeps PIN, PUK and their counters as a card does; tests insert it, pull it out and look at its counters.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256

POWER_OFF, POWER_ON, RESET, ASK_ATR = b"\x00", b"\x01", b"\x02", b"\x04"
ATR = bytes.fromhex(
    "3B88800146414B454341524414"
)  # T=1; any reader takes it, and no other kind of card claims it
APPLICATION = bytes.fromhex("A000000308000010000100")
KEYS = {0x9A: "5FC105", 0x9C: "5FC10A", 0x9D: "5FC10B", 0x9E: "5FC101"}
CHUID, CONTAINERS, DISCOVERY = "5FC102", "5FC107", "7E"
OK, WRONG_LENGTH, SECURITY, BLOCKED = 0x9000, 0x6700, 0x6982, 0x6983
NOT_FOUND, WRONG_DATA, NO_REFERENCE, NO_INSTRUCTION = 0x6A82, 0x6A80, 0x6A88, 0x6D00
SHORT = 256
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def tlv(tag: int, content: bytes) -> bytes:
    """One element of BER-TLV."""
    length = len(content)
    head = bytes([length]) if length < 0x80 else b""
    if not head:
        head = bytes([0x81, length]) if length < 0x100 else b"\x82" + length.to_bytes(2, "big")
    return tag.to_bytes((tag.bit_length() + 7) // 8, "big") + head + content


def elements(data: bytes) -> dict[int, bytes]:
    """The elements of `data` that have tags of one byte."""
    found = {}
    while data:
        tag, length, at = data[0], data[1], 2
        if length & 0x80:
            at += length & 0x7F
            length = int.from_bytes(data[2:at], "big")
        found[tag] = data[at : at + length]
        data = data[at + length :]
    return found


class Secretly:
    """A PIN or PUK of the card with its counter."""

    def __init__(self, value: str, tries: int) -> None:
        self.value = value.encode().ljust(8, b"\xff")
        self.tries = self.left = tries

    def judge(self, given: bytes) -> int:
        """The status word for `given`, which costs an attempt if it is wrong."""
        if not self.left:
            return BLOCKED
        if given != self.value:
            self.left -= 1
            return 0x63C0 | self.left if self.left else BLOCKED
        self.left = self.tries
        return OK

    def state(self) -> int:
        return 0x63C0 | self.left if self.left else BLOCKED


class PivCard:
    """A card. port: vpcd's. `seen` has the instruction of each command since it was last cleared."""

    def __init__(self, port: int, *, pin: str = "246813", puk: str = "13572468", tries: int = 3) -> None:
        self.pin, self.puk = Secretly(pin, tries), Secretly(puk, tries)
        self.management = os.urandom(16)
        self.seen: list[int] = []
        self.before: Callable[[int], None] = lambda instruction: None
        self.vague = 0  # if set, what it answers to any PIN, whatever it thinks of it
        self._port = port
        self._keys: dict[int, Key] = {}
        self._objects = {
            CHUID: tlv(0x30, os.urandom(25))
            + tlv(0x34, os.urandom(16))
            + tlv(0x35, b"20361231")
            + b"\x3e\0\xfe\0",
            DISCOVERY: tlv(0x4F, APPLICATION) + tlv(0x5F2F, b"\x40\x10"),
        }
        self._link: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._reset()

    def hold(self, reference: int, key: Key, certificate: bytes) -> None:
        """Put a key and its certificate into a slot, as whoever personalises cards does."""
        self._keys[reference] = key
        self._objects[KEYS[reference]] = tlv(0x70, certificate) + tlv(0x71, b"\0") + tlv(0xFE, b"")

    def insert(self) -> None:
        """Put the card into the reader."""
        self._reset()
        self._link = self._reader()
        self._link.settimeout(None)
        self._thread = threading.Thread(target=self._serve, args=(self._link,), daemon=True)
        self._thread.start()

    def _reader(self) -> socket.socket:
        """vpcd's end; it listens again only when pcscd has noticed that the last card is gone."""
        end = time.monotonic() + 20
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self._port), timeout=10)
            except ConnectionRefusedError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)

    def remove(self) -> None:
        """Pull the card out, also in the middle of a command."""
        link, self._link = self._link, None
        if link is not None:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
            link.close()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(10)

    def attempts(self) -> int:
        """How many PINs were sent to the card since `seen` was cleared."""
        return sum(1 for instruction in self.seen if instruction == 0x20)

    def _reset(self) -> None:
        self._verified = self._fresh = self._manager = False
        self._witness = b""
        self._chained = b""
        self._rest = b""

    def _serve(self, link: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while len(head := _exactly(link, 2)) == 2:
                message = _exactly(link, struct.unpack(">H", head)[0])
                if message in (POWER_OFF, POWER_ON, RESET):
                    self._reset()
                elif message == ASK_ATR:
                    link.sendall(struct.pack(">H", len(ATR)) + ATR)
                elif message:
                    data, status = self._answer(message)
                    reply = data + status.to_bytes(2, "big")
                    link.sendall(struct.pack(">H", len(reply)) + reply)

    def _answer(self, command: bytes) -> tuple[bytes, int]:
        cla, instruction, p1, p2 = command[:4]
        data = command[5 : 5 + command[4]] if len(command) > 5 else b""
        wanted = command[-1] if len(command) in (5, 6 + len(data)) else 0
        if instruction == 0xC0:  # GET RESPONSE
            return self._part(wanted)
        if cla & 0x10:
            self._chained += data
            return b"", OK
        data, self._chained = self._chained + data, b""
        if not (instruction == 0x20 and not data):  # asking for the counter is no attempt
            self.seen.append(instruction)
        self.before(instruction)
        if self._link is None:
            raise OSError
        done = {
            0xA4: self._select,
            0x20: self._verify,
            0x24: self._change,
            0x2C: self._unblock,
            0x87: self._authenticate,
            0xCB: self._get,
            0xDB: self._put,
        }.get(instruction, lambda *_: (b"", NO_INSTRUCTION))(p1, p2, data)
        self._rest = done[0]
        return self._part(wanted) if done[1] == OK and done[0] else done

    def _part(self, wanted: int) -> tuple[bytes, int]:
        """As much of an answer as fits into a short APDU; more is fetched with GET RESPONSE."""
        length = wanted or SHORT
        part, self._rest = self._rest[:length], self._rest[length:]
        return part, 0x6100 | min(len(self._rest), 0xFF) if self._rest else OK

    def _select(self, p1: int, p2: int, data: bytes) -> tuple[bytes, int]:
        if not data or not APPLICATION.startswith(data):
            return b"", NOT_FOUND
        self._verified = self._fresh = False
        return tlv(0x61, tlv(0x4F, APPLICATION[5:]) + tlv(0x79, tlv(0x4F, APPLICATION[:5]))), OK

    def _verify(self, p1: int, p2: int, data: bytes) -> tuple[bytes, int]:
        if p2 != 0x80:
            return b"", NO_REFERENCE
        if not data:
            return b"", OK if self._verified else self.pin.state()
        if len(data) != 8:
            return b"", WRONG_LENGTH
        status = self.pin.judge(data)
        self._verified = self._fresh = status == OK and not self.vague
        return b"", self.vague or status

    def _change(self, p1: int, p2: int, data: bytes) -> tuple[bytes, int]:
        secret = {0x80: self.pin, 0x81: self.puk}.get(p2)
        if secret is None or len(data) != 16:
            return b"", NO_REFERENCE if secret is None else WRONG_LENGTH
        status = secret.judge(data[:8])
        if status == OK:
            secret.value = data[8:]
        return b"", status

    def _unblock(self, p1: int, p2: int, data: bytes) -> tuple[bytes, int]:
        if p2 != 0x80 or len(data) != 16:
            return b"", WRONG_LENGTH
        status = self.puk.judge(data[:8])
        if status == OK:
            self.pin.value, self.pin.left = data[8:], self.pin.tries
        return b"", status

    def _authenticate(self, p1: int, p2: int, data: bytes) -> tuple[bytes, int]:
        template = elements(elements(data).get(0x7C, b""))
        if p2 == 0x9B:
            return self._manage(template)
        key = self._keys.get(p2)
        if key is None:
            return b"", NOT_FOUND
        if not (self._fresh if p2 == 0x9C else self._verified):
            return b"", SECURITY
        self._fresh = False  # the next command makes the PIN old for the key that wants it each time
        if isinstance(key, rsa.RSAPrivateKey):
            numbers = key.private_numbers()
            signature = pow(
                int.from_bytes(template[0x81], "big"), numbers.d, numbers.public_numbers.n
            ).to_bytes(key.key_size // 8, "big")
        else:
            signature = key.sign(template[0x81], ec.ECDSA(Prehashed(SHA256())))
        return tlv(0x7C, tlv(0x82, signature)), OK

    def _manage(self, template: dict[int, bytes]) -> tuple[bytes, int]:
        """Mutual authentication of whoever may write objects (AES-128): a witness, then a challenge."""
        cipher = Cipher(algorithms.AES(self.management), modes.ECB()).encryptor()
        if template.get(0x80) == b"":
            self._witness = os.urandom(16)
            return tlv(0x7C, tlv(0x80, cipher.update(self._witness))), OK
        self._manager = bool(self._witness) and template.get(0x80) == self._witness
        self._witness = b""
        if not self._manager:
            return b"", SECURITY
        return tlv(0x7C, tlv(0x82, cipher.update(template[0x81]))), OK

    def _get(self, p1: int, p2: int, data: bytes) -> tuple[bytes, int]:
        found = self._objects.get(elements(data).get(0x5C, b"").hex().upper())
        if found is None:
            return b"", NOT_FOUND
        return tlv(0x7E if data[2:] == b"\x7e" else 0x53, found), OK

    def _put(self, p1: int, p2: int, data: bytes) -> tuple[bytes, int]:
        if not self._manager:
            return b"", SECURITY
        given = elements(data)
        if 0x5C not in given or 0x53 not in given:
            return b"", WRONG_DATA
        self._objects[given[0x5C].hex().upper()] = given[0x53]
        return b"", OK


def _exactly(link: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count and (more := link.recv(count - len(got))):
        got += more
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)  # vpcd writes in two parts and waits
    return got
