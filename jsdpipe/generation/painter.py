"""How an asset is rendered while it is optimised."""

from jsdpipe.base.seeding import generator
from jsdpipe.config.recipe import Recipe
from jsdpipe.generation.cameras import Viewpoints
from jsdpipe.scene.assets import Asset
from jsdpipe.scene.hash_grid.backgrounds import random_colours
from jsdpipe.scene.hash_grid.material import draw_look
from jsdpipe.scene.hash_grid.rendering import render_hash
from jsdpipe.scene.regularization import needs_normals
from jsdpipe.scene.voxels.rendering import Rendering, render
from jsdpipe.scene.voxels.volume import Volume


class Painter:
    """Renders the training views of one asset; every purpose has draws of its own, named by the asset's key."""

    def __init__(self, key: tuple[str | int, ...], recipe: Recipe) -> None:
        self.recipe = recipe
        purposes = ("jitter", "material", "background", "occupancy")
        self.draws = {purpose: generator(*key, purpose) for purpose in purposes}

    def paint(self, asset: Asset, cameras: Viewpoints, size: int, step: int) -> Rendering:
        """The rendering of all pixels of the cameras' views of this size, view by view, at a step."""
        samples = self.recipe.cameras.samples_per_ray
        origins, directions = (x.to(asset.device) for x in cameras.rays(size))
        if isinstance(asset, Volume):
            return render(asset, origins, directions, samples, self.draws["jitter"])
        settings, position = asset.settings, cameras.position
        asset.update_occupancy(step, 2 * settings.bound / samples, self.draws["occupancy"])
        probability = settings.background.random_colour_probability
        return render_hash(
            asset,
            origins,
            directions,
            samples,
            self.draws["jitter"],
            draw_look(settings.material, step, position, self.draws["material"]).to(asset.device),
            random_colours(probability, len(position), self.draws["background"]),
            normals=needs_normals(self.recipe.regularisers, step),
        )
