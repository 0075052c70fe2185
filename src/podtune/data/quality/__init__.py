"""Checks of the text itself: what is private, what repeats, how it is worded. Text in, facts out."""
