"""`./vla learn confidence`: teach a run how likely it is to succeed, and say what that is worth."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vla_contract.action_space import ActionSpace
from vla_learning.learning_settings import Settings

if TYPE_CHECKING:
    from vla_learning.confidence.confidence_training import Report


def teach(
    settings: Settings,
    space: ActionSpace,
    run: Path,
    tasks: Sequence[str],
    seeds: Sequence[int],
    progress: Callable[[int], None],
) -> Report:
    """Run episodes of a run's averaged weights, learn from them, and keep the head in the run.

    Episodes that were run are kept too, so that an interrupted command goes on.

    Raises:
        TrainingError: no such run. ConfidenceError: nothing can be learned.
    """
    # Here, for they need torch.
    from safetensors.torch import save_file

    from vla_learning.confidence.confidence_training import ConfidenceError, learn
    from vla_learning.confidence.episode_outcomes import outcomes
    from vla_learning.train.training_runs import CONFIDENCE_FILE, load_averaged, unsaved_checkpoint

    model, about = load_averaged(settings, space, run)
    if model.confidence is None:
        raise ConfidenceError("architecture.confidence_hidden is 0; accepted: at least 1, e.g. 64")
    checkpoint = unsaved_checkpoint(settings, space)
    folder = run / "outcomes" / f"{about['step']:07d}"
    found = []
    for outcome in outcomes(model, checkpoint, tasks, seeds, folder):
        found.append(outcome)
        progress(len(found))
    report = learn(model.confidence, found)
    tensors = {name: value.contiguous() for name, value in model.confidence.state_dict().items()}
    told = {"step": str(about["step"]), "report": json.dumps(report.to_dict())}
    save_file(tensors, run / CONFIDENCE_FILE, metadata=told)
    return report


def table(report: Report) -> str:
    """Markdown: the head against always saying the success rate of the episodes it learned from."""
    lines = [
        "| | n | AUROC of failure | calibration error | Brier | constant: calibration error | "
        "Brier |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, t in vars(report).items():
        lines.append(
            f"| {name} | {t.count} | {t.auroc:.3f} | {t.calibration_error:.3f} | {t.brier:.3f} | "
            f"{t.base_calibration_error:.3f} | {t.base_brier:.3f} |"
        )
    return "\n".join(lines)
