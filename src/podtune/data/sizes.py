"""How long every good row is, in eight bytes a row."""

from array import array

from podtune.core.dataset import TEXT_ROLE, Message


class Sizes:
    """Characters and messages of every good row, eight bytes a row."""

    def __init__(self) -> None:
        """No row yet."""
        self.characters = array("I")
        self.answered = array("I")
        """Characters of the assistant's turns."""
        self.messages = array("H")
        self.bare = array("B")
        """1 for a row without a system text, where several templates put one of their own."""

    def add(self, messages: tuple[Message, ...]) -> None:
        """Count a row."""
        total = answered = 0
        for m in messages:
            size = len(m.content or "") + len(m.reasoning_content or "")
            total += size
            if m.role in ("assistant", TEXT_ROLE):
                answered += size
        self.characters.append(min(total, 2**32 - 1))
        self.answered.append(min(answered, 2**32 - 1))
        self.messages.append(min(len(messages), 65535))
        self.bare.append(messages[0].role not in ("system", TEXT_ROLE))
