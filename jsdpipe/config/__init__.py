"""What a run is: its configuration, recipes and prompts, as strict models."""
