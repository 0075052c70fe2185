import pytest
import torch

import base_model
import generation
from podtune.data.template import TokenizerFolder


@pytest.fixture(scope="module")
def pair(tiny):
    return base_model.load(tiny, precision="fp32", device="cpu"), TokenizerFolder(tiny)


def prompt(text):
    return f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"


def test_answers_in_a_batch_equal_answers_alone(pair):
    model, folder = pair
    prompts = [prompt("how do I reset it?"), prompt("hold"), prompt("a much longer question " * 3)]
    told = []
    together = generation.answers(model, folder, prompts, lambda done, of: told.append((done, of)))
    alone = [generation.answers(model, folder, [p], lambda done, of: None)[0] for p in prompts]
    assert together == alone
    assert told[0] == (0, 3)
    assert told[-1] == (3, 3)


def test_no_prompts_give_no_answers(pair):
    assert generation.answers(*pair, [], lambda done, of: None) == []


def test_decoding_ends_at_the_stop_token(pair):
    _, folder = pair
    stop = min(folder.stop_ids)
    ids = folder.tokenizer.encode("hold", add_special_tokens=False).ids
    assert generation.decode(folder, [*ids, stop, *ids]) == "hold"


def test_next_token_logits_are_those_of_the_last_position(pair):
    model, folder = pair
    text = prompt("hold")
    found = generation.next_token_logits(model, folder, [text])
    ids = torch.tensor([folder.tokenizer.encode(text, add_special_tokens=False).ids])
    with torch.no_grad():
        expected = model(input_ids=ids).logits[0, -1]
    assert torch.allclose(found[0], expected, atol=1e-5)
