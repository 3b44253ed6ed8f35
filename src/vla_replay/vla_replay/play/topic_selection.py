"""Which topic of a bag is which input of the graph, by its type; asked where unclear."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from vla_replay.bags.bag_storage import BagError, Topic, unread
from vla_replay.bags.cdr_fields import COMPRESSED_IMAGE, IMAGE

IMAGES = (IMAGE, COMPRESSED_IMAGE)
CAMERA = "camera/"
COMMAND = "command"
# Input of the graph → types that it accepts, and names that it usually has.
ROLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "joint_states": (("sensor_msgs/msg/JointState",), ("joint_states",)),
    "end_effector_pose": (("geometry_msgs/msg/PoseStamped",), ("end_effector_pose",)),
    "odom": (("nav_msgs/msg/Odometry",), ("odom",)),
    "scan": (("sensor_msgs/msg/LaserScan",), ("scan",)),
    "range": (("sensor_msgs/msg/Range",), ("range",)),
    "emergency_stop": (("std_msgs/msg/Bool",), ("emergency_stop", "e_stop", "estop")),
    COMMAND: (
        ("std_msgs/msg/String", "vla_interfaces/msg/Command"),
        ("command", "command_stamped", "accepted_command"),
    ),
}
BY_NAME_ONLY = ("emergency_stop", COMMAND)  # their types are too common
# What moves robots. Nothing of these types ever leaves the player.
_PACKAGES = {
    "geometry_msgs": ("Twist", "TwistStamped", "Wrench", "WrenchStamped"),
    "trajectory_msgs": ("JointTrajectory", "MultiDOFJointTrajectory"),
    "control_msgs": ("JointJog", "GripperCommand"),
    "std_msgs": ("Float32", "Float64", "Float32MultiArray", "Float64MultiArray"),
    "ackermann_msgs": ("AckermannDrive", "AckermannDriveStamped"),
}
ROBOT_COMMANDS = frozenset(
    [f"{package}/msg/{name}" for package, names in _PACKAGES.items() for name in names]
    + ["control_msgs/action/GripperCommand", "control_msgs/action/ParallelGripperCommand"]
)
# A JointState or a PoseStamped is a state or a command: these words in a topic's name tell which.
COMMAND_WORDS = frozenset(
    ("command", "commands", "cmd", "target", "goal", "desired", "reference", "setpoint")
)


@dataclass(frozen=True)
class Needs:
    """What the checkpoint wants: its cameras' names (none: any), joint states, the pose."""

    cameras: tuple[str, ...] = ()
    joint_states: bool = False
    end_effector_pose: bool = False


@dataclass
class Selection:
    """What is replayed as what.

    cameras: name → topic of the bag; a camera of the checkpoint that the bag lacks is missing.
    states: input → topic. commands: topics. skipped: topic → why.
    """

    cameras: dict[str, Topic] = field(default_factory=dict)
    states: dict[str, Topic] = field(default_factory=dict)
    commands: list[Topic] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def compressed(self) -> dict[str, bool]:
        """Camera → its topic holds compressed images."""
        return {name: topic.type == COMPRESSED_IMAGE for name, topic in self.cameras.items()}

    def roles(self) -> dict[str, str]:
        """Topic of the bag → camera/<name>, or the input that it is."""
        found = {topic.name: CAMERA + name for name, topic in self.cameras.items()}
        found.update({topic.name: role for role, topic in self.states.items()})
        found.update({topic.name: COMMAND for topic in self.commands})
        return found


def camera_topic(name: str, compressed: bool) -> str:
    """Where the graph expects a camera's images, in its namespace."""
    return f"{CAMERA}{name}/image_raw" + ("/compressed" if compressed else "")


def observed(name: str) -> str:
    """Where perception hears an input in lock-step: it works ahead of the safety node."""
    return f"replay/observed/{name}"


def parse_remaps(words: Iterable[str]) -> dict[str, str]:
    """Topic → input from words like /front/image:=camera/corner2.

    Raises:
        BagError: a word of another form.
    """
    found = {}
    for word in words:
        topic, sign, target = word.partition(":=")
        if not sign or not topic or not target:
            raise BagError(
                f"--remap {word!r} is not of the form /topic/of/the/bag:=input; inputs: "
                f"camera/<name>, {', '.join(ROLES)}"
            )
        found["/" + topic.lstrip("/")] = target
    return found


def select(
    topics: Mapping[str, Topic], needs: Needs, remaps: Mapping[str, str], command: str | None = None
) -> Selection:
    """Decide about each topic of a bag.

    Raises:
        BagError: it is not clear which topic a camera or the joint states are, one is missing, or
            a remap does not fit. The message lists the candidates and an option that settles it.
    """
    by_name = {"/" + name.lstrip("/"): topic for name, topic in topics.items() if topic.count}
    chosen = Selection()
    chosen.skipped = {topic.name: topic.problem for topic in by_name.values() if topic.problem}
    left = {name: topic for name, topic in by_name.items() if not topic.problem}
    for name, target in remaps.items():
        _apply_remap(chosen, left, by_name, name, target, needs)
    try:
        _find_cameras(chosen, left, needs)
        for role in ROLES:
            if role == COMMAND:
                _find_commands(chosen, left, command)
            elif role not in chosen.states:
                _find_state(chosen, left, role, needs)
    except BagError as error:
        reasons = "; ".join(unread(by_name.values()))
        raise BagError(f"{error}{f' (not read: {reasons})' if reasons else ''}") from error
    for topic in left.values():
        chosen.skipped.setdefault(topic.name, _why_skipped(topic))
    used = chosen.roles()
    chosen.notes += [f"{t.name}: {t.note}" for t in topics.values() if t.note and t.name in used]
    return chosen


def _apply_remap(
    chosen: Selection,
    left: dict[str, Topic],
    by_name: Mapping[str, Topic],
    name: str,
    target: str,
    needs: Needs,
) -> None:
    topic = by_name.get(name)
    if topic is None:
        known = ", ".join(sorted(by_name))
        raise BagError(f"--remap {name}:={target}: the bag has no such topic; it has: {known}")
    if topic.problem:
        raise BagError(f"--remap {name}:={target}: the topic cannot be read: {topic.problem}")
    role = _role(target, needs)
    kinds = IMAGES if role.startswith(CAMERA) else ROLES[role][0]
    if topic.type not in kinds:
        raise BagError(
            f"--remap {name}:={target}: the topic is of type {topic.type}; accepted: "
            f"{', '.join(kinds)}"
        )
    left.pop(name, None)
    earlier = next((known for known, taken in chosen.roles().items() if taken == role), None)
    if earlier is not None and role != COMMAND:  # commands may come from several topics
        raise BagError(
            f"--remap {name}:={target}: {role} is {earlier} already; accepted: one topic for each "
            f"input but {COMMAND}"
        )
    if role.startswith(CAMERA):
        chosen.cameras[role[len(CAMERA) :]] = topic
    elif role == COMMAND:
        chosen.commands.append(topic)
    else:
        chosen.states[role] = topic


def _role(target: str, needs: Needs) -> str:
    words = [word for word in target.split("/") if word and word != "vla"]
    if words and words[0] == "camera" and len(words) > 1:
        words = words[1:]
        if not needs.cameras or words[0] in needs.cameras:
            return CAMERA + words[0]
    elif len(words) == 1 and words[0] in needs.cameras:
        return CAMERA + words[0]
    elif len(words) == 1 and words[0] in ROLES:
        return words[0]
    cameras = ", ".join(CAMERA + name for name in needs.cameras) or "camera/<name>"
    raise BagError(f"--remap …:={target}: no such input; accepted: {cameras}, {', '.join(ROLES)}")


def _find_cameras(chosen: Selection, left: dict[str, Topic], needs: Needs) -> None:
    candidates = {name: topic for name, topic in left.items() if topic.type in IMAGES}
    for name in [n for n in candidates if "depth" in n.lower() or "disparity" in n.lower()]:
        chosen.skipped[name] = "a depth image by its name"
        del candidates[name], left[name]
    for name in [n for n in candidates if _raw_twin(n) in candidates or _taken(n, chosen)]:
        chosen.skipped[name] = "another form of a camera's images"
        del candidates[name], left[name]
    open_cameras = [name for name in needs.cameras if name not in chosen.cameras]
    for camera in list(open_cameras):
        named = [n for n in candidates if camera in n.split("/")]
        if len(named) == 1:
            chosen.cameras[camera] = candidates.pop(named[0])
            open_cameras.remove(camera)
    if not needs.cameras and not chosen.cameras:
        chosen.cameras = {_camera_name(n): candidates.pop(n) for n in sorted(candidates)}
    elif len(open_cameras) == len(candidates) == 1:
        chosen.cameras[open_cameras.pop()] = candidates.popitem()[1]
    elif candidates and open_cameras:
        _ask_for_cameras(open_cameras, candidates)
    if not chosen.cameras:
        raise BagError("the bag has no topic of images (sensor_msgs/Image or CompressedImage)")
    if open_cameras:
        chosen.notes.append(
            f"the bag has no images for {', '.join(open_cameras)}: masked, as on a robot without"
        )
    for topic in chosen.cameras.values():
        left.pop("/" + topic.name.lstrip("/"), None)
    for name in candidates:
        chosen.skipped[name] = "a camera that the policy has none for"
        left.pop(name, None)


def _ask_for_cameras(cameras: list[str], candidates: Mapping[str, Topic]) -> None:
    topics = sorted(candidates)
    options = " ".join(f"--remap {t}:=camera/{c}" for t, c in zip(topics, cameras, strict=False))
    raise BagError(
        f"which images are camera {' and which '.join(cameras)}? The bag has {', '.join(topics)}; "
        f"say it, for example: {options}"
    )


def _raw_twin(name: str) -> str:
    """The raw topic beside a compressed one."""
    return name[: -len("/compressed")] if name.endswith("/compressed") else ""


def _taken(name: str, chosen: Selection) -> bool:
    taken = {"/" + topic.name.lstrip("/") for topic in chosen.cameras.values()}
    return _raw_twin(name) in taken or f"{name}/compressed" in taken


def _camera_name(topic: str) -> str:
    plain = ("image_raw", "image", "compressed", "image_rect", "image_color", "color", "camera")
    words = [word for word in topic.split("/") if word and word not in plain]
    return "_".join(words) or "camera"


def _find_state(chosen: Selection, left: dict[str, Topic], role: str, needs: Needs) -> None:
    kinds, names = ROLES[role]
    candidates = {name: topic for name, topic in left.items() if topic.type in kinds}
    for name in [n for n in candidates if role not in BY_NAME_ONLY and _named_a_command(n)]:
        chosen.skipped[name] = f"a robot's command by its name (or --remap {name}:={role})"
        del candidates[name], left[name]
    named = {n: t for n, t in candidates.items() if n.rsplit("/", 1)[-1] in names}
    if role in BY_NAME_ONLY or len(named) == 1:
        candidates = named
    needed = getattr(needs, role, False)
    if len(candidates) == 1:
        name, topic = candidates.popitem()
        chosen.states[role] = topic
        del left[name]
    elif candidates and (needed or role == "joint_states"):
        options = " or ".join(f"--remap {name}:={role}" for name in sorted(candidates))
        raise BagError(
            f"which topic is {role}? The bag has {', '.join(sorted(candidates))}; say: {options}"
        )
    elif candidates:
        for name in sorted(candidates):
            chosen.skipped[name] = f"one of several that may be {role} (choose with --remap)"
            del left[name]
    elif needed:
        raise BagError(f"the policy needs {role} ({kinds[0]}), and the bag has no such topic")


def _find_commands(chosen: Selection, left: dict[str, Topic], command: str | None) -> None:
    kinds, names = ROLES[COMMAND]
    for name in [n for n, t in left.items() if t.type in kinds and n.rsplit("/")[-1] in names]:
        topic = left.pop(name)
        if command is None:
            chosen.commands.append(topic)
        else:
            chosen.skipped[topic.name] = "commands come from --command"
    if command is not None:
        for topic in chosen.commands:
            chosen.skipped[topic.name] = "commands come from --command"
        chosen.commands = []
    elif not chosen.commands:
        chosen.notes.append("the bag has no command and none is given (--command): nothing moves")


def _named_a_command(topic: str) -> bool:
    return bool(COMMAND_WORDS & set(re.split(r"[/_]", topic.lower())))


def _why_skipped(topic: Topic) -> str:
    if topic.type in ROBOT_COMMANDS:
        return "a robot's command: never replayed"
    return "no input of the graph"
