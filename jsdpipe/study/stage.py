"""The stage `study`: write tables, figures, and the report's text on them (`study.json`) to `results/<run>/study/`."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

import torch
from matplotlib import rc_context

from jsdpipe.base.errors import UserError
from jsdpipe.base.files import atomic_folder, write_json
from jsdpipe.base.progress import progress
from jsdpipe.pipeline.run import Run
from jsdpipe.report import style
from jsdpipe.report.markup import latex, markdown
from jsdpipe.study import figures, presentation
from jsdpipe.study.experiments import count_runs, descents, distillations


def write(run: Run) -> None:
    """Compute the study and write it, replacing an older one; the bytes depend on seed and settings alone."""
    settings = run.config.study
    if settings is None:
        raise UserError(f"{run.layout.run_json}: study: left out in the configuration; add it and rerun `configure`")
    with _one_thread():
        with progress("study", count_runs()) as advance:
            followed = descents(settings.steps, settings.particles, run.config.seed, advance)
            distilled = distillations(settings.steps, settings.particles, run.config.seed, advance)
        sections = presentation.sections(followed, distilled, settings)
        with atomic_folder(run.layout.study) as folder, rc_context(style.MATPLOTLIB):
            followed.table.to_csv(folder / "divergences.csv", index=False, lineterminator="\n")
            distilled.table.to_csv(folder / "objectives.csv", index=False, lineterminator="\n")
            for table in (section.table for section in sections):
                (folder / f"{table.name}.md").write_text(markdown(table), encoding="utf-8", newline="\n")
                (folder / f"{table.name}.tex").write_text(latex(table), encoding="utf-8", newline="\n")
            for name, figure in figures.draw(followed, distilled):
                figure.savefig(folder / f"{name}.png", dpi=figures.DPI, metadata={"Software": None})
            write_json(folder / "study.json", [asdict(section) for section in sections])


@contextmanager
def _one_thread() -> Iterator[None]:
    """Use one thread, because the order of sums, and so their last bits, depends on the number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
