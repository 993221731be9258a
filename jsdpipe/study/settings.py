"""The objectives of part B and their settings, in one place.

Shares of the schedule, guidance and weights are the papers' and their public code's; what changes over a run changes
at the same share of the study's shorter one. At the guidance `exact` all scales are 1, so that the guided prediction is
the target's own. SDI and JSD invert at minus the guidance scale, as their public code does, but in 5 nominal steps, as
in the miniature. CSD has no scale: it is guidance alone.
"""

from typing import Any, Literal

from jsdpipe.recipes.objectives import CSD, ISM, JSD, NFSD, SDI, SDS, SJC, VSD, AdversarialSD, AsynchronousSD

Guidance = Literal["exact", "published"]
GUIDANCE: tuple[Guidance, ...] = ("exact", "published")

LABELS = {
    "jsd": "JSD", "sdi": "SDI", "sds": "SDS", "sjc": "SJC", "csd": "CSD", "nfsd": "NFSD", "vsd": "VSD",
    "asd_adversarial": "ASD (adversarial)", "asd_asynchronous": "ASD (asynchronous)", "ism": "ISM",
}  # fmt: skip


def settings(guidance: Guidance, steps: int) -> list[Any]:
    """The settings of every kind of objective, for a run of `steps`."""

    def scale(published: float) -> float:
        return published if guidance == "published" else 1.0

    fifth, third, half = steps // 5, 3 * steps // 10, steps // 2
    inversion: dict[str, Any] = {
        "inversion_steps": 5,
        "inversion_eta": 0.3,
        "clamp_first_timestep": True,
        "t_range": (0.25, 0.98),
    }
    adapter: dict[str, Any] = {
        "guidance_scale": scale(7.5), "t_range": (0.02, (fifth, 0.98, 0.5, fifth)),
        "adapter_lr": 0.01,  # the study's own: the papers' adapters are of another kind
        "camera_dropout": 0.1,
    }  # fmt: skip
    return [
        JSD(
            kind="jsd", guidance_scale=scale(13.5), inversion_scale=-scale(13.5), k=1.0, warm_up=0.0, **inversion
        ),
        SDI(kind="sdi", guidance_scale=scale(7.5), inversion_scale=-scale(7.5), **inversion),
        SDS(kind="sds", guidance_scale=scale(100.0), t_range=(0.02, 0.98)),
        SJC(kind="sjc", guidance_scale=scale(100.0), t_range=(0.01, 0.97)),
        CSD(kind="csd", t_range=(0.02, (half, 0.98, 0.5, half))),
        NFSD(kind="nfsd", guidance_scale=scale(7.5), t_range=(0.02, 0.98), negative_prompt="the middle"),
        VSD(kind="vsd", **adapter),
        AdversarialSD(kind="asd_adversarial", gamma=-0.75, **adapter),
        AsynchronousSD(kind="asd_asynchronous", guidance_scale=scale(7.5), t_range=(0.02, 0.98), shift=0.1),
        ISM(
            kind="ism", guidance_scale=scale(7.5), t_range=(0.02, 0.5), interval=(0, 100.0, 50.0, third),
            inversion_steps=5, inversion_stride=200,
        ),
    ]  # fmt: skip
