"""Targets for a fuzzer: `make fuzz`."""
