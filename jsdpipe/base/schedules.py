"""Values that change with the step: linear between two steps, `[start_step, start, end, end_step]`, or piecewise."""

Schedule = float | tuple[int, float, float, int]


def value_at(schedule: Schedule, step: int) -> float:
    """The value at a step: `start` until `start_step`, then linear, `end` from `end_step` on."""
    if not isinstance(schedule, tuple):
        return schedule
    start_step, start, end, end_step = schedule
    if step <= start_step:
        return start
    if step >= end_step:
        return end
    return start + (end - start) * (step - start_step) / (end_step - start_step)


def size_at(size: int | tuple[tuple[int, int], ...], step: int) -> int:
    """The size in pixels at a step.

    Args:
        size: one size for all steps, or pairs (first step, size) with rising steps, the first of which is 0.
        step: the step.
    """
    if isinstance(size, int):
        return size
    return [pixels for start, pixels in size if start <= step][-1]
