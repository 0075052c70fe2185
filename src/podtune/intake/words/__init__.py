"""A request in words -> the fields it states, by a grammar and tables. Standard library only.

`parse.parse` is the way in. What nobody stated is not there; money is never guessed.
"""
