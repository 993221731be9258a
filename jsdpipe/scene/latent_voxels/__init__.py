"""Scenes as dense voxels of latents, which no autoencoder encodes (SJC, arXiv 2212.00774)."""
