"""Progress in a log: what is done, and the time that is left."""

from jsdpipe import progress as module
from jsdpipe.progress import progress, share


def test_pieces_of_work_count_the_same_however_many_steps_they_take(capsys, monkeypatch):
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(module, "LOG_EVERY_S", 0.0)
    with progress("work", 9) as advance:
        for taken in (3, 1, 0):
            with share(advance, 3) as of_piece:
                for _ in range(taken):
                    of_piece()
    # a line a step, 10 s each
    assert capsys.readouterr().err.splitlines() == [
        "work: 1/9, 10 s, 80 s left",
        "work: 2/9, 20 s, 70 s left",
        "work: 3/9, 30 s, 60 s left",
        "work: 4/9, 40 s, 50 s left",
        "work: 6/9, 50 s, 25 s left",
        "work: 9/9, 60 s, 0 s left",
    ]
