"""Anything may happen to the core: a short run of what `./vla prove properties` does at length."""

from dataclasses import replace

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from vla_proof.bench.core_bench_cases import arm_space
from vla_proof.properties import property_run, safety_scenario, strategies
from vla_proof.properties.property_run import describe, run
from vla_proof.properties.safety_scenario import Event, Player


def test_any_scenario_keeps_every_promise():
    outcome = run(8_000, 0)
    assert not outcome.bounds.broken, outcome.example
    assert outcome.bounds.commands >= 8_000
    assert outcome.as_dict()["violations"] == 0
    assert 0.9 < outcome.bounds.worst["jerk"] <= 1.0 + 1e-9


def test_a_defect_is_found_shrunk_and_described(monkeypatch):
    step = safety_scenario.SafetyCore.decide

    def overshoot(core, now, steady):
        decision = step(core, now, steady)
        decision.safe[0] += 1e-3 if decision.requested else 0.0
        return decision

    monkeypatch.setattr(safety_scenario.SafetyCore, "decide", overshoot)
    monkeypatch.setattr(property_run, "PHASES", property_run.PHASES[:1])  # shrinking takes its time
    outcome = run(20_000, 0)
    assert outcome.bounds.broken
    assert "breaks:" in outcome.example and "revive" in outcome.example


def test_a_scenario_is_described_with_what_it_breaks():
    made = safety_scenario.Scenario(strategies_space(), strategies.CONFIG, (Event("stop"),))
    assert "stop()" in describe(made, safety_scenario.play(made))


def strategies_space():
    return arm_space()


class AnythingHappens(RuleBasedStateMachine):
    """The same events, as rules that hypothesis puts together and checks after each."""

    @initialize(space=strategies.spaces(max_width=3), config=strategies.configs())
    def begin(self, space, config):
        self.player = Player(space, config)
        for index in range(space.width):
            if not space.dimensions[index].kind.is_velocity:
                self.player.play(Event("measure", (index, 0.5)))

    @rule(event=strategies.REVIVALS)
    def revive(self, event):
        self.play(event)

    @rule(event=strategies.RUNS)
    def run(self, event):
        self.play(event)

    @rule(event=strategies.POLICIES)
    def policy(self, event):
        self.play(event)

    @rule(event=strategies.OTHERS)
    def other(self, event):
        self.play(event)

    @precondition(lambda self: hasattr(self, "player"))
    @rule(count=st.integers(1, 3))
    def stop_and_reset(self, count):
        for _ in range(count):
            self.play(Event("stop"))
            self.play(Event("run", (5,)))
            self.play(Event("reset"))

    def play(self, event):
        self.player.play(event)
        broken = self.player.judge.bounds.broken
        assert not broken, "\n".join(map(str, broken[:5]))

    def teardown(self):
        if hasattr(self, "player"):
            self.player.finish()
            assert not self.player.judge.bounds.broken


TestAnythingHappens = AnythingHappens.TestCase
TestAnythingHappens.settings = settings(
    max_examples=15, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)


def test_a_plan_that_the_robot_was_braked_for_is_neither_blended_in_nor_resumed():
    # Found by a scenario: a chunk after a hold for age was blended with the aged one.
    config = replace(strategies.CONFIG, chunk_timeout=0.1, blend_window=0.5, armed_on_start=True)
    for event in (
        Event("revive", (1, 0, 40, 1.0, "constant", 0.9, 0.0)),
        Event("configure", ("chunk_timeout", 5.0)),
    ):
        player = Player(strategies_space(), config)
        player.play(Event("revive", (1, 0, 40, 1.0, "constant", -0.9, 0.0)))
        for then in (Event("run", (10,)), Event("policy", (0,)), Event("run", (15,)), event):
            player.play(then)
        player.play(Event("run", (10,)))
        assert not player.judge.bounds.broken, player.judge.bounds.broken[0]
