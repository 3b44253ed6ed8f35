"""Starts training in as many processes as the config or torchrun asks for."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from vla_contract.action_space import ActionSpace
from vla_learning.data.dataset import load_frames
from vla_learning.data.tracks import Track, Tracks
from vla_learning.learning_settings import Settings
from vla_learning.train.initial_weights import begin_from
from vla_learning.train.loss_plots import plot_history
from vla_learning.train.tokenizer_fit import build_tokenizer
from vla_learning.train.training import Report, Trainer, check_landmarks
from vla_learning.train.training_runs import TrainingError, build_model, model_config, read_run
from vla_learning.train.validation_episodes import check_tasks, success_rate

PR_SET_PDEATHSIG = 1
Job = tuple[Settings, ActionSpace, Path, Path, Path | None]


def train_in_processes(
    settings: Settings,
    space: ActionSpace,
    data: Path,
    folder: Path,
    report: Report,
    checkpoint: Path | None = None,
) -> None:
    """Train; blocks until it is done. checkpoint: whose weights a new run begins with.

    Under torchrun this process is one of its workers, with a GPU of its own where there are any.
    Otherwise a GPU is used by one process, and on a CPU the config's `processes` are started here:
    where others use it too, processes of one thread wait less for each other than the threads of
    one process, which meet after every operator.

    Raises:
        DemonstrationError, TrainingError, CheckpointError: before any process is started.
    """
    job = (settings, space, data, folder, checkpoint)
    _check_tracks(list(Tracks(data, settings, space)), settings)
    check_tasks(settings)
    tokenizer = build_tokenizer(settings.commands, settings.max_words)
    model_config(settings, space, tokenizer)
    if read_run(folder, settings) is None and checkpoint is not None:
        begin_from(build_model(settings, space, tokenizer), tokenizer, checkpoint)
    if "TORCHELASTIC_RUN_ID" in os.environ:
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        _train(job, report)
        return
    # Several GPUs are torchrun's; one is one process's.
    processes = 1 if torch.cuda.is_available() else settings.train.processes
    if processes == 1:
        _train(job, report)
        return
    context = mp.get_context("spawn")
    queue = context.SimpleQueue()
    started = mp.spawn(_worker, (processes, _free_port(), job, queue), processes, join=False)
    assert started is not None
    while not started.join(timeout=0.5):
        _drain(queue, report)
    _drain(queue, report)


def _check_tracks(tracks: Sequence[Track], settings: Settings) -> None:
    check_landmarks(settings, tracks[0].landmarks.shape[1])
    count = sum(len(track.frames) for track in tracks)
    if count < settings.train.batch_size:
        raise TrainingError(
            f"train.batch_size is {settings.train.batch_size}; accepted: at most {count}, because "
            "the dataset has no more frames"
        )


def _drain(queue: mp.SimpleQueue, report: Report) -> None:
    while not queue.empty():
        report(*queue.get())


def _worker(rank: int, ranks: int, port: int, job: Job, queue: mp.SimpleQueue) -> None:
    # Whoever kills the command means its workers, too: they would save over the next run.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    dist.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=ranks
    )
    _train(job, lambda step, losses: queue.put((step, losses)))
    dist.destroy_process_group()


def _train(job: Job, report: Callable[[int, dict[str, float]], None]) -> None:
    settings, space, data, folder, checkpoint = job
    trainer = Trainer(settings, space, load_frames(data, settings, space), folder)
    if not trainer.resume() and checkpoint is not None:
        trainer.begin(checkpoint)
    trainer.run(report, lambda model: success_rate(model, settings, space))
    if trainer.rank == 0:
        plot_history(trainer.history, folder / "losses.png")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
