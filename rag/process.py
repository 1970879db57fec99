"""The entry of every process that we start: seals it first, then hands over to its role."""

from __future__ import annotations

from rag import privacy

privacy.seal()

import os  # noqa: E402 - nothing may be imported before the seal
import signal  # noqa: E402
import sys  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
from typing import TYPE_CHECKING  # noqa: E402

if TYPE_CHECKING:
    from rag.settings import Settings


def die_with_parent(parent: int, seconds: float = 1.0) -> None:
    """End this process when the one that started it (its process id) is gone, killed or not."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(seconds)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="die-with-parent").start()


def main(role: str, arguments: list[str]) -> int:
    """Run one role: reader, model, worker, api or ui."""
    if role == "reader":  # this and the model see to it themselves that they end with their parent
        from ingest import child

        privacy.forbid_sockets()
        return child.main(arguments)
    if role == "model":
        from rag import llama_process

        return llama_process.main()
    die_with_parent(int(arguments[0]) if arguments and arguments[0].isdecimal() else os.getppid())
    from rag.settings import load_settings

    settings = load_settings()
    privacy.seal(settings.network.allowed_hosts)
    if role == "worker":
        return _worker(settings, until_idle="--until-idle" in arguments)
    if role == "api":
        from rag.api import serve

        return serve(settings)
    if role == "ui":
        return _ui(settings)
    raise SystemExit(f"there is no role {role}")


def _worker(settings: Settings, until_idle: bool) -> int:
    from ingest.ports import Superseded
    from rag import log
    from rag.build import build_worker, live_settings
    from rag.errors import HomeUnusable

    log.configure("worker", verbose=not until_idle)
    os.nice(10)
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    while True:
        try:
            build_worker(settings, stop).run(until_idle)
            return 0
        except Superseded:  # `reindex --switch` beside us: go on with the embedder that is live now
            settings = live_settings(settings)
        except HomeUnusable as error:
            print(error, file=sys.stderr)  # noqa: T201
            return os.EX_IOERR


def _ui(settings: Settings) -> int:
    from pathlib import Path

    # Streamlit takes uvloop where it is installed; its connections would pass the audit hook of rag/privacy.py
    sys.modules["uvloop"] = None  # type: ignore[assignment]
    from streamlit.web import bootstrap

    port = settings.server.ui_port
    os.environ["READINGROOM_API"] = f"http://127.0.0.1:{settings.server.port}"
    options = {
        "server_address": "127.0.0.1",
        "server_port": port,
        "server_headless": True,
        "server_fileWatcherType": "none",
        "server_maxUploadSize": settings.ingest.max_upload_mb,
        "server_allowedHosts": ["127.0.0.1", "localhost"],  # else any Host may open the page's socket (DNS rebinding)
        "server_enableAgentApi": False,
        "browser_gatherUsageStats": False,
        "browser_serverAddress": "127.0.0.1",
        "client_allowedOrigins": [f"http://127.0.0.1:{port}"],  # else its vendor's origins may control the page
        "client_disableDataExport": True,
        "client_toolbarMode": "minimal",
        "client_showErrorDetails": False,
        "global_developmentMode": False,
        "runner_magicEnabled": False,
        "theme_base": "light",
        "theme_primaryColor": "#0b4a8f",
    }
    bootstrap.load_config_options(options)
    bootstrap.run(str(Path(__file__).resolve().parents[1] / "ui" / "app.py"), False, [], options)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
