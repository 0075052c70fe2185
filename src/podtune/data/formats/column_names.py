"""Names that people give the columns of questions and answers, in some thirty languages."""

from collections.abc import Mapping
from typing import Final

# ruff: noqa: RUF001 - letters of other scripts are meant

# fmt: off
NAMES: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "prompt": (
        (
            "prompt", "question", "instruction", "query", "customer message", "user message",
            "customer question", "user", "frage", "kundenfrage", "kundenanfrage",
            "question client", "question du client", "pregunta", "domanda", "pergunta", "vraag",
            "pytanie", "fråga", "spørgsmål", "spørsmål", "kysymys", "otázka", "soru", "вопрос",
            "запитання", "питання", "質問", "问题", "問題", "提问", "질문", "سؤال", "السؤال", "שאלה",
            "प्रश्न", "सवाल", "pertanyaan", "câu hỏi", "ερώτηση", "întrebare", "kérdés",
            "pytania",
        ),
        (
            "input", "request", "inquiry", "enquiry", "customer", "client", "ticket", "problem",
            "issue", "anfrage", "nachricht", "eingabe", "demande", "requête", "entrée",
            "message client", "message du client", "consulta", "entrada", "mensaje",
            "mensaje cliente", "richiesta", "mensagem", "問い合わせ", "お問い合わせ", "문의", "提問", "客户问题",
            "запрос", "wiadomość", "zapytanie", "bericht", "aanvraag", "dotaz", "q",
        ),
        (
            "message", "text", "body", "description", "subject", "title", "betreff", "sujet",
            "asunto", "oggetto", "assunto", "context", "beschreibung",
        ),
    ),
    "completion": (
        (
            "completion", "answer", "response", "agent reply", "agent response", "agent answer",
            "reply", "assistant", "support reply", "antwort", "réponse", "reponse", "respuesta",
            "risposta", "resposta", "antwoord", "odpowiedź", "odpowiedz", "svar", "vastaus",
            "odpověď", "odpoved", "cevap", "yanıt", "yanit", "ответ", "відповідь", "回答", "答え", "返信", "答案",
            "回复", "回覆", "답변", "대답", "جواب", "إجابة", "الإجابة", "תשובה", "उत्तर", "जवाब",
            "jawaban", "câu trả lời", "trả lời", "απάντηση", "răspuns", "válasz",
        ),
        (
            "output", "agent", "agent message", "solution", "resolution", "expected", "target",
            "ideal", "lösung", "loesung", "ausgabe", "sortie", "solución", "salida", "soluzione",
            "solução", "solucao", "saída", "решение", "解答", "解決", "답", "rozwiązanie", "oplossing",
            "reply text", "answer text", "a",
        ),
        (
            "label", "comment", "note", "result", "generated", "bemerkung", "rückmeldung",
        ),
    ),
    "system": (
        (
            "system", "system prompt", "system message", "systemprompt", "systemnachricht",
        ),
        (),
        (),
    ),
}
# fmt: on
"""Role -> names in three tiers: said outright, usual, possible. Spelled as `normalise` leaves them."""
