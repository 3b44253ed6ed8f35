"""Parameters of the perception node and of each of its cameras."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vla_contract.language.spoken_text import words
from vla_contract.language.stop_words import STOP_WORDS
from vla_contract.node.parameters import Config, ParameterError, parameter
from vla_perception.cameras.camera_images import DamageLimits
from vla_perception.cameras.image_defects import DetectorLimits

# Words before an action that forbid nothing.
COURTESIES = (
    "please", "kindly", "hey", "hi", "hello", "ok", "okay", "robot", "now", "then", "and", "so",
    "first", "next", "again", "just", "also", "quickly", "slowly", "carefully", "gently",
    "can", "could", "would", "will", "you", "i", "we", "want", "like", "need", "us", "let", "lets",
    "me", "my", "arm", "your", "try", "go", "ahead", "should", "must", "help", "thanks", "thank",
    "bitte", "mal", "s'il", "te", "vous", "plaît", "por", "favor", "favore", "per", "proszę",
    "lütfen", "пожалуйста", "alstublieft", "graag",
)  # fmt: skip
_CAMERA_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@dataclass(frozen=True)
class CameraConfig(Config):
    """Parameters of one camera, declared as `<camera>.<name>`."""

    topic: str = parameter("", "Topic; empty: camera/<camera>/image_raw, or .../compressed.")
    compressed: bool = parameter(False, "The topic carries CompressedImage (JPEG or PNG).")
    reliable: bool = parameter(
        False, "Subscribe reliable instead of best effort; the camera must publish reliable, too."
    )
    required: bool = parameter(
        False, "Without this camera the robot holds instead of going on with the others."
    )
    absent: bool = parameter(
        False, "The robot has no such camera: masked in every observation, which is no fault."
    )
    width: int = parameter(
        0, "Width given to the policy; 0 with height 0: as it is.", "px", minimum=0, maximum=8192
    )
    height: int = parameter(
        0, "Height given to the policy; 0 with width 0: as it is.", "px", minimum=0, maximum=8192
    )

    source_width: int = parameter(
        0, "Width of its images as they come; 0: that of the first one.", "px", minimum=0,
        maximum=8192,
    )  # fmt: skip
    source_height: int = parameter(
        0, "Height of its images as they come; 0: that of the first one.", "px", minimum=0,
        maximum=8192,
    )  # fmt: skip
    size_changes: bool = parameter(
        False, "Images may change their size; else one of another size is refused."
    )
    damage: bool = parameter(
        True, "A compressed image of which pixels are missing or wrong is refused."
    )
    stray_bytes: int = parameter(
        32,
        "So many bytes of any values between a JPEG's scan and its next marker are no damage.",
        "bytes",
        minimum=0,
        maximum=1_000_000,
    )
    black_level: float = parameter(
        6.0,
        "An image of which 99 % is darker is black; 0: not looked for.",
        "grey levels of 255",
        minimum=0.0,
        maximum=255.0,
    )
    saturated_share: float = parameter(
        0.9,
        "An image of which more is clipped (250 and above) is saturated; 0: not looked for.",
        minimum=0.0,
        maximum=1.0,
    )
    uniform_deviation: float = parameter(
        1.0,
        "An image whose colours deviate less is uniform; 0: not looked for.",
        "grey levels of 255",
        minimum=0.0,
        maximum=128.0,
    )
    constant_share: float = parameter(
        0.3,
        "An image whose lower part, so much of it, is one colour exactly came by half; "
        "0: not looked for.",
        minimum=0.0,
        maximum=1.0,
    )
    frozen_timeout: float = parameter(
        1.0,
        "The very same image for longer, while the robot moves, is frozen; 0: not looked for.",
        "s",
        minimum=0.0,
        maximum=60.0,
    )
    frozen_motion: float = parameter(
        0.02,
        "Change of a joint or of the end effector's position that is motion for that.",
        "rad or m",
        minimum=0.0,
        maximum=10.0,
    )
    frozen_at_rest: bool = parameter(
        False, "The same image is frozen also where the robot rests (a sensor with noise)."
    )

    def check(self) -> None:
        """Refuse a size of which only one side is given, and a required camera that is absent."""
        if self.required and self.absent:
            raise ParameterError(
                "parameters required and absent are both true; accepted: one of them at most"
            )
        for width, height in (("width", "height"), ("source_width", "source_height")):
            values = getattr(self, width), getattr(self, height)
            if (values[0] == 0) != (values[1] == 0):
                raise ParameterError(
                    f"parameters {width} and {height} are {values[0]} and {values[1]}; "
                    "accepted: both 0, or both above 0"
                )

    @property
    def detectors(self) -> DetectorLimits:
        """Limits of the detectors that look at one image."""
        return DetectorLimits(
            self.black_level,
            self.saturated_share,
            self.uniform_deviation,
            self.constant_share,
            self.source_width,
            self.source_height,
            self.size_changes,
        )

    @property
    def damage_limits(self) -> DamageLimits:
        """What is damage in a compressed image."""
        return DamageLimits(self.damage, self.stray_bytes)

    def topic_of(self, camera: str) -> str:
        """The topic, given or by default."""
        last = "compressed" if self.compressed else "image_raw"
        return self.topic or f"camera/{camera}/{last}"


@dataclass(frozen=True)
class PerceptionConfig(Config):
    """Parameters of the perception node."""

    cameras: tuple[str, ...] = parameter(
        ("camera",), "Names of the cameras, in the order in which the policy knows them."
    )
    slop: float = parameter(
        0.1, "Greatest difference of the stamps in one set.", "s", minimum=0.001, maximum=10.0
    )
    queue_size: int = parameter(
        10, "Images of each camera kept for a match; the oldest goes first.", minimum=1, maximum=100
    )
    camera_timeout: float = parameter(
        0.5,
        "A camera without a good image for this long is left out.",
        "s",
        minimum=0.02,
        maximum=60.0,
    )
    bad_images: int = parameter(
        3,
        "A camera with so many bad images in a row is left out at once.",
        minimum=1,
        maximum=1000,
    )
    good_images: int = parameter(
        3,
        "A camera that was left out is taken in again after so many good images in a row.",
        minimum=1,
        maximum=1000,
    )
    max_image_age: float = parameter(
        1.0,
        "An image whose stamp is older at its arrival is refused (not in lock-step).",
        "s",
        minimum=0.01,
        maximum=60.0,
    )
    max_image_rate: float = parameter(
        100.0,
        "Images of one camera looked at in a second; more are dropped. 0: any (not in lock-step).",
        "Hz",
        minimum=0.0,
        maximum=10000.0,
    )
    feature_hold: float = parameter(
        0.3,
        "Age up to which the last good images stand in for those that do not come; "
        "0: never (not in lock-step).",
        "s",
        minimum=0.0,
        maximum=10.0,
    )
    startup_timeout: float = parameter(
        5.0, "Time that the inputs have for their first message.", "s", minimum=0.1, maximum=600.0
    )
    future_tolerance: float = parameter(
        0.1,
        "A stamp further ahead of the node's clock is refused.",
        "s",
        minimum=0.0,
        maximum=10.0,
    )
    use_joint_states: bool = parameter(True, "Joint states are part of the observation.")
    joint_names: tuple[str, ...] = parameter((), "Joints that joint_states must hold; empty: any.")
    use_end_effector_pose: bool = parameter(
        False, "The end effector's pose is part of the observation."
    )
    state_timeout: float = parameter(
        0.5,
        "Robot state without a good message for this long is a fault.",
        "s",
        minimum=0.02,
        maximum=60.0,
    )
    command_timeout: float = parameter(
        60.0,
        "A command is in force for this long at most.",
        "s",
        minimum=0.1,
        maximum=86400.0,
        runtime=True,
    )
    question_timeout: float = parameter(
        20.0,
        "Time for which yes or no answers what the robot has asked.",
        "s",
        minimum=0.1,
        maximum=3600.0,
        runtime=True,
    )
    max_command_length: int = parameter(
        500, "Longest command, in characters.", minimum=1, maximum=10000, runtime=True
    )
    stop_words: tuple[str, ...] = parameter(
        STOP_WORDS,
        "Utterances that end the command at once; only as a whole utterance.",
        runtime=True,
    )
    vocabulary: str = parameter(
        "", "tokenizer.json of the checkpoint, whose words the policy knows; empty: any word is."
    )
    min_known_fraction: float = parameter(
        0.6,
        "Share of a command's words that must be known.",
        minimum=0.0,
        maximum=1.0,
        runtime=True,
    )
    courtesies: tuple[str, ...] = parameter(
        COURTESIES,
        "Words that may stand before an action; an unknown one may forbid it.",
        runtime=True,
    )
    execution_timeout: float = parameter(
        10.0,
        "A goal fails when neither policy nor safety node serves it for this long.",
        "s",
        minimum=2.0,
        maximum=600.0,
        runtime=True,
    )
    standstill_timeout: float = parameter(
        5.0,
        "A goal that has ended waits this long at most for the robot to stand still.",
        "s",
        minimum=0.1,
        maximum=600.0,
        runtime=True,
    )
    diagnostics_count: int = parameter(
        3,
        "Diagnostics say error once a fault has been one in so many reports (5 Hz) in a row.",
        minimum=1,
        maximum=1000,
        runtime=True,
    )
    lock_step: bool = parameter(
        False, "Answer the simulator's ticks, one observation for each set of images."
    )

    def check(self) -> None:
        """Refuse names of cameras that cannot be parameters, and words that are none."""
        if not self.cameras or len(set(self.cameras)) != len(self.cameras):
            raise ParameterError(
                f"parameter cameras is {list(self.cameras)}; accepted: at least one name, each once"
            )
        for name in self.cameras:
            if not _CAMERA_NAME.fullmatch(name):
                raise ParameterError(
                    f"parameter cameras has {name!r}; accepted: a letter, then letters, digits, _"
                )
        if not all(words(word) for word in self.stop_words):
            raise ParameterError(
                f"parameter stop_words is {list(self.stop_words)}; accepted: words"
            )
