"""Weights to start from: a trained model's, one that comes with Ferline or one's own, in place of random ones.

What a network has learnt of many faces it need not learn again from a few: `weights: ferline_small` in params.yaml. All
tensors must fit but those of the heads, of which a row is taken over for each emotion that both networks know.
"""

import torch
from torch import Tensor

from ferline.errors import FerlineError
from ferline.models.named import named
from ferline.models.network import Network
from ferline.models.trained import TrainedModel

HEADS = ("head.", "svm.")


def start_of(weights: str) -> TrainedModel | None:
    """The model that is named; None for `none` and `imagenet`, which name none."""
    return None if weights in ("none", "imagenet") else named(weights, "weights", "none, imagenet, ")


def begin_from(network: Network, start: TrainedModel) -> None:
    """Put the model's weights in the network's; a FerlineError where they are of another network."""
    theirs = start.network()
    require_alike(network, start)
    own, given = network.state_dict(), theirs.state_dict()
    with torch.no_grad():
        for name, tensor in own.items():
            if name.startswith("votes_head."):  # always of all known emotions
                if name in given:
                    tensor.copy_(given[name])
            elif name.startswith(HEADS):
                _take_over(tensor, given.get(name), network.emotions, theirs.emotions)
            else:
                tensor.copy_(given[name])
    network.normalisation = theirs.normalisation


def require_alike(network: Network, start: TrainedModel) -> None:
    """That the model's weights fit, by its card alone."""
    card = start.card
    if card["model"] != network.model:
        raise FerlineError(
            f"weights: {start.folder} is a {card['model']}, and no {network.model}; write model: {card['model']}"
        )
    wanted = {key: value for key, value in card["options"].items() if key not in ("votes_head", "dropout")}
    if other := {key: value for key, value in wanted.items() if network.options.get(key) != value}:
        said = ", ".join(f"{key}: {value}" for key, value in other.items())
        raise FerlineError(f"weights: {start.folder} has other options; write options: {{{said}}}")
    for key in ("channels",) if network.any_side else ("side", "channels"):
        if card["input"][key] != getattr(network.input, key):
            raise FerlineError(f"weights: {start.folder} has another input; write input.{key}: {card['input'][key]}")


def _take_over(own: Tensor, given: Tensor | None, emotions: tuple[str, ...], theirs: tuple[str, ...]) -> None:
    """All of a tensor that fits; of one with a row an emotion, the rows of those that both know."""
    if given is None or own.shape[1:] != given.shape[1:]:
        return
    if emotions == theirs and own.shape == given.shape:
        own.copy_(given)
    elif len(own) == len(emotions) and len(given) == len(theirs):
        for emotion in set(emotions) & set(theirs):
            own[emotions.index(emotion)] = given[theirs.index(emotion)]
