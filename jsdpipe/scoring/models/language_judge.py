"""What judges have in common that are language models. Torch-free."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

from jsdpipe.errors import shown
from jsdpipe.scoring.models import questions
from jsdpipe.scoring.models.questions import Messages, Question

ATTEMPTS = 3

Value = TypeVar("Value")


class Unanswered(Exception):
    """A judge did not answer in the form that was asked for: its line is the reason why an asset has no grade."""


class LanguageJudge(ABC):
    """Asks a language model, and again if it does not answer in form; then raises `Unanswered`."""

    def __init__(self) -> None:
        self._answers: list[str] = []

    @abstractmethod
    def _answer(self, messages: Messages) -> str:
        """The model's answer in a chat, temperature 0."""

    def merge(self, captions: list[str]) -> str:
        return self._ask(questions.merging(captions), questions.read_caption)

    def grade(self, prompt: str, caption: str) -> int:
        return self._ask(questions.grading(prompt, caption), questions.read_grade)

    def transcript(self) -> list[str]:
        answers, self._answers = self._answers, []
        return answers

    def _ask(self, question: Question, read: Callable[[str], Value | None]) -> Value:
        for attempt in range(ATTEMPTS):
            self._answers.append(self._answer(question.messages(attempt)))
            if (value := read(self._answers[-1])) is not None:
                return value
        raise Unanswered(f"the judge gave no answer of the required form, the last was {shown(self._answers[-1])}")
