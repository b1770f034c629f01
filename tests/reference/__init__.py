"""Slow, obvious versions of the kernels, exact results, a plain C++ Metropolis; nothing here
imports the kernels.
"""
