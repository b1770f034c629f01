"""Figures and reports. One study = one subpackage; reads the files of finished runs, simulates
nothing.
"""
