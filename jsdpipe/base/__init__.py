"""What every part rests on: errors, files, seeds, devices. It imports nothing of the package above it."""
