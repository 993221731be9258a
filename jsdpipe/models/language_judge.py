"""What judges that are language models have in common."""

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
    """A judge did not answer in the form that was asked for; the message is the reason why an asset has no grade."""


@dataclass(frozen=True)
class Answer:
    """What a model says; it is not whole if it was cut off, for example at a limit of length."""

    text: str
    whole: bool = True


class LanguageJudge(ABC):
    """Asks a language model, and again if it does not answer in form; then raises `Unanswered`."""

    def __init__(self, system_role: bool) -> None:
        self._system_role = system_role
        self._answers: list[str] = []

    @abstractmethod
    def _answer(self, messages: Messages, understood: Callable[[Answer], bool]) -> Answer:
        """The model's answer in a chat; only an answer that is understood may be kept."""

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
        raise Unanswered(f"the judge gave no answer of the required form, the last was {cut}{shown(answer.text)}")
