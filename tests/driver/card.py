"""A program for the tests: a card in the virtual reader that answers its ATR; prints what PC/SC shows of it.

Arguments: the ATR in hexadecimal, and a command to run while the card is in, whose output is printed instead.
Needs pcscd with the driver vpcd running in the same namespaces.
"""

import json
import socket
import struct
import subprocess
import sys
import threading
import time

import msgspec

from fieldkit.driver import pcsc

PORT = 0x8C7B
ASK_ATR = b"\x04"


def serve(atr: bytes) -> None:
    for _ in range(100):
        try:
            link = socket.create_connection(("127.0.0.1", PORT))
            break
        except OSError:
            time.sleep(0.05)
    while len(head := link.recv(2)) == 2:
        if link.recv(struct.unpack(">H", head)[0]) == ASK_ATR:
            link.sendall(struct.pack(">H", len(atr)) + atr)


threading.Thread(target=serve, args=(bytes.fromhex(sys.argv[1]),), daemon=True).start()
for _ in range(100):
    seen = pcsc.readers()
    if any(reader.present for reader in seen.readers):
        break
    time.sleep(0.05)
if sys.argv[2:]:
    print(subprocess.run(sys.argv[2:], capture_output=True, text=True).stdout)
else:
    print(json.dumps(msgspec.to_builtins(seen)))
