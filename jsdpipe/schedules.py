"""Values that change over a run: a number, or `[start_step, start, end, end_step]`, linear in between."""

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
