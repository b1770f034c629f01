"""Nucleation in the Ising model: what to generate, how to collect it, configs of the paper's
systems.
"""
