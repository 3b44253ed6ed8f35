from vla_safety.plan.command_gate import CommandGate


def test_a_new_command_may_move_the_robot_and_goes_on():
    gate = CommandGate()
    gate.cancel(100)
    assert gate.admit(7, 100) and gate.admit(7, 101)
    assert gate.current == 7
    assert gate.admit(8, 102) and gate.current == 8


def test_what_was_seen_before_an_event_does_not_move_after_it():
    gate = CommandGate()
    assert gate.admit(7, 10)
    gate.cancel(100)
    assert not gate.admit(7, 110)
    assert gate.admit(8, 110)
    assert not gate.admit(7, 120)


def test_a_command_of_an_observation_before_the_event_is_older_than_it():
    gate = CommandGate()
    gate.cancel(100)
    assert not gate.admit(7, 99)
    assert not gate.admit(7, 150)
    assert gate.admit(8, 150)


def test_no_command_is_never_admitted():
    assert not CommandGate().admit(0, 1)


def test_after_a_crash_a_command_counts_only_when_its_beginning_was_seen():
    gate = CommandGate(seen=(3,), witness=True)
    assert not gate.admit(7, 10)
    assert gate.admit(8, 11)
    gate = CommandGate(seen=(3,), witness=True)
    assert not gate.admit(0, 10)
    assert gate.admit(7, 11)
    gate = CommandGate(seen=(3,), witness=True)
    assert not gate.admit(3, 10)
    assert gate.admit(7, 11)


def test_only_the_last_256_are_remembered():
    gate = CommandGate()
    for i in range(1, 400):
        gate.admit(i, i)
    assert len(gate.seen) == 256 and gate.seen[-1] == 399
