"""Surfaces by OpenGL (moderngl on EGL, without a window): on a GPU, or on the CPU by Mesa."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from jsdpipe.base.errors import UserError
from jsdpipe.mesh.surface import Surface, Texture
from jsdpipe.render.egl import open_context
from jsdpipe.render.renderers import Samples, tinted

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
uniform int first;
in vec3 vertex_color;
#ifdef TEXTURED
uniform sampler2D image;
uniform bvec2 mirrored;
uniform float cutoff;
in vec2 vertex_uv;
#endif
layout(location = 0) out vec4 rgba;
layout(location = 1) out ivec2 geometry;
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
    geometry = ivec2(first + gl_PrimitiveID, floatBitsToInt(1.0 / gl_FragCoord.w));
}
"""
NEAREST = 1e-3  # of the farthest point's depth: what is nearer is not seen


@contextmanager
def context() -> Iterator[Any]:
    """An OpenGL context of its own, released at the end with all that was made in it.

    Raises `UserError` where there is no OpenGL by EGL.
    """
    # Mesa would take all cores; a job has the threads that it was given.
    os.environ.setdefault("LP_NUM_THREADS", str(torch.get_num_threads()))
    with suppress(ImportError):
        import triton  # noqa: F401  # its LLVM crashes if it is loaded after Mesa's, as PyTorch does later

    gl = open_context()
    try:
        yield gl
    finally:
        gl.release()


class GLRenderer:
    """One draw a texture, of the faces that have it, and one of those without; `gl` is the renderer's own context.

    Of a `solid` surface, a camera outside of its bounding sphere draws the front faces alone: software renders them
    in less than half of the time.
    """

    def __init__(self, surface: Surface, gl: Any, solid: bool) -> None:
        self.surface, self._gl, self._solid = surface, gl, solid
        lowest, highest = surface.vertices.min(axis=0), surface.vertices.max(axis=0)
        self._center, self._radius = (lowest + highest) / 2, float(np.linalg.norm(highest - lowest) / 2)
        self._order = np.argsort(surface.texture, kind="stable")  # the faces as they are drawn
        parts = np.unique(surface.texture[self._order], return_index=True, return_counts=True)
        self._parts = list(zip(*(part.tolist() for part in parts), strict=True))  # (texture, first face, faces)
        self._targets: dict[tuple[int, bool], Any] = {}
        with gl:
            gl.front_face = "cw"  # of triangles turned to the camera, in a picture that is upside down
            attributes = [
                (gl.buffer(surface.vertices.astype(np.float32, order="C")), "3f4", "position"),
                (gl.buffer(surface.colors.astype(np.uint8, order="C")), "3f1", "color"),
                (gl.buffer(surface.uv.astype(np.float32, order="C")), "2f4", "uv"),
            ]
            faces = gl.buffer(surface.faces[self._order].astype(np.uint32, order="C"))
            self._meshes = {}  # by whether they have a texture: without, software draws a third faster
            for textured in {texture >= 0 for texture, _, _ in self._parts}:
                needed = {
                    "TEXTURED": textured,
                    "TINTED": tinted(surface),
                    "MIRRORED": any("mirror" in of.wrap for of in surface.textures),
                    "MASKED": any(of.cutoff > 0 for of in surface.textures),
                }
                defined = [name for name, is_needed in needed.items() if is_needed]
                start = "#version 330\n" + "".join(f"#define {name}\n" for name in defined)
                program = gl.program(start + VERTEX, start + FRAGMENT)
                taken = [of for of in attributes if of[2] in program]  # white is not
                self._meshes[textured] = gl.vertex_array(program, taken, index_buffer=faces)
            self._images = [self._image(of) for of in surface.textures]

    def look(self, camera_to_world: NDArray[np.float64], fovy: float, size: int, geometry: bool) -> Samples:
        with self._gl:
            target = self._target(size, geometry)
            target.use()
            target.clear()
            outside = np.linalg.norm(camera_to_world[:3, 3] - self._center) > self._radius
            self._gl.enable_only(self._gl.DEPTH_TEST | (self._gl.CULL_FACE if self._solid and outside else 0))
            projection = self._projection(camera_to_world, fovy).T.astype(np.float32).tobytes()
            for texture, first, count in self._parts:
                mesh = self._meshes[texture >= 0]
                if texture >= 0:
                    self._images[texture].use()
                    self._set(mesh.program, self.surface.textures[texture])
                mesh.program["camera"].write(projection)
                mesh.program["first"] = first
                mesh.render(first=3 * first, vertices=3 * count)
            pixels = target.read(components=4 if geometry else 3, alignment=1)
            rgba = np.frombuffer(pixels, np.uint8).reshape(size, size, -1)
            if not geometry:
                return Samples(rgba)
            pairs = np.frombuffer(target.read(components=2, attachment=1, dtype="i4"), np.int32).reshape(size, size, 2)
        hit = rgba[..., 3] > 0
        face = self._order[np.where(hit, pairs[..., 0], 0)].astype(np.int32)
        return Samples(rgba[..., :3], hit, face, pairs[..., 1].copy().view(np.float32))

    def _set(self, program: Any, of: Texture) -> None:
        """What a program is to know of a texture, as far as it asks."""
        if "mirrored" in program:
            program["mirrored"] = tuple(wrap == "mirror" for wrap in of.wrap)
        if "cutoff" in program:
            program["cutoff"] = of.cutoff

    def _image(self, of: Texture) -> Any:
        pixels = of.pixels
        if max(pixels.shape) > (limit := self._gl.info["GL_MAX_TEXTURE_SIZE"]):
            raise UserError(
                f"render.renderer: moderngl takes textures of at most {limit} pixels a side here, one has "
                f"{max(pixels.shape)}; shrink it, or set embree"
            )
        image = self._gl.texture(pixels.shape[1::-1], pixels.shape[2], np.ascontiguousarray(pixels), alignment=1)
        image.filter = (self._gl.LINEAR, self._gl.LINEAR)
        image.repeat_x, image.repeat_y = (wrap == "repeat" for wrap in of.wrap)
        return image

    def _target(self, size: int, geometry: bool) -> Any:
        """The framebuffer of a size, made once; with the faces and depths beside the colours if `geometry`."""
        if (size, geometry) not in self._targets:
            colors = [self._gl.renderbuffer((size, size), 4)]
            if geometry:
                colors.append(self._gl.renderbuffer((size, size), 2, dtype="i4"))
            depth = self._gl.depth_renderbuffer((size, size))
            self._targets[size, geometry] = self._gl.framebuffer(colors, depth)
        return self._targets[size, geometry]

    def _projection(self, camera_to_world: NDArray[np.float64], fovy: float) -> NDArray[np.float64]:
        """From the world to OpenGL's clip space (4, 4), upside down, because OpenGL's row 0 is the lowest."""
        rotation, position = camera_to_world[:3, :3], camera_to_world[:3, 3]
        view = np.eye(4)
        view[:3, :3], view[:3, 3] = rotation.T, -rotation.T @ position
        middle = (position - self._center) @ rotation[:, 2]  # the depth of the surface's centre
        far = max(middle + self._radius, self._radius) * 1.01
        near = max(middle - 1.01 * self._radius, NEAREST * far)
        focal = 1 / np.tan(fovy / 2)
        lens = np.diag((focal, -focal, -(far + near) / (far - near), 0.0))
        lens[2, 3], lens[3, 2] = -2 * far * near / (far - near), -1
        return lens @ view
