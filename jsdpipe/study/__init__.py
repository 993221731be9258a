"""What the Jensen-Shannon divergence is for, shown in the plane, where densities, scores and divergences are exact.

Part A (`descent`) follows the gradients of three divergences, part B (`distillation`) the objectives of the registry.
"""
