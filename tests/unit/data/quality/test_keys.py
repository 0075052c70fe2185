import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.redact import KEY_PREFIXES, scrub
from podtune.data.quality.keys import find

TAIL = "aB3dE5fG7hJ9kL1mN3pQ"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4"
PEM = (
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAx1y2z3abcDEF\n"
    "ghijklmnopqrstuvwx==\n-----END RSA PRIVATE KEY-----"
)
SECRETS = [
    *(prefix + TAIL for prefix in KEY_PREFIXES if prefix != "AKIA"),
    "AKIAIOSFODNN7EXAMPLE",
    "ASIAQWERTZ234567ABCD",
    "sk-proj-" + TAIL,
    "sk-ant-api03-" + TAIL + "-x_y",
    "xoxb-123456789012-1234567890123-AbCdEfGhIjKlMnOpQrStUvWx",
    "AIzaSyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q",
    "SK0123456789abcdef0123456789abcdef",
    JWT,
    PEM,
    PEM.replace("\n", "\\n"),
]
ASSIGNED = [
    ("password: Xk29fjs8!a", "Xk29fjs8!a"),
    ("Your temporary password is T7kq-9Zx2-Lm4w.", "T7kq-9Zx2-Lm4w"),
    ("Das Passwort lautet: Hq82!kdPz", "Hq82!kdPz"),
    ("Kennwort: Hq82kdPz1", "Hq82kdPz1"),
    ("mot de passe : Zr45tYu8", "Zr45tYu8"),
    ("su contraseña es Zr45tYu8", "Zr45tYu8"),
    ("a senha é: x", None),
    ("senha: Zr45tYu8", "Zr45tYu8"),
    ("wachtwoord: Zr45tYu8", "Zr45tYu8"),
    ('api_key = "9f8a7b6c5d4e3f2a1b0c"', "9f8a7b6c5d4e3f2a1b0c"),
    ("SECRET_KEY=9f8a7b6c5d4e3f2a1b0c", "9f8a7b6c5d4e3f2a1b0c"),
    ("postgres://admin:Xk29fjs8@db.example.com/x", "admin:Xk29fjs8"),
    ("redis://:Xk29fjs8@cache:6379", ":Xk29fjs8"),
]
HARMLESS = [
    "use sk-... as key, or hf_xxx",
    "export HF_TOKEN=hf_xxxxxxxxxxxxxxxxxxxxxxxxxx",
    "hf_YOUR_TOKEN_HERE_12345678",
    "sk-your-api-key-goes-in-here-2024",
    'api_key="YOUR_API_KEY_123"',
    "AKIAXXXXXXXXXXXXXXXX",
    "a task-based sk-learn-compatible-estimators-2024 approach",
    "Asiatische Gewürze, desk-sharing, risk-adjusted-returns-2024",
    "password: your_password123",
    "password: string, min8, max64",
    "Your password must have 8 characters and 1 digit.",
    "The password is case-sensitive.",
    "Ihr Passwort: mindestens 12 Zeichen",
    "How do I change my password? Le mot de passe est oublié.",
    'password = os.environ["DB_PASSWORD_2024"]',
    "password = config.settings.password2024",
    "password: ${DB_PASSWORD_12}",
    "password = base64.b64decode(rest)",
    "token = sha256sum1(text)",
    "the token limit is 128000 tokens; token: 4096; max_tokens=128000",
    "token = tokenizer.encode(text1, text2)",
    "The secret: 10:30-12:45",
    "postgres://user:password@localhost:5432/db",
    "postgres://${USER}:${PASS1}@db.example.com/x",
    "https://<user>:<password>@example.com",
    "https://example.com:8080/@me",
    "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
    "-----BEGIN PUBLIC KEY-----\nMIIEowIBAAKCAQEAx1y2z3abcDEF\n-----END PUBLIC KEY-----",
    "Datenschutzgrundverordnungsbeauftragter | ------------------------ |",
    "commit 9f8a7b6c5d4e3f2a1b0c9f8a7b6c5d4e3f2a1b0c",
    "eyJhbGciOiJIUzI1NiJ9.only.two",
]


def values(text):
    return [text[key.start : key.end] for key in find(text)]


@pytest.mark.parametrize("place", ["{}", "the key is {} .", "TOKEN={}\n", '"{}"'])
@pytest.mark.parametrize("secret", SECRETS)
def test_keys_are_found_whole(secret, place):
    assert secret in values(place.format(secret))


@pytest.mark.parametrize("secret", SECRETS)
def test_masks_show_the_kind_and_not_the_value(secret):
    for key in find(secret):
        assert "***" in key.masked
        assert secret[8:] not in key.masked


@pytest.mark.parametrize(("text", "value"), ASSIGNED)
def test_passwords_that_look_generated(text, value):
    assert values(text) == ([value] if value else [])


@pytest.mark.parametrize("text", HARMLESS)
def test_placeholders_code_and_prose_are_left_alone(text):
    assert values(text) == []


@pytest.mark.parametrize("prefix", KEY_PREFIXES)
def test_what_is_a_key_here_does_not_reach_a_log_either(prefix):
    assert TAIL not in scrub(f"refused: {prefix}{TAIL}")


@given(st.text())
def test_no_text_breaks_it(text):
    for key in find(text):
        assert text[key.start : key.end]
