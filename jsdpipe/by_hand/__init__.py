"""Single assets, without a run: one made of a prompt, or meshes that are there scored. Above the stages."""
