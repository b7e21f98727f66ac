"""SoftHSM2 as a DLL: Debian's source of it, by mingw-w64, on the OpenSSL that comes with CPython for Windows.

Headers of OpenSSL are Debian's (libssl-dev), with the one word that differs on Windows: how large a number's
digit is. GOST, EdDSA and the database of objects are left out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

COMPILER = "x86_64-w64-mingw32-g++"
DLLTOOL = "x86_64-w64-mingw32-dlltool"
MODULE = r"C:\softhsm\softhsm2.dll"
CONFIGURATION = r"C:\softhsm\softhsm2.conf"
ROOMS = (
    "common",
    "crypto",
    "data_mgr",
    "handle_mgr",
    "object_store",
    "pkcs11",
    "session_mgr",
    "slot_mgr",
    "win32",
)
LEFT_OUT = ("Botan", "DB", "GOST", "EDDSA", "OSSLED", "EDPrivate", "EDPublic")
SETTINGS = """\
#define HAVE_CXX11 1
#define HAVE_AES_KEY_WRAP 1
#define HAVE_AES_KEY_WRAP_PAD 1
#define PACKAGE_VERSION "2.6.1"
#define VERSION "2.6.1"
#define VERSION_MAJOR 2
#define VERSION_MINOR 6
#define WITH_AES_GCM 1
#define WITH_ECC 1
#define WITH_OPENSSL 1
"""
DEBIAN = """\
Types: deb-src
URIs: http://deb.debian.org/debian
Suites: bookworm
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""


def build(folder: Path, libcrypto: Path) -> Path:
    """Build it in `folder` against the DLL `libcrypto`; gives the DLL."""
    source = _source(folder) / "src/lib"
    include = _headers(folder, source)
    flags = ["-std=c++11", "-O1", "-w", "-fpermissive", "-include", "config.h", f"-I{include}"]
    flags += [f"-I{source / room}" for room in ("", *ROOMS)]
    files = [
        path
        for path in sorted(source.rglob("*.cpp"))
        if "test" not in path.parts and not path.name.startswith(LEFT_OUT)
    ]

    def compile_one(path: Path) -> Path:
        compiled = folder / f"{path.stem}.o"
        subprocess.run([COMPILER, *flags, "-c", path, "-o", compiled], check=True)
        return compiled

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(compile_one, files))
    shutil.copy(libcrypto, folder)
    subprocess.run(["gendef", libcrypto.name], cwd=folder, check=True, capture_output=True)
    subprocess.run(
        [DLLTOOL, "-d", libcrypto.with_suffix(".def").name, "-l", "libcrypto.a", "-D", libcrypto.name],
        cwd=folder,
        check=True,
    )
    made = folder / "softhsm2.dll"
    subprocess.run(
        [
            COMPILER,
            "-shared",
            "-static",
            "-o",
            made,
            *objects,
            folder / "libcrypto.a",
            "-ladvapi32",
            "-lrpcrt4",
        ],
        check=True,
    )
    return made


def install(drive: Path, module: Path, libcrypto: Path) -> None:
    """Put it on a C: drive, with no token yet."""
    folder = drive / "softhsm"
    (folder / "tokens").mkdir(parents=True)
    shutil.copy(module, folder)
    shutil.copy(libcrypto, folder)
    (folder / "softhsm2.conf").write_text("directories.tokendir = C:\\softhsm\\tokens\nlog.level = ERROR\n")


def _source(folder: Path) -> Path:
    """The release that Debian packages, without Debian's own changes."""
    lists = folder / "lists"
    (folder / "parts").mkdir(parents=True)
    lists.mkdir()
    (folder / "parts/debian.sources").write_text(DEBIAN)
    apt = ["apt-get", "-qq", "-o", "Dir::Etc::SourceList=/dev/null", "-o", f"Dir::State::Lists={lists}"]
    apt += ["-o", f"Dir::Etc::SourceParts={folder / 'parts'}", "-o", "APT::Sandbox::User=root"]
    subprocess.run([*apt, "update"], check=True, cwd=folder)
    subprocess.run([*apt, "source", "--tar-only", "softhsm2"], check=True, cwd=folder)
    archive = next(folder.glob("softhsm2_*.orig.tar.*"))
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    return next(path for path in folder.glob("softhsm2-*") if path.is_dir())


def _headers(folder: Path, source: Path) -> Path:
    include = folder / "include"
    shutil.copytree("/usr/include/openssl", include / "openssl")
    for path in Path("/usr/include/x86_64-linux-gnu/openssl").glob("*.h"):
        shutil.copy(path, include / "openssl")
    configuration = include / "openssl/configuration.h"
    lines = configuration.read_text().splitlines()
    lines = [line for line in lines if line.split()[-2:] != ["undef", "SIXTY_FOUR_BIT"]]
    text = "\n".join(lines).replace("define SIXTY_FOUR_BIT_LONG", "define SIXTY_FOUR_BIT")
    configuration.write_text(text + "\n")
    template = (source.parent.parent / "config.h.in.cmake").read_text().splitlines()
    kept = [line for line in template if "#cmakedefine" not in line and "_snprintf" not in line]
    (include / "config.h").write_text(SETTINGS + "\n".join(kept) + "\n")
    return include
