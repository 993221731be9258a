"""The definition of a run: its configuration, recipes and prompts, as strict models."""
