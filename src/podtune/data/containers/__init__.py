"""Bytes -> records: what a file is made of, and where each record of it begins."""
