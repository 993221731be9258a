"""The foundation of all parts: errors, files, seeds, devices. It imports no other part of the package."""
