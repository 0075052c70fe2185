"""Fakes that ship with the package: programs that behave, faults included."""
