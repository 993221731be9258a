"""Work that needs counts of the device: a generator that yields them as tensors () and is sent them as numbers.

So work that runs side by side, for chunks of rays or for several scenes, waits for all its counts at once.
"""

from collections.abc import Generator, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")
Counting = Generator[list[Tensor], Any, T]


def side_by_side(works: Sequence[Counting[T]]) -> Counting[list[T]]:
    """The results of works that ask equally often, whose counts are asked for together."""
    answers: list[list[int] | None] = [None] * len(works)
    while True:
        asked, ended = [], []
        for work, numbers in zip(works, answers, strict=True):
            try:
                asked.append(work.send(numbers))
            except StopIteration as end:
                ended.append(end.value)
        if ended:
            return ended
        found = iter((yield [count for of_one in asked for count in of_one]))
        answers = [[next(found) for _ in of_one] for of_one in asked]


def done(work: Counting[T]) -> T:
    """The result of a work; the host waits each time that it asks."""
    numbers: list[int] | None = None
    while True:
        try:
            asked = work.send(numbers)
        except StopIteration as end:
            result: T = end.value
            return result
        numbers = torch.stack(asked).tolist()
