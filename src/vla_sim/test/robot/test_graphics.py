"""Choice of the OpenGL library."""

import sys

import pytest

from vla_sim.robot import graphics


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.setenv("PYOPENGL_PLATFORM", "")
    monkeypatch.delitem(sys.modules, "mujoco", raising=False)


def works(monkeypatch, egl, osmesa):
    monkeypatch.setattr(graphics, "egl_works", lambda: egl)
    monkeypatch.setattr(graphics, "osmesa_works", lambda: osmesa)


@pytest.mark.parametrize(
    ("egl", "osmesa", "chosen"),
    [(True, True, "egl"), (True, False, "egl"), (False, True, "osmesa")],
)
def test_egl_comes_first(monkeypatch, egl, osmesa, chosen):
    works(monkeypatch, egl, osmesa)
    assert graphics.select_backend() == chosen
    assert graphics.os.environ["MUJOCO_GL"] == chosen
    assert graphics.os.environ["PYOPENGL_PLATFORM"] == chosen


def test_where_nothing_works_one_line_names_the_packages(monkeypatch):
    works(monkeypatch, False, False)
    with pytest.raises(graphics.GraphicsError, match="libegl1 libgl1 libgl1-mesa-dri") as error:
        graphics.select_backend()
    assert "libosmesa6" in str(error.value) and "\n" not in str(error.value)


def test_without_cameras_nothing_is_needed(monkeypatch):
    works(monkeypatch, False, False)
    assert graphics.select_backend(required=False) == "disable"


@pytest.mark.parametrize("chosen", ["egl", "osmesa"])
def test_the_users_choice_is_kept_or_refused(monkeypatch, chosen):
    monkeypatch.setenv("MUJOCO_GL", chosen)
    works(monkeypatch, True, True)
    assert graphics.select_backend() == chosen
    works(monkeypatch, False, False)
    with pytest.raises(graphics.GraphicsError, match=f"MUJOCO_GL is {chosen}"):
        graphics.select_backend()


def test_too_late(monkeypatch):
    monkeypatch.setitem(sys.modules, "mujoco", object())
    with pytest.raises(graphics.GraphicsError, match="imported before"):
        graphics.select_backend()
