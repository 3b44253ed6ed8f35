"""Commands in other words and languages than the policy's: what they ask for, or what to ask back.

Beside a checkpoint's tokenizer lies `intents.safetensors` where it was taught any (`./vla learn
intents`). What the policy's own words cannot say goes through it: a sure reading becomes the
policy's plainest wording of that task, a doubtful one a question. Nothing that the policy knows
goes through it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from vla_contract.language.intent_model import FILE, REFUSED, IntentError, IntentModel

LEAST_GUESS = 0.5  # confidence below which not even a question makes sense


class SentenceReader:
    """Reads what a checkpoint's words cannot say; without a model it reads nothing."""

    def __init__(
        self, model: IntentModel | None, wordings: Mapping[str, Sequence[str]], note: str = ""
    ) -> None:
        """wordings: task → the policy's wordings of it. note: why there is no model, to be told."""
        self.note = note
        self._model = model
        self._wordings = wordings

    @staticmethod
    def beside(vocabulary: str, wordings: Mapping[str, Sequence[str]]) -> SentenceReader:
        """The reader of the file beside a vocabulary's; it reads nothing where that cannot be.

        Takes a second, in which the sentence encoder is loaded.
        """
        file = Path(vocabulary).expanduser().with_name(FILE) if vocabulary else None
        if file is None or not file.is_file():
            return SentenceReader(None, wordings)
        try:
            model = IntentModel.load(file)
            model.read([""])
            return SentenceReader(model, wordings)
        except IntentError as error:
            return SentenceReader(None, wordings, f"only the policy's own words are known: {error}")

    def read(self, text: str) -> tuple[str, str]:
        """(command, guess): the policy's words for a text, or what it may have meant."""
        if self._model is None:
            return "", ""
        found = self._model.read([text])[0]
        wordings = self._wordings.get(found.task, ())
        if found.task == REFUSED or not wordings:
            return "", ""
        if found.is_sure:
            return wordings[0], ""
        return "", wordings[0] if found.confidence >= LEAST_GUESS else ""
