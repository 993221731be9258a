"""OpenGL without a window. Torch-free, so that a run can ask for it before it begins."""

from typing import Any

from jsdpipe.base.errors import UserError, first_line


def open_context() -> Any:
    """An OpenGL context of its own, to be released; `UserError` where there is no OpenGL by EGL."""
    try:
        import moderngl

        return moderngl.create_context(require=330, standalone=True, backend="egl")  # type: ignore[arg-type]
    except Exception as error:  # a bare one if EGL fails, OSError or ImportError if something is not installed
        raise UserError(
            f"render.renderer: moderngl finds no OpenGL by EGL here ({first_line(error)}); install a GPU's driver or "
            "Mesa (Debian's libegl1, libgl1 and libgl1-mesa-dri), or set embree"
        ) from None
