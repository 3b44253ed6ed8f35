"""The lifecycle node `policy`: observation → action_chunk.

The executor's thread takes observations and tells the fault levels; inference has a thread of
its own (`Worker`), which publishes its chunks itself: handing them back costs a wake-up.
"""

from __future__ import annotations

import sys
import time
from functools import partial
from typing import Any

from vla_contract import topics
from vla_contract.machine_load import LoadWatch
from vla_contract.message_enums import FaultKind, Level
from vla_contract.node.fault_publisher import FaultPublisher, Finding
from vla_contract.node.graph_node import Diagnosis, GraphNode, run
from vla_contract.stamps import to_nanoseconds
from vla_interfaces.msg import ActionChunk
from vla_interfaces.msg import Fault as FaultMessage
from vla_interfaces.msg import Observation as ObservationMessage
from vla_policy.attention.attention_publisher import AttentionPublisher
from vla_policy.checkpoint.policy_loading import load_policy
from vla_policy.inference.answerer import Answering
from vla_policy.inference.inference import Answer, Problem, ProblemKind
from vla_policy.inference.inference_timing import Times
from vla_policy.inference.worker import Worker
from vla_policy.policy_config import PolicyConfig
from vla_policy.policy_conversions import (
    ConversionError,
    chunk_to_message,
    observation_from_message,
)
from vla_policy.policy_health import KINDS, Health
from vla_policy.remote import protocols

STOP_TIMEOUT = 1.0  # s, for a running inference when the node deactivates
LOG_PERIOD = 5.0  # s, between two lines of the same kind

# An observation and when its callback began (time.perf_counter, s).
Job = tuple[ObservationMessage, float]


class PolicyNode(GraphNode[PolicyConfig]):
    """Answers observations with chunks; see the package's README for topics and parameters."""

    def __init__(self, *, handed_over: bool = False, **kwargs: Any) -> None:
        """handed_over: perception is in this process and calls `accept_observation`."""
        super().__init__("policy", PolicyConfig, **kwargs)
        self._handed_over = handed_over
        self._policy: Answering | None = None
        self._worker: Worker[Job, Answer | None] | None = None

    def configure(self) -> None:
        """Load the checkpoint, warm the backend up, create topics."""
        config = self.config
        policy, warm_up = load_policy(config)
        first, last = warm_up[0] * 1e3, warm_up[-1] * 1e3
        self.get_logger().info(
            f"checkpoint {policy.checkpoint.identity} on {config.backend}: "
            f"first forward {first:.1f} ms, after {len(warm_up)} {last:.1f} ms"
        )
        if config.backend == "constant":
            self.get_logger().warning("backend constant: there is no model; tests only")
        if config.backend == "remote" and config.remote_protocol in protocols.PICKLING:
            self.get_logger().warning(
                f"remote_protocol {config.remote_protocol}: the server at {config.remote_url} "
                "unpickles, and so runs, what anyone sends to it; keep it to your own network"
            )
        self._policy = policy
        self._warm_up = warm_up
        self._chunks = self.create_lifecycle_publisher(
            ActionChunk, topics.ACTION_CHUNK, self._qos(topics.ACTION_CHUNK)
        )
        self._fault_publisher = self.create_lifecycle_publisher(
            FaultMessage, topics.FAULT, self._qos(topics.FAULT)
        )
        # Where observations are handed over, the others still see the policy read the topic.
        self._observations = self.create_subscription(
            ObservationMessage,
            topics.OBSERVATION,
            (lambda data: None) if self._handed_over else self.accept_observation,
            self._qos(topics.OBSERVATION),
            raw=self._handed_over,
        )
        self._overlays = AttentionPublisher(self, policy) if config.attention_overlay else None
        self._heartbeat = self.create_timer(
            config.fault_period, self._publish_faults, clock=self.steady_clock
        )
        self._heartbeat.cancel()

    def activate(self) -> None:
        """Start to answer; raises RuntimeError while an inference from before still runs."""
        policy = self._policy
        assert policy is not None
        if self._worker is not None:
            raise RuntimeError("an inference from before deactivation still runs; clean up first")
        self._health = Health(
            time.monotonic,
            lock_step=self.config.lock_step,
            bad_outputs=self.config.bad_outputs,
        )
        self._faults = FaultPublisher(
            self.get_name(),
            KINDS,
            self._fault_publisher.publish,
            self.get_logger(),
            follow_text=True,
        )
        self._load = LoadWatch(self.config.fault_period)
        self._forward_times, self._overheads = Times(), Times()
        self._received = self._answered = self._over_budget = 0
        # The policy is bound: a worker that hung must not find another one when it wakes up.
        self._worker = Worker(
            partial(self._work, policy),
            partial(self._deliver, policy),
            partial(self._failed, policy),
            keep_all=self.config.lock_step,
        )
        self._worker.start()
        self._heartbeat.reset()
        self._publish_faults()

    def deactivate(self) -> None:
        """Stop to answer and forget the commands."""
        self._heartbeat.cancel()
        if self._worker is not None and not self._worker.stop(STOP_TIMEOUT):
            raise RuntimeError(f"an inference has not ended within {STOP_TIMEOUT} s")
        self._worker = None
        if self._policy is not None:
            self._policy.reset()

    def clean_up(self) -> None:
        """Destroy topics and model; an inference that hangs is left behind with its model."""
        if self._policy is not None:
            self.destroy_timer(self._heartbeat)
            self.destroy_subscription(self._observations)
            self.destroy_lifecycle_publisher(self._chunks)
            self.destroy_lifecycle_publisher(self._fault_publisher)
            if self._overlays is not None:
                self._overlays.close()
            self._policy.close()
        self._policy = None
        self._worker = None

    def config_changed(self) -> None:
        """Apply what may change at run time."""
        if self._policy is not None:
            self._policy.done_count = self.config.done_count
            self._policy.min_known_share = self.config.min_known_share
            self._policy.min_confidence = self.config.min_confidence

    # The executor's thread.

    def accept_observation(self, message: ObservationMessage) -> int:
        """Give an observation to the inference thread; it must not be changed afterwards.

        Returns:
            The number of this node's own subscriptions to the topic.
        """
        if self._worker is not None:
            self._received += 1
            self._worker.submit((message, time.perf_counter()))
        return int(self._policy is not None)

    def _publish_faults(self) -> None:
        """Publish every fault's present level, changed or not."""
        if self._worker is not None:
            self._load.tick(time.monotonic())
            self._update_faults(self._worker.busy_for())
            self._faults.repeat(self.get_clock().now().nanoseconds)

    # The worker's thread.

    def _work(self, policy: Answering, job: Job) -> Answer | None:
        """Answer to an observation; None where it is too old to be of use."""
        message = job[0]
        reason = self._too_old(message)
        if reason:
            self._health.skip(reason)
            return None
        try:
            return policy.answer(observation_from_message(message))
        except ConversionError as error:
            return policy.refused(Problem(ProblemKind.OBSERVATION, str(error)))

    def _failed(self, policy: Answering, job: Job, error: Exception) -> None:
        """Any error beside the model's own: counted, logged, and told as a fault."""
        text = self.callback_failed("inference", error)
        try:
            self._deliver(policy, job, policy.refused(Problem(ProblemKind.ACTION, text)))
        except Exception as second:  # the thread must outlive any observation
            self.callback_failed("the answer to an observation", second)

    def _deliver(self, policy: Answering, job: Job, answer: Answer | None) -> None:
        if answer is None:
            return
        message, arrival = job
        chunk = chunk_to_message(answer.chunk, message, policy.checkpoint.action_space)
        has_chunk = self._health.answered(*answer.problems)
        # The cause before the consequence: an empty chunk is explained by the time it arrives.
        self._update_faults(0.0)
        if not has_chunk:
            return
        # In lock-step the tick is the time: /clock need not have come for it.
        now = self.get_clock().now().to_msg()
        chunk.header.stamp = message.header.stamp if self.config.lock_step else now
        self._chunks.publish(chunk)
        self._answered += 1
        if answer.chunk.inference_time:
            self._note_times(answer.chunk.inference_time, time.perf_counter() - arrival)
        if self._overlays is not None:
            self._overlays.show(message)

    def _too_old(self, message: ObservationMessage) -> str:
        """Why an observation is not used; empty where it is."""
        if self.config.lock_step:
            return ""
        stamp = to_nanoseconds(message.observation_stamp)
        age = (self.get_clock().now().nanoseconds - stamp) * 1e-9
        limit = self.config.max_observation_age
        if age > limit:
            why = self._load.overload() or "do the clocks agree?"
            return f"an observation is {age:.3f} s old; accepted: up to {limit} s; {why}"
        if age < -limit:
            return f"an observation's stamp is {-age:.3f} s ahead; accepted: up to {limit} s"
        return ""

    def _note_times(self, forward: float, total: float) -> None:
        self._forward_times.add(forward)
        self._overheads.add(total - forward)
        if forward > self.config.inference_period:
            self._over_budget += 1
            self.get_logger().warning(
                f"a forward pass took {forward * 1e3:.1f} ms; inference_period is "
                f"{self.config.inference_period * 1e3:.1f} ms",
                throttle_duration_sec=LOG_PERIOD,
            )

    # Both threads.

    def _update_faults(self, busy_for: float) -> None:
        findings = self._findings(busy_for)
        self._faults.update(findings, self.get_clock().now().nanoseconds)

    def _findings(self, busy_for: float) -> dict[FaultKind, list[Finding]]:
        config = self.config
        return self._health.findings(busy_for, config.worker_timeout, config.observation_timeout)

    def diagnose(self) -> Diagnosis:
        """Counts and times since activation, and the worst fault."""
        worker, policy = self._worker, self._policy
        if worker is None or policy is None:
            return Diagnosis()
        findings = [f for found in self._findings(worker.busy_for()).values() for f in found]
        level, worst = max(findings, key=lambda finding: finding[0], default=(Level.OK, ""))
        values = {
            "backend": self.config.backend,
            "checkpoint": policy.checkpoint.identity,
            "warm_up_first_ms": f"{self._warm_up[0] * 1e3:.1f}",
            "warm_up_last_ms": f"{self._warm_up[-1] * 1e3:.1f}",
            "forward_ms": self._forward_times,
            "overhead_ms": self._overheads,
            "forward_over_budget": self._over_budget,
            "observations_received": self._received,
            "observations_answered": self._answered,
            "observations_replaced": worker.replaced,
            "observations_skipped": self._health.skipped,
            "language_features_reused": policy.cache.hits,
            "language_features_made": policy.cache.misses,
            "unknown_words": policy.unknown_words,
            "replans": policy.replans,
            **policy.values(),
            **{f"{kind.value}_problems": n for kind, n in self._health.problems.items()},
        }
        # Silence and hanging are an error by their time, a single bad input is none.
        if 0 < self._health.fatal_in_a_row < self.config.diagnostics_count:
            level = min(level, Level.WARN)
        return Diagnosis(bytes([level]), worst or "ok", values)

    def _qos(self, topic: str) -> Any:
        return topics.qos_profile(topic, lock_step=self.config.lock_step)


def main(args: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM."""
    return run(PolicyNode, args)


if __name__ == "__main__":
    sys.exit(main())
