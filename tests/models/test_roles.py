"""The roles of scoring models: which kinds there are, what importing them costs, and what an adapter must be."""

import os
import subprocess
import sys

import numpy as np
import pytest

from jsdpipe.base.errors import UserError
from jsdpipe.models import protocols
from jsdpipe.models.roles import ROLES, Role
from jsdpipe.models.settings import Settings

KINDS = {
    "reward": ["imagereward", "miniature-clip", "open-clip"],
    "captioner": ["blip", "blip2", "miniature"],
    "judge": ["attributes", "openai", "transformers"],
    "similarity": ["miniature-clip", "open-clip"],
    "classifier": ["inception-v3", "miniature"],
    "features": ["dino", "miniature"],
}
IMAGES = np.zeros((3, 8, 8, 3), np.uint8)
# of each method, its inputs, what it may return, and what it may not
CASES = {
    "score": (("a", IMAGES), [np.zeros(3), [0.0, 1, 2]], [np.zeros((3, 1)), np.zeros(2), 0.0, None, ["a", "b", "c"]]),
    "caption": ((IMAGES, 0), [["a", "b", ""]], [["a"], "abc", [1, 2, 3], None]),
    "merge": ((["a", "b"],), ["a"], [None, ["a"]]),
    "grade": (("a", "b"), [1, 5, np.int64(3)], [0, 6, 2.5, "3", None]),
    "cosines": ((IMAGES, ["a", "b"]), [np.zeros((3, 2))], [np.zeros((2, 3)), np.zeros(3)]),
    "probabilities": ((IMAGES,), [np.zeros((3, 4))], [np.zeros((3, 5)), np.zeros((4, 3))]),
    "features": ((IMAGES,), [np.zeros((3, 7))], [np.zeros((2, 7)), np.zeros(3)]),
}
OF = {"score": "Reward", "caption": "Captioner", "cosines": "Similarity", "probabilities": "Classifier"}
OF |= {"merge": "Judge", "grade": "Judge", "features": "Features"}


def role(protocol):
    return Role("toy", "rewards", protocol)


def adapter(answers, **more):
    """A class of an adapter whose methods return these answers."""

    class Toy:
        class Settings(Settings):
            pass

        def __init__(self, settings, device):
            self.identity = "toy"

    for name, answer in answers.items():
        setattr(Toy, name, lambda self, *_, answer=answer, **__: answer)
    for name, value in more.items():
        setattr(Toy, name, value)
    return Toy


def test_the_kinds_of_each_role():
    assert {role.what: role.kinds() for role in ROLES} == KINDS


def test_importing_every_kind_imports_no_large_library():
    code = (
        "import sys\nfrom jsdpipe.models.roles import ROLES\n"
        "assert sum(len([role[kind] for kind in role.kinds()]) for role in ROLES) == 15\n"
        "assert not {'torch', 'torchvision', 'transformers', 'open_clip', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("method", CASES)
def test_answers_of_another_shape_are_one_line(method):
    inputs, good, bad = CASES[method]
    others = dict.fromkeys(("merge", "grade", "transcript")) if OF[method] == "Judge" else {}
    for index, answer in enumerate([*good, *bad]):
        of = role(getattr(protocols, OF[method]))
        toy = of.register("a-toy")(adapter(others | {method: answer}, classes=("a", "b", "c", "d")))
        ask = getattr(of.load(toy.Settings(kind="a-toy"), "cpu"), method)
        if index < len(good):
            np.testing.assert_array_equal(ask(*inputs), answer)
            continue
        with pytest.raises(UserError, match=rf"toy 'a-toy': {method} returned .*, not ") as error:
            ask(*inputs)
        assert "\n" not in str(error.value)


def test_numbers_keep_their_bits():
    of, numbers = role(protocols.Reward), np.random.default_rng(0).random(3)
    toy = of.register("a-toy")(adapter({"score": numbers}))
    assert of.load(toy.Settings(kind="a-toy"), "cpu").score("a", images=IMAGES) is numbers


def test_a_model_is_called_with_the_device_and_what_else_is_given():
    of, toy, given = role(protocols.Reward), adapter({"score": None}, identity="toy"), []
    toy.__init__ = lambda self, *inputs: given.extend(inputs)
    settings = of.register("a-toy")(toy).Settings(kind="a-toy")
    of.load(settings, "cuda", "a file")
    assert given == [settings, "cuda", "a file"]


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (adapter({}), "toy 'a-toy': Toy has no score; define it"),
        (type("Bare", (), {"score": None}), "toy 'a-toy': Bare needs a class `Settings`"),
        (type("Heir", (adapter({"score": None}),), {}), "toy 'a-toy': Heir needs a class `Settings`"),
    ],
)
def test_a_class_that_lacks_something_is_not_registered(broken, said):
    of = role(protocols.Reward)
    with pytest.raises(UserError, match=f"^{said}"):
        of.register("a-toy")(broken)
    assert "a-toy" not in of.kinds()


def test_a_model_without_an_identity_is_not_loaded():
    of, toy = role(protocols.Reward), adapter({"score": None})
    toy.__init__ = lambda self, settings, device: None
    of.register("a-toy")(toy)
    with pytest.raises(UserError, match=r"toy 'a-toy': Toy has no identity; define it$"):
        of.load(toy.Settings(kind="a-toy"), "cpu")


def test_an_installed_package_has_its_kinds_by_role(tmp_path):
    info = tmp_path / "others-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: others\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[jsdpipe.models]\nreward.mine = others\nfeatures.yours = others\n")
    (tmp_path / "others.py").write_text(
        "from jsdpipe.models import settings\nfrom jsdpipe.models.roles import REWARDS\n"
        "@REWARDS.register('mine')\nclass Mine:\n    class Settings(settings.Settings):\n        pass\n"
        "    def score(self, text, images): pass\n"
    )
    code = (
        "from jsdpipe.models.roles import FEATURES, REWARDS\n"
        "assert 'mine' in REWARDS.kinds() and 'yours' not in REWARDS.kinds() and 'yours' in FEATURES.kinds()\n"
        "assert REWARDS['mine'].__name__ == 'Mine' and REWARDS.root('mine') == 'others'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": str(tmp_path)})
