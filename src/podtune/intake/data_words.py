"""How well the name of a file fits the words by which a request describes its data.

Text in, a score out; knows no files. Words of six languages that mean the same thing stand in one row.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

SAME_WORD: Final = 4
"""A word of the description stands in the name."""
SAME_THING: Final = 3
"""A word of the name means the same thing."""
FOLDER: Final = 2
"""Either of them, in the name of a folder above."""

_MEANINGS: Final[Mapping[str, str]] = {
    "tickets": "ticket tickets issue issues case cases helpdesk zendesk freshdesk zammad intercom anfrage anfragen vorgang vorgaenge tiquet tiquets incidencia incidencias chamado chamados segnalazione segnalazioni demande demandes",
    "support": "support service help helpdesk desk customer customers client care kunden kundendienst kundenservice clientele clients cliente clientes clienti atencion assistenza assistencia atendimento soporte suporte",
    "chats": "chat chats conversation conversations dialog dialogs dialogue dialogues gespraech gespraeche gesprache chatverlauf conversacion conversaciones conversazione conversazioni conversa conversas whatsapp telegram discord slack intercom",
    "messages": "message messages msg msgs slack discord whatsapp telegram teams sms nachricht nachrichten mensaje mensajes messaggio messaggi mensagem mensagens",
    "mails": "mail mails email emails mbox inbox mailbox outlook gmail postfach courriel courriels correo correos posta",
    "questions": "faq faqs qa qna question questions answer answers kb knowledge frage fragen antwort antworten reponse reponses pregunta preguntas respuesta respuestas domanda domande risposta risposte pergunta perguntas resposta respostas",
    "documents": "doc docs document documents documentation manual manuals handbook handbooks wiki guide guides article articles dokument dokumente unterlagen handbuch documento documentos documenti manuel manuales manuale",
    "notes": "note notes notiz notizen nota notas appunti memo memos minutes protokoll",
    "calls": "call calls transcript transcripts recording recordings anruf anrufe appel appels llamada llamadas chiamata chiamate ligacao ligacoes",
    "code": "code repo repository source snippets kodebase codebase sql",
    "reviews": "review reviews rating ratings feedback bewertung bewertungen avis resena resenas recensione recensioni avaliacao avaliacoes",
    "contracts": "contract contracts vertrag vertraege contrat contrats contrato contratos contratto contratti",
    "logs": "log logs api openai requests traffic protokolle",
    "writing": "posts post blog blogs stories story poems poem letters letter texts text texte textos testi",
}  # fmt: skip
"""What is meant -> the words that mean it. Chosen; a new word is one more in its row."""

_TASKS: Final[Mapping[str, tuple[str, ...]]] = {
    "customer_support": ("support", "tickets"),
    "qa": ("questions",),
    "chat": ("chats",),
    "writing_style": ("writing", "mails"),
    "code": ("code",),
}
"""What the model is to be good at -> what its data is about. Weak: it only breaks ties."""

_EMPTY_WORDS: Final = (
    "my our your his her their the a an all some of from in on with for and or to by these those data dataset datasets file files folder folders export exports archive "
    "history corpus examples example records rows training train set old new last past few about meine meinen meiner unsere unseren unserer die der das den daten datei dateien aus von mit und "
    "mes mon ma nos notre les des de la le du donnees fichiers mis mi nuestros nuestras los las el datos archivos miei mie nostri nostre il lo gli dei delle dati meus minhas meu minha nossos nossas "
    "os as dos das dados arquivos directory dir local here"
)
_EMPTY: Final = frozenset(_EMPTY_WORDS.split())
"""Words of a description, and of names, that tell nothing apart."""

_WORD: Final = re.compile(r"[^\W\d_]{2,40}")
_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_ENDINGS: Final = ("s", "es", "n", "en", "e")
_MOST_WORDS: Final = 40
_PART: Final = 5
"""Letters of a part of a compound."""


def _by_word() -> dict[str, frozenset[str]]:
    """Word -> what it may mean."""
    found: dict[str, set[str]] = {}
    for meaning, words in _MEANINGS.items():
        for word in words.split():
            found.setdefault(word, set()).add(meaning)
    return {word: frozenset(meant) for word, meant in found.items()}


_MEANING_OF: Final[Mapping[str, frozenset[str]]] = _by_word()


class Wish(NamedTuple):
    """What is looked for."""

    words: tuple[str, ...]
    meanings: frozenset[str]
    leanings: frozenset[str]
    """What the task suggests; no more than that."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing tells one file from another."""
        return not self.words


class Likeness(NamedTuple):
    """How well a name fits, and why."""

    score: int
    why: str


def wish(hint: str | None, task: str | None = None) -> Wish:
    """The words of a description that tell something, and what they mean.

    >>> wish("my support tickets").words
    ('support', 'tickets')
    """
    words = tuple(dict.fromkeys(w for w in words_of(hint or "") if w not in _EMPTY))
    meanings = frozenset(m for word in words for m in meanings_of(word))
    return Wish(words[:_MOST_WORDS], meanings, frozenset(_TASKS.get(task or "", ())))


def words_of(text: str) -> list[str]:
    """Words in small letters without accents; `SupportTickets_2026` are two.

    >>> words_of("SupportTickets_2026"), words_of("Gespräche")
    (['support', 'tickets'], ['gesprache'])
    """
    plain = unicodedata.normalize("NFKD", _CAMEL.sub(" ", text[:2000]))
    bare = "".join(c for c in plain if not unicodedata.combining(c)).replace("ß", "ss").lower()
    return _WORD.findall(bare)


def meanings_of(word: str) -> frozenset[str]:
    """What a word may mean, in its singular or plural, or as a compound.

    >>> sorted(meanings_of("kundenanfragen"))
    ['support', 'tickets']
    """
    for form in _forms(word):
        if form in _MEANING_OF:
            return _MEANING_OF[form]
    heads = [word[:at] for at in range(len(word) - 1, _PART - 1, -1)]
    tails = [word[at:] for at in range(1, len(word) - _PART + 1)]
    parts = (next((p for p in side if p in _MEANING_OF), "") for side in (heads, tails))
    return frozenset(m for part in parts for m in _MEANING_OF.get(part, ()))


def likeness(name: str, folders: Iterable[str], wanted: Wish) -> Likeness:
    """How well a file's name and those of its folders fit a wish; 0 where they tell nothing."""
    own = _fit(words_of(name), wanted)
    if own.score:
        return own
    above = _fit([word for folder in folders for word in words_of(folder)], wanted)
    if above.score:
        return Likeness(FOLDER, f"its folder {above.why}")
    return own


def _fit(words: list[str], wanted: Wish) -> Likeness:
    """The best of the words, and one more for each further word that fits."""
    found: list[tuple[int, str]] = []
    for sought in wanted.words:
        same = next((w for w in words if _is_same(w, sought)), None)
        if same is not None:
            found.append((SAME_WORD, f"says {same!r}"))
            continue
        meant = meanings_of(sought)
        like = next((w for w in words if meant and meanings_of(w) & meant), None)
        if like is not None:
            found.append((SAME_THING, f"says {like!r}, as {sought!r}"))
    if not found:
        return Likeness(0, "")
    best = max(found)
    return Likeness(best[0] + len(found) - 1, best[1])


def _is_same(one: str, other: str) -> bool:
    """Whether two words are one word, but for its number or case."""
    return bool(_forms(one) & _forms(other))


def _forms(word: str) -> frozenset[str]:
    """A word and what it may be without the ending of a plural.

    >>> sorted(_forms("tickets"))
    ['ticket', 'tickets']
    """
    cut = {
        word.removesuffix(end)
        for end in _ENDINGS
        if word.endswith(end) and len(word) > len(end) + 3
    }
    return frozenset({word, *cut})
