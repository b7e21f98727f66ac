"""The client's end of one agent: start it, call it with a deadline, start another when it crashed or hung.

A module's faults end here as errors with the module's name; nothing in here knows what a PIN guard is.
"""

from __future__ import annotations

import contextlib
import io
import os
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, TypeVar

import msgspec

from fieldkit.access import make_private_folder
from fieldkit.secret import Secret
from fieldkit.text import M
from fieldkit.token import errors, module_file, protocol, quirks
from fieldkit.token.kinds import TokenTraits
from fieldkit.token.quirks import Quirk

Value = TypeVar("Value")

# Seconds a call may take. A card may need minutes to make a key; it never needs them to be listed.
DEADLINES: dict[type, float] = {
    protocol.Load: 20.0,
    protocol.List: 10.0,
    protocol.InitToken: 120.0,
    protocol.GenerateKey: 300.0,
    protocol.CreateKey: 120.0,
    protocol.Sign: 60.0,
}
DEADLINE = 30.0
LOOKING = (protocol.Load, protocol.List)  # calls that change nothing, wherever they are cut off
KEYPAD = 120.0  # somebody types a PIN on the device
TICK = 0.25  # how often a silent agent is looked at
TALKATIVE = (  # how modules, and what stands before or behind them, are told to write down what passes
    *("PKCS11SPY", "PKCS11_LOGGER", "P11_KIT_DEBUG", "PKCS11_PROVIDER_DEBUG", "OPENCRYPTOKI_TRACE"),
    *("OPENSC_DEBUG", "YKCS11_DBG", "TPM2_PKCS11_LOG", "TSS2_LOG", "NSS_DEBUG_PKCS11", "NSPR_LOG", "MOZ_LOG"),
)
DEPENDENCY = re.compile(r"^([^:\s]+): cannot open shared object file")
DEPENDENCIES = "(or one of its dependencies)"  # ctypes on Windows; the module itself was looked at before


class ModuleCallFailed(Exception):
    """The module answered a call with an error; `name` is its CKR_… or another kind of fault."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(name)
        self.name = name
        self.detail = detail


class Agent:
    """One module in its own process. Calls from several threads wait for one another.

    named: the person named it. traits: what is known of its tokens. deadlines: seconds by type of request;
    `object` stands for every other.
    """

    def __init__(
        self,
        module: str,
        logs: Path,
        *,
        named: bool = False,
        traits: TokenTraits,
        deadlines: dict[type, float] | None = None,
    ) -> None:
        self.module = module
        self.named = named
        self.traits = traits
        self.name = Path(module).name
        self.library: protocol.ModuleInfo | None = None
        self.generation = 0  # counts starts: sessions of an earlier process are gone
        own = deadlines or {}
        self._deadlines = own if object in own else DEADLINES | own | {object: DEADLINE}
        self._log = logs / f"token-{re.sub(r'[^A-Za-z0-9._-]', '_', self.name)}.log"
        self._lock = threading.RLock()
        self._state = threading.Lock()  # guards the next two
        self._asking: type | None = None
        self._closed = False
        self._process: subprocess.Popen[bytes] | None = None
        self._replies: queue.SimpleQueue[protocol.CallAnswer | protocol.CallFault | None] = (
            queue.SimpleQueue()
        )

    def call(
        self,
        request: protocol.Request,
        answer: type[Value],
        secrets: Sequence[Secret] = (),
        *,
        deadline: float | None = None,
    ) -> Value:
        """Have the agent do `request`; start it first if it is not running.

        :raises ModuleCallFailed: the module answered with an error.
        :raises ModuleCrashed, ModuleTimeout: the module ended its process, or did not answer in time.
        :raises ModuleMissing, ModuleUnusable: it cannot be loaded.
        """
        with self._lock:
            if self._process is None:
                if self._closed:
                    raise self._ended()
                self._start()
            return self._ask(request, answer, secrets, deadline)

    def restart(self) -> None:
        """End the process; the next call starts another."""
        with self._lock:
            self._stop(0.5)

    def close(self) -> None:
        """End the process for good. A call that only looks is cut off; any other is waited for."""
        with self._state:
            self._closed = True
            process = self._process
            if process is not None and self._asking in LOOKING:
                process.kill()
        self.restart()

    @property
    def running(self) -> bool:
        return self._process is not None

    def _start(self) -> None:
        module_file.inspect(self.module, named=self.named)
        flags = 0
        if sys.platform == "win32":
            flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
        with self._open_log() as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "fieldkit.token.agent"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
                env=environment((*self.traits.quirks, *quirks.of_file(self.module)), self._log.parent),
                creationflags=flags,
                start_new_session=sys.platform != "win32",
            )
        self.generation += 1
        self._replies = queue.SimpleQueue()
        assert self._process.stdout is not None
        threading.Thread(
            target=_collect,
            args=(self._process.stdout, self._replies),
            daemon=True,
            name=f"token {self.name}",
        ).start()
        try:
            self.library = self._ask(protocol.Load(self.module), protocol.ModuleInfo)
        except ModuleCallFailed as fault:
            self._stop()
            raise _unloadable(self.module, fault) from None

    def _open_log(self) -> io.FileIO:
        """Where the module's output goes; nowhere, if the logs cannot be written: that stops no command."""
        began = f"--- {time.strftime('%Y-%m-%dT%H:%M:%S%z')} {self.module}\n"
        try:
            make_private_folder(self._log.parent)
            descriptor = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError:
            descriptor = os.open(os.devnull, os.O_WRONLY)
        with contextlib.suppress(OSError):  # a full disk
            os.write(descriptor, began.encode())
        return os.fdopen(descriptor, "ab", buffering=0)

    def _ask(
        self,
        request: protocol.Request,
        answer: type[Value],
        secrets: Sequence[Secret] = (),
        deadline: float | None = None,
    ) -> Value:
        assert self._process is not None
        assert self._process.stdin is not None
        if deadline is None:
            deadline = self._deadlines.get(type(request), self._deadlines[object])
        with self._state:
            if self._closed:
                raise self._crashed()
            self._asking = type(request)
        try:
            protocol.write(self._process.stdin, request, secrets)
            reply = self._wait(deadline)
        except OSError:
            raise self._crashed() from None
        finally:
            self._asking = None
        if isinstance(reply, protocol.CallFault):
            raise ModuleCallFailed(reply.name, reply.detail)
        try:
            return msgspec.json.decode(reply.value, type=answer)
        except msgspec.DecodeError:
            raise self._crashed() from None

    def _wait(self, deadline: float) -> protocol.CallAnswer | protocol.CallFault:
        assert self._process is not None
        end = time.monotonic() + deadline
        while (left := end - time.monotonic()) > 0:
            try:
                reply = self._replies.get(timeout=min(TICK, left))
            except queue.Empty:
                if self._process.poll() is None:
                    continue
                # It has ended; a last reply may still be on its way through the reader.
                with contextlib.suppress(queue.Empty):
                    if (late := self._replies.get(timeout=0.1)) is not None:
                        return late
                raise self._crashed() from None
            if reply is None:
                raise self._crashed()
            return reply
        self._stop()
        raise errors.ModuleTimeout(
            M(
                "The module {module} did not answer within {seconds} s and was ended.",
                module=self.name,
                seconds=round(deadline),
            ),
            unchanged=M("Whether the token was changed is not known; look at it before going on."),
            hint=M(
                "Pull the token out, plug it in again and repeat the step. The log is {log}.",
                log=str(self._log),
            ),
            detail=self.module,
            module=self.module,
        )

    def _crashed(self) -> errors.ModuleCrashed:
        """The agent has ended: how, with the log's last lines for whoever helps."""
        process = self._process
        assert process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1.0)
        status = process.poll()
        self._stop()
        return errors.ModuleCrashed(
            M("The module {module} crashed.", module=self.name),
            unchanged=M("Whether the token was changed is not known; look at it before going on."),
            hint=M(
                "Repeat the step; if it crashes again, install the driver anew. The log is {log}.",
                log=str(self._log),
            ),
            detail=f"{self.module} ({_ending(status)})",
            module=self.module,
        )

    def _ended(self) -> errors.ModuleCrashed:
        return errors.ModuleCrashed(
            M("The module {module} was ended.", module=self.name), detail=self.module, module=self.module
        )

    def _stop(self, patience: float = 0.0) -> None:
        """End the process: by closing its pipe where there is patience, else at once."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(OSError):
            if process.stdin is not None:
                process.stdin.close()
        if patience:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(patience)
        if process.poll() is None:
            process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(2.0)


def environment(of_module: Iterable[Quirk], logs: Path) -> dict[str, str]:
    """What an agent gets of this process's environment: nothing that has a module write down what it gets."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(TALKATIVE)}
    own["OPENSC_DEBUG"] = "0"
    for quirk in of_module:
        own |= quirk.environment(logs)
    return own


def _unloadable(module: str, fault: ModuleCallFailed) -> errors.ModuleUnusable:
    name = Path(module).name
    missing = DEPENDENCY.match(fault.detail)
    if missing and missing[1] != module:
        message = M(
            "The module {module} needs the library {library}, which is missing.",
            module=name,
            library=missing[1],
        )
        hint = M("Install the driver with all it needs (`fieldkit driver detect`).")
    elif DEPENDENCIES in fault.detail:
        message = M("The module {module} needs a library that is missing.", module=name)
        hint = M("Install the driver with all it needs (`fieldkit driver detect`).")
    elif "C_GetFunctionList" in fault.detail:
        message = M("The library {module} is not a PKCS#11 module.", module=name)
        hint = M("Give the path of the driver's PKCS#11 module.")
    else:
        message = M("The module {module} cannot be started.", module=name)
        hint = M("Is the smart-card service running? If it is, install the driver anew.")
    detail = " ".join(filter(None, (fault.name, fault.detail)))
    return errors.ModuleUnusable(message, hint=hint, detail=detail, module=module)


def _collect(
    pipe: IO[bytes], replies: queue.SimpleQueue[protocol.CallAnswer | protocol.CallFault | None]
) -> None:
    """Put each reply into the queue, and None at the end."""
    try:
        while (reply := protocol.read_reply(pipe)) is not None:
            replies.put(reply)
    except (OSError, ValueError, msgspec.DecodeError):
        pass
    finally:
        replies.put(None)
        pipe.close()


def _ending(status: int | None) -> str:
    if status is None:
        return "no status"
    if status < 0:
        import signal

        with contextlib.suppress(ValueError):
            return signal.Signals(-status).name
    return f"exit status {status}"
