"""What the operating system answers when it refuses, so that the catalogs have it.

A message keeps such an answer as its parameter `reason`, in English, and says it in the reader's language.
"""

from __future__ import annotations

from fieldkit.text import M

MET = (
    M("No space left on device"),
    M("Disk quota exceeded"),
    M("Read-only file system"),
    M("Permission denied"),
    M("Operation not permitted"),
    M("No such file or directory"),
    M("File exists"),
    M("Is a directory"),
    M("Not a directory"),
    M("File name too long"),
    M("Input/output error"),
    M("No such device"),
    M("No such device or address"),
    M("Device or resource busy"),
    M("Too many open files"),
    M("Connection refused"),
    M("Connection timed out"),
    M("Connection reset by peer"),
    M("Network is unreachable"),
    M("No route to host"),
    M("Transport endpoint is not connected"),
    M("Exec format error"),
    M("Text file busy"),
    M("File too large"),
)
