"""Wishes that are one of a few words: method, adapter, precision, place, privacy, consent.

One row a wish: the field, the value, the words for it in seven languages, and what its negation states.
"""

import re
from functools import cache
from typing import Final, NamedTuple

from podtune.intake.words.candidates import Candidate, Value
from podtune.intake.words.clauses import answered_choices, is_refused, without_asked
from podtune.intake.words.document import Document
from podtune.intake.words.patterns import Pattern


class Switch(NamedTuple):
    """One wish."""

    field: str
    value: Value
    words: str
    """A pattern over text in small letters with blanks for hyphens and apostrophes."""
    negated: Value | None = None
    """What is stated where the words are negated; None: nothing."""


_HERE: Final = r"(?:(?:my|this|our) (?:own )?(?:machine|laptop|computer|pc|mac|macbook|box|workstation|desktop|server|notebook|hardware|cpu|gpus?|graphics card|rig))"
_LEAVE: Final = r"(?:nothing|no data|data|it|everything|files?|tickets?|must|may|should|can|they|that|this|never|not)[^.;,\n]{0,40}\b(?:leaves?|leaving) (?:my|this|our|the)\b"
_END: Final = r"(?:when|once|after|afterwards|as soon as|at the end|danach|hinterher|nach dem|nach der|wenn|anschliessend|apres|ensuite|une fois|a la fin|despues|al terminar|cuando|al final|dopo|alla fine|quando|depois|no final|ao terminar|之后|完成后|训练后)"

SWITCHES: Final = (
    # ---- what is learnt, and how ----
    Switch("method", "dpo", r"\bdpo\b|direct preference optimi[sz]ation"),
    Switch("method", "kto", r"\bkto\b"),
    Switch("method", "orpo", r"\borpo\b"),
    Switch("method", "grpo", r"\bgrpo\b"),
    Switch("method", "sft", r"\bsft\b|supervised fine ?tun\w*|instruction tuning"),
    Switch("method", "cpt", r"\bcpt\b|continu\w* pre ?train\w*|pre ?training? (?:further|continu\w*)|keep pre ?training|domain adaptive pre ?training|preentrenamiento continu\w*|preentrainement continu|weiteres pre ?training|继续预训练|持续预训练"),
    Switch("adapter", "qlora", r"\bq ?lora\b"),
    Switch("adapter", "dora", r"\bdora\b"),
    Switch("adapter", "full", r"\bfull(?: |y )?(?:(?:para\w+|weights?|model) )?(?:fine ?tun\w*|ft\b|finetune|training\b)|\bfull (?:para\w+|weights?)\b|\ball (?:the )?(?:weights|parameters)\b|volles fine ?tuning|alle (?:gewichte|parameter)\b|fine ?tuning complet|tous les (?:poids|parametres)|ajuste (?:fino )?completo|todos los (?:pesos|parametros)|fine ?tuning completo|tutti i (?:pesi|parametri)|todos os (?:pesos|parametros)|全参数|全量微调"),
    Switch("adapter", "lora", r"(?<!q)(?<!q )\bloras?\b"),
    Switch("quant_bits", 4, r"\b(?:4|four|vier|quatre|cuatro|quattro|quatro) ?bits?\b|\bint4\b|\bnf4\b|load in 4 ?bit|4比特|4位"),
    Switch("quant_bits", 8, r"\b(?:8|eight|acht|huit|ocho|otto|oito) ?bits?\b|\bint8\b|load in 8 ?bit|8比特|8位"),
    Switch("precision", "bf16", r"\bbf ?16\b|\bbfloat ?16\b"),
    Switch("precision", "fp16", r"\bfp ?16\b|\bfloat ?16\b|\bhalf precision\b"),
    Switch("precision", "fp32", r"\bfp ?32\b|\bfloat ?32\b|\bfull precision\b"),
    Switch("lr_scheduler", "cosine", r"\bcosine\b|\bcosinus\b|\bkosinus\w*|\bcoseno\b|\bcosseno\b|余弦"),
    Switch("lr_scheduler", "linear", r"\blinear(?:er|e)? (?:schedule\w*|decay|lr|learning rate|scheduler|warmup and decay|abfall)|(?:scheduler?|lr schedule|decay|plan)[ :=]{1,3}(?:is |to )?linear\b|decroissance lineaire|线性"),
    Switch("lr_scheduler", "constant", r"\bconstant (?:schedule\w*|lr|learning rate|rate)|(?:scheduler?|lr schedule)[ :=]{1,3}(?:is |to )?constant\b|konstante lernrate|taux (?:d apprentissage )?constant|tasa constante"),
    Switch("packing", True, r"\bpacking\b(?![ :=]{0,3}(?:off|false|no\b|aus|0))|\bpack(?: the)? (?:sequences|examples|samples|rows)\b|\bpacked\b", False),
    Switch("packing", False, r"\bpacking\b[ :=]{0,3}(?:is |to )?(?:off|false|no\b|aus\b|0)|\bdisable packing|\bturn off packing"),
    Switch("eval_enabled", False, r"(?:no|without|skip|don t|do not|ohne|keine?|sans|sin|senza|niente|nessuna|ninguna|nenhuma|aucune|sem|pas de|pas d|pas besoin de) (?:the |any |do |need |an? |run )?(?:eval\w*|validation|validierung|validacion|valutazione|avaliacao|auswertung|testing)\b|eval\w*[ :=]{1,3}(?:off|false|no)\b|不用评估|不需要评估|不评估"),
    Switch("eval_enabled", True, r"\beval(?:uate|uation)\b(?! (?:the |my )?(?:cost|price|data\b|dataset|file|whether))|\beval\b|\bvalidate (?:on|with|against)\b|\bhold(?:ing)? ?out\b|\bheld out\b|\bvalidation (?:split|set|data)\b|\b\d{1,2} ?% (?:for |of (?:the )?(?:data|rows) for )?(?:validation|eval\w*|test\w*|zur validierung|validierung|de validation|de validacion|per la validazione|para validacao)|\btrain test split\b|\d0/\d0 split|"
    r"\bvalidierung\b|\bauswertung\b|\bevaluier\w+|\bevalue[rz]?\b|\bevaluation\b|\bvalidacion\b|\bevalua[r]?\b|\bvalutazione\b|\bvalida(?:re|zione)\b|\bavalia(?:r|cao)\b|\bvalidacao\b|评估|验证"),
    # ---- where ----
    Switch("where", "local", rf"\blocally\b|\b(?:where|on)[ :=]{{0,2}}[:=] ?local\b|\b(?:on|using|with|from) {_HERE}\b|\b(?:run|train|stay|keep|do) (?:it |this |that |everything )?(?:right )?(?:local|here|offline)\b|\blocal (?:run|training|only|machine|gpu|cpu|fine ?tun\w*)\b|\bon prem(?:ise|ises)?\b|\b(?:this|my|our) (?:machine|box|computer|laptop|server|workstation|pc|mac|desktop) only\b|"
    r"\blokal\b|\bauf (?:meinem|diesem|unserem) (?:eigenen )?(?:rechner|laptop|pc|mac|computer|server|gerat)\b|\ben local\b|\blocalement\b|\bsur (?:ma|cette|notre) (?:propre )?machine\b|\bsur (?:mon|cet|ce) (?:ordinateur|pc|portable|mac)\b|\blocalmente\b|\ben (?:mi|este|esta|nuestro) (?:propi[oa] )?(?:maquina|ordenador|computadora|equipo|portatil|pc|laptop)\b|"
    r"\bin locale\b|\bsul (?:mio|nostro) (?:computer|pc|portatile|mac|server)\b|\bsu questa macchina\b|\bn[ao] (?:minha|meu|nosso|nossa|neste|nesta) ?(?:maquina|computador|notebook|pc|laptop)\b|\b(?:neste|nesta) (?:maquina|computador)\b|本地|我的电脑|本机|ローカル"),
    Switch("where", "runpod", r"\brun ?pod\b(?!\w)(?! ?(?:api|key|token|secret|account|balance|credits?|wallet))"),
    Switch("runpod_mode", "serverless", r"\bserver ?less\b|无服务器|サーバーレス"),
    Switch("runpod_mode", "pod", r"\b(?:gpu |a |one |the |single |dedicated |im |einen? |un |uno |um )pods?\b|\bas (?:a )?pod\b|\bpod mode\b|\b(?:run ?pod|normal|regular|plain|persistent|classic|on demand|gpu) pods?\b|\bpods?\b(?=[^.;\n]{1,14}\b(?:not|no|instead of|rather than|nicht|kein|statt|pas|no|non|nao) (?:a |an |the |de )?server ?less)|\b(?:not|no|instead of|rather than|nicht|kein|statt|pas|non|nao) (?:a |de )?server ?less[ ,]{1,3}(?:but |just |sondern |mais |sino |ma |mas )?(?:a |an |the |ein\w* |un |um )?pod\b"),
    Switch("cloud_tier", "secure", r"\bsecure\b(?= (?:or|oder|ou|o) community)|(?<=community or )secure\b|\bsecure(?: |d )?(?:cloud|tier|data ?cent(?:er|re)s?|only|pods?|machines?|hosts?)\b|\bcloud (?:tier )?secure\b|安全云"),
    Switch("cloud_tier", "community", r"\bcommunity\b(?= (?:or|oder|ou|o) secure)|(?<=secure or )community\b|\bcommunity(?: cloud| tier| machines?| hosts?| pods?| gpus?| is (?:ok|fine)| ok)\b|\bcloud (?:tier )?community\b|社区云"),
    Switch("spot", True, r"\bspot\b(?! on\b)(?! ?(?:the|check|a|an|errors?|problems?)\b)|\binterruptible\b|\bpre ?emptible\b|竞价", False),
    Switch("spot", False, r"\bon demand\b|\ba la demande\b|\bbajo demanda\b|\ba demanda\b|\bsob demanda\b|\bauf abruf\b|\bnon interruptible\b|\buninterrupt(?:ed|ible)\b|按需"),
    # ---- privacy ----
    Switch("redact_pii", True, r"\b(?:strip|remove|redact|mask|anonymi[sz]e|scrub|blank out|black out|censor|hide|filter out|clean out|take out|delete|pseudonymi[sz]e|get rid of|blot out)\b[^.;\n]{0,50}\b(?:e ?mails?\b(?! (?:thread|file|about))|phone|pii|personal (?:data|info\w*|details)|names|addresses|identifiers?|sensitive|credit card|iban|customer data|private (?:data|info\w*))|\banonymi[sz]e (?:it|them|the|my|our|everything|first|before)|\b(?:names|e ?mails?|phone numbers|pii|personal (?:data|info\w*|details)|addresses)\b[^.;\n]{0,30}\b(?:blacked out|removed|redacted|masked|stripped|anonymi[sz]ed|scrubbed|pseudonymi[sz]ed)\b|\bpii (?:removed|redacted|stripped|out|scrubb\w+|redaction)|\bredact\w* pii|"
    r"\b(?:anonymisiere?n?|schwarze?n?|entferne?n?|maskiere?n?|losche?n?)\b[^.;\n]{0,50}\b(?:e ?mails?|mailadressen|telefonnummern?|namen|personenbezogene\w*|personliche\w*|daten)|\b(?:e ?mails?|mailadressen|telefonnummern|namen|personenbezogene daten)\b[^.;\n]{0,40}\b(?:entfernen|schwarzen|anonymisieren|maskieren)|"
    r"\b(?:anonymise[rz]?|supprime[rz]?|retire[rz]?|masque[rz]?|enleve[rz]?|efface[rz]?)\b[^.;\n]{0,50}\b(?:e ?mails?|courriels?|telephone|noms|donnees personnelles|numeros|adresses)|\b(?:anonimiza\w*|elimina\w*|quita\w*|borra\w*|oculta\w*|enmascara\w*)\b[^.;\n]{0,50}\b(?:correos?|e ?mails?|telefonos?|nombres|datos personales|numeros)|"
    r"\b(?:anonimizza\w*|rimuovi\w*|rimuovere|togli\w*|oscura\w*|elimina\w*|maschera\w*)\b[^.;\n]{0,50}\b(?:e ?mail|telefono|nomi|dati personali|numeri|indirizzi)|\b(?:anonimize\w*|anonimizar|remova\w*|remover|retire|tire|mascare|apague|oculte)\b[^.;\n]{0,50}\b(?:e ?mails?|telefones?|nomes|dados pessoais|numeros)|(?:去掉|删除|去除|隐去|屏蔽|脱敏|移除)[^。.;\n]{0,20}(?:邮箱|邮件|电话|手机|个人信息|姓名|隐私)|脱敏|匿名化"),
    Switch("local_only", True, rf"{_LEAVE} ?(?:machine|laptop|computer|box|building|network|server|premises|pc|mac|house|office|hardware)?|\b(?:don t|do not|never|must not|without|no|can t|may not|not) (?:be )?upload(?:ing|ed|s)?\b(?: (?:anything|any|my|the|our|data|it|them|to|anywhere|of)\b)?|\bno (?:data )?uploads?\b|\bstrictly (?:local|offline)\b|\b(?:stay|stays|keep|remain|remains|kept)\b[^.;,\n]{{0,30}}\bon (?:my|this|our) (?:own )?(?:machine|laptop|computer|box|pc|mac|server|hardware|premises|disk)|\b(?:stay|stays|keep|remain|remains|kept)\b[^.;,\n]{{0,30}}\b(?:in|inside|within) (?:my|our|the) (?:own )?(?:network|house|building|company|office|premises|intranet|walls|data ?cent(?:er|re)|infrastructure|lan|firewall)|\boffline only\b|\blocal only\b|\bonly (?:run |train )?local(?:ly)?\b|\bnothing (?:goes|gets sent|is sent) (?:to the cloud|out|anywhere|online)|\bair ?gapped\b|\bno cloud\b|"
    r"\b(?:nessun\w*|ningun\w*|nenhum\w*|aucun\w*) (?:dato|dati|dado|donnee|file|archivo|arquivo|fichier)s?\b[^.;,\n]{0,10}\b(?:uscire|esca|lasciare|salir|salga|sair|saia|sortir|quitter)\b|\b(?:nichts|keine daten|nicht|keinesfalls)\b[^.;,\n]{0,30}\b(?:hochladen|hochgeladen|verlassen|in die cloud)|\bohne upload|\bnur lokal\b|\brien\b[^.;,\n]{0,30}\b(?:quitter?|sortir|envoye|charge)|\bne (?:rien )?(?:televerse\w*|uploade\w*|envoie\w*|charge\w*)|\bsans rien (?:envoyer|televerser)|\bne (?:doit|doivent|peut|peuvent|quitte\w*) (?:pas )?(?:quitter|sortir|cette|ma|mon|notre)|\b(?:no|nada|sin) (?:subas?|subir|salga|sale|cargues|envies)\b|\bnada (?:debe )?(?:salir|sale|salga)|\bno (?:deben? |pueden? )?(?:sal(?:gan?|ir|en) de|abandonar)\b|"
    r"\bnon (?:caricare|inviare|(?:devono|deve|possono|puo) (?:mai )?(?:uscire|lasciare|abbandonare)|escano)\b|\bsenza caricare\b|\bniente (?:deve )?(?:uscire|lasciare|upload)|\bnao (?:envie|suba|faca upload|carregue|mande)\b|\b(?:nada|nao) (?:deve|devem|pode|podem) (?:sair|deixar)\b|\bsem (?:enviar|subir|upload)|不要上传|不上传|不能上传|别上传|不能离开|不要离开|仅本地|只在本地|アップロードしない"),
    Switch("delete_after", True, rf"\b(?:delete|remove|wipe|erase|purge|destroy|clean up|losche?n?|supprime[rz]?|efface[rz]?|borra\w*|elimina\w*|cancella\w*|apague|apagar|exclua)\b[^.;\n]{{0,45}}\b{_END}|{_END}[^.;\n]{{0,25}}(?:delete|wipe|erase|loschen|loesche|supprime|efface|borra|elimina|cancella|apaga|删除|删掉|清除)"),
    # ---- consent and wishes ----
    Switch("skip_confirmation", True, r"\bwithout (?:asking|confirm\w*|bothering|checking with|prompt\w*|any questions|questions|approval)\b|\b(?:don t|do not|no need to|never) (?:ask|confirm|bother|prompt|check with|wait for)\b(?! (?:customers|users))|\bno (?:questions(?: asked)?|confirm\w*|prompts?|approval)\b|\bskip (?:the )?(?:confirm\w*|questions|approval|prompts?)\b|\bjust (?:do it|go ahead|start)\b|\byes to (?:all|everything)\b|\bauto ?(?:approve|confirm)\b|"
    r"\bohne (?:nachzufragen|nachfrage\w*|ruckfrage\w*|bestatigung\w*|zu fragen)\b|\bfrag(?:e)? (?:mich )?(?:nicht|nichts)\b|\bsans (?:demander|confirmation|me demander|poser de questions|confirmer)\b|\bne (?:me )?demande\w* (?:rien|pas)\b|\bsin (?:preguntar\w*|confirmar|confirmacion|consultar\w*)\b|\bno (?:me )?preguntes\b|\bsenza (?:chiedere|chiedermi|conferma|domande|confermare)\b|\bnon chieder\w*|\bsem (?:perguntar|confirmar|confirmacao|me perguntar|pedir)\b|\bnao (?:me )?pergunte\b|不用问|无需确认|不用确认|不要问我|直接开始|確認なし"),
    Switch("priority", "cheapest", r"\bcheap(?:est|er|ly)?\b|\binexpensive\b|\blow(?:est)? cost\b|\bsave money\b|\bgunstig\w*|\bbillig\w*|\bpas cher\b|\bmoins cher\b|\bbarat[oa]s?\b|\beconomic[oa]\w*|\bmas barat\w*|最便宜|便宜|安い|no rush|no hurry"),
    Switch("priority", "fastest", r"\b(?:as fast as|asap|fastest|quickest|as quickly as|as soon as possible|fast as possible|in a hurry|urgent\w*)\b|\bso schnell wie moglich|\bschnellstmoglich|\ble plus vite|\bau plus vite|\blo mas rapido|\bcuanto antes|\bil piu veloce|\bpiu velocemente|\bo mais rapido|尽快|最快"),
    Switch("priority", "quality", r"\b(?:best (?:possible )?(?:quality|results?|model)|highest quality|quality (?:first|matters|over))\b|\bbeste qualitat|\bmeilleure qualite|\bmejor calidad|\bmigliore qualita|\bmelhor qualidade|质量优先|最好的质量"),
)  # fmt: skip
"""Every wish. Order matters only for what is read twice: `qlora` is no `lora`."""

_LIES: Final = Pattern(
    r"\b(?:(?:data\w*|files?|tickets?|chats?|mails?|emails?|rows|docs|documents?|notes|csv|they|which|export) (?:is|are|lives?|sits?|lies?|stays?)|stored|saved|located|lying|daten (?:sind|liegen)|datei (?:ist|liegt)|liegt|liegen|gespeichert|se trouve\w*|stocke\w*|donnees sont|fichier est|guardad[oa]s?|datos estan|archivo esta|si trova\w*|dati sono|salvat[oaie]|dados estao|arquivo esta|salv[oa]s?) $"
)
_DONE_ALREADY: Final = Pattern(
    r"\b(?:already|(?:has|have|had) been|were|was|bereits|schon|wurden?|deja|ont ete|ya|han sido|gia|sono stat[ie]|ja|foram)\b"
)
"""`emails are already removed`: nothing is left to do."""
_LEARNT: Final = Pattern(
    r"\b(?:learns?|teach(?:es)?|able|knows?|lernen|lernt|apprend\w*|aprend\w*|impar\w*)\b[^.;,\n]{0,16}$"
)
"""`it should learn to remove names`: what the model is to do."""
_SAVED: Final = Pattern(
    r"\b(?:sav(?:e|ed|ing)|stor(?:e|ed|ing)|download\w*|speicher\w*|leg\w*|enregistr\w*|sauvegard\w*|guard\w*|salv\w*|scaric\w*|baix\w*|descarg\w*)(?: (?:it|them|the|this|my|our|adapter|result|model|weights|output|files?|everything|all|es|ihn|sie|alles|den|das|ergebnis|modell|gewichte|resultat|modele|resultado|modelo|risultato|modello|le|la|les|lo|o|a|el|il|tout|todo|tutto|tudo)){0,4} $"
)
"""`save it locally`: where the result goes."""
_SERVED: Final = Pattern(
    r"\b(?:bot|chatbot|assistant|model|llm|agent|one)\b[^.;,\n]{0,12}\b(?:that|which|to|will|should|can) (?:later |then |also )?(?:runs?|works?)(?: \w{1,10})? $|\b(?:runs?|use|serve|deploy|host|try|test)\w* (?:the|my|our|this) (?:finished |final |trained )?(?:model|adapter|bot|result|lora|assistant)(?: \w{1,10})? $"
)
"""`a bot that runs locally`: where the result will be used."""
_COUNTRY: Final = Pattern(
    r"\b(?:leav\w*|verlassen|quitter|salir|uscire|sair)\b[^.;,\n]{0,8}\b(?:eu|ue|us|usa|uk|eea|europe|european|country|continent|germany|france)\b|\b(?:eu|europa|deutschland|schweiz|ewr|das land)\b[^.;,\n]{0,12}\bverlassen|\b(?:l ue|l europe|la ue|europa|o pais|el pais|il paese)\b"
)
"""`may not leave the EU` is about a region, not about this machine."""
_RESULT_AFTER: Final = Pattern(
    r" ?(?:(?:it|them|the|my|our|this|finished|final|anything|den|das|le|la|el|il|o) ){0,3}(?:(?:adapter|model|result|weights|output|lora|checkpoint|bot)s?\b|(?:to|on|onto) (?:the )?(?:hub|hugging ?face|hf|github)\b)"
)
_RESULT_BEFORE: Final = Pattern(
    r"\b(?:adapter|modell?|models?|result|ergebnis|weights|lora|modele|modelo|modello|resultat|resultado|risultato)\b[^.;,\n]{0,12}$"
)
_SPELLED_NOT: Final = frozenset(
    ("eval_enabled", "local_only", "skip_confirmation", "priority", "delete_after")
)
"""Fields whose words hold their own `not`."""


def read(document: Document) -> list[Candidate]:
    """Every wish the text states."""
    found: list[Candidate] = []
    for number, switch in enumerate(SWITCHES):
        for match in _compiled(number).finditer(document.loose):
            value = switch.value
            if _is_of_something_else(document, switch, match.start(), match.end()):
                continue
            if document.folded[match.end() : match.end() + 1] == "_":
                continue  # the beginning of another field's name, as in lora_alpha
            if switch.field not in _SPELLED_NOT and _is_refused(
                document, match.start(), match.end()
            ):
                if switch.negated is None:
                    continue
                value = switch.negated
            found.append(Candidate(switch.field, value, match.start(), match.end()))
    return _adjusted(without_asked(found, answered_choices(document.tokens)))


def _is_refused(document: Document, start: int, end: int) -> bool:
    return document.is_negated(start) or is_refused(document.loose, start, end)


def _is_of_something_else(document: Document, switch: Switch, start: int, end: int) -> bool:
    """`the data is on my laptop` says not where to train; `don't upload the adapter` not that data stays."""
    before = document.loose[max(0, start - 40) : start]
    if switch.field == "redact_pii":
        return bool(_DONE_ALREADY.search(document.loose[start:end]) or _LEARNT.search(before))
    if switch.field == "where":
        return any(p.search(before) is not None for p in (_LIES, _SAVED, _SERVED))
    if switch.field == "local_only":
        about = document.loose[max(0, start - 20) : end + 16]
        return bool(
            _RESULT_AFTER.match(document.loose, end)
            or _RESULT_BEFORE.search(before)
            or _COUNTRY.search(about)
        )
    return False


@cache
def _compiled(number: int) -> Pattern:
    return Pattern(SWITCHES[number].words, re.ASCII)  # `用spot`: a word ends where Latin letters do


def _adjusted(found: list[Candidate]) -> list[Candidate]:
    """What follows from two words together: declined evaluation, LoRA over 4 bits."""
    fields = {c.field: c for c in found}
    declined = [c for c in found if c.field == "eval_enabled" and c.value is False]
    if declined:
        found = [c for c in found if c.field != "eval_enabled"] + declined[:1]
    adapters = {str(c.value) for c in found if c.field == "adapter"}
    bits = [c for c in found if c.field == "quant_bits"]
    if "qlora" in adapters or "dora" in adapters:
        found = [c for c in found if c.field != "adapter" or c.value != "lora"]
    if "qlora" in adapters and not bits:
        found.append(fields["adapter"]._replace(field="quant_bits", value=4))
    if bits and all(c.value == 4 for c in bits) and adapters <= {"lora"}:
        found = [c for c in found if c.field != "adapter"]
        found.append(bits[0]._replace(field="adapter", value="qlora"))
    return found
