"""`vla doctor`: looks at this machine and names what is missing, with the remedy."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path

from vla_cli.client import domains, options, paths
from vla_cli.client.command_errors import CommandError
from vla_cli.doctor import doctor_axes, doctor_limits, doctor_machine, doctor_mapping, doctor_qos
from vla_cli.doctor.doctor_findings import Finding, Level, Machine, graded
from vla_contract.node.network_sockets import kept_to_this_machine

DISTRIBUTIONS = {"humble": "22.04", "jazzy": "24.04"}  # and the Ubuntu of each


def main(arguments: list[str]) -> int:
    """0: nothing is wrong (warnings allowed); 1: something is."""
    parser = options.parser("doctor", "Look at this machine and name what is missing.")
    parser.add_argument("--checkpoint", help="folder of the policy (default: the shipped one)")
    doctor_limits.add_arguments(parser)
    doctor_axes.add_arguments(parser)
    doctor_mapping.add_arguments(parser)
    chosen = parser.parse_args(arguments)
    if chosen.limits:
        return doctor_limits.run(chosen)
    if chosen.mapping:
        return doctor_mapping.run(chosen)
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
    return [Finding("Python", graded(good), f"{version} at {sys.executable}", remedy)]


def ros() -> list[Finding]:
    """Where ROS 2 comes from, its middleware, and the built packages."""
    distro = os.environ.get("ROS_DISTRO")
    if importlib.util.find_spec("rclpy") is None:
        return [Finding("ROS 2", Level.ERROR, "rclpy is not importable", "./vla build")]
    found = [distribution(distro, Machine())]
    from rclpy.utilities import get_rmw_implementation_identifier

    rmw = get_rmw_implementation_identifier()
    level = Level.OK if rmw == "rmw_fastrtps_cpp" else Level.WARNING
    remedy = "" if level is Level.OK else "export RMW_IMPLEMENTATION=rmw_fastrtps_cpp"
    found.append(Finding("middleware", level, rmw, remedy))
    return found + packages()


def distribution(distro: str | None, host: Machine) -> Finding:
    """Humble on Ubuntu 22.04, Jazzy on 24.04, or Jazzy from wheels anywhere."""
    if not distro:
        return Finding("ROS 2", Level.OK, f"rclpy (jazzy) from wheels in {sys.prefix}")
    if distro not in DISTRIBUTIONS:
        remedy = "source /opt/ros/humble/setup.bash or /opt/ros/jazzy/setup.bash"
        text = f"{distro}; only humble and jazzy are tried"
        return Finding("ROS 2", Level.WARNING, text, remedy)
    system = host.read("/etc/os-release") or ""
    fits = "ID=ubuntu" not in system or f'VERSION_ID="{DISTRIBUTIONS[distro]}"' in system
    text = f"rclpy from {distro} install" + (
        "" if fits else f"; not on Ubuntu {DISTRIBUTIONS[distro]}"
    )
    remedy = "" if fits else "a container of docker/ (docs/deploy.md)"
    return Finding("ROS 2", Level.OK if fits else Level.WARNING, text, remedy)


def packages() -> list[Finding]:
    """The graph's packages and what they import."""
    found = []
    names = ("vla_interfaces", "vla_perception", "vla_policy", "vla_safety", "vla_sim")
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    text = f"not importable: {', '.join(missing)}" if missing else "all importable"
    remedy = "./vla build" if missing else ""
    found.append(Finding("packages", graded(not missing), text, remedy))
    needed = ("cv2", "message_filters", "cv_bridge", "onnxruntime", "yaml")
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    text = f"not importable: {', '.join(missing)}" if missing else "all importable"
    found.append(Finding("libraries", graded(not missing), text, "./vla build" if missing else ""))
    if importlib.util.find_spec("metaworld") is None:
        text = "metaworld is not importable; only the simulated robot needs it"
        remedy = "python3 -m pip install metaworld==3.1.1"
        found.append(Finding("simulator", Level.WARNING, text, remedy))
    return found


def cv_bridge() -> list[Finding]:
    """cv_bridge with this NumPy: Humble's is compiled against NumPy 1 and breaks with 2."""
    import numpy

    try:
        from sensor_msgs.msg import Image

        bridge = importlib.import_module("cv_bridge").CvBridge()
        picture = Image(height=4, width=6, encoding="rgb8", step=18, data=bytes(72))
        same = bridge.imgmsg_to_cv2(picture, desired_encoding="bgr8").shape == (4, 6, 3)
    except Exception as error:
        text = f"cv_bridge fails with NumPy {numpy.__version__}: {error}"
        remedy = 'python3 -m pip install "numpy>=1.21.6,<1.24"'
        return [Finding("cv_bridge", Level.ERROR, text, remedy)]
    return [Finding("cv_bridge", graded(same), f"works with NumPy {numpy.__version__}")]


def graphics() -> list[Finding]:
    """Rendering without a screen; only the simulator needs it."""
    from vla_sim.robot import graphics as sim_graphics

    try:
        backend = sim_graphics.select_backend()
    except sim_graphics.GraphicsError as error:
        text = f"{error}; only the simulated robot needs it"
        remedy = "sudo apt-get install libegl1 libgl1 libgl1-mesa-dri"
        return [Finding("OpenGL", Level.WARNING, text, remedy)]
    return [Finding("OpenGL", Level.OK, f"headless rendering with {backend}")]


def machine() -> list[Finding]:
    """What the machine itself has."""
    host = Machine()
    checks = (
        doctor_machine.storage,
        doctor_machine.load,
        doctor_machine.gpu,
        doctor_machine.heat,
        doctor_machine.power,
        doctor_machine.clock,
    )
    return [finding for check in checks for finding in check(host)]


def network() -> list[Finding]:
    """The domain, and who can hear it."""
    remedy = "export ROS_DOMAIN_ID=1 (0 to 101)"
    try:
        number = domains.current()
    except CommandError as error:
        found = [Finding("domain", Level.ERROR, str(error), remedy)]
    else:
        low = number <= domains.LAST_DOMAIN
        text = str(number) if low else f"{number}: its ports run into the ephemeral ones"
        given = "" if os.environ.get("ROS_DOMAIN_ID") else " (ROS_DOMAIN_ID is not set)"
        level = Level.OK if low else Level.WARNING
        found = [Finding("domain", level, text + given, "" if low else remedy)]
    local = kept_to_this_machine(os.environ)
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
    from vla_policy.checkpoint.checkpoint import Checkpoint, CheckpointError

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


CHECKS: tuple[Callable[[], list[Finding]], ...] = (
    python,
    ros,
    cv_bridge,
    graphics,
    machine,
    network,
    profile,
    doctor_qos.qos,
)
