"""The last stage of `tailor reward`: the LoRAs of several aspects become one mixture.

As in VersaT2I (arXiv:2403.18493) its gates are trained on the pictures that any of the LoRAs was
trained on, each once, with the captions that it was trained on with.
"""

from collections.abc import Sequence

from stickerforge.adapters import store
from stickerforge.errors import InputError
from stickerforge.runtime.bounded_files import read_bounded
from stickerforge.runtime.console import Console
from stickerforge.runtime.files import locked, write_whole
from stickerforge.training.mixture import MixturePlan, train_mixture
from stickerforge.training.reward_outcome import AspectOutcome
from stickerforge.training.reward_plan import MAX_BYTES, RewardPlan
from stickerforge.training.reward_rounds import chosen_paths, read_chosen


def make_mixture(
    plan: RewardPlan, outcomes: Sequence[AspectOutcome], console: Console
) -> store.Adapter:
    """Train the mixture of LoRAs that were saved, and save it under the name of the run.

    A run that was interrupted goes on; see `train_mixture`.

    Args:
        outcomes: two or more, all of them kept.

    Raises:
        StickerforgeError, Interrupted: as `train_mixture`.
    """
    own = MixturePlan(
        plan.config.name,
        plan.card,
        plan.base,
        plan.config.mixture,
        plan.mixture_run,
        plan.config.seed,
        plan.config.device,
    )
    parents = {outcome.aspect: store.find(outcome.adapter) for outcome in outcomes}
    prompts = {
        path: prompt
        for outcome in outcomes
        for each in outcome.lessons
        for path, prompt in chosen_paths(each.selection, each.candidates).items()
    }
    try:
        adapter = train_mixture(own, parents, read_chosen(prompts, console), console)
    except InputError as error:
        raise InputError(
            f"the mixture {own.name!r}: {error.message}",
            "go on with --resume and another mixture.lr, or with mixture.steps=0 for none",
        ) from None
    with locked(store.lock_file(adapter.name), wait=True):
        content = read_bounded(plan.run.config, MAX_BYTES)
        write_whole(adapter.path.with_name(plan.run.config.name), content)
    return adapter
