"""Characters per token of the demo's answers and questions; the plan's estimate uses it."""

import sys

import measure

sys.path[:0] = [str(measure.ROOT / "bench"), str(measure.ROOT / "runpod-worker")]


def main() -> None:
    from memory import base_folder

    from podtune.data import lengths, reader
    from podtune.data.masks import encode
    from podtune.data.template import TokenizerFolder

    folder = TokenizerFolder(base_folder())
    rows = reader.read(measure.ROOT / "examples" / "support.jsonl").conversations
    characters = tokens = 0
    for row in rows:
        for message in row.messages:
            characters += len(message.text)
            encoded = folder.tokenizer.encode(message.text, add_special_tokens=False)
            tokens += len(encoded.ids)
    counted = sum(lengths.counted(encode(rows, folder).examples, ()).train)
    estimated = sum(lengths.estimated(rows, ()).train)
    measure.write(
        "tokens",
        {
            "characters_per_token": round(characters / tokens, 2),
            "tokens_counted": counted,
            "tokens_estimated": estimated,
        },
    )


if __name__ == "__main__":
    main()
