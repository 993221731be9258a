"""The files of models: their formats, and how their weights are read."""
