"""Phase segregation of a binary mixture (Cahn-Hilliard in two dimensions), and networks that jump
to its end, or back.
"""
