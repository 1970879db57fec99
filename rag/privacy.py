"""Keeps every process offline: switches telemetry off, refuses connections that leave the machine.

Loaded first by every process (see `rag/process.py`), before any library that could call home. Two layers:

1. Each library's own switch, by environment variable, so that it does not even try (`SWITCHES`).
2. An audit hook under Python's sockets: connecting, sending, resolving a name or listening on anything that is neither
   loopback nor allowed by the settings raises `OutboundBlocked`, which names the caller.

Native code does not pass Python's audit hook; for the parser children, which handle hostile files, `forbid_sockets`
has the kernel refuse internet sockets altogether. The offline tests run the whole product where there is no route.
"""

from __future__ import annotations

import ctypes
import ipaddress
import os
import platform
import struct
import sys
from collections.abc import Iterable
from typing import Any

SWITCHES: dict[str, dict[str, str]] = {
    "chromadb": {"ANONYMIZED_TELEMETRY": "False"},
    "unstructured": {"SCARF_NO_ANALYTICS": "true", "DO_NOT_TRACK": "true"},
    "streamlit": {
        "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false",
        "STREAMLIT_GLOBAL_SHOW_WARNING_ON_DIRECT_EXECUTION": "false",
    },
    "huggingface-hub": {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"},
    "transformers": {"TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"},
    "opentelemetry": {"OTEL_SDK_DISABLED": "true"},
    "llama.cpp": {"LLAMA_OFFLINE": "1"},
    "ollama": {"OLLAMA_HOST": "127.0.0.1"},  # read while it is imported, which fails for one that it can't read
    "pip": {"PIP_DISABLE_PIP_VERSION_CHECK": "1"},
}
"""Library → the environment variables that stop it from calling home or downloading."""

PROXIES: dict[str, str] = {}
"""The proxy variables that `seal` took away from this process; pip gets them back when models are fetched at set-up."""

_ALLOWED: set[str] = {"localhost"}
_sealed = False


class OutboundBlocked(OSError):
    """A connection that would have left the machine; the message names the destination and the caller."""


def seal(allowed_hosts: Iterable[str] = ()) -> None:
    """Turn telemetry off and refuse every connection that is not to loopback or to `allowed_hosts`.

    Calling it again only adds hosts; nothing can take the seal off in this process.
    """
    global _sealed  # noqa: PLW0603 - an audit hook can't be removed, so this is a fact about the whole process
    for switches in SWITCHES.values():
        os.environ.update(switches)
    for name in [name for name in os.environ if name.lower() in ("http_proxy", "https_proxy", "all_proxy")]:
        PROXIES[name] = os.environ.pop(name)
    _ALLOWED.update(allowed_hosts)
    if not _sealed:
        sys.addaudithook(_audit)
        _sealed = True


def sealed() -> bool:
    """Return whether this process is sealed."""
    return _sealed


def is_local(host: str) -> bool:
    """Return whether `host` (a name or an address) is loopback or allowed by the settings."""
    if host in _ALLOWED:
        return True
    try:
        address = ipaddress.ip_address(host.split("%", maxsplit=1)[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind"):
        address = args[1]
        if isinstance(address, tuple) and address and isinstance(address[0], str) and not is_local(address[0]):
            _refuse(event.removeprefix("socket."), address[0])
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        host = args[0].decode("ascii", "replace") if isinstance(args[0], bytes) else args[0]
        if host and not is_local(host):
            _refuse("resolve", host)


def _refuse(action: str, host: str) -> None:
    raise OutboundBlocked(
        f"Reading Room stays offline: {_caller()} tried to {action} {host or 'every interface'}. "
        "Only loopback and the hosts in `network.allowed_hosts` are allowed."
    )


def _caller() -> str:
    """Return the module that asked, past the standard library and the HTTP libraries in between."""
    frame = sys._getframe(2)
    name = "unknown code"
    passing = {
        "httpx",
        "httpcore",
        "urllib3",
        "requests",
        "anyio",
        "asyncio",
        "socket",
        "http",
        "ssl",
        "urllib",
        "rag.privacy",
    }
    while frame:
        module = str(frame.f_globals.get("__name__", ""))
        name = module or name
        if module not in passing and module.split(".", maxsplit=1)[0] not in passing:
            return module
        if frame.f_back is None:
            break
        frame = frame.f_back
    return name


def forbid_sockets() -> bool:
    """Have the kernel refuse internet sockets in this process and its children, native code included.

    A seccomp filter: socket(AF_INET), socket(AF_INET6), io_uring_setup and calls of another architecture fail with EACCES.
    Linux on x86-64 or arm64; returns False elsewhere, where only the audit hook stands guard. Source: seccomp(2),
    linux/filter.h, linux/audit.h.
    """
    numbers = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}  # (AUDIT_ARCH, number of socket(2))
    if sys.platform != "linux" or platform.machine() not in numbers:
        return False
    arch, socket_call = numbers[platform.machine()]
    # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_JMP|JGE|K, BPF_RET|K
    load, equal, at_least, give = 0x20, 0x15, 0x35, 0x06
    io_uring_setup = 425  # the same number on both
    allow, deny = 0x7FFF0000, 0x00050000 | 13  # SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO | EACCES
    program = [
        (load, 0, 0, 4),  # the architecture
        (equal, 0, 8, arch),  # calls of another one (i386 on x86-64) have other numbers: all refused
        (load, 0, 0, 0),  # the call's number
        (at_least, 6, 0, 0x40000000),  # the x32 calls of x86-64: likewise
        (equal, 5, 0, io_uring_setup),  # it can make sockets too
        (equal, 0, 3, socket_call),
        (load, 0, 0, 16),  # its first argument, the address family
        (equal, 2, 0, 2),  # AF_INET
        (equal, 1, 0, 10),  # AF_INET6
        (give, 0, 0, allow),
        (give, 0, 0, deny),
    ]
    code = b"".join(struct.pack("HBBI", *step) for step in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    libc = ctypes.CDLL(None, use_errno=True)

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    described = Program(len(program), ctypes.addressof(buffer))
    no_new_privileges, set_seccomp, filter_mode = 38, 22, 2
    if libc.prctl(no_new_privileges, 1, 0, 0, 0) != 0:
        return False
    return bool(libc.prctl(set_seccomp, filter_mode, ctypes.byref(described), 0, 0) == 0)
