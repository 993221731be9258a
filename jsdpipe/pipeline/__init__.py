"""A run on disk: paths, shards, manifests, fingerprints."""
