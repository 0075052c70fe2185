"""What a sentence asks instead of ordering: a price, the state of a job, a fact; and that nothing may start yet.

`intents` has the plain words (`status`, `how much`); here is what only the build of a sentence tells.
"""

from typing import Final

from podtune.intake.words.document import Document
from podtune.intake.words.literals import HEAD, TAIL
from podtune.intake.words.patterns import Pattern

_FILE: Final = rf"{HEAD}{TAIL}{{0,200}}"
_COMES_TO: Final = Pattern(
    r"(?<!matter )(?<!care )(?<!regardless of )(?<!mind )\bwhat\b(?! you)[^.;\n]{0,90}\b(?:comes? to|(?:adds?|sums?) up to|amounts? to|works? out (?:to|at|as)|sets? (?:me|us|one|you) back|costs?\b(?! (?:is|are|does|isn|doesn|won|makes?)\b)|(?:would|will|might|could|should) (?:i|we|it|that|this) (?:pay|budget|be|run|cost|charge)|(?:i|we) (?:would|will|d|ll|have to|must|need to|should) (?:have to |need to )?(?:pay|budget|spend|expect))\b"
    r"|\bhow many (?:\w{1,12} )?(?:dollars|euros?|bucks|pounds|credits|cents|hours|minutes|gpu hours|days)\b|\bhow (?:much|many)\b[^.;\n]{0,40}\b(?:budget|spend|pay)\b|\bwhat s (?:the|your|a) (?:\w{1,12} ){0,2}(?:price|cost|bill|estimate|quote|fee|charge)\b|\bwhat (?:kind of |sort of )?(?:price|cost|budget|bill|fee)s?\b"
    r"|\b(?:costs?|price|pricing) (?:of|for)\b(?! living)[^.;!\n]{0,80}\?|^(?:the )?costs? (?:of|for)\b|\b(?:price|cost|costs|pricing|quote|estimate)\b[^.;,?\n\ue001\ue003]{0,12}\?|\b(?:tell|give|show|send|get|let) (?:me|us) (?:know )?(?:\w{1,12} ){0,4}(?:price|costs?|quote|quotation|estimate)\b|\b(?:calculate|compute|work out|figure out|project|predict|price) (?:\w{1,12} ){0,3}(?:price|costs?|bill|up|spend\w*)\b|\b(?:would|will|does|is|could) \$? ?\d[^.;,\n]{0,20}\b(?:cover|suffice|do it|get me|be enough)\b|\b(?:can|could) (?:i|we) afford\b|\baffordable\b"
    r"|\bwas (?:wurde|kommt|zahle|zahlen|kame|musste)\b[^.;\n]{0,60}|\b(?:welche|mit welchen|welcher|wie hoch)\b[^.;\n]{0,20}\b(?:kosten|preis|betrag|summe)\b|\bwie teuer\b|\bwie lange (?:wurde|braucht|dauert|dauern|brauchte|rechnet|lauft|wird)\b|\bpreis (?:fur|von)\b|\bkosten (?:fur|von)\b|\b(?:angebot|preisauskunft|kosten) (?:fur|von|berechnen|schatzen|ermitteln)\b|\bwas (?:es|das|ein\w*|die|der)\b[^.;\n]{0,60}\bkoste(?:n|t|te)?\b"
    r"|\b(?:a )?combien\b(?! (?:d |de )(?:epoques?|etapes?|pas|lignes?|exemples?|donnees|rangs?|bits?))|\bquel(?:le)? (?:est |serait |sera )?(?:le |la |l )?(?:prix|cout|budget|duree|tarif|facture|depense)\b|\bchiffre[rz]?\b|\bce que (?:ca |cela )?coute(?:rait|ra)?\b|\b(?:donne|dis|calcule)\w* (?:moi )?(?:le |un |une |l )?(?:prix|cout|devis|estimation)\b"
    r"|\bcual (?:es|seria|sera) (?:el )?(?:coste|costo|precio)\b|\b(?:que|cual) (?:coste|costo|precio)\b|\b(?:dame|dime|calcula\w*|estima\w*) (?:el |un |una )?(?:coste|costo|precio|presupuesto|estimacion)\b|\blo que costaria\b|\bque me (?:costaria|cuesta|saldria)\b"
    r"|\bqual (?:e|sarebbe|sara) il (?:costo|prezzo)\b|\bche (?:costo|prezzo|spesa)\b|\b(?:dammi|dimmi|calcola\w*|stima\w*) (?:il |un |una |i )?(?:costo|costi|prezzo|preventivo|stima)\b|\b(?:costo|prezzo) (?:per|di) \w"
    r"|\bqual (?:e|seria|sera) o (?:custo|preco)\b|\bque (?:custo|preco)\b|\b(?:me de|diga|calcule|estime) (?:o |um |uma )?(?:custo|preco|orcamento|estimativa)\b|大概?(?:要|需要)?多少(?:钱|美元|元|费用)|要(?:花)?多久|需要多(?:久|长时间|少钱)|花多少|成本(?:是)?多少|费用(?:大概|估计)?|どのくらい(?:かか|の費用)|費用を"
)
_AGAIN: Final = Pattern(
    r"\b(?:would|again|rerun|repeat|another|more epochs?|if|wurde|noch ?mal|couterait|costaria|costerebbe|custaria|next)\b|再"
)
_STATE: Final = Pattern(
    r"\b(?:so far|already|yet|still|left|remaining|until now|to date|till now|right now|at the moment|currently|latest|last (?:lines?|log|output|event|loss)|bisher|bislang|noch|schon|gerade|aktuell\w*|jusqu ici|jusqu a present|encore|hasta ahora|todavia|finora|ancora|ate agora|ainda)\b|目前|现在|到目前|哪一?步"
)
_NEWS: Final = Pattern(
    r"\b(?:how far|happened|passiert|logs?|log ?files?|protokoll\w*|journal|journaux|registros?|loss|verlust|perte|perdida|eta|stage|phase|news|update|finished|done|running|ready|fertig|termine\w*|terminad[oa]|terminat[oa]|acabou|queue|stuck|hanging|epoch is|wie weit|ou en est)\b|进行|日志|到哪"
)
_BEGUN: Final = Pattern(
    r"\bare we (?:done|finished|ready|there)\b|\b(?:(?:my|our|the|that|this|mein\w*|unser\w*|das|mon|notre|l|mi|nuestr[oa]|el|il mio|la mia|nostr[oa]|o meu|meu|nosso|o)) (?:[^\W\d_]{1,15} |\ue003\ue002{0,60} ?){0,3}(?:runs?|jobs?|training|fine ?tun(?:e|ing)|lauf|laufs|job|entrainement|entrenamiento|addestramento|treino|treinamento)\b"
)
"""A run that somebody speaks of as one that is there."""
_HOLD: Final = Pattern(
    r"\b(?:don t|do not|dont|not|never|nothing|without|no need to)\b[^.;,!?:\n]{0,18}\b(?:start|train|launch|run|begin|provision|rent|kick off|fire|book|spin up|execute|commit|spend|do|starting|training|launching|running|renting|booking|committing|spending)\b(?: (?:it|this|that|anything|any|a thing|the|a|an|my|our|on|up|off|real|actual|job|training|fine ?tuning|run|machines?|pods?|gpus?|money|cent|something|to)){0,4}(?: (?:yet|now|for now|just yet|so far|right now|at all|today|so soon))?(?=\s{0,2}(?:$|[,.;:!?\n\-(]| (?:just|only|i|we|but|please|first)\b))"
    r"|\b(?:noch )?(?:nichts|nicht|kein\w*)\b[^.;,\n]{0,25}\b(?:starten|trainieren|loslegen|anfangen|mieten|beginnen|starte|trainiere|buchen|ausfuhren)\b(?! (?:bevor|ohne|wenn))|\bohne (?:etwas |was )?zu (?:starten|trainieren|mieten)|\bne (?:lance|demarre|commence|entraine|loue|fais)\w*[^.;,\n]{0,6}\b(?:rien|pas|encore)\b|\bsans (?:rien )?(?:lancer|demarrer|commencer|louer)|\bno (?:empieces|lances|inicies|entrenes|alquiles|arranques|hagas)\b|\bsin (?:empezar|lanzar|iniciar|entrenar|alquilar)\b|\bnon (?:avviare|iniziare|lanciare|addestrare|noleggiare|partire|far partire)\b|\bsenza (?:avviare|iniziare|lanciare)\b|\bnao (?:comece|inicie|treine|rode|alugue|faca)\b|\bsem (?:comecar|iniciar|treinar|rodar)\b|先不要|先别|不要(?:开始|启动|训练|运行)|别(?:开始|启动|训练|运行)"
)
_FIT: Final = Pattern(
    rf"\b(?:anything|something|what|problems?|errors?|issues?|mistakes|duplicates|gaps?|rubbish|off)\b[^.;\n]{{0,20}}\b(?:wrong|off|broken|missing|odd|strange|weird|bad|in|with|inside)\b[^.;\n]{{0,15}}{HEAD}|\b(?:can|could|may|would|will|does) (?:i |we |you |it )?(?:even |really |actually )?(?:(?:use|read|take|work with|accept|understand|parse|load) (?:the |my |our |file )?)?{_FILE}[^.;\n]{{0,40}}\b(?:work|do|as (?:training|it is|is)|for training|to train\b(?! \ue003| on| a| an| my)|be (?:used|ok|fine|enough|good|usable|accepted)|look (?:ok|okay|right|good|fine|sane)|make sense|pass)\b|\bhow many (?:usable |valid |bad |broken |good )?(?:rows|examples|tokens|lines|duplicates|records|conversations)\b[^.;\n]{{0,30}}{HEAD}"
    rf"|(?:^|[.;!?:\n] ?|\b(?:whether|if|ob|si|se) )(?:so |ok |please |hi |hey )?(?:is|are|does|do|has|have|ist|sind|hat|passt|taugt|eignet sich|stimmt|est ce que|est|sont|es|esta|tiene|sirve|e|ha|va|tem|serve|esta) (?:[^\W\d_]{{1,15}} ){{0,4}}{_FILE}[^.;\n?]{{0,60}}\?|\b(?:whether|if|ob|si|se) (?:[^\W\d_]{{1,15}} ){{0,3}}{_FILE}[^.;,\n]{{0,30}}\b(?:parses?|works?|is|are|has|looks?|loads?|fits?|passes|can be|could be|makes sense|ist|taugt|passt|stimmt|est|convient|esta|sirve|vale|va bene|funziona|funciona|serve|e)\b"
    rf"|\b(?:taugt|passt|eignet sich|stimmt)\b[^.;\n]{{0,25}}{HEAD}|\b(?:puis je|peut on|est ce que je peux) utiliser[^.;\n]{{0,20}}{HEAD}|\b(?:puedo|se puede) usar[^.;\n]{{0,20}}{HEAD}|\b(?:posso|si puo) usare[^.;\n]{{0,20}}{HEAD}|\b(?:posso|da para) usar[^.;\n]{{0,20}}{HEAD}"
)
_TOLD_BY_MODEL: Final = Pattern(
    r"(?:\b(?:bot|models?|modell|modele|modelo|modello|assistants?|assistent|agent|chatbot|adapter|lora|one|asistente|assistente|classifier|it)\b|\ue003\ue002{0,60})[^.;\n]{0,12}\b(?:that|which|who|so|to|it|die|das|der|qui|que|che)\b(?: (?:can|should|will|shall|may))? ?(?:$|[^.;\n]{0,20}\b(?:answer\w*|tells?|explain\w*|knows?|says?|repl(?:y|ies)|respond\w*|quotes?|writes?|calculat\w+|antwort\w*|beantwort\w*|erklar\w*|sagt|repond\w*|explique|dit|respond\w*|contest\w*|dig\w+|rispond\w*|spieg\w*|dica|diz)\b[^.;\n]{0,60}$)"
)
"""`a bot that tells people what shipping costs`: what the model is to say, no question of ours."""
_SPENT: Final = Pattern(
    r"\b(?:how much|what)\b[^.;\n]{0,20}\b(?:did|have|has)\b[^.;\n]{0,30}\b(?:cost|spend|spent|paid|pay)\b|\bhow much (?:\w{1,10} )?(?:is|was|do i have|have i) (?:left|spent|used)\b|\bwas (?:hat|haben)\b[^.;\n]{0,30}\b(?:gekostet|bezahlt|ausgegeben)\b|\bwie ?viel\b[^.;\n]{0,30}\b(?:gekostet|bezahlt|ausgegeben|ubrig)\b|\bcombien\b[^.;\n]{0,20}\b(?:ai je|a t on|avons nous|ont) (?:depense|paye|coute)\b|\bcuanto\b[^.;\n]{0,20}\b(?:costo|gaste|he gastado|hemos gastado|queda)\b|\bquanto\b[^.;\n]{0,20}\b(?:ho speso|e costato|abbiamo speso|gastei|gastamos|custou|resta)\b"
)
_ENDED: Final = Pattern(
    r"\b(?:want|needs?|should|must|has to|have|ought|get|please|like|soll|muss|mochte|will|doit|veux|debe|quiero|deve|voglio|quero)\b[^.;,\n]{0,50}\b(?:stopped|cancell?ed|killed|aborted|terminated|ended|shut down|halted|gone|gestoppt|abgebrochen|beendet|arretee?|annulee?|detenid[oa]|cancelad[oa]|fermat[oa]|interrott[oa]|annullat[oa]|parad[oa]|encerrad[oa])\b"
)
_STOP_FIRST: Final = Pattern(
    r"^\s{0,3}(?:(?:please|pls|hey|hi|ok|now|bitte|por favor|per favore|s il (?:te|vous) plait|could you|can you|kannst du|peux tu|puedes|puoi|pode)[,! ]{1,3}){0,3}(?:stop|cancel|kill|abort|terminate|halt|end|interrupt|stoppe?|beende|brich|arrete[rz]?|annule[rz]?|deten|cancela|ferma|annulla|interrompi|pare|interrompa|cancele) (?:the |my |our |that |this |den |das |mein\w* |l |le |la |mon |el |mi |il |lo |o |a |meu ){0,2}(?:[^\W\d_]{1,15} |\ue003\ue002{0,60} ?){0,2}(?:job|run|training|fine ?tuning|lauf|entrainement|entrenamiento|trabajo|addestramento|lavoro|treino|treinamento)\b(?! (?:after|when|if|once|at|as soon|before|nach|wenn|apres|quand|despues|cuando|dopo|quando|depois|on\b.{0,40}instead))"
)


def asks_price(document: Document) -> bool:
    """Whether the words ask what something would cost or take."""
    return any(
        not document.is_negated(m.start()) and not is_told_by_the_model(document, m.start())
        for m in _COMES_TO.finditer(document.loose)
    )


def is_about_a_begun_job(document: Document) -> bool:
    """`how much has job-3 cost so far`: what asks about the past of a job is no estimate of a new one."""
    return not _AGAIN.search(document.loose)


def asks_spent(document: Document) -> bool:
    """`what did my last run cost`: what was paid is news and no estimate."""
    return _SPENT.search(document.loose) is not None


def asks_state(document: Document) -> bool:
    """Whether a run is spoken of that is there, together with a word of how it goes."""
    begun = _BEGUN.search(document.loose)
    return begun is not None and bool(_NEWS.search(document.loose) or _STATE.search(document.loose))


def is_told_by_the_model(document: Document, place: int) -> bool:
    """Whether the words at a place are what the model shall say: `a bot that tells what shipping costs`."""
    return _TOLD_BY_MODEL.search(document.loose, max(0, place - 80), place) is not None


def asks_for_the_end(document: Document) -> bool:
    """`I want job-5 stopped`."""
    return _ENDED.search(document.loose) is not None


def begins_with_a_stop(document: Document) -> bool:
    """`kill the training on tickets.csv`: an order to end what is there, whatever is named beside it."""
    return _STOP_FIRST.search(document.loose) is not None


def asks_fitness(document: Document) -> bool:
    """Whether a question is about a file: is anything wrong with it, can it be used."""
    return _FIT.search(document.loose) is not None


def holds_off(document: Document) -> bool:
    """`don't start anything yet`: whatever else is said, nothing may be begun."""
    return is_held(document.loose)


def is_held(words: str) -> bool:
    """Whether words hold everything off."""
    return _HOLD.search(words) is not None
