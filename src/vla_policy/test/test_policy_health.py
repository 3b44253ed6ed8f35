from vla_contract.message_enums import FaultKind, Level
from vla_policy.inference.inference import Problem, ProblemKind
from vla_policy.policy_health import Health

LIMITS = (2.0, 1.0)  # worker_timeout, observation_timeout


def made(**options):
    now = [100.0]
    return now, Health(lambda: now[0], **options)


def levels(health, busy_for=0.0):
    found = health.findings(busy_for, *LIMITS)
    return {
        kind.name.lower(): max((f[0] for f in each), default=Level.OK)
        for kind, each in found.items()
    }


def finding(health, kind):
    (found,) = health.findings(0.0, *LIMITS)[kind]
    return found


def test_before_the_first_observation_there_is_a_warning():
    now, health = made()
    now[0] += 50.0
    assert finding(health, FaultKind.COMMUNICATION) == (Level.WARN, "no observation yet")


def test_each_problem_has_its_fault_and_the_next_answer_ends_it():
    _, health = made()
    for kind, fault in (
        (ProblemKind.LANGUAGE, "language"),
        (ProblemKind.ACTION, "action"),
        (ProblemKind.OBSERVATION, "communication"),
    ):
        health.answered(Problem(kind, "because"))
        found = levels(health)
        assert found.pop(fault) == Level.ERROR
        assert set(found.values()) == {Level.OK}
        health.answered()
        assert set(levels(health).values()) == {Level.OK}
        assert health.problems[kind] == 1


def test_a_doubt_is_a_warning():
    _, health = made()
    health.answered(Problem(ProblemKind.LANGUAGE, "unknown words: please", fatal=False))
    assert levels(health)["language"] == Level.WARN


def test_silence_is_an_error_that_an_observation_ends():
    now, health = made()
    health.answered()
    now[0] += 0.9
    assert levels(health)["communication"] == Level.OK
    now[0] += 0.2
    assert levels(health)["communication"] == Level.ERROR
    health.answered()
    assert levels(health)["communication"] == Level.OK


def test_observations_that_are_all_skipped_are_silence_with_a_reason():
    now, health = made()
    health.skip("an observation is 9 s old")
    assert finding(health, FaultKind.COMMUNICATION)[1] == "an observation is 9 s old"
    health.answered()
    now[0] += 2.0
    health.skip("an observation is 7 s old")
    state = finding(health, FaultKind.COMMUNICATION)
    assert state[0] == Level.ERROR
    assert "7 s old" in state[1]
    assert health.skipped == 2


def test_an_inference_that_hangs_is_an_action_fault_and_not_silence():
    now, health = made()
    health.answered()
    now[0] += 2.5
    assert levels(health, busy_for=1.9) == {"language": 0, "action": 0, "communication": 0}
    assert levels(health, busy_for=2.1)["action"] == Level.ERROR


def test_no_clock_decides_in_lock_step():
    now, health = made(lock_step=True)
    assert set(levels(health).values()) == {Level.OK}
    health.answered()
    now[0] += 100.0
    assert set(levels(health, busy_for=50.0).values()) == {Level.OK}
    health.answered(Problem(ProblemKind.ACTION, "because"))
    assert levels(health)["action"] == Level.ERROR


BAD = Problem(ProblemKind.ACTION, "not finite")


def test_bad_outputs_are_a_warning_until_so_many_came_in_a_row():
    _, health = made(bad_outputs=3)
    for round_ in range(2):
        assert not health.answered(BAD), "no chunk: the last good one goes on"
        assert levels(health)["action"] == Level.WARN
        text = finding(health, FaultKind.ACTION)[1]
        assert text == "not finite (1 of 3 in a row; tried again)"
        assert not health.answered(BAD)
        if round_ == 0:
            assert health.answered()
            assert levels(health)["action"] == Level.OK
    assert health.answered(BAD)
    assert finding(health, FaultKind.ACTION) == (Level.ERROR, "not finite")
    assert health.fatal_in_a_row == 3
    assert health.answered(Problem(ProblemKind.LANGUAGE, "because")), "only outputs are tried again"


def test_in_lock_step_every_observation_is_answered():
    _, health = made(bad_outputs=3, lock_step=True)
    assert health.answered(BAD)
    assert levels(health)["action"] == Level.ERROR


def test_a_remote_end_that_is_gone_is_a_communication_fault():
    _, health = made()
    assert health.answered(Problem(ProblemKind.REMOTE, "remote end gone"))
    assert levels(health)["communication"] == Level.ERROR
    health.answered(Problem(ProblemKind.REMOTE, "the checkpoint drives", fatal=False))
    assert levels(health)["communication"] == Level.WARN


def test_all_problems_of_an_answer_count_and_are_told():
    _, health = made()
    first = Problem(ProblemKind.ACTION, "no memory (inferred once more)", fatal=False)
    doubt = Problem(ProblemKind.LANGUAGE, "unknown words: please", fatal=False)
    assert health.answered(doubt, first)
    assert finding(health, FaultKind.ACTION) == (Level.WARN, first.text)
    assert levels(health)["language"] == Level.WARN
    health.answered(first, BAD)
    found = health.findings(0.0, *LIMITS)[FaultKind.ACTION]
    assert found == [(Level.WARN, first.text), (Level.ERROR, "not finite")]
    assert health.problems[ProblemKind.ACTION] == 3


def test_only_bad_outputs_are_tried_again_and_every_fatal_answer_counts():
    _, health = made(bad_outputs=3)
    assert health.fatal_in_a_row == 0
    assert health.answered(Problem(ProblemKind.LANGUAGE, "because"))
    assert health.fatal_in_a_row == 1
    assert health.answered(Problem(ProblemKind.ACTION, "inferred once more", fatal=False))
    assert health.fatal_in_a_row == 0


def test_limits_are_still_accepted_and_what_is_beyond_is_told_with_the_limit():
    now, health = made()
    health.answered()
    worker_timeout, observation_timeout = LIMITS
    now[0] += observation_timeout
    assert levels(health)["communication"] == Level.OK
    assert levels(health, busy_for=worker_timeout)["action"] == Level.OK
    found = health.findings(worker_timeout + 0.1, *LIMITS)[FaultKind.ACTION]
    assert found == [(Level.ERROR, "an inference has run for more than 2.0 s")]
