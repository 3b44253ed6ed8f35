"""`vla doctor --limits URDF --geometry FILE`: proposes an arm's geometry file, and draws it.

A file that is there already is not changed, but drawn with its surroundings.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from vla_cli.client.command_errors import CommandError
from vla_safety.arm import link_pairs
from vla_safety.arm.arm_geometry import ArmError, ArmGeometry
from vla_safety.arm.arm_model import ArmModel
from vla_safety.arm.shape_surfaces import triangles
from vla_safety.arm.urdf_text import Urdf, read_urdf
from vla_safety.config.safety_config import SafetyConfig

_FILE = """\
# Proposed from {urdf} by ./vla doctor --limits. Read it and docs/arm.md before any motion.
# Pairs of shapes that overlap in every one of {samples} random configurations are in
# {pairs}: they are not kept apart. {kept} pairs are, the nearest of them:
{nearest}pairs: {pairs}
joints: {joints}  # that no dimension commands: write where each stands, or measure it
# Tool links, which nothing follows: {tools}
# touch_links: {touching}  # may touch what sources of points see
# payload: {{link: {tool}, size: [0.04, 0.04, 0.1], gripper: DIMENSION, held_between: [0.0, 0.01]}}
surroundings: []
#  - {{name: table, type: plane, normal: [0, 0, 1], offset: -0.02}}
"""
_NEAREST = 5
_LIGHT = np.array((0.36, -0.48, 0.8))  # direction, of length 1


def propose(urdf_file: Path, commanded: tuple[str, ...], file: Path) -> list[Path]:
    """Write the proposal where there is none yet, its pairs and a picture; returns what is written.

    commanded: joints that the proposed action space commands.

    Raises:
        CommandError: the URDF cannot be used, or a file cannot be written.
    """
    try:
        urdf, written = read_urdf(str(urdf_file), ()), []
        if not file.exists():
            file.write_text(_proposal(urdf, urdf_file, commanded, file), encoding="utf-8")
            written += [file, _pairs_file(file)]
        model = ArmModel(urdf, geometry := ArmGeometry.load(file))
        picture = file.with_suffix(".png")
        draw(model, geometry, picture)
    except ArmError as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        raise CommandError(f"cannot write {error.filename}: {error.strerror}") from error
    return [*written, picture]


def _pairs_file(file: Path) -> Path:
    return file.with_name(f"{file.stem}_pairs.yaml")


def _proposal(urdf: Urdf, urdf_file: Path, commanded: tuple[str, ...], file: Path) -> str:
    pairs = _pairs_file(file)
    geometry = ArmGeometry(pairs=pairs)
    model = ArmModel(urdf, geometry)
    margin = SafetyConfig().arm_margin
    chosen = link_pairs.choose(model, geometry, margin)
    free = [joint for joint in urdf.joints if joint.mimic is None and joint.name not in commanded]
    fixed = {joint.name: _middle(joint.low, joint.high) for joint in free}
    shaped = {body.link for body in model.bodies}
    touching = [name for name in model.tools if name in shaped]
    tight = sorted(zip(chosen.least.tolist(), (pair.name for pair in chosen.pairs), strict=True))
    nearest = [f"#   {name}: {least:.4f} m\n" for least, name in tight if least < margin]
    return _FILE.format(
        urdf=urdf_file.name,
        samples=link_pairs.SAMPLES,
        pairs=pairs.name,
        kept=len(chosen.pairs),
        nearest="".join(nearest[:_NEAREST]) or "#   each by the whole margin\n",
        joints=yaml.safe_dump(fixed, default_flow_style=True).strip(),
        tools=", ".join(model.tools),
        touching=yaml.safe_dump(touching, default_flow_style=True).strip(),
        tool=model.tools[-1],
    )


def _middle(low: float, high: float) -> float:
    """0, or what is nearest to it within the limits."""
    return float(min(max(0.0, low), high))


def draw(model: ArmModel, geometry: ArmGeometry, picture: Path) -> None:
    """Every link's shape where the joints are at 0 (or the limit nearest to it), from two sides."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.colors import to_rgb
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection

    where = np.array([_middle(*ends) for ends in zip(model.low, model.high, strict=True)])
    for name, position in geometry.joints.items():
        where[model.joints.index(name)] = position
    reach = model.reach()
    figure = pyplot.figure(figsize=(13, 6.5))
    surfaces = model.surfaces(where, lambda shape: triangles(shape, reach))
    links = list(dict.fromkeys(body.link for body, _ in surfaces if not body.surrounding))
    for column, azimuth in enumerate((-60.0, 30.0)):
        axes: Any = figure.add_subplot(1, 2, column + 1, projection="3d")
        for body, faces in surfaces:
            if body.surrounding:
                color, opaque = (0.5, 0.55, 0.55), 0.25
            else:
                color, opaque = to_rgb(f"C{links.index(body.link) % 10}"), 1.0
            shaded = _shaded(faces, color, opaque)
            axes.add_collection3d(Poly3DCollection(faces, facecolors=shaded))
        _frame(axes, [faces for body, faces in surfaces if not body.surrounding])
        axes.view_init(elev=20.0, azim=azimuth)
    marks = [pyplot.Rectangle((0, 0), 1, 1, color=f"C{i % 10}") for i in range(len(links))]
    figure.legend(marks, links, loc="lower center", ncol=6, fontsize=8)
    figure.suptitle(f"{model.urdf.name}: shapes that count; grey: surroundings")
    figure.tight_layout(rect=(0.0, 0.05 * (1 + len(links) // 6), 1.0, 1.0))
    figure.savefig(picture, dpi=110)
    pyplot.close(figure)


def _shaded(faces: Any, color: tuple[float, float, float], opaque: float) -> Any:
    """The color of each face in a light from above, shape (n, 4)."""
    normals = np.cross(faces[:, 1] - faces[:, 0], faces[:, 2] - faces[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1), 1e-12)[:, None]
    light = 0.45 + 0.55 * np.abs(normals @ _LIGHT)
    return np.column_stack((light[:, None] * np.array(color), np.full(len(faces), opaque)))


def _frame(axes: Any, shown: list[Any]) -> None:
    corners = np.concatenate([faces.reshape(-1, 3) for faces in shown])
    middle = 0.5 * (corners.min(axis=0) + corners.max(axis=0))
    half = 0.55 * float((corners.max(axis=0) - corners.min(axis=0)).max())
    for axis, centre in zip("xyz", middle, strict=True):
        getattr(axes, f"set_{axis}lim")(centre - half, centre + half)
        getattr(axes, f"set_{axis}label")(f"{axis} [m]")
    axes.set_box_aspect((1, 1, 1))
