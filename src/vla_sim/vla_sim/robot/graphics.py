"""Choice of the OpenGL library for headless rendering, before MuJoCo is imported.

MuJoCo and PyOpenGL each decide once, when they are imported, and cannot be told afterwards; and
where nothing suits they fail with tracebacks from deep inside. So it is decided here, by asking the
system's libraries themselves.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import sys

BACKENDS = ("egl", "osmesa")
_DISABLED = ("disable", "disabled", "off", "false", "0")
_EGL_PLATFORM_DEVICE = 0x313F
_MAX_DEVICES = 16


class GraphicsError(RuntimeError):
    """Nothing on this machine can render without a display; the message names the packages."""


def select_backend(required: bool = True) -> str:
    """Set MUJOCO_GL (and keep it where the user has set it), and return it.

    Args:
        required: False: where nothing can render, MuJoCo is told to do without ("disable").

    Raises:
        GraphicsError: neither EGL nor OSMesa works here and it is required.
    """
    chosen = os.environ.get("MUJOCO_GL", "").lower()
    if not chosen:
        if "mujoco" in sys.modules:
            raise GraphicsError(
                "mujoco was imported before its OpenGL library was chosen; import it after the "
                "environment is made, or set MUJOCO_GL to egl or osmesa"
            )
        chosen = "egl" if egl_works() else "osmesa" if osmesa_works() else "disable"
        os.environ["MUJOCO_GL"] = chosen
    if chosen in BACKENDS:
        os.environ["PYOPENGL_PLATFORM"] = chosen
    if required:
        _check(chosen)
    return chosen


def _check(chosen: str) -> None:
    if chosen in _DISABLED:
        raise GraphicsError(f"no OpenGL for rendering without a display; {_remedy()}")
    if chosen == "egl" and not egl_works():
        raise GraphicsError(f"MUJOCO_GL is egl, but EGL finds no device here; {_remedy()}")
    if chosen == "osmesa" and not osmesa_works():
        raise GraphicsError(f"MUJOCO_GL is osmesa, but there is no libOSMesa here; {_remedy()}")


def _remedy() -> str:
    return (
        "install it with: sudo apt-get install libegl1 libgl1 libgl1-mesa-dri (EGL) "
        "or libosmesa6 (OSMesa)"
    )


def egl_works() -> bool:
    """True where an EGL device (a GPU, or Mesa's software one) can be initialised."""
    try:
        egl = ctypes.CDLL("libEGL.so.1")
        ctypes.CDLL("libGL.so.1")
    except OSError:
        return False
    egl.eglGetProcAddress.restype = ctypes.c_void_p
    query_address = egl.eglGetProcAddress(b"eglQueryDevicesEXT")
    display_address = egl.eglGetProcAddress(b"eglGetPlatformDisplayEXT")
    if not query_address or not display_address:
        return False
    integer, pointer = ctypes.c_int32, ctypes.c_void_p
    query = ctypes.CFUNCTYPE(ctypes.c_uint, integer, pointer, pointer)(query_address)
    display = ctypes.CFUNCTYPE(pointer, ctypes.c_uint, pointer, pointer)(display_address)
    devices, count = (pointer * _MAX_DEVICES)(), integer(0)
    if not query(_MAX_DEVICES, devices, ctypes.byref(count)):
        return False
    egl.eglInitialize.argtypes = (pointer, pointer, pointer)
    for device in devices[: count.value]:
        found = display(_EGL_PLATFORM_DEVICE, device, None)
        if found and egl.eglInitialize(found, None, None):
            return True
    return False


def osmesa_works() -> bool:
    """True where Mesa's off-screen library can be loaded."""
    name = ctypes.util.find_library("OSMesa")
    if name is None:
        return False
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True
