"""Pictures of a MuJoCo scene without a display."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]

# ROS names of Meta-World's cameras.
CAMERAS: dict[str, str] = {
    "behind_gripper": "behindGripper",
    "corner": "corner",
    "corner2": "corner2",
    "corner3": "corner3",
    "corner4": "corner4",
    "gripper_pov": "gripperPOV",
    "topview": "topview",
}

# Meta-World mounts these upside-down.
UPSIDE_DOWN = ("corner", "corner2", "corner4")

# LeRobot's Meta-World datasets are seen from here, closer than Meta-World's own corner2. m
CORNER2_POSITION = (0.75, 0.075, 0.7)

_MAX_GEOMS = 1000


class CameraError(ValueError):
    """A camera or picture size that cannot be rendered."""


def check_cameras(
    names: Sequence[str], width: int, height: int, known: Iterable[str] = CAMERAS
) -> None:
    """Raise CameraError for an unknown or repeated camera or a size that is not 1 to 4096 px."""
    for name in names:
        if name not in known:
            raise CameraError(f"camera is {name!r}; accepted: {', '.join(known)}")
    if len(set(names)) != len(names):
        raise CameraError(f"cameras are {list(names)}; accepted: each camera once")
    for what, value in (("width", width), ("height", height)):
        if type(value) is not int or not 1 <= value <= 4096:
            raise CameraError(f"image {what} is {value!r}; accepted: 1 to 4096 px")


def prepare_model(model: Any, width: int, height: int) -> None:
    """Set a freshly compiled MjModel up for `SceneRenderer` at this size."""
    # Software OpenGL renders about eight times as many pictures without these two.
    model.vis.quality.shadowsize = 0
    model.vis.quality.offsamples = 0
    model.vis.global_.offwidth = width
    model.vis.global_.offheight = height


class SceneRenderer:
    """Renders one compiled scene through named cameras.

    Belongs to the thread that made it: OpenGL contexts cannot be shared.
    """

    def __init__(self, model: Any, cameras: Sequence[str], width: int, height: int) -> None:
        # MuJoCo picks its OpenGL library on import: not before `graphics` has chosen it.
        import mujoco

        self._mujoco = mujoco
        self._gl = mujoco.gl_context.GLContext(width, height)
        self._gl.make_current()
        self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
        self._scene = mujoco.MjvScene(model, maxgeom=_MAX_GEOMS)
        # Nothing is seen to reflect in corner2 and gripper_pov, in any task, but looking for it
        # costs two fifths of the time.
        self._scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0
        self._option = mujoco.MjvOption()
        self._rectangle = mujoco.MjrRect(0, 0, width, height)
        self._buffer = np.empty((height, width, 3), dtype=np.uint8)
        self._cameras = {name: self._camera(model, name) for name in cameras}
        # At the interpreter's end PyOpenGL is torn down before MuJoCo's own destructors run.
        self._free = weakref.finalize(self, _free, self._gl, self._context)

    def _camera(self, model: Any, name: str) -> Any:
        camera = self._mujoco.MjvCamera()
        camera.type = self._mujoco.mjtCamera.mjCAMERA_FIXED
        camera.fixedcamid = model.camera(CAMERAS.get(name, name)).id
        return camera

    def render(self, model: Any, data: Any) -> dict[str, Image]:
        """Picture of every camera: rgb uint8, shape (height, width, 3), upright."""
        self._gl.make_current()
        return {name: self._render(model, data, name) for name in self._cameras}

    def _render(self, model: Any, data: Any, name: str) -> Image:
        mujoco = self._mujoco
        every = mujoco.mjtCatBit.mjCAT_ALL
        mujoco.mjv_updateScene(
            model, data, self._option, None, self._cameras[name], every, self._scene
        )
        mujoco.mjr_render(self._rectangle, self._scene, self._context)
        mujoco.mjr_readPixels(self._buffer, None, self._rectangle, self._context)
        # OpenGL's rows come bottom up, which is half of the turn that an inverted camera needs.
        upright = self._buffer[:, ::-1] if name in UPSIDE_DOWN else self._buffer[::-1]
        return np.ascontiguousarray(upright)

    def close(self) -> None:
        """Free the OpenGL objects; in the thread that made them."""
        self._free()


def _free(gl: Any, context: Any) -> None:
    gl.make_current()
    context.free()
    gl.free()
