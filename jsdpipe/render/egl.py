"""OpenGL without a window; free of torch, so that a run can check for it before it begins."""

from typing import Any

from jsdpipe.base.errors import UserError, first_line


def open_context() -> Any:
    """Open an OpenGL context, which the caller releases; `UserError` if EGL offers none."""
    try:
        import moderngl

        return moderngl.create_context(require=330, standalone=True, backend="egl")  # type: ignore[arg-type]
    except Exception as error:  # a bare Exception if EGL fails, OSError or ImportError if something is not installed
        raise UserError(
            f"render.renderer: moderngl finds no OpenGL by EGL here ({first_line(error)}); install a GPU's driver or "
            "Mesa (Debian's libegl1, libgl1 and libgl1-mesa-dri), or set embree"
        ) from None
