"""Readers of mesh files, one module per format; each yields a file's parts."""
