"""Adapters of the models behind the scores: a folder a role, and in it a module a kind.

A kind's module has its settings and its adapter. It is imported while the workflow plans, so it imports torch and the
models' libraries within functions alone; what needs them at the top of a module is beside these folders.
"""
