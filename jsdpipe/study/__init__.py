"""The merits of the Jensen-Shannon divergence, in the plane, where densities, scores and divergences are exact.

Part A (`descent`) follows the gradients of three divergences, part B (`distillation`) the registry's objectives.
"""
