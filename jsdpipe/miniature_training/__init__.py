"""The training of the miniature's models."""
