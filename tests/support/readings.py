"""A pass over a file for tests of formats, and what was noted during it."""

from podtune.data.record import Reading, ReadOptions, Record


class Pass:
    """Options in, notes and choices out."""

    def __init__(self, **options):
        self.notes = []
        self.reading = Reading(
            ReadOptions(**options), lambda problem, line: self.notes.append((problem, line)), {}
        )

    @property
    def dropped(self):
        """Code -> detail of what was noted."""
        return {problem.code: problem.detail for problem, _ in self.notes}

    @property
    def speaker(self):
        return self.reading.choices["speaker"]


def numbered(text):
    """Physical lines of a text with their numbers."""
    return enumerate(text.split("\n"), start=1)


def records(values, start=1):
    """One record a line."""
    return [Record(line, value) for line, value in enumerate(values, start=start)]


def talk(record):
    """A gathered conversation as pairs of role and content."""
    return [(m.get("role"), m["content"]) for m in record.value["messages"]]


def said(turns):
    """Messages as pairs of role and content."""
    return [(turn.get("role"), turn["content"]) for turn in turns]
