"""Rows -> canonical conversations, findings, tokens and masks. Pure: local files in, values out.

Knows nothing of networks, models' weights, prices or jobs. The worker calls the same functions.
"""
