"""What work costs on this machine, beside the plain way to do it."""
