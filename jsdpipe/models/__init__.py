"""Adapters of the scoring models: one folder per role, with one module per kind.

A kind's module has its settings and its adapter. It is imported while the workflow plans, so it imports torch and the
models' libraries only within functions. Modules that import them at the top are in this folder.
"""
