"""The seal: what it refuses, whom it names, what it lets pass, and that every process is sealed first of all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from rag.build import build_reader
from rag.privacy import SWITCHES, is_local
from rag.settings import load_settings
from tests.processes import PROJECT, below, environment, role_of

SEALED = "from rag import privacy\nprivacy.seal()\n"


def python(code: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run code in a Python of its own: a seal can't be taken off again."""
    env = {**os.environ, **more}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=PROJECT, env=env, timeout=60
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "localhost", "::1", "::ffff:127.0.0.1", "::1%lo"])
def test_loopback_is_local(host: str) -> None:
    """Loopback in all its spellings is this machine."""
    assert is_local(host)


@pytest.mark.parametrize(
    "host",
    ["", "0.0.0.0", "::", "10.0.0.1", "192.168.1.2", "8.8.8.8", "2001:db8::1", "::ffff:8.8.8.8", "::ffff:0.0.0.0", "fe80::1%eth0",
     "example.com", "localhost.example.com", "127.0.0.1.example.com", "2130706433", "0x7f.1", "LOCALHOST.evil"],
)  # fmt: skip
def test_everything_else_is_not_local(host: str) -> None:
    """Other addresses, every interface, names that look like loopback, and mapped foreign addresses are not this machine."""
    assert not is_local(host)


OUTBOUND = {
    "connect": "import socket; socket.socket().connect(('192.0.2.1', 80))",
    "connect_ex": "import socket; socket.socket().connect_ex(('192.0.2.1', 80))",
    "connect IPv6": "import socket; socket.socket(socket.AF_INET6).connect(('2001:db8::1', 80))",
    "mapped address": "import socket; socket.socket(socket.AF_INET6).connect(('::ffff:192.0.2.1', 80))",
    "sendto": "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
    "sendmsg": "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendmsg([b'x'], [], 0, ('192.0.2.1', 53))",
    "bind everywhere": "import socket; socket.socket().bind(('0.0.0.0', 0))",
    "bind to no name": "import socket; socket.socket().bind(('', 0))",
    "bind IPv6 everywhere": "import socket; socket.socket(socket.AF_INET6).bind(('::', 0))",
    "getaddrinfo": "import socket; socket.getaddrinfo('example.com', 443)",
    "getaddrinfo bytes": "import socket; socket.getaddrinfo(b'example.com', 443)",
    "gethostbyname": "import socket; socket.gethostbyname('example.com')",
    "gethostbyaddr": "import socket; socket.gethostbyaddr('192.0.2.1')",
    "urllib": "import urllib.request; urllib.request.urlopen('http://192.0.2.1/')",
    "urllib by name": "import urllib.request; urllib.request.urlopen('https://example.com/')",
    "httpx": "import httpx; httpx.get('https://example.com/')",
    "asyncio": "import asyncio; asyncio.run(asyncio.open_connection('192.0.2.1', 80))",
}


@pytest.mark.parametrize("code", OUTBOUND.values(), ids=OUTBOUND)
def test_outbound_calls_are_refused_by_name(code: str, tmp_path: Path) -> None:
    """Every way out of Python is refused, and the message names the module that tried."""
    (tmp_path / "chatty_library.py").write_text(f"def phone_home():\n    {code}\n")
    done = python(f"{SEALED}import chatty_library\nchatty_library.phone_home()", PYTHONPATH=f"{PROJECT}:{tmp_path}")
    assert done.returncode == 1, done.stdout
    assert "Reading Room stays offline: chatty_library tried to" in done.stderr


def test_loopback_works_under_the_seal() -> None:
    """A sealed process listens on loopback, resolves its name, and talks to itself over IPv4, Unix sockets and UDP."""
    code = SEALED + (
        "import socket, tempfile, os\n"
        "listener = socket.create_server(('127.0.0.1', 0))\n"
        "port = listener.getsockname()[1]\n"
        "socket.create_connection(('localhost', port)).close()\n"
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', port))\n"
        "unix = socket.socket(socket.AF_UNIX)\n"
        "unix.bind(os.path.join(tempfile.mkdtemp(), 's'))\n"
        "print('ok')"
    )
    done = python(code)
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr


def test_allowed_hosts_pass_and_others_do_not() -> None:
    """A host that the settings allow may be connected to; allowing it allows no other, and can't be undone by a second seal."""
    code = (
        "from rag import privacy\nprivacy.seal(['192.0.2.7', 'ollama.lan'])\nprivacy.seal()\n"
        "import socket\ns = socket.socket(); s.settimeout(0.01)\n"
        "try: s.connect(('192.0.2.7', 80))\n"
        "except privacy.OutboundBlocked: print('blocked')\n"
        "except OSError: print('tried')\n"
        "try: s.connect(('192.0.2.8', 80))\n"
        "except privacy.OutboundBlocked: print('blocked')\n"
        "print(privacy.is_local('ollama.lan'), privacy.is_local('OTHER.lan'))"
    )
    assert python(code).stdout.split() == ["tried", "blocked", "True", "False"]


def test_switches_are_set_and_proxies_removed() -> None:
    """After the seal every library's switch is in the environment, and no proxy is, whatever was there before."""
    code = f"{SEALED}import json, os\nprint(json.dumps(dict(os.environ)))"
    done = python(code, HTTPS_PROXY="http://192.0.2.1:3128", http_proxy="http://192.0.2.1:3128", HF_HUB_OFFLINE="0")
    found = json.loads(done.stdout)
    for switches in SWITCHES.values():
        assert switches.items() <= found.items()
    assert not {"http_proxy", "https_proxy", "all_proxy"} & {name.lower() for name in found}


def test_ollamas_client_is_imported_whatever_its_variable_says() -> None:
    """The client reads OLLAMA_HOST while it is imported and fails for what it can't read; its address is in our settings."""
    done = python(f"{SEALED}import ollama\nprint('imported')", OLLAMA_HOST="0.0.0.0:99999")
    assert done.stdout.strip() == "imported"


FORBID = SEALED + "import sys\nif not privacy.forbid_sockets(): sys.exit(77)\n"
NATIVE = (
    "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nprint(libc.socket({family}, 1, 0), ctypes.get_errno())\n"
)


@pytest.mark.parametrize("family", [2, 10], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("where", ["here", "in a child"])
def test_kernel_refuses_sockets_to_native_code(family: int, where: str) -> None:
    """After forbid_sockets the C library's own socket() fails with EACCES, in the process and in those that it starts."""
    code = NATIVE.format(family=family)
    if where == "in a child":
        code = f"import subprocess, sys\nprint(subprocess.check_output([sys.executable, '-c', {code!r}], text=True))\n"
    done = python(FORBID + code)
    if done.returncode == 77:
        pytest.skip("this system has no seccomp filter for us")
    assert done.stdout.split() == ["-1", "13"], done.stderr


def test_kernel_leaves_files_and_pipes_alone(tmp_path: Path) -> None:
    """After forbid_sockets, files, Unix sockets and child processes still work."""
    code = FORBID + (
        "import socket, subprocess\n"
        "a, b = socket.socketpair()\n"
        f"open({str(tmp_path / 'file')!r}, 'w').write('x')\n"
        "subprocess.run(['true'], check=True)\nprint('ok')"
    )
    done = python(code)
    assert done.returncode == 77 or done.stdout == "ok\n", done.stderr


# Runs before anything of a role: notes which modules are there when the audit hook is added.
TRACE = """
import builtins, runpy, sys
real, at_seal = sys.addaudithook, []
def noting(hook):
    at_seal.extend(name for name in sys.modules)
    real(hook)
    print("SEALED-BEFORE", sorted({{name.split(".")[0] for name in at_seal}} - before), file=sys.stderr, flush=True)
    sys.exit(0)
sys.addaudithook = noting
sys.argv = {argv!r}
before = {{name.split(".")[0] for name in sys.modules}}
runpy.run_module({module!r}, run_name="__main__")
"""
HARMLESS = set(sys.stdlib_module_names) | {"rag", "__main__", "_distutils_hack", "__mp_main__"}


@pytest.mark.parametrize("role", ["reader", "model", "worker", "api", "ui"])
def test_every_role_is_sealed_before_other_imports(role: str, home: Path) -> None:
    """When a process of ours adds its audit hook, no library but Python's own is loaded yet."""
    _sealed_first("rag.process", ["rag.process", role], home)


def test_the_command_line_is_sealed_before_other_imports(home: Path) -> None:
    """So it is for the command line."""
    _sealed_first("rag.cli", ["rag.cli", "--help"], home)


def _sealed_first(module: str, argv: list[str], home: Path) -> None:
    code = TRACE.format(argv=argv, module=module)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT, env=environment(home), timeout=60
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("SEALED-BEFORE")]
    assert len(lines) == 1, done.stderr
    loaded = set(json.loads(lines[0].removeprefix("SEALED-BEFORE ").replace("'", '"')))
    assert loaded - HARMLESS == set()


def test_the_readers_child_has_no_sockets(tmp_path: Path) -> None:
    """The kernel filters the calls of the process that parses files: /proc says so while it waits for the next one."""
    (tmp_path / "note.txt").write_text("A note.")
    before = set(below(os.getpid()))  # readers of other tests' libraries
    with closing(build_reader(load_settings(environment(tmp_path / "home")))) as reader:
        assert reader.read(tmp_path / "note.txt").text == "A note."
        (child,) = [process for process in set(below(os.getpid())) - before if role_of(process) == "reader"]
        status = Path(f"/proc/{child.pid}/status").read_text()
    assert "Seccomp:\t2" in status and "NoNewPrivs:\t1" in status
