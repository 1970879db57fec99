"""The process that runs a model file: llama.cpp's server (xllamacpp, the only file that imports it) on a loopback port."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import Mapping
from typing import Any

from rag.model_process import die_with_thread


def main() -> int:
    """Be the model's process: read the order from standard input, serve until it closes; return the exit code."""
    die_with_thread()
    # Ctrl-C reaches the whole terminal group: end at once, not after the batch that Python would have to wait for
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    order = json.loads(sys.stdin.readline())
    answer = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # llama.cpp prints to standard output, where only our one line belongs
    # of its own memory, not of the model's file, which is only mapped
    resource.setrlimit(resource.RLIMIT_DATA, (order["data_bytes"], resource.RLIM_INFINITY))
    try:
        server = _load(order)
    except (RuntimeError, MemoryError) as error:
        problem = f"The model file {order['path']} can't be loaded: {str(error).rstrip('.')}."
        remedy = (
            "Run `readingroom models verify`; a damaged or unsupported file must be replaced. A sound one may need more than "
            f"{order['data_bytes'] / 1e6:,.0f} MB of memory beside its file: raise `answer.memory_mb`, or lower `answer.window`."
        )
        answer.write(json.dumps({"error": problem, "remedy": remedy}) + "\n")
        return 1
    answer.write(json.dumps({"port": int(server.listening_address.rpartition(":")[2])}) + "\n")
    sys.stdin.read()  # until the parent closes it or ends
    answer.flush()
    os._exit(0)  # not waiting for a generation that nobody reads any more


def _load(order: Mapping[str, Any]) -> Any:
    # read by libgomp when it is loaded: without it, waiting threads burn the cores that the worker beside us needs
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")
    import xllamacpp  # 100 MB of native code; only this process ever loads it

    parameters = xllamacpp.CommonParams()
    parameters.model.path = order["path"]
    parameters.n_ctx = order["window"] * order["slots"]  # shared out among the slots
    parameters.kv_unified = False
    parameters.fit_params = False  # else llama.cpp may choose another window by the free memory
    parameters.n_parallel = order["slots"]
    parameters.n_batch, parameters.n_ubatch = order["batch"], min(order["batch"], 512)  # 512 is llama.cpp's own
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = order["threads"]
    parameters.cache_ram_mib = 0  # prompts beside the last one: their batches were others
    parameters.hostnames, parameters.port = ["127.0.0.1"], 0
    parameters.api_keys = [order["api_key"]]
    parameters.endpoint_slots = True
    parameters.ui, parameters.offline = False, True
    parameters.cors_origins = "http://127.0.0.1"
    parameters.verbosity = 0
    return xllamacpp.Server(parameters)


if __name__ == "__main__":
    raise SystemExit(main())
