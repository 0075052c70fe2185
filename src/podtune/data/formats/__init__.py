"""Records -> conversations: one module for each form in which people keep theirs."""
