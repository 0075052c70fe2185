"""The types every floor speaks: spec, plan, job, event, artifact, errors and units.

Imports pydantic and the standard library and nothing else.
"""
