"""The roles that models have in the scores: the kinds of each, and how a model of a kind is loaded."""

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
        what: the role's name, which is also that of its keys in a configuration.
        folder: the folder of `jsdpipe.models` with a module a kind.
        protocol: what its adapters can do.
    """

    def __init__(self, what: str, folder: str, protocol: Any) -> None:
        super().__init__(what, f"jsdpipe.models.{folder}", "jsdpipe.models", prefix=f"{what}.")
        self._members = [name for name in dir(protocol) if not name.startswith("_")]
        self._methods = [name for name in self._members if callable(getattr(protocol, name))]

    def register(self, kind: str) -> Callable[[type[Adapter]], type[Adapter]]:
        """A class decorator that makes an adapter known under its kind.

        Raises:
            UserError: the kind is taken, or the class lacks its settings or a method of the role.
        """
        add = super().register(kind)

        def register(entry: type[Adapter]) -> type[Adapter]:
            add(entry)
            if not issubclass(vars(entry).get("Settings", object), Settings):
                what = f"a class `Settings` of its own, derived from {Settings.__module__}.Settings"
                raise UserError(f"{self._name(kind)}: {entry.__name__} needs {what}; add it")
            self._check(entry, kind, self._methods)
            return entry

        return register

    def load(self, settings: Settings, *more: Any) -> Adapter:
        """The model that settings name, whose answers are checked; `more` is for its class."""
        adapter = self[settings.kind](settings, *more)
        self._check(adapter, settings.kind, self._members)
        return cast(Adapter, _Checked(adapter, self._name(settings.kind)))

    def _check(self, thing: object, kind: str, members: list[str]) -> None:
        if missing := [name for name in members if not hasattr(thing, name)]:
            name = thing.__name__ if isinstance(thing, type) else type(thing).__name__
            raise UserError(f"{self._name(kind)}: {name} has no `{missing[0]}`; add it")

    def _name(self, kind: str) -> str:
        return f"{self.root(kind)}: {self.what} {kind!r}"


class _Checked:
    """An adapter whose answers have the shapes of its role, or raise `UserError`."""

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
    """What was returned, and what should have been."""


def _array(answer: Any, *shape: int | None) -> NDArray[np.float64]:
    """An answer as an array; of a size that is `None` any will do."""
    wanted = f"numbers of shape ({', '.join('any' if size is None else str(size) for size in shape)})"
    try:
        found = np.asarray(answer, np.float64)
    except (TypeError, ValueError, RuntimeError):  # the last is PyTorch's
        raise _Misshapen(f"a {type(answer).__name__} that is no array, not {wanted}") from None
    if found.ndim != len(shape) or any(size not in (None, n) for size, n in zip(shape, found.shape, strict=True)):
        raise _Misshapen(f"shape {found.shape}, not {wanted}")
    return found


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


# by method, the check of what it returns, which gets the adapter and the method's inputs too
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
    found: type[Settings] = adapter.Settings
    return found


def role_of(settings: Settings) -> Role[Any]:
    """The role of a model."""
    return next(role for role in ROLES if type(settings) in map(settings_of, role.loaded()))
