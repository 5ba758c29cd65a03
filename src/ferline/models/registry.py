"""The one table of architectures: from a name and its options to a network, or to what is wrong with them."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import torch
from torch.overrides import TorchFunctionMode

from ferline.emotions import EMOTIONS
from ferline.errors import FerlineError
from ferline.models.backbones import load_imagenet
from ferline.models.network import Network
from ferline.params import ArchitectureParams, InputParams

Kind = TypeVar("Kind", bound=type[Network])

_MODELS: dict[str, type[Network]] = {}
_DRAWS = (torch.Tensor.normal_, torch.Tensor.uniform_)
_WRITE: dict[Any, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}


def register_model(name: str) -> Callable[[Kind], Kind]:
    """For a class made by `(input, weights, emotions)`; its keyword-only parameters are the model's options."""

    def register(kind: Kind) -> Kind:
        if name in _MODELS:
            raise ValueError(f"two models are registered as {name!r}")
        _MODELS[name] = kind
        return kind

    return register


def names() -> list[str]:
    return sorted(_MODELS)


def create(
    model: str, input: InputParams, weights: str, options: Mapping[str, Any], emotions: Sequence[str] = EMOTIONS
) -> Network:
    """A network to train: drawn from torch's random generator, and then given the weights that are named: ImageNet's
    to its trunks, or those of a trained model."""
    from ferline.models.start import begin_from, start_of  # it reads trained models, which are built here

    network = build(model, input, weights, options, emotions)
    if weights == "imagenet":
        for attribute, architecture in network.pretrained.items():
            load_imagenet(getattr(network, attribute), architecture)
    elif start := start_of(weights):
        begin_from(network, start)
    return network


def build(
    model: str, input: InputParams, weights: str, options: Mapping[str, Any], emotions: Sequence[str] = EMOTIONS
) -> Network:
    """`create` without reading any weights: for a network whose own come next."""
    if model not in _MODELS:
        raise FerlineError(f"model: {model!r} is unknown; write one of {', '.join(names())}")
    resolved = _resolved_options(model, options)
    # Kernels channels last, as `to_input` lays images out; the same everywhere, since another order rounds otherwise.
    network = _MODELS[model](input, weights, emotions, **resolved).to(memory_format=torch.channels_last)
    network.model, network.options = model, resolved
    return network


def check(name: str, architecture: ArchitectureParams, emotions: Sequence[str] = EMOTIONS) -> None:
    """Refuse, before anything runs, a row of `architectures` that its model could not be built from."""
    from ferline.models.start import require_alike, start_of
    from ferline.models.teachers import require_able

    try:
        with torch.device("meta"), _Undrawn():  # every check of the constructor, without memory or random draws
            network = build(
                architecture.model, architecture.input, architecture.weights, architecture.options, emotions
            )
        _check_training(network, architecture)
        if start := start_of(architecture.weights):
            require_alike(network, start)
        require_able(architecture, emotions)
    except FerlineError as error:
        raise FerlineError(f"architectures.{name}.{error}") from None


class _Undrawn(TorchFunctionMode):
    """Weights stay as they are. To draw them where there is no memory, torch would import its compiler first: seconds
    of each start, where no ResNet brings that along anyway."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        drawn = function in _DRAWS or getattr(function, "__module__", None) == torch.nn.init.__name__
        return (*args, *kwargs.values())[0] if drawn else function(*args, **kwargs)


def _check_training(network: Network, architecture: ArchitectureParams) -> None:
    both = architecture.training.targets == "both"
    if both and not network.votes_head:
        raise FerlineError(
            "training.targets: both needs a model with a head for votes; write label or votes, or a model that has one "
            "(ferline_net with options: {votes_head: true})"
        )
    if network.votes_head and not both:
        raise FerlineError("options.votes_head: true would stay untrained; write training.targets: both, or false")
    if (start := architecture.training.grow_from) and not network.any_side:
        raise FerlineError(f"training.grow_from: {start} needs a model that takes faces of any side; write 0")


def _resolved_options(model: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Every option of the model, checked, its default written out where it was left, so that a saved model keeps it."""
    constructor = _MODELS[model].__init__
    hints = get_type_hints(constructor)
    known = {p.name: p.default for p in inspect.signature(constructor).parameters.values() if p.kind is p.KEYWORD_ONLY}
    for option in options:
        if option not in known:
            listed = f"its options are {', '.join(known)}" if known else "it has none"
            raise FerlineError(f"options.{option}: {model} does not know this option; {listed}")
    return {option: _checked(option, options.get(option, default), hints[option]) for option, default in known.items()}


def _checked(option: str, value: Any, kind: Any) -> Any:
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise FerlineError(f"options.{option}: {value!r} is not allowed; write one of {', '.join(get_args(kind))}")
        return value
    allowed = (int, float) if kind is float else kind
    # bool is an int to Python, but `gru_units: true` is a mistake.
    if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool):
        raise FerlineError(f"options.{option}: {value!r} is not allowed; write {_WRITE[kind]}")
    return kind(value)
