"""The physics: one model is MODEL.cu, the arithmetic, and MODEL.py, its public functions and the
only door to the .cu.
"""
