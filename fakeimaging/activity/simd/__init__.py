"""Vectors of the processor in compiled kernels: numba types with arithmetic, mathematical functions, random normals and weighted sums.

A model function compiled with vectors for its arguments works on one register of regions at a time; nothing is left to a compiler
that may or may not find a loop worth it. Products and sums of 32 bits may be fused, of 64 bits never; nothing is reordered.
"""
