"""What is wanted: a training, a price, a check, news of a job, its end, or none of these."""

import re
from typing import Final, NamedTuple

from podtune.intake.words import facts, inquiries
from podtune.intake.words.candidates import Candidate
from podtune.intake.words.document import Document
from podtune.intake.words.literals import Kind
from podtune.intake.words.patterns import Pattern

_TRAIN: Final = Pattern(
    r"\b(?:re)?train(?!ing(?:s\w*)?\b)\w*\b|\b(?:fine ?)?tun(?:e|es|ed)\b|\bfine ?tun\w+|\bfinetun\w+|\bteach\b|\badapt\b|\bdistil\w*|\b(?:make|build|create|give|want|need|produce)\b[^.;\n]{0,25}\b(?:bot|lora|adapter|assistant|model|classifier|chatbot|qlora)\b|\bour own (?:assistant|model|bot)\b|"
    r"\btrainier\w*|\bfeinabstimm\w*|\bfeintun\w*|\banpassen\b|\bentraine\w*|\baffine[rz]?\b|\bajust[ea]\w*\b|\bentren\w+|\bafin\w+|\baddestr\w+|\baffina\w*|\btrein\w+|\brefine\b|微调|训练|ファインチューニング|学習させ"
)
_NOUN_ONLY: Final = Pattern(
    r"\b(?:used|usable|enough|fit|suitable|ready|able|ok|okay|good) to $|\b(?:antes de|avant d|avant de|bevor|bevor wir|bevor ich|prima di|vor dem|before|before (?:we|i|you)|until (?:we|i)) $|\b(?:for|before|fit for|ready for|good for|suitable for|fur|zum|pour|para|per) (?:the |le |el |il |o |l |la |lo |das |die )?$"
)
_ESTIMATE: Final = Pattern(
    r"\bhow much\b(?! (?:data|longer|v?ram|memory|context|disk|space|storage))[^.;\n]{0,60}|\bhow (?:expensive|pricey|long)\b[^.;\n]{0,20}\b(?:would|will|does|is|to|might|take)\b|\bwhat (?:would|will|does|s|is|might|could)\b[^.;\n]{0,50}\b(?:cost|price|charge|set me back|run me)\b|\b(?:cost|price) (?:estimate|quote|check)|\bestimat(?:e|ion)\b|\bquote\b(?! [a-z]+ from)|\bget (?:me )?a price\b|"
    r"\bprice (?:for|of|to|out)\b|\bwhat s the (?:price|cost|damage)\b|\bdry run\b|\b(?:ballpark|rough) (?:figure|number|estimate|price|cost|idea|guess|sum)\b|(?<!in the )(?<!in that )\bballpark\b(?! (?:of )?[$€£]?\d)(?=[^.;\n]{0,3}(?:$|[.:;,?!\n]| for\b| on\b| please\b))|\b(?:only|just) (?:show|plan|tell|give)\b[^.;\n]{0,30}\b(?:plan|price|cost|costs|estimate|quote)\b|\bplan only\b|\btell (?:me|us) what you (?:d|would) (?:do|suggest|propose|plan|train)\b|\bjust (?:a |the )?plan\b|\bshow me (?:the|a) plan\b|\bworth it\b|\b(?:which|what) (?:gpu|card|machine)s? (?:would|should|do(?! you (?:have|offer|support|know|sell|own|run))|is|can(?! you)|will)\b|\bwelche[ns]? (?:gpu|karte|grafikkarte)\b|\b(?:is|are|will|would|does)\b[^.;,\n]{0,12}\d[^.;,\n]{0,25}\benough\b|\breich(?:t|en)\b[^.;,\n]{0,12}\d|\b(?:basta|bastan|bastano|suffi(?:t|sent)|chegam?)\b[^.;,\n]{0,12}\d|"
    r"\b(?:was|wie ?viel|wieviel)\b[^.;\n]{0,30}\b(?:kostet|kosten|wurde)\b|\bkostenschatzung|\bkostenvoranschlag|\bschatze? (?:die )?kosten|\bcombien\b(?! (?:d |de )(?:epoques?|etapes?|pas|lignes?|exemples?|donnees|rangs?|bits?))|\bquel (?:est|serait) le (?:prix|cout)|\bestime[rz]?\b|\bdevis\b|\bcuanto\b[^.;\n]{0,40}|\bque (?:costaria|precio)|\bestima(?:r|cion)?\b|\bpresupuestame|"
    r"\bquanto\b[^.;\n]{0,40}\b(?:cost\w*|cust\w*|sai|ficaria|verrebbe|viene|spend\w*)|\bstima\b|\bpreventivo\b|\bestimativa\b|\borcamento para\b(?! \d)|多少钱|费用是?多少|要花多少|估算|估价|报价|いくら|見積"
)
_STATUS: Final = Pattern(
    r"\bstatus\b|\bprogress\b|\bwhat(?: s| is| has)? (?:happening|happened (?:to|with|in)|going on|up with)\b|\bhow (?:is|s|are) [^.;\n]{0,30}\b(?:going|doing|coming|progressing|job|run|training|fine ?tune)\b|\b(?:is|are|has|did)\b[^.;\n]{0,40}\b(?:done|finished|ready|complete\w*|running|still|started|crash\w*|fail\w*)\b|\bhow far\b|\beta\b|\bhow long (?:until|left|remaining|more)|\b(?:show|give|list|see|tail)\b[^.;\n]{0,20}\b(?:logs?|jobs|runs|loss curve)\b|\bwhen (?:will|does|is)\b[^.;\n]{0,30}\b(?:done|finish\w*|ready|complete\w*)\b|\b(?:is|are|has|have|did|does)\b[^.;\n]{0,40}\b(?:finish(?:ed)?|converged?|ended|through|over)\b|\b(?:which|what|how many|any|all) (?:of my |my |our |the )?(?:jobs?|runs|trainings)\b(?! ?(?:should|would|could|do i|is best))|\bwhere (?:are we|do we stand)\b|\b(?:loss|state|speed) of (?:my|the|our)\b|\bcurrent (?:run|job|training)\b|\bany news\b|\bwhy\b[^.;\n]{0,30}\b(?:fail\w*|crash\w*|stop\w*|die\w*|slow)\b|\b(?:job|run|training)\b[^.;\n]{0,20}\b(?:failed|crashed|died|(?:is )?stuck)\b|\bwhere (?:is|are) (?:my|the) (?:job|run|training|adapter)|"
    r"\bwie (?:steht|weit|lauft|geht)\b|\bfortschritt\b|\bstand (?:der|des|von|vom)\b|\bou en est\b|\betat (?:du|de)\b|\bavancement\b|\bcomo va\b|\bestado (?:del|de)\b|\bprogreso\b|\ba che punto\b|\bstato (?:del|di)\b|\bcome (?:va|procede)\b|\bcomo (?:esta|anda|vai)\b|\bandamento\b|\b(?:ist|sind|hat|haben|lauft)\b[^.;\n]{0,40}\b(?:fertig|durch|beendet|abgeschlossen|gescheitert|fehlgeschlagen)\b|\best\b[^.;\n]{0,30}\b(?:termine|fini|acheve|pret|plante)e?\b|\b(?:ya|ha|esta)\b[^.;\n]{0,30}\b(?:termin(?:o|ado|ada)|acab(?:o|ado|ada)|list[oa]|fallado)\b|\b(?:e|ha|sta)\b[^.;\n]{0,30}\b(?:finit[oa]|terminat[oa]|pront[oa]|fallit[oa])\b|\b(?:ja|esta)\b[^.;\n]{0,30}\b(?:acabou|terminou|pront[oa]|falhou|concluid[oa])\b|进度|状态|进展|怎么样了|完成了吗|状況|進捗|終わりましたか|完了しましたか"
)
_STOP: Final = Pattern(
    r"\b(?:stop|cancel|kill|abort|terminate|halt|shut down|end|interrupt|pull the plug on|get rid of|shut|turn off|stopper|stoppare|switch off|take down|bring down|quit|finish off|put an end to|stoppe?n?|stoppt|halte|haltet|anhalten|abbrechen|brich|beende\w*|breche|arrete[rz]?|annule[rz]?|interromp\w*|deten\w*|para(?:r|lo)?|cancela\w*|ferma\w*|annulla\w*|interromp\w*|arresta\w*|blocca\w*|pare|parar|parem|cancele|encerr\w*|finaliza\w*|termina[r]?|stopp|mets fin|stoppez|coupe[rz]?|detene\w*|aborta\w*)\b|停止|停掉|停下|停了|关掉|结束|取消|终止|打断|中止|止めて|キャンセル"
)
_RUNNING: Final = Pattern(
    r"\b(?:jobs?|runs?|training|it|everything|pod|pods|that|this|lauf|laufe|laufende\w*|alles|tudo|todo|tout|tutto|auftrag|travail|entrainement|tache|trabajo|entrenamiento|tarea|addestramento|lavoro|processo|trabalho|treino|treinamento|fine ?tun\w+|all|gpu|instance)\b|任务|训练|ジョブ|学習|トレーニング|全部|すべて"
)
_WISHED: Final = Pattern(
    r"\b(?:like|want|need|ask|asking|wish|have|time|please|tell|told|love|prefer) (?:you |us |it |the system |podtune )?to (?:please |just |now )?$"
)
"""`I would like you to stop it`: an order for all its `to`."""
_LATER: Final = Pattern(
    r"\b(?:then|after\w*|if|when|once|and|unless|before|dann|wenn|puis|si|luego|cuando|poi|quando|se|depois|will|would|to|auto|the|no|early|at) (?:please |just )?$"
)
_CHECK: Final = Pattern(
    r"\b(?:check|validate|inspect|verify|have a look|take a look|lint|examine|audit|look (?:at|over|through)|review|analy[sz]e|diagnose|prufe?n?|uberprufe?n?|kontrollier\w*|validier\w*|schau\w*|verifi\w+|controle[rz]?|valide[rz]?|examine[rz]?|analyse[rz]?|revis[ae]\w*|comprueb\w*|comprobar|valid[ae]\w*|controll[ai]\w*|verific[ah]\w*|analizz\w*|data doctor|sanity check|quality check|data check|confir[ae]\w*|chec(?:a|ar|ou)|regarde[rz]?|jette[rz]? un oeil|mira(?:r|d)?|echa un vistazo|dai? un occhiata|guarda se|da uma olhada|olh[ae]r?)\b|检查|校验|验证一下|看看|確認|チェック"
)
_FIT: Final = Pattern(
    r"\b(?:is|are)\b[^.;\n]{0,40}\b(?:ok|okay|valid|good enough|fit|usable|ready|clean|formatted|fine|well ?formed|in the right format|suitable)\b|\bgood (?:enough )?for training\b|\b(?:does|do|has|have)\b[^.;\n]{0,40}\b(?:problems?|errors?|issues?|mistakes|bad rows|broken rows|duplicates)\b|\bconvien\w+\b|\b(?:tiene|tienen|tem|ha) (?:algun |algum |alcun )?err\w+|\bany (?:errors|problems|issues|bad rows) in\b|\bwhat s wrong with\b|\bist\b[^.;\n]{0,40}\b(?:in ordnung|brauchbar|geeignet|ok)\b|\best (?:il|elle|ce que)\b[^.;\n]{0,40}\b(?:bon|valide|correct|ok)\b|\b(?:esta|estan|sirve\w*)\b[^.;\n]{0,40}\b(?:bien|bem|valido|correcto|correto|certo|em ordem|ok)\b|\bva bene per\b|\be valido\b|是否(?:可以|合格|有效)|能用吗|行吗"
)
_DATA_WORD: Final = Pattern(
    r"\b(?:data\w*|files?|rows|csv|jsonl?|tickets|examples|format|daten\w*|datei\w*|donnees|fichiers?|datos|archivos?|fichero|dati|dados|arquivos?)\b|数据|文件|データ"
)
_DO_NOT: Final = Pattern(
    r"\b(?:don t|do not|without|nothing|never|not|no|nicht|nichts|ohne|ne|pas|sans|sin|non|senza|nao|sem)\b[^.;,\n]{0,30}\b(?:start\w*|train\w*|run\w*|launch\w*|provision\w*|rent\w*|begin\w*|spend\w*|go ahead|execut\w*|starte\w*|trainier\w*|lance\w*|demarre\w*|entrain\w*|inici\w*|empiec\w*|empez\w*|entren\w*|avvi\w*|inizi\w*|addestr\w*|comec\w*|trein\w*)\b|不要(?:开始|训练|启动|运行)|先别|别(?:开始|训练)"
)
_JOB_ID: Final = Pattern(
    r"\b(?:jobs?|run|lauf|auftrag|job id|training|entrainement|entrenamiento|addestramento|treino|treinamento|corsa|trabajo|tache|tarea|lavoro|trabalho|id|任务|作业|ジョブ)\b[ :#=]{0,3}(?:nr\.? |no\.? |number |id |named |called |mit der id )?#?(?P<id>(?=[a-z0-9_\-]{0,39}\d)[a-z0-9](?:[a-z0-9_\-]{0,39}[a-z0-9])?)(?![\w/])|\b(?P<own>(?:job|run|train|ft|tr)[\-_][a-z0-9](?:[a-z0-9_\-]{0,38}[a-z0-9])?)\b|#(?P<hash>\d{1,9})\b"
)
_UNITS_AFTER: Final = Pattern(
    r" ?(?:steps?|epochs?|hours?|times|%|gb|minutes?|mins?|h\b|schritte|epochen|x\b)"
)
KNOBS: Final = frozenset(
    [
        "epochs",
        "max_steps",
        "learning_rate",
        "batch_size",
        "effective_batch_size",
        "lora_rank",
        "lora_alpha",
        "base_model_family",
        "base_model_id",
        "adapter",
        "method",
    ]
)
"""Fields that only a training has."""
_MODEL_PARTS: Final = frozenset(("base_model_family", "base_model_id"))
"""What is also said of a run that is there: `how is the llama run going`."""
_SIZED: Final = frozenset(("base_model_family", "base_model_size_b"))
"""Beside a card: whether the one fits on the other is told by a plan."""
_CHANGES: Final = Pattern(
    r"\b(?:download|delete|remove|rename|publish|share|restart|re ?run|retry|re ?start|repeat|redo|export|upload|merge|deploy|copy|pause|pay|herunterladen|losche?n?|telecharge\w*|supprime\w*|descarga\w*|borra\w*|scarica\w*|elimina\w*|baixe|baixar|apague|train\w*|fine ?tun\w*|use|take|start)\b|下载|删除|重新"
)
"""What is done with a job's result, or begun anew: no question about it."""

_BARE_ORDER: Final = Pattern(
    r"(?:(?:please|ok|okay|so|now|just|yes|bitte|los|let s) ){0,3}(?:go|go ahead|go on|start|begin|run|run it|start it|do it|train|train it|launch|fang an|leg los|starte|vas y|lance|empieza|vai|comincia|parti|comeca|开始)(?: (?:please|now|then|bitte|jetzt))?[.! ]{0,4}"
)
_AGAIN: Final = Pattern(
    r"\b(?:do|run|train|start|launch) (?:(?:it|that|this|the same|the (?:last|previous) (?:one|run|job))(?: thing)? ){1,2}(?:over )?(?:again|once more)\b|^\W{0,3}(?:please )?(?:repeat|redo|re ?run) (?:it|that|this|the|my)\b|\b(?:mach|starte?|lauf|trainiere?)\b[^.;\n]{0,25}\bnoch ?mal\b"
)
"""What was done is to be done once more."""
_WAS_TRAINED: Final = Pattern(
    r"\b(?:i|we|they|he|she) (?:ve |have |had |has )?(?:already |just |once |recently )?(?:trained|fine ?tuned|tuned)\b|\b(?:haben?|hatten?) (?:ich |wir )?[^.;,\n]{0,50}\b(?:schon|bereits|gestern) [^.;,\n]{0,30}trainiert\b"
)
_FAILED_RUN: Final = Pattern(
    r"\b(?:training|fine ?tuning|run|job)\b[^.;,\n]{0,60}\b(?:failed|crashed|died|diverged|aborted|is stuck|got stuck|went wrong)\b"
)
_NOW: Final = Pattern(
    r"\b(?:now|use|do|again|this time|instead|please|try|want|need|let s|take|go|make|start|jetzt|nimm|bitte|diesmal|nochmal|noch mal)\b"
)
"""What orders something after a remark on what was done."""
_CHORE: Final = Pattern(
    r"\W{0,3}(?:(?:please|can you|could you|now|bitte) ){0,2}(?:convert|split|clean(?: up)?|translate|summari[sz]e|explain|anonymi[sz]e|dedup\w*|deduplicate|merge|sort|open|print|read|show|rename|delete|remove|copy|zip|unzip|konvertiere|ubersetze|zusammenfasse|bereinige|convertis|traduis|nettoie|convierte|traduce|limpia|converti|traduci|pulisci|converta|traduza)\b"
)
"""What is done with a file and is no training."""
_LONE_ID: Final = Pattern(
    r"(?<![\w\-])(?P<id>[a-z]{1,12}[\-_](?=[a-z0-9]{0,20}\d)[a-z0-9]{1,20})(?![\w\-])"
)
"""A name with a digit, where a request is about a job and names no data."""


class Intent(NamedTuple):
    """What is wanted, and the job that is named."""

    value: str
    job_id: Candidate | None
    is_asking: bool = False
    """Whether the request is nothing but a question of fact."""


class _Said(NamedTuple):
    """What a request says, as far as its intent hangs on it."""

    document: Document
    stated: set[str]
    has_data: bool
    has_model: bool
    trains: bool
    """Whether a verb of training is an order."""
    job: Candidate | None

    @property
    def knobs(self) -> set[str]:
        return self.stated & KNOBS

    @property
    def dials(self) -> set[str]:
        """Knobs that are said of no run that is there."""
        return self.knobs - _MODEL_PARTS

    @property
    def is_named(self) -> bool:
        """Whether data is named and not only described."""
        return self.has_data and bool(self.document.literals)

    @property
    def is_known(self) -> bool:
        """Whether a job is all that is spoken of."""
        return self.job is not None and not (self.is_named or self.knobs or self.trains)

    @property
    def is_held(self) -> bool:
        """Whether nothing may begin."""
        return inquiries.holds_off(self.document)


def read(document: Document, stated: set[str], *, has_data: bool, has_model: bool) -> Intent:
    """The intent; where two are as likely, the one that costs nothing.

    Args:
        document: The request.
        stated: Fields that were found.
        has_data: Whether data is named or described.
        has_model: Whether a model is named, even one that cannot be trained.
    """
    trains = _has_order(document, _TRAIN)
    job = _job_id(document, is_about_jobs=not has_data)
    said = _Said(document, stated, has_data, has_model, trains, job)
    readers = (_price, _end, _check, _state, _fact, _order)
    return next((found for reader in readers if (found := reader(said))), Intent("other", job))


def _price(said: _Said) -> Intent | None:
    """What something would cost is a plan; what it has cost is news."""
    if not (said.is_named or said.dials) and inquiries.asks_spent(said.document):
        return Intent("status", said.job)
    is_news = said.is_known and inquiries.is_about_a_begun_job(said.document)
    return Intent("estimate", said.job) if _asks_price(said.document) and not is_news else None


def _end(said: _Said) -> Intent | None:
    """`stop job-3`; `how do I stop a job?` ends nothing."""
    if said.job is None and not said.is_named and facts.asks_how(said.document):
        return Intent("other", None, is_asking=True)
    is_end = (
        (not (said.is_named or said.dials) and _stops(said.document, said.job))
        or (said.is_known and inquiries.asks_for_the_end(said.document))
        or (not said.dials and inquiries.begins_with_a_stop(said.document))
    )
    return Intent("stop", said.job) if is_end else None


def _check(said: _Said) -> Intent | None:
    """Data is to be looked at and nothing more; a model beside it may be what it is for."""
    document = said.document
    is_order = said.trains and not said.is_held and not _DO_NOT.search(document.loose)
    if said.dials or is_order:
        return None
    is_fitness = said.has_data and inquiries.asks_fitness(document)
    is_check = is_fitness or (not said.knobs and _checks(document, said.has_data))
    return Intent("check_data", said.job) if is_check else None


def _state(said: _Said) -> Intent | None:
    """News of a job."""
    if not said.dials and _has_failed(said.document):
        return Intent("status", said.job)
    is_about_data = said.is_named if said.is_known else said.has_data
    if is_about_data or said.dials or not _asks_state(said.document, said.job):
        return None
    return Intent("status", said.job)


def _has_failed(document: Document) -> bool:
    """`we trained it on rows.csv and it is bad`: what was done, and no word of what is to be done now."""
    text = document.loose
    was = _WAS_TRAINED.search(text) or _FAILED_RUN.search(text)
    if was is None or _NOW.search(text):
        return False
    return not any(m.start() < was.start() or m.start() >= was.end() for m in _TRAIN.finditer(text))


def _fact(said: _Said) -> Intent | None:
    """A question of fact; where a model, a card or data is named, a plan tells."""
    if facts.asks_only(said.document, has_data=said.has_data, trains=said.trains):
        is_for_the_planner = "gpu_type" in said.stated and bool(said.stated & _SIZED)
        if not is_for_the_planner:
            return Intent("other", said.job, is_asking=True)
        return Intent("estimate", said.job)
    is_about_data = said.is_named and facts.asks_all(said.document, trains=said.trains)
    return Intent("estimate", said.job) if is_about_data else None


def _order(said: _Said) -> Intent | None:
    """A training, begun anew, gone on with, or held off for now."""
    document, text = said.document, said.document.loose
    if _AGAIN.search(text):
        return Intent("train", said.job)
    is_wanted = bool(said.has_model or said.knobs)
    if said.is_held and not said.trains and is_wanted and not _resumes(text):
        return Intent("estimate", said.job)
    if said.job is not None and _resumes(text):
        return Intent("train", said.job)
    about = (
        said.trains
        or said.stated - {"priority", "skip_confirmation", "where", "local_only", "intent", "task"}
        or said.has_model
        or said.is_named
    )
    if said.is_named and not (is_wanted or said.trains) and _CHORE.match(text):
        return Intent("other", said.job)
    is_fragment = said.job is None and _is_fragment(document)
    return Intent("train", None) if about or is_fragment else None


def _has_order(document: Document, pattern: Pattern) -> bool:
    """Whether a verb of training is there that is neither a purpose nor negated."""
    return any(
        not _NOUN_ONLY.search(document.loose[max(0, m.start() - 24) : m.start()])
        and not document.is_negated(m.start())
        for m in pattern.finditer(document.loose)
    )


def _asks_price(document: Document) -> bool:
    """Whether a price is asked for; one that is a limit, or is declined, is no question."""
    match = _ESTIMATE.search(document.loose)
    if match is not None:
        return not (
            document.is_negated(match.start())
            or inquiries.is_told_by_the_model(document, match.start())
        )
    return inquiries.asks_price(document)


def _asks_state(document: Document, job: Candidate | None) -> bool:
    """Whether news of a job is asked for; a job that is named and not gone on from is asked about."""
    text = document.loose
    if job and _asks_price(document):
        return True
    if _STATUS.search(text) and (job or _RUNNING.search(text) or len(document.tokens) <= 3):
        return True
    if job is None:
        return inquiries.asks_state(document)
    return not (_resumes(text) or _CHANGES.search(text))


def _stops(document: Document, job: Candidate | None) -> bool:
    for match in _STOP.finditer(document.loose):
        before = document.loose[max(0, match.start() - 30) : match.start()]
        if document.is_negated(match.start()) or (
            _LATER.search(before) and not (job and _WISHED.search(before))
        ):
            continue
        if (
            job is not None
            or _RUNNING.search(document.loose, match.end(), match.end() + 60)
            or len(document.tokens) <= 4
        ):
            return True
        if document.language != "en" and _RUNNING.search(document.loose):
            return True
    return False


def _checks(document: Document, has_data: bool) -> bool:
    checked = any(not document.is_negated(m.start()) for m in _CHECK.finditer(document.loose))
    return (checked or _FIT.search(document.loose) is not None) and (
        has_data or _DATA_WORD.search(document.loose) is not None
    )


def _resumes(text: str) -> bool:
    return (
        re.search(
            r"\b(?:resum\w*|continu\w*|re ?runs?|restart\w*|retry|redo|weiter\w*|repren\w*|retom\w*|riprend\w*|same as|like|again)\b",
            text,
        )
        is not None
    )


def _job_id(document: Document, *, is_about_jobs: bool) -> Candidate | None:
    for match in _JOB_ID.finditer(document.folded):
        group = next(g for g in ("id", "own", "hash") if match[g])
        if _UNITS_AFTER.match(document.folded, match.end(group)):
            continue
        value = document.text[match.start(group) : match.end(group)]
        return Candidate("job_id", value, match.start(group), match.end(group))
    asked = _STOP.search(document.loose) or _STATUS.search(document.loose)
    lone = _LONE_ID.search(document.folded) if is_about_jobs and asked else None
    if lone is None:
        return None
    start, end = lone.span("id")
    return Candidate("job_id", document.text[start:end], start, end)


def _is_fragment(document: Document) -> bool:
    """A few words with a number, or a bare `go`: meant for us, though nobody can tell what."""
    if _BARE_ORDER.fullmatch(document.loose.strip()):
        return True
    if len(document.tokens) > 6 or any(u.kind is Kind.QUOTED for u in document.literals):
        return False
    return any(t.number is not None for t in document.tokens)
