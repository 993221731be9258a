"""Values that change over a run: linear between two steps, `[start_step, start, end, end_step]`, or by milestones."""

Schedule = float | tuple[int, float, float, int]


def value_at(schedule: Schedule, step: int) -> float:
    """The value at a step: `start` up to `start_step`, `end` from `end_step` on."""
    if not isinstance(schedule, tuple):
        return schedule
    start_step, start, end, end_step = schedule
    if step <= start_step:
        return start
    if step >= end_step:
        return end
    return start + (end - start) * (step - start_step) / (end_step - start_step)


def size_at(size: int | tuple[tuple[int, int], ...], step: int) -> int:
    """A size at a step: a number, or that of the last milestone (step, size) reached, of rising steps from 0 on."""
    if isinstance(size, int):
        return size
    return [pixels for start, pixels in size if start <= step][-1]
