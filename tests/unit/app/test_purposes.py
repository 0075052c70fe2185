"""What the doctor can be asked about."""

from podtune.app.purposes import Purpose


def test_the_words_of_the_command_line():
    assert [str(one) for one in Purpose] == ["local", "runpod", "runpod-serverless", "supabase"]
