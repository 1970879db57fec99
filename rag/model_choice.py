"""Chooses who answers, by difficulty where questions are routed; lets in as many questions as the models have places for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from rag.errors import ModelBusy, ModelError
from rag.llm import LanguageModel
from rag.model_record import Pins
from rag.routing import Candidate, Difficulty
from rag.settings import Settings
from rag.turns import WAITING

ASK_AGAIN_SECONDS = 30.0
"""How long it is believed that a server has a model, that it is not there, or an error that took long to find out."""
SLOW_SECONDS = 1.5
"""An error of a look that took no longer is believed by nobody: the next question looks again, and the model may be back."""

Open = Callable[[str, str], LanguageModel | None]
"""Opens a model by backend and name; None where nothing is there and nobody promised it."""


@dataclass(slots=True)
class _Opened:
    """A model as it was when it was looked at last: there, not there, or an error. `seconds` are those of its last answer."""

    model: LanguageModel | None
    error: ModelError | None
    until: float
    seconds: float = 0.0


class ModelChoice:
    """Gives the models to ask, one after the other, each opened when its turn comes.

    Without routing: the OpenAI-compatible server of the settings, Ollama when it is there with the model, the embedded model.
    With routing: the small or the large model first, the other one next, then those.
    """

    def __init__(self, settings: Settings, open_model: Open, pins: Pins) -> None:
        self._settings, self._open, self._pins = settings, open_model, pins
        self._opened: dict[str, _Opened] = {}
        self._turn = threading.Lock()
        self._counting, self._admitted = threading.Lock(), 0

    def __call__(self) -> LanguageModel | None:
        """Return the model to ask first, or None when `answer.model` is `none`; raise ModelError when there is none."""
        return next((candidate.model for candidate in self.candidates()), None)

    def candidates(self, asked: Difficulty | None = None) -> Iterator[Candidate]:
        """Yield the models for a question of this difficulty; nothing when none is configured.

        A model that is missing, or not the one that was pinned, is passed over, and the next one's `why` says so. Raises
        ModelError when none can be opened; it says why each of them could not.
        """
        if self._settings.answer.model == "none":
            return
        missed: list[ModelError] = []
        untold: list[str] = []  # whose turn it was, and why it was passed over, since the last one that was given
        given = False
        for name, why in self._order(asked):
            try:
                model = self._get(name)
                warning = self._check(model) if model is not None else ""
            except ModelError as error:
                missed.append(error)
                untold += [why, str(error)]  # with the nearest names, or what to do
                continue
            if model is not None:
                reasons = [*untold, why, warning]
                untold.clear()
                again = bool(why) and self._settings.routing.ask_again
                said = " ".join(reason for reason in reasons if reason)
                yield Candidate(model, said, again, partial(self._took, name))
                given = True
        if missed and not given:
            *before, last = {str(error): error for error in missed}.values()  # one may stand in two places
            raise ModelError(" ".join([*map(str, before), last.message]), last.remedy) if before else last

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Hold a place for a question, from before it is searched for until it is answered; raise ModelBusy when there is none.

        There are as many as all models that can be asked answer at once and let wait. Without a model nobody has to wait.
        """
        places = self._places()
        with self._counting:
            if places and self._admitted >= places:
                raise ModelBusy(f"{self._admitted} questions are being answered or wait already.", "Ask again later.")
            self._admitted += 1
        try:
            yield
        finally:
            with self._counting:
                self._admitted -= 1

    def _places(self) -> int:
        if self._settings.answer.model == "none":
            return 0
        there = 0
        for name in dict.fromkeys(name for name, _ in self._order(Difficulty(0, (), False))):
            try:
                model = self._get(name)
            except ModelError:
                continue  # said by the answer, which looks for it again
            if model is not None:
                there += WAITING + (self._settings.answer.slots if name.startswith("embedded:") else 1)
        return there

    def close(self) -> None:
        """End the embedded models' processes and release connections."""
        with self._turn:
            for opened in self._opened.values():
                if opened.model is not None:
                    opened.model.close()
            self._opened.clear()

    def _order(self, asked: Difficulty | None) -> Iterator[tuple[str, str]]:
        routing, answer = self._settings.routing, self._settings.answer
        small, large = routing.small, routing.large
        if asked is not None and small and large:
            slow = self._opened[large].seconds if large in self._opened else 0.0
            if routing.loaded and self._loaded(large) and not self._loaded(small):
                asked = asked.more(routing.loaded, "the large model is loaded", routing)
            if asked.hard and routing.seconds and slow > routing.seconds:
                yield small, f"Routed to the small model: {asked}, but the large one needed {slow:.0f} s last time."
                yield large, "Routed on to the large model: the small one gave no answer that holds."
            elif asked.hard:
                yield large, f"Routed to the large model: {asked}."
                yield small, "Routed on to the small model: the large one gave no answer that holds."
            else:
                yield small, f"Routed to the small model: {asked}."
                yield large, "Routed on to the large model: the small one gave no answer that holds."
        if answer.openai_host:
            yield f"openai:{answer.openai_model}", ""
        if answer.ollama_model:
            yield f"ollama:{answer.ollama_model}", ""
        yield answer.model if answer.model.startswith("transformers:") else f"embedded:{answer.model}", ""

    def _loaded(self, name: str) -> bool:
        """Return whether a model is in memory, as far as it can say so."""
        opened = self._opened.get(name)
        try:
            return opened is not None and bool(getattr(opened.model, "loaded", False))
        except ModelError:
            return False  # its server has gone: found out, and said, when it is asked

    def _took(self, name: str, seconds: float) -> None:
        with self._turn:
            if name in self._opened:
                self._opened[name].seconds = seconds

    def _get(self, name: str) -> LanguageModel | None:
        backend, _, model = name.partition(":")
        local = backend in ("embedded", "transformers")
        with self._turn:
            opened = self._opened.get(name)
            # a server's model may be another one by now: with a pin it is looked at for every question
            old = opened is not None and (
                opened.error is not None if local else time.monotonic() > opened.until or bool(self._pins.all())
            )
            if opened is None or old:
                fresh = self._look(backend, model)
                if opened is not None:
                    fresh.seconds = opened.seconds
                    if opened.model is not None and fresh.model is not None and opened.model.card == fresh.model.card:
                        fresh.model.close()  # the same one: keep the queue of those who wait for it
                        fresh.model = opened.model
                opened = self._opened[name] = fresh
            if opened.error is not None:
                raise opened.error
            return opened.model

    def _look(self, backend: str, model: str) -> _Opened:
        began = time.monotonic()
        try:
            return _Opened(self._open(backend, model), None, began + ASK_AGAIN_SECONDS)
        except ModelError as error:
            slow = time.monotonic() - began > SLOW_SECONDS
            return _Opened(None, error, began + (ASK_AGAIN_SECONDS if slow else 0.0))

    def _check(self, model: LanguageModel) -> str:
        """Return a warning about a model that is not the pinned one; raise ModelError where the settings refuse it."""
        changed = self._pins.changed(model.card)
        if changed and self._settings.models.changed == "refuse":
            raise ModelError(
                changed, "If you want this one, run `readingroom models pin`, or set `models.changed: warn`."
            )
        return changed
