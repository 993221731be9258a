"""The roles of scoring models: the registry of each role's kinds, and the loading of models."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from jsdpipe.base.errors import UserError
from jsdpipe.base.registry import Registry
from jsdpipe.models.protocols import Captioner, Classifier, Features, Judge, Model, Reward, Similarity
from jsdpipe.models.settings import Settings

Adapter = TypeVar("Adapter", bound=Model)


class Role(Registry[Any], Generic[Adapter]):
    """The adapters of one role, by kind.

    Args:
        what: the role's name, which is also its key in a configuration.
        folder: the folder of `jsdpipe.models` with one module per kind.
        protocol: the interface of its adapters.
    """

    def __init__(self, what: str, folder: str, protocol: Any) -> None:
        super().__init__(what, f"jsdpipe.models.{folder}", "jsdpipe.models", prefix=f"{what}.")
        self._members = [name for name in dir(protocol) if not name.startswith("_")]
        self._methods = [name for name in self._members if callable(getattr(protocol, name))]

    def register(self, kind: str, module: str | None = None) -> Callable[[type[Adapter]], type[Adapter]]:
        """A class decorator that registers an adapter under its kind.

        Raises:
            UserError: the kind is taken, or the class lacks `Settings` or a method of the role.
        """
        add = super().register(kind, module)

        def register(entry: type[Adapter]) -> type[Adapter]:
            if not issubclass(vars(entry).get("Settings", object), Settings):
                base = f"{Settings.__module__}.Settings"
                raise UserError(f"{self.what} {kind!r}: {entry.__name__} needs a class `Settings`, a {base}; define it")
            if missing := [name for name in self._methods if not hasattr(entry, name)]:
                raise UserError(f"{self.what} {kind!r}: {entry.__name__} has no {', '.join(missing)}; define it")
            return cast(type[Adapter], add(entry))

        return register

    def load(self, settings: Settings, device: str, *more: Any) -> Adapter:
        """The model that settings name, on a device; its answers are checked. `more` is passed to its class."""
        adapter = self[settings.kind](settings, device, *more)
        name = f"{self.root(settings.kind)}: {self.what} {settings.kind!r}"
        if missing := [member for member in self._members if not hasattr(adapter, member)]:
            raise UserError(f"{name}: {type(adapter).__name__} has no {', '.join(missing)}; define it")
        return cast(Adapter, _Checked(adapter, name))


class _Checked:
    """A wrapper that raises `UserError` if an adapter's answer does not have the shape that its role requires."""

    def __init__(self, adapter: Any, name: str) -> None:
        self.__adapter, self.__name = adapter, name

    def __getattr__(self, member: str) -> Any:
        value = getattr(self.__adapter, member)
        if member not in _ANSWERS:
            return value

        def checked(*inputs: Any, **named: Any) -> Any:
            try:
                return _ANSWERS[member](value(*inputs, **named), self.__adapter, *inputs, **named)
            except _Misshapen as error:
                raise UserError(f"{self.__name}: {member} returned {error}; correct it") from None

        return checked


class _Misshapen(Exception):
    """An answer has the wrong shape or type; the message says which, and what is expected."""


def _array(answer: Any, *shape: int | None) -> NDArray[np.float64]:
    """An answer as an array; a size of `None` allows any size."""
    wanted = f"numbers of shape ({', '.join('any' if size is None else str(size) for size in shape)})"
    try:
        array = np.asarray(answer, np.float64)
    except (TypeError, ValueError, RuntimeError):  # the last is PyTorch's
        raise _Misshapen(f"a {type(answer).__name__} that is no array, not {wanted}") from None
    if array.ndim != len(shape) or any(size not in (None, n) for size, n in zip(shape, array.shape, strict=True)):
        raise _Misshapen(f"shape {array.shape}, not {wanted}")
    return array


def _texts(answer: Any, count: int) -> list[str]:
    if not isinstance(answer, list | tuple) or not all(isinstance(text, str) for text in answer):
        raise _Misshapen(f"a {type(answer).__name__}, not a list of texts")
    if len(answer) != count:
        raise _Misshapen(f"{len(answer)} texts, not {count}")
    return list(answer)


def _grade(answer: Any) -> int:
    if not isinstance(answer, int | np.integer) or not 1 <= answer <= 5:
        raise _Misshapen(f"{answer!r}, not an integer from 1 to 5")
    return int(answer)


# method -> check of its return value, called with that value, the adapter and the method's inputs
_ANSWERS: dict[str, Callable[..., Any]] = {
    "score": lambda answer, model, text, images: _array(answer, len(images)),
    "caption": lambda answer, model, images, seed: _texts(answer, len(images)),
    "merge": lambda answer, model, captions: _texts([answer], 1)[0],
    "grade": lambda answer, model, prompt, caption: _grade(answer),
    "cosines": lambda answer, model, images, texts: _array(answer, len(images), len(texts)),
    "probabilities": lambda answer, model, images: _array(answer, len(images), len(model.classes)),
    "features": lambda answer, model, images: _array(answer, len(images), None),
}

REWARDS: Role[Reward] = Role("reward", "rewards", Reward)
CAPTIONERS: Role[Captioner] = Role("captioner", "captioners", Captioner)
JUDGES: Role[Judge] = Role("judge", "judges", Judge)
SIMILARITIES: Role[Similarity] = Role("similarity", "similarities", Similarity)
CLASSIFIERS: Role[Classifier] = Role("classifier", "classifiers", Classifier)
FEATURES: Role[Features] = Role("features", "features", Features)
ROLES: tuple[Role[Any], ...] = (REWARDS, CAPTIONERS, JUDGES, SIMILARITIES, CLASSIFIERS, FEATURES)


def settings_of(adapter: Any) -> type[Settings]:
    """The settings of an adapter, for `OfKind`."""
    settings: type[Settings] = adapter.Settings
    return settings


def role_of(settings: Settings) -> Role[Any]:
    """The role of the model that settings name."""
    return next(role for role in ROLES if type(settings) in map(settings_of, role.loaded().values()))
