"""What this machine has, and what it can run: its models, its device."""
