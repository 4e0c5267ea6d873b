"""What every room stands on: streams, parameters, registry, errors, files, clocks, spaces. Imports numpy, pydantic, isal only."""
