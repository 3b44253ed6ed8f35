"""Behaviour cloning of `VLAModel` on recorded chunks. Needs torch."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from vla_contract.action_space import ActionSpace, Kind
from vla_learning.collect.landmarks import from_hand, landmark_head
from vla_learning.data.dataset import Frames
from vla_learning.learning_settings import Settings
from vla_learning.train.initial_weights import begin_from
from vla_learning.train.objective import Losses, compute_losses, landmark_loss, learning_rate
from vla_learning.train.sampling import Batch, Sampler
from vla_learning.train.tokenizer_fit import build_tokenizer, encode_commands
from vla_learning.train.training_runs import (
    RUN_FILE,
    TrainingError,
    build_model,
    identity,
    read_run,
    with_prefix,
)
from vla_policy.model import VLAModel, load_pretrained

Report = Callable[[int, dict[str, float]], None]
Evaluate = Callable[[VLAModel], float]  # success rate
TERMS = ("loss", "action", "steps", "landmarks")  # of `Losses`, in their order


def to_tensors(batch: Batch, device: torch.device | str = "cpu") -> dict[str, Tensor]:
    """Arrays of a batch as tensors, by name; on the CPU without copying."""
    arrays = {name: np.ascontiguousarray(value) for name, value in vars(batch).items()}
    return {name: torch.from_numpy(value).to(device) for name, value in arrays.items()}


def choose_device() -> torch.device:
    """This process's GPU where there is one, else the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def check_landmarks(settings: Settings, count: int) -> None:
    """Raise TrainingError where training is to tell landmarks and the dataset has none."""
    if settings.train.landmark_weight and not count:
        raise TrainingError(
            f"landmark_weight is {settings.train.landmark_weight}; accepted: 0, because the "
            "dataset has no landmarks"
        )


class Trainer:
    """One training run: deterministic by the config's seed, resumable from `folder`.

    Where torch.distributed is initialised, every process takes its share of each batch, gradients
    and batch statistics are averaged, and the first process alone saves and reports.
    """

    def __init__(
        self, settings: Settings, space: ActionSpace, frames: Frames, folder: Path
    ) -> None:
        self.settings = settings
        self.folder = folder
        self.tokenizer = build_tokenizer(settings.commands, settings.max_words)
        frames = from_hand(frames, settings.state_names)
        torch.manual_seed(settings.train.seed)
        torch.set_num_threads(settings.train.threads)
        self.model = build_model(settings, space, self.tokenizer)
        if settings.train.pretrained:
            print(load_pretrained(self.model.vision, self.model.config.backbone), flush=True)
        self.landmarks = self._landmark_head(frames.landmarks.shape[1])
        self.model.state_mean.copy_(torch.from_numpy(frames.state.mean(0)))
        self.model.state_std.copy_(torch.from_numpy(frames.state.std(0)).clamp(min=1e-3))
        self.device = choose_device()
        self.model.to(self.device)
        if self.landmarks is not None:
            self.landmarks.to(self.device)
        # Convolutions of PyTorch are fastest with channels last.
        self.model.vision.backbone.to(memory_format=torch.channels_last)
        self.average = {k: v.clone() for k, v in self.model.state_dict().items()}
        tokens = encode_commands(self.tokenizer, settings.commands)
        self.sampler = Sampler(frames, tokens, settings.train)
        self.optimiser = torch.optim.AdamW(
            _parameter_groups(self._parameters(), settings.train.weight_decay), lr=1.0
        )
        grippers = [d.kind is Kind.GRIPPER for d in space.dimensions]
        self._dimension_weights = torch.where(
            torch.tensor(grippers, device=self.device), settings.train.gripper_weight, 1.0
        )
        self.rank = dist.get_rank() if dist.is_initialized() else 0
        self.ranks = dist.get_world_size() if dist.is_initialized() else 1
        self.step = 0
        self.began_from = ""  # what `begin` says
        self._begin, self._seconds_before = time.monotonic(), 0.0
        self.history: list[dict[str, float]] = []

    def _landmark_head(self, count: int) -> nn.Module | None:
        if not self.settings.train.landmark_weight:
            return None
        check_landmarks(self.settings, count)
        return landmark_head(self.model.config.fusion_hidden, count)

    def _parameters(self) -> list[nn.Parameter]:
        """Everything that is trained."""
        head = [] if self.landmarks is None else list(self.landmarks.parameters())
        return [*self.model.parameters(), *head]

    def run(self, report: Report | None = None, evaluate: Evaluate | None = None) -> None:
        """Train up to the configured number of steps, saving as configured and at the end.

        evaluate: success of the averaged weights, called as configured.
        """
        s = self.settings.train
        sums = dict.fromkeys(TERMS, 0.0)
        count = 0
        while self.step < s.steps:
            losses = self._train_step()
            for name, value in zip(TERMS, vars(losses).values(), strict=True):
                sums[name] += float(value.detach())
            count += 1
            self.step += 1
            if self.step % 50 == 0 or self.step == s.steps:
                means = {name: value / count for name, value in sums.items()}
                self.history.append({"step": self.step, **means})
                sums, count = dict.fromkeys(sums, 0.0), 0
                if report and self.rank == 0:
                    report(self.step, means)
            if evaluate and self._is_due(s.evaluate_steps):
                success = {"success": evaluate(self.averaged_model())}
                self.history.append({"step": self.step, **success})
                if report:
                    report(self.step, success)
            if self._is_due(s.checkpoint_steps):
                self.save()

    def _is_due(self, period: int) -> bool:
        """In the first process: now, at every `period` steps and at the end; 0: never."""
        if self.rank or not period:
            return False
        return self.step % period == 0 or self.step == self.settings.train.steps

    def _train_step(self) -> Losses:
        s = self.settings.train
        self.model.train()
        # Dropout depends on the step alone, so that a resumed run equals an uninterrupted one.
        torch.manual_seed((s.seed * 1_000_003 + self.step) * 64 + self.rank)
        batch = to_tensors(self.sampler.batch(self.step, self.rank, self.ranks), self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=s.bfloat16):
            words = self.model.words(batch["tokens"], batch["word_count"])
            sight = (batch["images"], batch["camera_mask"], batch["state"])
            fused, attention = self.model.fuse(*sight, *words)
            output = self.model.decide(fused, attention)
            told = None if self.landmarks is None else self.landmarks(fused)
        places = None if told is None else landmark_loss(told, batch["landmarks"])
        losses = compute_losses(output, batch, self._dimension_weights, s, places)
        self.optimiser.zero_grad(set_to_none=True)
        losses.total.backward()
        self._average_over_processes()
        torch.nn.utils.clip_grad_norm_(self._parameters(), s.gradient_norm)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.step, s)
        self.optimiser.step()
        self._update_average()
        return losses

    @torch.no_grad()
    def _average_over_processes(self) -> None:
        if self.ranks == 1:
            return
        tensors = [p.grad for p in self._parameters() if p.grad is not None]
        tensors += [b for b in self.model.buffers() if b.dtype.is_floating_point]
        flat = torch.cat([t.reshape(-1) for t in tensors])
        dist.all_reduce(flat)
        flat /= self.ranks
        for tensor, part in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
            tensor.copy_(part.view_as(tensor))

    @torch.no_grad()
    def _update_average(self) -> None:
        # A shorter memory at the start: the first weights are random.
        decay = min(self.settings.train.ema_decay, (1 + self.step) / (10 + self.step))
        for name, value in self.model.state_dict().items():
            if value.dtype.is_floating_point:
                self.average[name].lerp_(value, 1.0 - decay)
            else:
                self.average[name].copy_(value)

    def averaged_model(self) -> VLAModel:
        """A copy of the model with the averaged weights, in eval mode."""
        model = VLAModel(self.model.config)
        model.load_state_dict({name: value.cpu() for name, value in self.average.items()})
        return model.eval()

    def save(self) -> None:
        """Write weights, averages and the optimiser's state; safetensors and JSON only."""
        self.folder.mkdir(parents=True, exist_ok=True)
        tensors = {f"model.{k}": v.contiguous() for k, v in self.model.state_dict().items()}
        tensors |= {f"average.{k}": v.contiguous() for k, v in self.average.items()}
        if self.landmarks is not None:
            tensors |= {f"landmarks.{k}": v for k, v in self.landmarks.state_dict().items()}
        for index, state in self.optimiser.state_dict()["state"].items():
            for key, value in state.items():
                tensors[f"optimiser.{index}.{key}"] = torch.as_tensor(value).contiguous()
        tensors = {name: value.cpu() for name, value in tensors.items()}
        partial = self.folder / "training.partial"
        metadata = {"step": str(self.step), "frames": str(self.sampler.count)}
        metadata |= {"seconds": f"{self._seconds():.0f}", "run": identity(self.settings)}
        metadata["began_from"] = self.began_from
        save_file(tensors, partial, metadata=metadata)
        told = self.folder / "history.partial"
        told.write_text(json.dumps(self.history), encoding="utf-8")
        # Each whole or not at all; the history first, for a run that is resumed must have one.
        told.replace(self.folder / "history.json")
        partial.replace(self.folder / RUN_FILE)

    def begin(self, checkpoint: Path) -> None:
        """Start with a checkpoint's weights.

        Raises:
            CheckpointError, TrainingError: there is none, or of another architecture.
        """
        self.began_from = begin_from(self.model, self.tokenizer, checkpoint)
        self.average = {k: v.clone() for k, v in self.model.state_dict().items()}

    def resume(self) -> bool:
        """Continue from `folder` if it holds a run of the same config; True if it did."""
        path = self.folder / RUN_FILE
        metadata = read_run(self.folder, self.settings)
        if metadata is None:
            return False
        tensors = load_file(path, device=str(self.device))
        self.model.load_state_dict(with_prefix(tensors, "model."))
        self.average = with_prefix(tensors, "average.")
        if self.landmarks is not None:
            self.landmarks.load_state_dict(with_prefix(tensors, "landmarks."))
        self._load_optimiser(with_prefix(tensors, "optimiser."))
        self.step = int(metadata["step"])
        self.began_from = metadata.get("began_from", "")
        self._seconds_before = float(metadata["seconds"])
        history = json.loads((self.folder / "history.json").read_text(encoding="utf-8"))
        # It may be of the next save, whose weights were not written any more.
        self.history = [entry for entry in history if entry["step"] <= self.step]
        return True

    def _load_optimiser(self, tensors: dict[str, Tensor]) -> None:
        state: dict[int, dict[str, Any]] = {}
        for name, value in tensors.items():
            index, key = name.split(".", 1)
            state.setdefault(int(index), {})[key] = value
        content = self.optimiser.state_dict()
        self.optimiser.load_state_dict({"state": state, "param_groups": content["param_groups"]})

    def _seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._begin


def _parameter_groups(parameters: list[nn.Parameter], decay: float) -> list[dict[str, Any]]:
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
