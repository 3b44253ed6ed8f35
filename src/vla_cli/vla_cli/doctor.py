"""`vla doctor`: looks at this machine and names what is missing, with the remedy."""

from __future__ import annotations

import enum
import importlib
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vla_cli import doctor_axes, doctor_limits, domains, options, paths
from vla_cli.errors import CommandError

GIB = 1024**3
LEAST_DISK = 1 * GIB
LEAST_SHARED_MEMORY = 256 * 1024**2  # five nodes with a segment of 32 MiB each, and room
LEAST_MEMORY = 2 * GIB


class Level(enum.Enum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: what was found, and how to mend it."""

    subject: str
    level: Level
    found: str
    remedy: str = ""

    def line(self) -> str:
        """As it is printed."""
        remedy = f"\n{'':26}mend it with: {self.remedy}" if self.remedy else ""
        return f"{self.subject:<17}{self.level.value:<9}{self.found}{remedy}"


def main(arguments: list[str]) -> int:
    """0: nothing is wrong (warnings allowed); 1: something is."""
    parser = options.parser("doctor", "Look at this machine and name what is missing.")
    parser.add_argument("--checkpoint", help="folder of the policy (default: the shipped one)")
    doctor_limits.add_arguments(parser)
    doctor_axes.add_arguments(parser)
    chosen = parser.parse_args(arguments)
    if chosen.limits:
        return doctor_limits.run(chosen)
    if chosen.axes:
        return doctor_axes.run(chosen)
    findings = [finding for check in CHECKS for finding in _guarded(check)]
    findings += _guarded(lambda: checkpoint(chosen.checkpoint))
    for finding in findings:
        print(finding.line())
    bad = sum(finding.level is Level.ERROR for finding in findings)
    print(f"\n{bad or 'no'} error{'' if bad == 1 else 's'}")
    return int(bad > 0)


def _guarded(check: Callable[[], list[Finding]]) -> list[Finding]:
    try:
        return check()
    except Exception as error:
        name = getattr(check, "__name__", "check").strip("<>").replace("_", " ")
        words = " ".join(str(error).split()) or type(error).__name__
        return [Finding(name, Level.ERROR, words, "./vla build")]


def python() -> list[Finding]:
    """The interpreter."""
    version = ".".join(map(str, sys.version_info[:3]))
    good = (3, 10) <= sys.version_info[:2] <= (3, 13)
    remedy = "" if good else "VLA_PYTHON=/path/to/python3.12 ./vla build"
    return [Finding("Python", _level(good), f"{version} at {sys.executable}", remedy)]


def ros() -> list[Finding]:
    """Where ROS 2 comes from, its middleware, and the built packages."""
    distro = os.environ.get("ROS_DISTRO")
    found = []
    if importlib.util.find_spec("rclpy") is None:
        return [Finding("ROS 2", Level.ERROR, "rclpy is not importable", "./vla build")]
    source = f"{distro} install" if distro else f"wheels in {sys.prefix}"
    found.append(Finding("ROS 2", Level.OK, f"rclpy from {source}"))
    from rclpy.utilities import get_rmw_implementation_identifier

    rmw = get_rmw_implementation_identifier()
    level = Level.OK if rmw == "rmw_fastrtps_cpp" else Level.WARNING
    remedy = "" if level is Level.OK else "export RMW_IMPLEMENTATION=rmw_fastrtps_cpp"
    found.append(Finding("middleware", level, rmw, remedy))
    return found + packages()


def packages() -> list[Finding]:
    """The graph's packages and what they import."""
    found = []
    names = ("vla_interfaces", "vla_perception", "vla_policy", "vla_safety", "vla_sim")
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    text = f"not importable: {', '.join(missing)}" if missing else "all importable"
    remedy = "./vla build" if missing else ""
    found.append(Finding("packages", _level(not missing), text, remedy))
    needed = ("cv2", "message_filters", "cv_bridge", "onnxruntime", "metaworld", "yaml")
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    text = f"not importable: {', '.join(missing)}" if missing else "all importable"
    found.append(Finding("libraries", _level(not missing), text, "./vla build" if missing else ""))
    return found


def cv_bridge() -> list[Finding]:
    """cv_bridge with this NumPy: Humble's is compiled against NumPy 1 and breaks with 2."""
    import numpy

    try:
        bridge = importlib.import_module("cv_bridge").CvBridge()
        picture = numpy.zeros((4, 6, 3), numpy.uint8)
        message = bridge.cv2_to_imgmsg(picture, encoding="rgb8")
        same = bridge.imgmsg_to_cv2(message, desired_encoding="rgb8").shape == picture.shape
    except Exception as error:
        text = f"cv_bridge fails with NumPy {numpy.__version__}: {error}"
        return [Finding("cv_bridge", Level.ERROR, text, 'python3 -m pip install "numpy<2"')]
    return [Finding("cv_bridge", _level(same), f"works with NumPy {numpy.__version__}")]


def graphics() -> list[Finding]:
    """Rendering without a screen; only the simulator needs it."""
    from vla_sim import graphics as sim_graphics

    try:
        backend = sim_graphics.select_backend()
    except sim_graphics.GraphicsError as error:
        return [Finding("OpenGL", Level.ERROR, str(error), "")]
    return [Finding("OpenGL", Level.OK, f"headless rendering with {backend}")]


def machine() -> list[Finding]:
    """Disk, shared memory, cores, memory."""
    root = Path(os.environ.get("VLA_ROOT", "."))
    disk = shutil.disk_usage(root).free
    found = [_size("disk", disk, LEAST_DISK, f"free at {root.resolve()}", "free some space")]
    if Path("/dev/shm").is_dir():
        shared = shutil.disk_usage("/dev/shm").free
        remedy = "docker run --shm-size=512m, or mount -o remount,size=512m /dev/shm"
        least, where = LEAST_SHARED_MEMORY, "free at /dev/shm"
        found.append(_size("shared memory", shared, least, where, remedy))
    else:
        found.append(Finding("shared memory", Level.WARNING, "no /dev/shm: images go over UDP"))
    cores = len(os.sched_getaffinity(0))
    level = Level.OK if cores >= 2 else Level.WARNING
    found.append(Finding("cores", level, f"{cores}" + ("" if cores >= 2 else "; 2 are better")))
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    found.append(_size("memory", memory, LEAST_MEMORY, "in all", "a machine with more memory"))
    return found


def network() -> list[Finding]:
    """The domain, and who can hear it."""
    text = os.environ.get("ROS_DOMAIN_ID", "")
    good = not text or (text.isdigit() and int(text) <= 232)
    found = [
        Finding(
            "domain",
            _level(good),
            f"ROS_DOMAIN_ID is {text!r}" if text else "0 (ROS_DOMAIN_ID is not set)",
            "" if good else "export ROS_DOMAIN_ID=1 (0 to 101)",
        )
    ]
    if good and domains.current() > domains.LAST_DOMAIN:
        found = [
            Finding(
                "domain",
                Level.WARNING,
                f"{text}: its ports run into the ephemeral ones",
                "export ROS_DOMAIN_ID=1 (0 to 101)",
            )
        ]
    scope = os.environ.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "")
    local = scope.upper() in ("LOCALHOST", "OFF") or os.environ.get("ROS_LOCALHOST_ONLY") == "1"
    where = "this machine only" if local else "the whole network segment, without authentication"
    remedy = "" if local else "export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST ROS_LOCALHOST_ONLY=1"
    level = Level.OK if local else Level.WARNING
    return [*found, Finding("discovery", level, where, remedy)]


def profile() -> list[Finding]:
    """The Fast DDS profile with room for whole images."""
    given = os.environ.get("FASTRTPS_DEFAULT_PROFILES_FILE")
    path = Path(given) if given else paths.share() / "config" / "fastdds.xml"
    if not path.is_file():
        remedy = "unset FASTRTPS_DEFAULT_PROFILES_FILE" if given else "./vla build"
        return [Finding("Fast DDS profile", Level.ERROR, f"{path} does not exist", remedy)]
    large = "<segment_size>" in path.read_text(encoding="utf-8", errors="replace")
    text = str(path) if large else f"{path} sets no segment_size: images are fragmented"
    remedy = "" if large else "unset FASTRTPS_DEFAULT_PROFILES_FILE"
    return [Finding("Fast DDS profile", Level.OK if large else Level.WARNING, text, remedy)]


def checkpoint(folder: str | None = None) -> list[Finding]:
    """The policy's files against their hashes, and its action space."""
    from vla_policy.checkpoint import Checkpoint, CheckpointError

    try:
        path = paths.checkpoint(folder)
        loaded = Checkpoint.load(path)
    except (CheckpointError, CommandError) as error:
        remedy = "git checkout -- models, or --checkpoint FOLDER" if folder is None else ""
        return [Finding("checkpoint", Level.ERROR, str(error), remedy)]
    space = loaded.action_space
    names = ", ".join(space.dimension_names)
    return [
        Finding("checkpoint", Level.OK, f"{path}: every file has its sha256"),
        Finding("action space", Level.OK, f"{space.name}, {space.control_rate:g} Hz: {names}"),
    ]


def _size(subject: str, value: int, least: int, where: str, remedy: str) -> Finding:
    good = value >= least
    text = f"{value / GIB:.1f} GiB {where}"
    if not good:
        text += f"; at least {least / GIB:.2g} GiB are needed"
    return Finding(subject, _level(good), text, "" if good else remedy)


def _level(good: bool) -> Level:
    return Level.OK if good else Level.ERROR


CHECKS: tuple[Callable[[], list[Finding]], ...] = (
    python,
    ros,
    cv_bridge,
    graphics,
    machine,
    network,
    profile,
)
