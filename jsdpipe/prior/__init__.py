"""The frozen text-to-image model: latents, view-dependent prompts, guided noise prediction."""
