"""Blocks: groups of elementwise equations, as loops over parts in NumPy, or of Numba's."""
