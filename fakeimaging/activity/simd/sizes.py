"""Sizes that arrays and compiled loops must agree on."""

BITS = 256
"""Of a register, a size that LLVM splits or widens for whatever processor there is."""
LANES = {"float32": BITS // 32, "float64": BITS // 64}
"""Numbers in a register."""
BLOCK = 4
"""Registers of targets that one pass over the sources sums."""
ROWS = 3
"""Targets that one pass sums for simulations side by side, each in two registers of simulations."""
