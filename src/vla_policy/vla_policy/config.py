"""Parameters of the policy node: defaults, ranges and meaning, in one place."""

from __future__ import annotations

from dataclasses import dataclass

from vla_contract.parameters import Config, ParameterError, parameter


@dataclass(frozen=True)
class PolicyConfig(Config):
    """See each field's description; `vla_contract.parameters.table` prints them."""

    checkpoint: str = parameter(
        "", "Folder of the checkpoint; may be empty only for the backend constant."
    )
    backend: str = parameter(
        "onnxruntime", "What runs the model: onnxruntime, torch, or constant (no model; for tests)."
    )
    action_space: str = parameter(
        "",
        "The robot's action space file; must equal the checkpoint's. Empty: not compared.",
    )
    threads: int = parameter(
        2, "Threads of one forward pass (onnxruntime, torch).", minimum=1, maximum=64
    )
    providers: tuple[str, ...] = parameter(
        ("CPUExecutionProvider",), "ONNX Runtime's execution providers, first choice first."
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
    done_count: int = parameter(
        3,
        "Consecutive inferences that must hold the command fulfilled; 0: never done.",
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
        """At least one provider, or ONNX Runtime would choose by itself."""
        if not self.providers:
            raise ParameterError("parameter providers is empty; accepted: at least one provider")
