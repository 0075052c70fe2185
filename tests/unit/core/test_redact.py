import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.redact import mask, scrub

TAIL = "Zq7Xw2Lm9Rt4Kp8Vn3Bd"  # the part of each planted secret that may not survive
SECRETS = {
    "RunPod key": f"rpa_{TAIL}",
    "RunPod old key": f"rp_{TAIL}",
    "Hugging Face token": f"hf_{TAIL}",
    "podtune key": f"ptk_abc_{TAIL}",
    "OpenAI style key": f"sk-proj-{TAIL}",
    "webhook secret": f"whsec_{TAIL}",
    "Supabase key": f"sbp_{TAIL}",
    "AWS key id": f"AKIA{TAIL}",
    "JSON web token": f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{TAIL}",
}
PLACES = {
    "alone": "{}",
    "sentence": "the vendor refused {} at step 3",
    "assignment": "HF_TOKEN={}",
    "quoted": "{{'token': '{}'}}",
    "header": "Authorization: Bearer {}",
    "query": "https://x.example/?a=1&key={}&b=2",
    "lines": "first\n{}\nlast",
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_a_planted_secret_does_not_survive(secret, place):
    cleaned = scrub(place.format(secret))
    assert TAIL not in cleaned
    assert "***" in cleaned


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_nothing_but_the_secret_is_blotted_out(secret):
    assert scrub(f"before {secret} after") == "before *** after"


@pytest.mark.parametrize(
    "text",
    [
        f"https://x.example/f?token={TAIL}",
        f"https://x.example/f?v=1&token={TAIL}&w=2",
        f"https://s3.example/f?X-Amz-Credential={TAIL}%2F20260101&X-Amz-Date=1",
        f"https://s3.example/f?X-Amz-Date=1&X-Amz-Signature={TAIL}",
        f"https://blob.example/f?sig={TAIL}",
        f"https://user:{TAIL}@host.example/path",
        f"postgresql://me:{TAIL}@db.example:5432/podtune",
    ],
)
def test_secrets_in_addresses_do_not_survive(text):
    assert TAIL not in scrub(text)


@pytest.mark.parametrize(
    "text",
    [
        f"redis://:{TAIL}@cache.example:6379",
        f"https://s3.example/f?X-Amz-Date=1&X-Amz-Security-Token={TAIL}",
        f"https://cdn.example/f?Expires=1&Signature={TAIL}&Key-Pair-Id=K1",
        f"https://x.example/f?access_token={TAIL}",
        repr(f"refused:\nhf_{TAIL}"),  # the n of \n stands before the key
    ],
    ids=["password-without-user", "amz-security-token", "cloudfront", "access-token", "repr"],
)
def test_less_common_forms_do_not_survive_either(text):
    assert TAIL not in scrub(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "step 41 of 80, loss 1.234",
        "https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct",
        "https://x.example/f?v=1&tokens=40",
        "/home/me/data.jsonl:12",
        "hf_short",
        "/jobs/demo-abc234/artifact/adapter_model.safetensors",
        "write to team@example.org",
    ],
)
def test_ordinary_text_stays_as_it_is(text):
    assert scrub(text) == text


@given(st.text(), st.sampled_from(sorted(SECRETS)), st.text())
def test_whatever_stands_around_it_a_secret_set_off_by_blanks_goes(before, name, after):
    assert TAIL not in scrub(f"{before} {SECRETS[name]} {after}")


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_scrubbing_twice_is_scrubbing_once(place):
    once = scrub(place.format(f"hf_{TAIL}"))
    assert scrub(once) == once


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_mask_tells_keys_apart_without_giving_them_away(secret):
    shown = mask(secret)
    assert shown == f"{secret[:4]}...{secret[-2:]} ({len(secret)} characters)"
    assert TAIL not in shown


@given(st.text(max_size=11))
def test_mask_shows_nothing_of_a_short_secret(secret):
    assert mask(secret) == "***"


@given(st.text(alphabet="abcXYZ019_-", min_size=12, max_size=200))
def test_mask_shows_at_most_six_characters_of_a_long_secret(secret):
    shown, length = mask(secret).removesuffix(" characters)").split(" (")
    assert shown == secret[:4] + "..." + secret[-2:]
    assert int(length) == len(secret)
