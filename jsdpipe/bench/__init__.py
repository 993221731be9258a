"""What things cost on this machine: two ways of doing the same, timed in one run."""
