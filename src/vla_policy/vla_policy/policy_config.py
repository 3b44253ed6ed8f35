"""Parameters of the policy node: defaults, ranges and meaning, in one place."""

from __future__ import annotations

from dataclasses import dataclass

from vla_contract.node.parameters import Config, ParameterError, parameter
from vla_policy.inference.inference import DONE_COUNT
from vla_policy.remote import protocols

NONE = "none"  # for a file or folder: there is none; a launch argument cannot be empty


def is_given(path: str) -> bool:
    """Whether a parameter names a file or folder, rather than none."""
    return path not in ("", NONE)


@dataclass(frozen=True)
class PolicyConfig(Config):
    """See each field's description; `vla_contract.node.parameters.table` prints them."""

    checkpoint: str = parameter(
        NONE, "Folder of the checkpoint; may be none only for the backend constant."
    )
    backend: str = parameter(
        "onnxruntime",
        "What runs the model: onnxruntime, openvino, torch, tensorrt (engines built beforehand), "
        "remote (a policy server), or constant (no model; for tests).",
    )
    action_space: str = parameter(
        "",
        "The robot's action space file; must equal the checkpoint's. Empty: not compared.",
    )
    cameras: tuple[str, ...] = parameter(
        ("",),
        "The robot's cameras; must be the checkpoint's. An empty name: compared at each "
        "observation.",
    )
    state_names: tuple[str, ...] = parameter(
        ("",),
        "What the robot's state holds; must hold the checkpoint's state_names. An empty name: "
        "compared at each observation.",
    )
    threads: int = parameter(
        2, "Threads of one forward pass (onnxruntime, torch).", minimum=1, maximum=64
    )
    providers: tuple[str, ...] = parameter(
        ("CPUExecutionProvider",),
        "ONNX Runtime's execution providers, first choice first; one that is missing or cannot be "
        "loaded is an error. TensorrtExecutionProvider keeps its engines in engine_folder.",
    )
    torch_mode: str = parameter(
        "eager",
        "How the backend torch runs: eager, or compiled (when the node is configured, in a minute "
        "or so; needs a C++ compiler).",
        choices=("eager", "compiled"),
    )
    engine_folder: str = parameter(
        "",
        "Folder of TensorRT engines; empty: VLA_ENGINE_FOLDER, else ~/.cache/vla/engines.",
    )
    warm_up: int = parameter(
        5, "Forward passes run before the node is configured.", minimum=1, maximum=1000
    )
    feature_cache_size: int = parameter(
        100, "Commands whose language features are kept.", minimum=1, maximum=100000
    )
    min_known_share: float = parameter(
        0.5,
        "Least share of a command's words that the model must know; at least one in any case.",
        minimum=0.0,
        maximum=1.0,
        runtime=True,
    )
    min_confidence: float = parameter(
        0.0,
        "Least confidence of the model in its chunk; a model that gives none (NaN) is not judged.",
        minimum=0.0,
        maximum=1.0,
        runtime=True,
    )
    bad_outputs: int = parameter(
        3,
        "Bad outputs in a row that are an error; before, the robot goes on with the last good "
        "chunk (not in lock-step).",
        minimum=1,
        maximum=1000,
    )
    diagnostics_count: int = parameter(
        3,
        "Observations without an answer, in a row, after which diagnostics say error.",
        minimum=1,
        maximum=1000,
        runtime=True,
    )
    done_count: int = parameter(
        DONE_COUNT,
        "Consecutive inferences that must hold the command fulfilled, during which the robot still "
        "acts; 0: never done.",
        minimum=0,
        maximum=1000,
        runtime=True,
    )
    max_observation_age: float = parameter(
        0.5,
        "Older observations, by their oldest image, are skipped and counted (not in lock-step).",
        "s",
        minimum=0.0,
        runtime=True,
    )
    observation_timeout: float = parameter(
        1.0,
        "Silence after which the lack of observations is a communication fault (not in lock-step).",
        "s",
        minimum=0.01,
        runtime=True,
    )
    inference_period: float = parameter(
        0.05,
        "Time between observations; a longer forward pass is reported.",
        "s",
        minimum=0.001,
        runtime=True,
    )
    worker_timeout: float = parameter(
        2.0,
        "Time after which a running inference is reported as hanging (not in lock-step).",
        "s",
        minimum=0.01,
        runtime=True,
    )
    fault_period: float = parameter(
        0.2, "Period of the fault levels, which are the node's heartbeat.", "s", minimum=0.01
    )
    remote_url: str = parameter(
        "ws://localhost:8000",
        "Server of the backend remote, with the scheme of its protocol: ws:// or wss:// (openpi, "
        "vla-eval), tcp:// (gr00t), grpc:// or grpcs:// (lerobot), http:// or https:// (openvla).",
    )
    remote_protocol: str = parameter(
        "openpi", "What the server of the backend remote speaks.", choices=protocols.NAMES
    )
    remote_pickle: bool = parameter(
        False,
        "Allow protocols whose messages are pickles (lerobot). Only numbers are read of "
        "what comes, but the server runs whatever anyone sends to it: in your own network only.",
    )
    remote_mapping: str = parameter(
        NONE, "File that maps cameras, state, prompt and actions for the backend remote."
    )
    remote_connect_timeout: float = parameter(
        2.0, "Time that the server has to accept a connection.", "s", minimum=0.05, maximum=60.0
    )
    remote_inference_timeout: float = parameter(
        0.3,
        "Time that the server has for an answer; then it counts as gone.",
        "s",
        minimum=0.01,
        maximum=60.0,
    )
    remote_warm_up_timeout: float = parameter(
        30.0, "Time that its first answer may take, at configuration.", "s", minimum=0.05
    )
    remote_longest_pause: float = parameter(
        5.0, "Longest pause between two attempts to connect again.", "s", minimum=0.2
    )
    fallback_checkpoint: str = parameter(
        NONE, "Local checkpoint that drives while the server is gone; none: the robot holds."
    )
    fallback_backend: str = parameter("onnxruntime", "What runs the fallback checkpoint.")
    recovery_time: float = parameter(
        2.0,
        "Time for which the server must be well before it drives again.",
        "s",
        minimum=0.0,
        maximum=600.0,
    )
    attention_overlay: bool = parameter(
        False,
        "Publish where the words look, on the topic attention, while somebody subscribes "
        "(onnxruntime, torch); each picture takes another forward pass.",
    )
    lock_step: bool = parameter(
        False, "Answer every observation once, in order; no clock decides anything."
    )
    constant_action: tuple[float, ...] = parameter(
        (0.0,),
        "Output of the backend constant, normalised: one number, or one per dimension.",
        minimum=-1.0,
        maximum=1.0,
    )
    constant_forward_time: float = parameter(
        0.0, "Time that a forward pass of the backend constant takes.", "s", minimum=0.0
    )

    def check(self) -> None:
        """At least one provider, or ONNX Runtime would choose; a server, and a local fallback."""
        if not self.providers:
            raise ParameterError("parameter providers is empty; accepted: at least one provider")
        problem = protocols.url_problem(self.remote_protocol, self.remote_url)
        if self.backend == "remote" and problem:
            raise ParameterError(f"parameter remote_url is {self.remote_url!r}; {problem}")
        pickling = self.remote_protocol in protocols.PICKLING
        if self.backend == "remote" and pickling and not self.remote_pickle:
            raise ParameterError(
                f"parameter remote_protocol is {self.remote_protocol!r}, whose server unpickles "
                "what anyone sends to it, and remote_pickle is false; accepted: remote_pickle true "
                "where the server's network is your own"
            )
        if self.fallback_backend == "remote":
            raise ParameterError(
                "parameter fallback_backend is 'remote'; accepted: what runs a local checkpoint, "
                "as onnxruntime, torch or tensorrt"
            )
