"""Flocking (Active Ising Model): its phases found without labels, and networks that learn them at
one density and meet others.
"""
