"""Whether a text only wants to know something, about the trade or the program, and orders nothing.

`inquiries` has the questions that are answered with a plan, a report or a job's news; these are answered
with words, and what is named in them is stated by nobody: `is rank 64 too much?` is no rank.
"""

from typing import Final

from podtune.intake.words import inquiries
from podtune.intake.words.document import Document
from podtune.intake.words.literals import Kind
from podtune.intake.words.patterns import Pattern

_POEM: Final = Pattern(
    r"\b(?:write|compose|tell|sing|recite|give|translate|book|order|erzahl\w*|raconte\w*|cuenta\w*|racconta\w*|conte|schreib\w*) (?:\w{1,10} ){0,3}(?:poem|story|joke|song|essay|limerick|haiku|recipe|riddle|flight|pizza|hotel|witz|gedicht|blague|histoire|poeme|chiste|poema|barzelletta|poesia|piada)\b|笑话|写首|讲个"
)
_SENTENCE: Final = Pattern(r"(?:[^.!?;\n。]|\.(?=\d)){1,600}[.!?;\n。]?")
_LEAD: Final = r"[\s¿¡,:\-(]{0,6}(?:(?:hi|hello|hey|hallo|bonjour|salut|hola|ciao|ola|quick question|one question|a question|question|frage|eine frage|by the way|btw|ok|okay|so|and|but|also|oh|well|please|sorry|just curious|before i start|first|und|also|et|mais|y|pero|e|ma|mas|bitte|podtune|there)[,:!. ]{1,3}){0,4}"
_FACT: Final = Pattern(
    rf"{_LEAD}(?:(?:could|can|would) you (?:please )?(?:tell|explain|show) (?:me |us )?(?:what|how|why|which|whether|if|the difference)\b|explain\b|what (?:is|are|s|does|do|was|can|models?|gpus?|cards?|formats?|languages?|kinds?|types?|providers?)\b|which (?:is|are|one|models?|gpus?|cards?|formats?|languages?|kinds?|types?|regions?|providers?|of your)\b|who\b|why (?:is|are|do|does|should|would|use)\b|when (?:should|would|do)\b|how (?:do|does|can|should|would|is|are|many|big|large|much (?:data|memory|vram))\b|does (?:podtune|lora|qlora|it|this|that|your|training)\b|do you (?:support|have|offer|know|accept|work|use|keep|store|sell|share|do|run)\b|are (?:you|there)\b|is (?:there|it (?:possible|safe|ok|better|true)|lora|qlora|podtune|your)\b|should i\b|tell me (?:about|more|what|how|why|whether)\b|i (?:wonder|am wondering|was wondering)\b(?! (?:whether|if) (?:you|we) (?:could|can)\b)|(?:i|we) (?:(?:would|d|just|only) ){{0,2}}(?:like|want|need|wish)(?:ed)? to (?:know|understand|learn) (?:what|how|why|which|whether|if|more|about|the)\b|define\b|describe (?:the|what|how)\b|compare\b|give (?:me|us) (?:a|the) (?:definition|explanation|overview|summary)\b|teach me (?:about|what|how|why)\b|(?:show|list|give|name)(?: me)?(?: all)?(?: the)?(?: supported| available)? (?:models|gpus|cards|formats)\b|summari[sz]e how\b|"
    r"was (?:ist|sind|bedeutet|macht|kannst|kann|heisst|meint)\b|welche[rsn]? (?:modelle?|gpus?|karten|formate?|sprachen?)\b|wie (?:funktioniert|viele|gross|geht)\b|warum\b|wer\b|worin\b|wozu\b|(?:ich|wir) (?:mochten?|wurden? gern\w*|wollen|will|wusste gern\w*) (?:nur |gern\w* )?(?:wissen|verstehen)\b|nenne? mir\b|erklare?[nt]?\b|unterstutzt\b|gibt es\b|(?:kannst du|konnen sie|konntest du|kannst) (?:mir |uns )?(?:bitte )?(?:den unterschied|sagen|erklaren)\b|qu est ce\b|c est quoi\b|(?:je|j) (?:voudrais|veux|aimerais)(?: juste)? (?:savoir|comprendre)\b|quel(?:le)?s (?:modeles?|gpus?|cartes|formats?|langues|sont)\b|comment (?:fonctionne|marche|ca|faire)\b|pourquoi\b|est ce que (?:tu|vous|podtune)\b|expliquer?z?\b|(?:peux tu|pouvez vous|tu peux) (?:m |nous )?expliquer\b|(?:me gustaria|quiero|quisiera)(?: solo)? saber\b|vorrei (?:solo )?(?:sapere|capire)\b|(?:queria|quero|gostaria de)(?: so)? (?:saber|entender)\b|que (?:es|son|significa|hace)\b|cuales? (?:son|modelos)\b|como funciona\b|por que\b|explic(?:a|ame|anos|ar|as)\b|(?:puedes|podrias) explicar\w*|que modelos\b|che cos|cos e\b|cosa (?:e|sono|fa|significa)\b|quali\b|come funziona\b|perche\b|spieg(?:a|ami|aci|are|hi)\b|(?:puoi|potresti) spiegar\w*|o que (?:e|sao|significa|faz)\b|quais\b|como funciona\b|(?:pode|poderia|voce pode) (?:me )?explicar\b|什么是|为什么|怎么|有哪些|支持哪些|你(?:们)?支持)"
)
"""Openings that can only be a question, with or without its mark."""
_ASKS: Final = Pattern(
    rf"{_LEAD}(?:(?:before|after|once|while) [^,?.]{{1,40}}, ?)?(?:what(?! about)|which|who|whose|why(?! (?:not|don t we))|when|where|how(?! about)|is|are|isn t|aren t|was|were|does|doesn t|do (?:i|you|we|they|people|the|these|those|most)|did|has|have (?:i|you|we)|(?:can|could) (?:i|one|it|an?|the|this|that|they|people|\ue003|\ue005)|(?:can|could|will|would) (?:you|we) (?:please )?(?:tell|explain|say|recommend|suggest|advise)|should|shall i|would(?! (?:you|u)\b)|will(?! (?:you|u)\b)|may i|might|must (?:i|it)|am i|if [^?]{{1,120}}, ?(?:will|would|does|do|is|are|can|what|how|who|which|where|when|why)\b|"
    r"welche[rsnm]?|wer|wie|wieso|weshalb|wann|wo|woran|ist|sind|kann (?:ich|man|eine?|das|die|der|podtune)|konnen (?:wir|die)|soll(?:te|ten|en)? (?:ich|man|wir)|muss|mussen|brauch\w*|reich\w*|pass(?:t|en)|macht|wird|werden|hat|haben|darf|lohnt|lauft|kommt|besteht|was|"
    r"qu|que|quel(?:le)?s?|comment|quand|ou|est ce|est|sont|ai je|dois je|devrais je|faut il|puis je|peut on|combien|y a t il|suffit|a quoi|"
    r"cual(?:es)?|quien|como|cuando|donde|cuant[oa]s?|es|son|debo|deberia|puedo|se puede|necesito|hay|vale|conviene|basta|cabe|mejor|"
    r"che|cosa|quale?|chi|come|quando|dove|quant[oaie]|sono|devo|dovrei|posso|si puo|mi serve|serve|c e|meglio|"
    r"o que|qual|quem|onde|quant[oa]s?|sao|deveria|da para|preciso|tem|melhor)(?![a-z])[^?]{0,600}\?|[^?]{0,200}(?:吗|呢|什么|怎么|哪|是否|如何|ですか|とは|何)[^?]{0,200}\?"
)
"""Openings that are a question where its mark ends the sentence."""
_SMALL_TALK: Final = Pattern(
    r"[\s,]{0,3}(?:(?:hi|hello|hey|thanks|thank you|thx|please|ok|okay|cheers|sorry|podtune|there|all|so much|in advance|just (?:curious|asking|wondering)|i m (?:just )?(?:curious|asking|wondering|learning|new(?: (?:to this|here))?)|no rush|quick question|hallo|danke|vielen dank|bitte|nur so|bonjour|merci|salut|hola|gracias|ciao|grazie|ola|obrigad[oa])[\s,:]{0,3}){0,5}[.!?;\n。]?"
)
_HOW: Final = Pattern(
    rf"{_LEAD}(?:how(?! about)|why(?! (?:not|don t we))|who|when|what(?! (?:about|if))|which|if (?:i|we)|explain|wie|was|warum|wieso|wer|wann|welche[rsnm]?|comment|pourquoi|qui|quand|quel(?:le)?s?|qu|como|por que|quien|cuando|cual(?:es)?|come|perche|chi|quale?|qual|quem)\b"
)
"""Openings that order nothing, even beside a verb of training."""
_HOW_TO: Final = Pattern(
    rf"{_LEAD}(?:how (?:do|does|can|could|should|would|to)|what happens (?:if|when)|wie (?:kann|konnte|soll|muss|geht|macht|stopp\w*|brech\w*|beend\w*)|comment|como|come (?:si|posso|faccio)|was passiert(?: wenn)?)\b(?! (?:is|are|going|esta|va|sta|procede)\b)"
)


def asks_only(document: Document, *, has_data: bool, trains: bool) -> bool:
    """Whether every sentence is a question of fact: `what is LoRA?`, `should I take 2 or 3 epochs?`.

    Args:
        document: The request.
        has_data: Whether data is named or described.
        trains: Whether a verb of training is there as an order would use it.
    """
    if _POEM.search(document.loose) is not None:
        return not document.literals
    if any(each.kind is not Kind.QUOTED for each in document.literals):
        return False
    asked = _asked(document)
    return bool(asked) and (not (has_data and trains) or all(_HOW.match(each) for each in asked))


def asks_all(document: Document, *, trains: bool) -> bool:
    """Whether every sentence is a question, whatever it names: `which model would you take for rows.csv?`.

    Args:
        document: The request.
        trains: Whether a verb of training is there: then only `what` and its like are no orders.
    """
    asked = [each.strip() for each in _asked(document)]
    is_asked = bool(asked) and all(each.endswith("?") for each in asked)
    return is_asked and (not trains or all(_HOW.match(each) for each in asked))


def asks_how(document: Document) -> bool:
    """Whether it is only asked how something is done: `how do I stop a job?`."""
    return bool(asked := _asked(document)) and all(_HOW_TO.match(each) for each in asked)


def _asked(document: Document) -> list[str]:
    """The questions of a text; none where a sentence is neither one nor small talk."""
    asked: list[str] = []
    for match in _SENTENCE.finditer(document.loose):
        said = match[0]
        if inquiries.is_held(said):
            # `don't start anything, I just want to know what LoRA is`
            _, _, said = said.partition(",")
        if _FACT.match(said) or _ASKS.match(said):
            asked.append(said)
        elif not (_SMALL_TALK.fullmatch(said) or inquiries.is_held(match[0])):
            return []
    return asked
