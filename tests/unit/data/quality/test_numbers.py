import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.data.quality.numbers import find

PHONES = [  # text, number; the digits are invented or reserved for examples
    ("Call +43 660 1234512 please", "+43 660 1234512"),
    ("+44 20 7946 0018", "+44 20 7946 0018"),
    ("(+1 (555) 555-0123)", "+1 (555) 555-0123"),
    ("+49 (0)30 12345678", "+49 (0)30 12345678"),
    ("tel:+436601234512", "+436601234512"),
    ("0043 660 1234567", "0043 660 1234567"),
    ("(555) 123-4567", "(555) 123-4567"),
    ("Reach me on 555-123-4567.", "555-123-4567"),
    ("1-800-555-0199", "1-800-555-0199"),
    ("phone: 5551234567", "5551234567"),
    ("Ruf mich an: 0660 123 45 67", "0660 123 45 67"),
    ("Tel.0660/1234567", "0660/1234567"),
    ("Tel: 030 / 1234567", "030 / 1234567"),
    ("Mein Handy: 06601234567", "06601234567"),
    ("0664 1234567 (mobil)", "0664 1234567"),
    ("Mon numéro est le 06 12 34 56 78", "06 12 34 56 78"),
    ("01.23.45.67.89", "01.23.45.67.89"),
    ("mi teléfono es 612 34 56 78", "612 34 56 78"),
    ("il mio cellulare è 347 123 4567", "347 123 4567"),
    ("Ligue para (11) 91234-5678", "(11) 91234-5678"),
    ("numer telefonu: 601 234 567", "601 234 567"),
    ("мой телефон 8 912 345-67-89", "8 912 345-67-89"),
    ("電話は090-1234-5678です", "090-1234-5678"),
    ("我的手机 13800138000", "13800138000"),
    ("전화 02-1234-5678", "02-1234-5678"),
]
NO_PHONES = [
    "Your order 4821337712 has shipped",
    "Bestellnummer 0660 123 45 67",
    "commande 06 12 34 56 78",
    "order number 555-123-4567",
    "Serial SN-555-123-4567",
    "Tracking number: 00340434161094042557",
    "on 2024-05-17 at 10:30:00, 2024-05-17T10:30:00Z",
    "call us on 17.05.2024 um 10 Uhr",
    "call between 05/17/2024 - 05/19/2024",
    "Rechnung 12345678 vom 01.02.2024",
    "192.168.100.200 and 10.20.30.40:8080",
    "It costs 1.234.567,89 EUR or 1 234 567 890 euros",
    "version 2.10.13.4, 0.12345678, 3.14159265358979",
    "+48.20817430, +16.37380000",
    "ISBN 978-3-16-148410-0",
    "IMEI 352099001761481",
    "Invoice 2024-0001-0023 in 2019-2020",
    "550e8400-e29b-41d4-a716-446655440000",
    "1700000000000 ms since 1970",
    "opening hours 09:00-12:30 13:30-18:00",
    "size 10-12-14-16-18-20",
    "The 10-digit 1234567890",
    "x+12345678 = 3; y = -12345678",
    "+2000 points, +15 %",
    "hotel 12345678901",
    "$555 123 4567",
    "1.331 025 0394 e-15 and -658.227 5956",
    "Decimal +35236450.6",
    "volume (72) 056127",
]
CARDS = [  # the networks' own test numbers
    "4111111111111111", "4111 1111 1111 1111", "5555-5555-5555-4444", "2223003122003222",
    "3782 822463 10005", "371449635398431", "30569309025904", "6011111111111117",
    "3530111333300000",
]  # fmt: skip
NO_CARDS = [
    "4006381333931",  # a bar code
    "4222222222222",
    "4111111111111112",
    "41111111111111111",
    "tracking 4111111111111111",
    "Bestellnummer: 4111111111111111",
    "9111111111111111",
    "x4111111111111111",
    "0.4111111111111111",
    "4111-1111 1111 1111",
    "id=4111111111111111",
]
IBANS = [  # examples of the SWIFT registry
    "DE89370400440532013000", "DE89 3704 0044 0532 0130 00", "GB29 NWBK 6016 1331 9268 19",
    "AT61 1904 3002 3457 3201", "FR14 2004 1010 0505 0001 3M02 606", "NO9386011117947",
    "NL91ABNA0417164300", "de89370400440532013000", "CH93 0076 2011 6238 5295 7",
]  # fmt: skip
NO_IBANS = [
    "DE00370400440532013000",
    "DE8937040044053201300",
    "XX89370400440532013000",
    "XDE89370400440532013000",
    "SKU AB12345678901234",
    "DE89 37.04 0044 0532 0130 00",
]


def finds(text, code):
    return [text[n.start : n.end] for n in find(text) if n.code == code]


@pytest.mark.parametrize(("text", "number"), PHONES)
def test_phone_numbers(text, number):
    assert finds(text, "pii_phone") == [number]


@pytest.mark.parametrize("text", NO_PHONES)
def test_numbers_that_are_no_phone(text):
    assert finds(text, "pii_phone") == []


def test_two_phone_numbers_beside_each_other():
    assert len(finds("Tel 030 1234567 / 0171 1234567", "pii_phone")) == 2


@pytest.mark.parametrize("number", CARDS)
@pytest.mark.parametrize("place", ["{}", "my card {} exp 12/27", "Visa:{}.", "カード{}です"])
def test_cards(number, place):
    assert finds(place.format(number), "pii_card") == [number]


@pytest.mark.parametrize("text", NO_CARDS)
def test_numbers_that_are_no_card(text):
    assert finds(text, "pii_card") == []


@pytest.mark.parametrize("number", IBANS)
@pytest.mark.parametrize("place", ["{}", "Konto {} bitte", "IBAN:{}."])
def test_ibans(number, place):
    assert finds(place.format(number), "pii_iban") == [number]


@pytest.mark.parametrize("text", NO_IBANS)
def test_codes_that_are_no_iban(text):
    assert finds(text, "pii_iban") == []


@given(st.integers(0, 10**15 - 1), st.integers(1, 9))
def test_one_wrong_digit_is_no_card(body, error):
    number = f"4{body:015d}"
    wrong = number[:-1] + str((int(number[-1]) + error) % 10)
    assert not (finds(number, "pii_card") and finds(wrong, "pii_card"))


@given(st.text(alphabet="0123456789+-() ./DEGBtel:", max_size=80))
def test_every_find_holds_eight_digits(text):
    for number in find(text):
        assert sum(map(str.isdigit, text[number.start : number.end])) >= 8
