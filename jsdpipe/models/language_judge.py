"""The base of judges that are language models."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from jsdpipe.base.errors import shown
from jsdpipe.models import questions
from jsdpipe.models.questions import Messages, Question

ATTEMPTS = 3

Value = TypeVar("Value")


class Unanswered(Exception):
    """A judge did not answer in the required form; the message is the reason that the asset has no grade."""


@dataclass(frozen=True)
class Answer:
    """A model's answer; it is not whole if it was cut off, e.g. by a length limit."""

    text: str
    whole: bool = True


class LanguageJudge(ABC):
    """A judge that asks a language model up to `ATTEMPTS` times for the required form, then raises `Unanswered`."""

    def __init__(self, system_role: bool) -> None:
        self._system_role = system_role
        self._answers: list[str] = []

    @abstractmethod
    def _answer(self, messages: Messages, understood: Callable[[Answer], bool]) -> Answer:
        """The model's answer in a chat; an answer may be cached only if `understood` returns True for it."""

    def merge(self, captions: list[str]) -> str:
        return self._ask(questions.merging(captions), questions.read_caption)

    def grade(self, prompt: str, caption: str) -> int:
        return self._ask(questions.grading(prompt, caption), questions.read_grade)

    def transcript(self) -> list[str]:
        answers, self._answers = self._answers, []
        return answers

    def _ask(self, question: Question, read: Callable[[str], Value | None]) -> Value:
        def value_of(answer: Answer) -> Value | None:
            return read(answer.text) if answer.whole else None

        for attempt in range(ATTEMPTS):
            messages = question.messages(attempt, self._system_role)
            answer = self._answer(messages, lambda answer: value_of(answer) is not None)
            self._answers.append(answer.text)
            if (value := value_of(answer)) is not None:
                return value
        cut = "" if answer.whole else "cut: "
        raise Unanswered(f"the judge gave no answer in the required form; the last one was {cut}{shown(answer.text)}")
