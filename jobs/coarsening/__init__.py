"""Coarsening after spinodal decomposition (Cahn-Hilliard in three dimensions), and networks that
follow it frame by frame to its end.
"""
