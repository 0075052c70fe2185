"""Adapters to what can run a worker: one folder a vendor, the same names in each."""
