"""Render with OpenGL (moderngl on EGL, without a window), on a GPU or with Mesa on the CPU."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from jsdpipe.base.errors import UserError
from jsdpipe.mesh.shading import is_tinted
from jsdpipe.mesh.surface import Surface, Texture
from jsdpipe.render.egl import open_context

VERTEX = """
uniform mat4 camera;
in vec3 position;
in vec3 color;
out vec3 vertex_color;
#ifdef TEXTURED
in vec2 uv;
out vec2 vertex_uv;
#endif
void main() {
    gl_Position = camera * vec4(position, 1.0);
    vertex_color = color;
#ifdef TEXTURED
    vertex_uv = vec2(uv.x, 1.0 - uv.y);  // images start at the top
#endif
}
"""
FRAGMENT = """
in vec3 vertex_color;
#ifdef TEXTURED
uniform sampler2D image;
uniform bvec2 mirrored;
uniform float cutoff;
in vec2 vertex_uv;
#endif
out vec4 rgba;
#ifdef TINTED
vec3 to_linear(vec3 stored) {
    return mix(stored / 12.92, pow((stored + 0.055) / 1.055, vec3(2.4)), greaterThan(stored, vec3(0.04045)));
}
vec3 from_linear(vec3 light) {
    return mix(light * 12.92, 1.055 * pow(light, vec3(1.0 / 2.4)) - 0.055, greaterThan(light, vec3(0.0031308)));
}
#endif
void main() {
    rgba = vec4(vertex_color, 1.0);
#ifdef TEXTURED
#ifdef MIRRORED
    vec4 texel = texture(image, mix(vertex_uv, 1.0 - abs(mod(vertex_uv, 2.0) - 1.0), mirrored));
#else
    vec4 texel = texture(image, vertex_uv);
#endif
#ifdef MASKED
    if (texel.a < cutoff) discard;
#endif
#ifdef TINTED
    rgba.rgb = from_linear(to_linear(vertex_color) * to_linear(texel.rgb));
#else
    rgba.rgb = texel.rgb;
#endif
#endif
}
"""
NEAREST = 1e-3  # depth of the near plane at least, as a share of the far plane's


@contextmanager
def context() -> Iterator[Any]:
    """Open an OpenGL context; it is released at the end with everything made in it.

    Raises:
        UserError: if EGL offers no OpenGL.
    """
    # Mesa would use all cores, but a job may use only the threads that it was given.
    os.environ.setdefault("LP_NUM_THREADS", str(torch.get_num_threads()))
    with suppress(ImportError):
        import triton  # noqa: F401  # its LLVM crashes if PyTorch loads it later, after Mesa's

    gl = open_context()
    try:
        yield gl
    finally:
        gl.release()


class GLRenderer:
    """Draws the faces of each texture in one call, and those without texture in another.

    Args:
        gl: a context of the renderer's own.
        solid: leave out back faces for cameras outside the bounding sphere, which more than halves the time in
            software.
    """

    def __init__(self, surface: Surface, gl: Any, solid: bool) -> None:
        self._surface, self._gl, self._solid = surface, gl, solid
        lowest, highest = surface.vertices.min(axis=0), surface.vertices.max(axis=0)
        self._center, self._radius = (lowest + highest) / 2, float(np.linalg.norm(highest - lowest) / 2)
        order = np.argsort(surface.texture, kind="stable")  # in which faces are drawn
        parts = np.unique(surface.texture[order], return_index=True, return_counts=True)
        self._parts = list(zip(*(part.tolist() for part in parts), strict=True))  # (texture, first face, faces)
        self._framebuffers: dict[int, Any] = {}
        with gl:
            gl.front_face = "cw"  # counter-clockwise triangles, in an image that is upside down
            attributes = [
                (gl.buffer(surface.vertices.astype(np.float32, order="C")), "3f4", "position"),
                (gl.buffer(surface.colors.astype(np.uint8, order="C")), "3f1", "color"),
                (gl.buffer(surface.uv.astype(np.float32, order="C")), "2f4", "uv"),
            ]
            faces = gl.buffer(surface.faces[order].astype(np.uint32, order="C"))
            self._meshes = {}  # by whether faces are textured; software draws those without texture a third faster
            for textured in {texture >= 0 for texture, _, _ in self._parts}:
                needed = {
                    "TEXTURED": textured,
                    "TINTED": is_tinted(surface),
                    "MIRRORED": any("mirror" in of.wrap for of in surface.textures),
                    "MASKED": any(of.cutoff > 0 for of in surface.textures),
                }
                defined = [name for name, is_needed in needed.items() if is_needed]
                start = "#version 330\n" + "".join(f"#define {name}\n" for name in defined)
                program = gl.program(start + VERTEX, start + FRAGMENT)
                taken = [of for of in attributes if of[2] in program]  # the compiler drops what it does not use
                self._meshes[textured] = gl.vertex_array(program, taken, index_buffer=faces)
            self._images = [self._image(of) for of in surface.textures]

    def render(self, camera_to_world: NDArray[np.float64], fovy: float, size: int) -> NDArray[np.uint8]:
        with self._gl:
            target = self._framebuffer(size)
            target.use()
            target.clear()
            outside = np.linalg.norm(camera_to_world[:3, 3] - self._center) > self._radius
            self._gl.enable_only(self._gl.DEPTH_TEST | (self._gl.CULL_FACE if self._solid and outside else 0))
            projection = self._projection(camera_to_world, fovy).T.astype(np.float32).tobytes()
            for texture, first, count in self._parts:
                mesh = self._meshes[texture >= 0]
                if texture >= 0:
                    self._images[texture].use()
                    self._set(mesh.program, self._surface.textures[texture])
                mesh.program["camera"].write(projection)
                mesh.render(first=3 * first, vertices=3 * count)
            return np.frombuffer(target.read(components=3, alignment=1), np.uint8).reshape(size, size, 3)

    def _set(self, program: Any, of: Texture) -> None:
        """Set the uniforms that a program has for a texture."""
        if "mirrored" in program:
            program["mirrored"] = tuple(wrap == "mirror" for wrap in of.wrap)
        if "cutoff" in program:
            program["cutoff"] = of.cutoff

    def _image(self, of: Texture) -> Any:
        pixels = of.pixels
        if max(pixels.shape) > (limit := self._gl.info["GL_MAX_TEXTURE_SIZE"]):
            raise UserError(
                f"render.renderer: moderngl takes textures of at most {limit} pixels per side here, one has "
                f"{max(pixels.shape)}; shrink it, or set embree"
            )
        image = self._gl.texture(pixels.shape[1::-1], pixels.shape[2], np.ascontiguousarray(pixels), alignment=1)
        image.filter = (self._gl.LINEAR, self._gl.LINEAR)
        image.repeat_x, image.repeat_y = (wrap == "repeat" for wrap in of.wrap)
        return image

    def _framebuffer(self, size: int) -> Any:
        if size not in self._framebuffers:
            color, depth = self._gl.renderbuffer((size, size), 4), self._gl.depth_renderbuffer((size, size))
            self._framebuffers[size] = self._gl.framebuffer([color], depth)
        return self._framebuffers[size]

    def _projection(self, camera_to_world: NDArray[np.float64], fovy: float) -> NDArray[np.float64]:
        """The matrix (4, 4) from the world to clip space, upside down, because OpenGL's row 0 is the lowest."""
        rotation, position = camera_to_world[:3, :3], camera_to_world[:3, 3]
        view = np.eye(4)
        view[:3, :3], view[:3, 3] = rotation.T, -rotation.T @ position
        middle = (position - self._center) @ rotation[:, 2]  # depth of the surface's center
        far = max(middle + self._radius, self._radius) * 1.01
        near = max(middle - 1.01 * self._radius, NEAREST * far)
        focal = 1 / np.tan(fovy / 2)
        lens = np.diag((focal, -focal, -(far + near) / (far - near), 0.0))
        lens[2, 3], lens[3, 2] = -2 * far * near / (far - near), -1
        return lens @ view


@contextmanager
def prepare(surface: Surface, solid: bool) -> Iterator[GLRenderer]:
    """Prepare a surface for rendering, in an OpenGL context of its own."""
    with context() as gl:
        yield GLRenderer(surface, gl, solid)
