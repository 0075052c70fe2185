"""What is wanted; where two are as likely, the one that costs nothing."""

import pytest


@pytest.mark.parametrize(
    ("words", "intent"),
    [
        ("how much would it cost to train qwen3 8b on rows.csv?", "estimate"), ("Was kostet es, Llama 3.1 8B auf 500 Zeilen zu trainieren?", "estimate"), ("Combien coûterait mistral 7b sur rows.csv ?", "estimate"), ("¿Cuánto cuesta entrenar qwen3 8b?", "estimate"),
        ("Quanto costa addestrare mistral 7b?", "estimate"), ("quanto custa treinar o qwen3 8b?", "estimate"), ("微调 qwen3 8b 要多少钱", "estimate"), ("dry run: qwen3 8b on rows.csv", "estimate"), ("just show me the plan for qwen3 8b on rows.csv", "estimate"),
        ("check rows.csv for me", "check_data"), ("is my file rows.jsonl valid?", "check_data"), ("Prüfe bitte rows.csv, nichts starten", "check_data"), ("vérifie rows.csv", "check_data"), ("don't train anything, just check rows.csv", "check_data"),
        ("status", "status"), ("how is job 44-b doing?", "status"), ("Wie steht es um Job 12?", "status"), ("is my training finished yet?", "status"),
        ("cancel job abc-1", "stop"), ("kill it now", "stop"), ("Stopp den Job 55-a", "stop"), ("annule le job 17b", "stop"), ("stop everything", "stop"), ("ジョブ job-1 を止めて", "stop"), ("is $5 enough for qwen3 8b on rows.csv?", "estimate"), ("which gpu would qwen3 8b need?", "estimate"), ("any news on my run?", "status"), ("what is the loss of my current run?", "status"), ("Halte alle Läufe an", "stop"), ("全部止めて", "stop"), ("pare tudo", "stop"), ("why did my run fail?", "status"), ("did it finish?", "status"), ("Ist mein Training schon fertig?", "status"), ("Mon entraînement est-il terminé ?", "status"), ("¿ya terminó mi entrenamiento?", "status"), ("il mio addestramento è finito?", "status"), ("meu treino já acabou?", "status"), ("学習は終わりましたか", "status"),
        ("does rows.csv have any problems?", "check_data"), ("mira si rows.csv tiene errores", "check_data"), ("dá uma olhada no rows.csv", "check_data"), ("just tell me what you'd do with ./corpus and qwen3 8b", "estimate"), ("delete job-4", "other"), ("rerun job-4 cheaper", "train"), ("summarize rows.csv", "other"), ("convert rows.csv to jsonl", "other"), ("anonymise rows.csv and train qwen3 4b on it", "train"), ("we already trained qwen3 4b on rows.csv, it is bad", "status"), ("we trained qwen3 4b on rows.csv, now do the same with gemma 3 4b", "train"), ("the training on rows.csv failed", "status"), ("my last training failed, train qwen3 4b on rows.csv", "train"), ("we tuned gemma once. Train qwen3 4b on rows.csv", "train"), ("ballpark figure for qwen3 8b on rows.csv?", "estimate"), ("rows.csv va bene per l'addestramento?", "check_data"),
        ("check rows.csv and then train qwen3 8b on it", "train"), ("stop after 2 hours, qwen3 8b on rows.csv", "train"), ("keep the cost under $5, qwen3 8b on rows.csv", "train"), ("don't stop before 3 epochs, rows.csv", "train"),
        ("make me a bot from my emails", "train"), ("please resume job 12", "train"), ("tell me a joke", "other"), ("hello", "other"), ("", "other"), ("what models do you support?", "other"),
    ],
)  # fmt: skip
def test_intent(fields, words, intent):
    assert fields(words)["intent"] == intent


@pytest.mark.parametrize(
    ("words", "job"),
    [
        ("cancel job abc-1", "abc-1"),
        ("status of run 7f3a-22", "7f3a-22"),
        ("kill job-118", "job-118"),
        ("annulla corsa-2", "corsa-2"),
        ("status of pt-0c11", "pt-0c11"),
        ("logs of #42 please, what is the status", "42"),
    ],
)
def test_the_job(fields, words, job):
    assert fields(words)["job_id"] == job
