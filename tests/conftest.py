"""What all tests share: no network, one thread, and no deadline that a slow machine would miss."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

os.environ["HF_HUB_OFFLINE"] = "1"
# as the workflow's jobs have it: the last bits depend on the number of threads, and small work is faster with one
os.environ["OMP_NUM_THREADS"] = "1"
# Without a GPU, Triton's kernels run in its interpreter. Triton reads this when it is imported.
if not Path("/dev/nvidiactl").exists():
    os.environ["TRITON_INTERPRET"] = "1"

settings.register_profile("jsdpipe", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("jsdpipe")


def pytest_collection_modifyitems(items):
    """The real workflow first: its files take longest, and at the end one process would wait for the other's."""
    items.sort(key=lambda item: "workflow" not in item.path.parts)


@pytest.fixture(scope="session")
def inception_file(tmp_path_factory):
    """The weights of a tiny Inception-v3, as torchvision's file has them."""
    import tiny_vision
    import torch

    path = tmp_path_factory.mktemp("tiny") / "inception.pth"
    torch.save(tiny_vision.inception().state_dict(), path)
    return path


@pytest.fixture
def jsdpipe(monkeypatch, capsys):
    """Run the command line in this process: returns exit status, standard output, standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        from jsdpipe.cli import main

        monkeypatch.setattr("sys.argv", ["jsdpipe", *map(str, arguments)])
        capsys.readouterr()
        status: object = 0
        try:
            main()
        except SystemExit as end:
            status = end.code or 0
        out, err = capsys.readouterr()
        assert isinstance(status, int)
        return status, out, err

    return run


@pytest.fixture
def refusal(jsdpipe):
    """Run a command that must be refused, as any mistake is: status 2 and one line; returns what it says."""

    def run(*arguments: object) -> str:
        status, out, err = jsdpipe(*arguments)
        assert (status, out, err.count("\n")) == (2, "", 1), err
        assert err.startswith("jsdpipe: error: ")
        return err.removeprefix("jsdpipe: error: ").rstrip("\n")

    return run


@pytest.fixture
def forget_plugins():
    """A function that forgets every plugin and what it registered, which is also done afterwards."""
    from jsdpipe.base import registry
    from jsdpipe.metrics import METRICS
    from jsdpipe.models.roles import ROLES
    from jsdpipe.objectives import OBJECTIVES

    def forget() -> None:
        for entries in (METRICS, OBJECTIVES, *ROLES):
            for kind in [kind for kind in entries._entries if isinstance(entries.root(kind), Path)]:
                del entries._entries[kind], entries._from[kind]
        for module in registry._PLUGINS:
            sys.modules.pop(module, None)
        registry._PLUGINS.clear()

    yield forget
    forget()
