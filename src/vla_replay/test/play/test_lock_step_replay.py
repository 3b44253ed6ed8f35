"""A lock-step replay of periods that bring nothing along: no more are open than can be kept."""

from types import SimpleNamespace

from vla_contract import topics
from vla_replay.play.lock_step_replay import HANDSHAKES, LockStepReplay
from vla_replay.play.period_timeline import ControlPeriod


class SlowGraph:
    """A player whose ticks are answered only while somebody waits; of too many, some are lost."""

    cameras, paired = {}, ()

    def __init__(self):
        session = SimpleNamespace(ticks=0, begin=0, drops={}, observations=1)
        times = SimpleNamespace(image_tick=0, image_time=0.0)
        self.answers = SimpleNamespace(
            answered=0, now=0, session=session, times=times, recording=False, observed_stamp=0
        )
        self.open = []
        self.most = 0

    def tick(self, tick, *_):
        self.open.append(tick)
        self.most = max(self.most, len(self.open))

    def clock(self, stamp):
        pass

    def observe(self, *_):
        pass

    def answer(self, _):
        kept, self.open = self.open[-topics.LOCK_STEP_DEPTH :], []
        if kept:
            self.answers.answered = kept[-1]
        if self.answers.recording:
            self.answers.session.ticks += len(kept)


def test_a_long_time_without_inputs_loses_no_answer():
    graph = SlowGraph()
    replay = LockStepReplay(graph, graph.answer, lambda: None, lambda: "", seeds={}, command=None)
    replay.run(iter([ControlPeriod(n, n * 10**7, 1) for n in range(1, 400)]))
    assert graph.answers.session.ticks == 399
    assert graph.answers.answered == 399 + HANDSHAKES
    assert graph.most <= topics.LOCK_STEP_DEPTH // 2
