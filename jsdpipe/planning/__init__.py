"""What the workflow asks while it plans and runs."""
