"""A run as it lies on disk: paths, shards, manifests, fingerprints."""
