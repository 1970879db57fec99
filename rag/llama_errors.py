"""Says in words why llama.cpp's server, which runs the embedded model, refused a request."""

from __future__ import annotations

from typing import Any

from rag.errors import ModelError, PromptTooLong


def refusal(status: int, body: dict[str, Any], name: str) -> ModelError:
    """Return the error that a reply with an error status stands for."""
    error = body.get("error", {})
    if error.get("type") == "exceed_context_size_error":
        return PromptTooLong(
            f"The prompt has {error['n_prompt_tokens']} tokens; {name} reads {error['n_ctx']}.",
            "Send fewer or shorter passages.",
        )
    return ModelError(f"{name} refused the request with status {status}: {reason(error)}.", "Run `readingroom doctor`.")


def no_template(name: str) -> ModelError:
    """Return the error for a model file without a chat template: llama.cpp would put one of its own in its place."""
    return ModelError(
        f"The model {name} has no chat template, so it only goes on with a text.", "Take its instruct variant."
    )


def reason(error: Any) -> str:
    """Return what the server said: its message may stand in an object of its own."""
    inner = error.get("error", error) if isinstance(error, dict) else error
    return str(inner.get("message", inner) if isinstance(inner, dict) else inner).rstrip(".")
