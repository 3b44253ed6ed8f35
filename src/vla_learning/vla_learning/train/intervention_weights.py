"""How much each frame of a recorded attempt counts in training: a person's actions are the labels.

As HG-DAgger (Kelly et al. 2019): what the policy itself did is no label, unless it succeeded. No
torch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]


@dataclass(frozen=True)
class InterventionWeights:
    """Weights of frames, from 0 on; a demonstration's frames weigh 1.

    intervention: of frames in which a person drives. policy_success, policy_failure: of the
    policy's own frames in an episode that succeeded, and in one that did not. window: s before an
    intervention in which the policy's own frames weigh 0, however the episode ended.
    """

    intervention: float = 4.0
    policy_success: float = 1.0
    policy_failure: float = 0.0
    window: float = 1.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (np.isfinite(value) and value >= 0.0):
                raise ValueError(f"{name} is {value}; accepted: a finite number from 0 on")


def frame_weights(
    intervention: npt.NDArray[np.bool_] | None,
    times: npt.NDArray[np.float64],
    success: bool,
    weights: InterventionWeights,
) -> Float:
    """Weights of the F frames of an episode, (F,) float32.

    intervention: (F,) bool, whether a person drives; None: a demonstration. times: (F,) float64, s,
    rising. success: of the episode.
    """
    if intervention is None:
        return np.ones(len(times), np.float32)
    if len(intervention) != len(times):
        raise ValueError(f"{len(intervention)} interventions of {len(times)} frames")
    own = weights.policy_success if success else weights.policy_failure
    found = np.where(intervention, weights.intervention, own)
    begun = times[intervention & ~np.r_[False, intervention[:-1]]]
    before = np.searchsorted(begun, times)
    until = np.append(begun, np.inf)[before] - times
    found[~intervention & (until <= weights.window + 1e-9)] = 0.0
    return found.astype(np.float32)
