"""Checks and estimates that the workflow needs while it plans and runs."""
