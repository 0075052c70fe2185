"""Words of seven languages that mean the same thing to a training request.

Spelled as the reader sees them: small, without accents, hyphens and apostrophes as blanks. One line a
concept; a phrase beats the shorter one inside it.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Final


class Concept(StrEnum):
    """What a word or phrase stands for."""

    EPOCHS = "epochs"
    STEPS = "max_steps"
    RATE = "learning_rate"
    BATCH = "batch_size"
    WHOLE_BATCH = "effective_batch_size"
    ACCUMULATION = "grad_accum"
    RANK = "lora_rank"
    ALPHA = "lora_alpha"
    DROPOUT = "lora_dropout"
    LENGTH = "max_seq_len"
    WARMUP = "warmup"
    WARMUP_STEPS = "warmup_steps"
    WARMUP_RATIO = "warmup_ratio"
    DECAY = "weight_decay"
    SEED = "seed"
    ROWS = "rows"
    TOKENS = "tokens"
    AT_MOST = "at_most"
    AT_LEAST = "at_least"
    MORE_THAN = "more_than"
    LESS_THAN = "less_than"
    ABOUT = "about"
    EACH = "each"
    PER = "per"
    BUDGET = "budget"
    SPEND = "spend"
    HOUR = "hour"
    MINUTE = "minute"
    DAY = "day"
    THOUSAND = "thousand"
    GIGABYTE = "gigabyte"
    MEMORY = "memory"
    GPU = "gpu"
    NOT = "not"
    BUT = "but"
    OR = "or"
    AND = "and"
    CORRECTION = "correction"
    INSTEAD_OF = "instead_of"
    TWICE = "twice"
    SAME_AS = "same_as"
    CHANGE = "change"
    NOTHING = "nothing"
    """A phrase that only looks like something: `no rush` negates nothing."""


PHRASES: Final[Mapping[Concept, str]] = {
    Concept.EPOCHS: "epoch|epochs|epoc|epocs|epohs|epoches|epochen|epoche|epoque|epoques|epoca|epocas|ep|eps|"
    "passes over the data|passes through the data|durchlauf|durchlaufe|durchgange|轮|轮次|个轮次|个epoch|周期|エポック",
    Concept.STEPS: "step|steps|max steps|training steps|optimizer steps|optimiser steps|total steps|schritt|"
    "schritte|schritten|trainingsschritte|etape|etapes|pasos|paso|passi|passos|步|ステップ",
    Concept.RATE: "lr|learning rate|learningrate|learn rate|lernrate|taux d apprentissage|taux apprentissage|"
    "tasa de aprendizaje|tasso di apprendimento|taxa de aprendizado|taxa de aprendizagem|学习率|学習率",
    Concept.BATCH: "batch|batchsize|batch size|batches of|bs|bsz|micro batch|micro batch size|per device batch size|"
    "per device train batch size|per gpu batch size|batchgrosse|batchgroße|batch große|stapelgroße|batchgroesse|batch grosse|stapelgrosse|taille de batch|taille du batch|taille de lot|"
    "taille du lot|lots de|lot de|tamano de lote|tamano del lote|tamano de batch|tamano del batch|lote|lote de|dimensione batch|dimensione del batch|"
    "tamanho do lote|tamanho de lote|tamanho do batch|批大小|批次大小|批量大小|批量|批次|バッチサイズ",
    Concept.WHOLE_BATCH: "effective batch|effective batch size|global batch|global batch size|total batch size|overall batch size|"
    "batch size effective|effektive batchgrosse|effektive batchgroße|effektive batch grosse|globale batchgrosse|batch effectif|taille de batch effective|batch global|"
    "lote efectivo|tamano de lote efectivo|batch effettivo|batch size effettivo|lote efetivo|tamanho de lote efetivo|tamanho do lote efetivo|有效批大小|有效批次大小",
    Concept.ACCUMULATION: "ga|accumulate|grad accum|grad acc|grad accumulation|gradient accumulation|gradient accumulation steps|accumulation steps|grad accum steps|"
    "gradient accum|accumulate gradients over|gradientenakkumulation|gradienten akkumulation|accumulation de gradient|accumulation de gradients|accumulation du gradient|"
    "acumulacion de gradiente|acumulacion de gradientes|accumulo del gradiente|accumulo di gradiente|accumulo gradiente|accumulo dei gradienti|"
    "acumulacao de gradiente|acumulacao de gradientes|梯度累积|梯度累积步数|勾配累積",
    Concept.RANK: "rank|r|lora r|lora rank|rank of|rang|rango|rangs|秩|ランク",
    Concept.ALPHA: "alpha|lora alpha|alfa|lora alfa|アルファ",
    Concept.DROPOUT: "dropout|lora dropout|drop out|ドロップアウト|丢弃率",
    Concept.LENGTH: "max length|maximum length|sequences up to|sequences of up to|sequences of at most|sequences of length|max len|max seq len|max seq length|max sequence length|maximum sequence length|sequence length|seq|seq len|seqlen|"
    "seq length|context length|context window|context size|max context|context|ctx|ctx len|max tokens|cutoff|cutoff len|block size|longueur maximale|longueur max|longueur de contexte|"
    "longueur de sequence|contexte|kontextlange|kontextlaenge|kontext|kontextfenster|sequenzlange|maximale lange|longitud maxima|longitud de contexto|longitud de secuencia|"
    "contexto|lunghezza massima|lunghezza del contesto|lunghezza di contesto|contesto|comprimento maximo|comprimento de contexto|comprimento do contexto|tamanho de contexto|上下文|上下文长度|最大长度|コンテキスト|コンテキスト長",
    Concept.WARMUP: "warmup|warm up|warmups|aufwarmphase|aufwarmen|echauffement|calentamiento|riscaldamento|aquecimento|预热|ウォームアップ",
    Concept.WARMUP_STEPS: "warmup steps|warm up steps|steps of warmup|steps warmup|steps warm up|aufwarmschritte|warmup schritte|warmup schritten|"
    "etapes de warmup|etapes d echauffement|pasos de warmup|pasos de calentamiento|passi di warmup|passi di riscaldamento|passos de warmup|passos de aquecimento|步预热|预热步数",
    Concept.WARMUP_RATIO: "warmup ratio|warm up ratio|warmup fraction|warmup anteil",
    Concept.DECAY: "weight decay|wd|weightdecay|权重衰减|decadimento dei pesi|decaimiento de pesos|decaimento de peso",
    Concept.SEED: "seed|random seed|rng seed|zufallsseed|graine|graine aleatoire|semilla|semilla aleatoria|semente|seme|随机种子|种子|シード",
    Concept.ROWS: "row|rows|example|examples|sample|samples|record|records|line|lines|entries|items|conversations|tickets|messages|pairs|chats|"
    "zeile|zeilen|beispiele|eintrage|datensatze|ligne|lignes|exemple|exemples|enregistrements|fila|filas|ejemplos|registros|righe|esempi|linhas|exemplos|行|条|条数据|件",
    Concept.TOKENS: "token|tokens|tok|toks",
    Concept.AT_MOST: "at most|at the most|hard stop|hard stop at|nothing above|nothing over|nothing beyond|nothing more than|nichts uber|nichts ueber|rien au dessus de|rien au dela de|nada por encima de|nada mas de|niente sopra|niente oltre|nada acima de|at the very most|at the absolute most|at very most|absolute max|absolute maximum|absolute limit|allerhochstens|max|maximum|maximal|maximale|maxi|upper limit|up to|no more than|not more than|no longer than|not longer than|not over|not above|not exceed|never exceed|must not exceed|"
    "not to exceed|do not exceed|don t exceed|capped at|cap of|cap at|cap it at|cap|cap is|limit of|limit|limit is|limited to|limit it to|hard limit|hard cap|ceiling|ceiling of|tops|within|stay under|keep under|keep it under|below|"
    "hochstens|hoechstens|maximal|nicht mehr als|nicht langer als|nicht laenger als|nicht uber|bis zu|obergrenze|obergrenze von|limit von|"
    "au maximum|au plus|maximum de|pas plus de|pas plus d|pas plus que|jusqu a|plafond|plafond de|limite|limite de|limite a|sans depasser|ne pas depasser|ne depasse pas|"
    "como maximo|maximo|maxima|a lo sumo|no mas de|hasta|tope|tope de|limite maximo|sin pasar de|sin superar|que no pase de|que no supere|"
    "al massimo|massimo|massima|non piu di|non oltre|fino a|tetto|tetto di|tetto massimo|limite di|senza superare|"
    "no maximo|maximo de|nao mais que|nao mais de|nao mais do que|ate|teto|teto de|sem passar de|sem ultrapassar|"
    "not a cent more|and not a cent more|not a penny more|and no more|以内|以下|不超过|不要超过|最多|上限|之内|まで|最大",
    Concept.LESS_THAN: "less than|under|fewer than|cheaper than|weniger als|unter|unterhalb von|moins de|moins que|en dessous de|sous|menos de|menos que|por debajo de|bajo|"
    "meno di|sotto|sotto i|sotto gli|abaixo de|menos do que|少于|低于|未満",
    Concept.MORE_THAN: "more than|over|above|exceed|exceeds|exceeding|longer than|beyond|mehr als|langer als|uber|plus de|plus d|depasser|mas de|superar|pasar de|piu di|oltre|superare|mais de|mais que|mais do que|passar de|ultrapassar|超过",
    Concept.AT_LEAST: "at least|minimum|min|no less than|not less than|or more|or better|mindestens|wenigstens|au moins|minimum de|al menos|por lo menos|como minimo|minimo|almeno|pelo menos|no minimo|ao menos|至少|以上",
    Concept.ABOUT: "about|roughly|around|approximately|approx|circa|ca|more or less|give or take|or so|ish|somewhere around|in the region of|ballpark|~|rund|etwa|ungefahr|ungefaehr|zirka|"
    "environ|a peu pres|autour de|dans les|aproximadamente|alrededor de|unos|unas|mas o menos|cerca de|approssimativamente|piu o meno|intorno a|intorno ai|sui|"
    "por volta de|mais ou menos|uns|umas|大约|大概|左右|约|差不多|约为|約|くらい|ぐらい",
    Concept.EACH: "each|apiece|per gpu|per card|a piece|per machine|pro karte|pro gpu|je karte|jeweils|chacun|chacune|par gpu|par carte|cada una|cada uno|por gpu|ciascuna|ciascuno|l una|per scheda|每张|每卡|每块",
    Concept.PER: "per|pro|par|por|je|/|每",
    Concept.BUDGET: "budget|budgets|my budget|budget is|price limit|cost limit|spending limit|spend limit|cost cap|money|kostenlimit|budgetlimit|kosten|kostenrahmen|presupuesto|presupuesto maximo|orcamento|orcamento maximo|preventivo|预算|予算",
    Concept.SPEND: "spend|spending|pay|cost|costs|costing|price|afford|i have|i ve got|i ve|we have|we ve got|got|for|willing to pay|can spend|allows|available|set aside|wallet|ausgeben|bezahlen|kosten|ich habe|fur|depenser|payer|j ai|pour|"
    "coute|couter|gastar|gasta|gastes|pagar|tengo|por|para|cueste|spendere|spendi|pagare|ho|costare|con|gaste|tenho|custar|花|花费|付|以",
    Concept.HOUR: "h|hr|hrs|hour|hours|hourly|stunde|stunden|std|heure|heures|hora|horas|ora|ore|小时|个小时|時間|钟头",
    Concept.MINUTE: "min|mins|minute|minutes|minuten|minuto|minutos|minuti|分钟|分|分間",
    Concept.DAY: "day|days|tag|tage|tagen|jour|jours|dia|dias|giorno|giorni|天|日間",
    Concept.THOUSAND: "thousand|k|grand|tausend|mille|mil|mila|千",
    Concept.GIGABYTE: "gb|gib|gig|gigs|gigabyte|gigabytes|giga|gigas|go",
    Concept.MEMORY: "vram|gpu memory|gpu ram|video memory|memory|of memory|videospeicher|grafikspeicher|memoire|memoria|显存",
    Concept.GPU: "gpu|gpus|graphics card|graphics cards|card|cards|grafikkarte|grafikkarten|karte|karten|carte graphique|cartes graphiques|tarjeta|tarjetas|tarjeta grafica|scheda|schede|placa|placas|显卡|张卡|块卡|张显卡|块gpu|张gpu|卡",
    Concept.BUT: "but|rather|sondern|sino|mais plutot|bensi|mas sim|而是|only use|just use",
    Concept.OR: "or|oder|ou|o|oppure|或|或者|还是|nor",
    Concept.AND: "and|then|und|dann|et|puis|y|luego|e|poi|depois|和|并|然后|also|plus",
    Concept.CORRECTION: "actually|hmm|hm|then again|on reflection|come to think of it|thinking about it|actually no|no wait|wait|wait no|hold on|make that|make it|scratch that|strike that|i mean|i meant|on second thought|on second thoughts|sorry|correction|let s do|let s say|let s make it|change that to|change it to|"
    "or rather|nope|better make it|no make it|no make that|oops|instead|doch lieber|lieber|nein|quatsch|ich meine|besser gesagt|genauer gesagt|moment|ach nein|stattdessen|korrektur|mach daraus|"
    "en fait|plutot|non plutot|enfin|pardon|je veux dire|finalement|attends|non attends|mejor|mejor dicho|no espera|espera|digo|perdon|en realidad|mas bien|quiero decir|que sean|"
    "anzi|no aspetta|aspetta|scusa|meglio|cioe|volevo dire|facciamo|alias|nao espera|quer dizer|na verdade|desculpa|melhor|corrigindo|不对|改成|改为|不是|应该是|更正|いや|やっぱり",
    Concept.INSTEAD_OF: "instead of|rather than|in place of|not the|anstatt|statt|anstelle von|au lieu de|plutot que|en lugar de|en vez de|invece di|al posto di|em vez de|ao inves de|而不是|代替",
    Concept.TWICE: "twice|twice the|double|double the|two times|two times the|2 times|doppelt|das doppelte|doppelter|le double|deux fois|el doble|doble|il doppio|doppio|o dobro|dobro|两倍",
    Concept.SAME_AS: "same as|same as the|equal to|equal to the|equals|gleich|gleich dem|egal au|igual a|igual al|uguale a|uguale al|igual ao",
    Concept.CHANGE: "from|change|raise|lower|increase|von|de|da",
    Concept.NOTHING: "no rush|no hurry|no problem|no worries|no need|no later than|not only|not sure|no idea|no matter|kein problem|keine eile|pas de souci|pas de probleme|pas de panique|sin prisa|sin problema|senza fretta|nessun problema|sem pressa|sem problema|"
    "not later than|don t worry|whether or not|ob oder nicht|why not|if not|batch job|batch mode|rank them|rank the|good at|less than perfect|step by step|steps to|next steps|no big deal|por favor|能不能|可不可以|是不是|要不要|好不好|对不对|会不会|行不行",
}  # fmt: skip

_NEGATIONS: Final[Mapping[str, str]] = {
    "en": "not|no|don t|dont|do not|doesn t|never|without|avoid|except|but not|anything but|everything but|anything except|any gpu except|excluding|won t|can t|cannot|shouldn t|isn t|mustn t|skip|neither|forbid|refuse|wouldn t",
    "de": "nicht|kein|keine|keinen|keinem|keiner|ohne|niemals|nie|ausser|vermeide|alles ausser|weder|bloss nicht",
    "fr": "pas|pas de|pas d|sans|jamais|sauf|evite|evitez|ni|tout sauf|non|aucun|aucune",
    "es": "no|nada de|sin|nunca|excepto|salvo|evita|evite|ni|menos|cualquiera menos|ningun|ninguna",
    "it": "non|senza|mai|tranne|eccetto|evita|evitare|niente|ne|nessun|nessuna|no",
    "pt": "nao|nada de|sem|nunca|exceto|menos|evite|nem|nenhum|nenhuma",
    "zh": "不|不要|别|别用|不用|除了|避免|没有|勿|不能|不想",
    "ja": "以外|なし|ない|しない|使わない",
}  # fmt: skip

_ONLY_THERE: Final = frozenset(
    ["pas", "ni", "menos", "mai", "ne", "nie", "non", "sin", "niente", "sem", "evite", "evita"]
)
"""Negations of one language that mean something else, or nothing, in another."""

SMALL_WORDS: Final[Mapping[str, frozenset[str]]] = {
    code: frozenset(line.split())
    for code, line in {
        "en": "the a an on my with for and of to is it use please train our in under at most by i you we make no not do as this that epochs model data",
        "de": "schon mein mir der die das zur aus bei bis mehr soll ein eine einen auf mit fur fuer und von zu ist es bitte trainiere trainieren meine meinen meinem meiner unsere unseren im nicht kein keine uber hochstens hoechstens ich du wir den dem nutze feinabstimmung epochen lernrate daten "
        "modell dann nur aber oder wie viel kostet wurde",
        "fr": "le la les un une des sur avec pour et de du est ce mes mon ma nos entraine entrainer affine affiner au aux pas plus je tu nous en s l epoques epoque utilise veux modele donnees taux combien ne dans",
        "es": "ya si mira tiene el la los las un una en con para y de del es mis mi nuestros nuestras entrena entrenar ajusta ajustar por favor mas al yo que quiero epocas usa modelo datos tasa cuanto dejalo pero sin",
        "it": "mio mia dai entro circa questo questa devono deve euro alle il lo la gli le un una su con per di del della dei sui sulle sul miei mie nostri nostre addestra addestrare affina non piu che voglio epoche modello dati tasso quanto ma senza i e al",
        "pt": "pra tem ja meu minha os um uma em com para e de da dos das nos meus minhas nossos treine treina treinar ajuste ajustar nao mais que quero epocas modelo dados taxa quanto mas sem o",
    }.items()
}
"""The commonest small words of each language, which tell it apart."""


@cache
def phrases(language: str) -> Mapping[str, Mapping[tuple[str, ...], Concept]]:
    """First word -> whole phrase as words -> concept, for texts of a language."""
    table: dict[str, dict[tuple[str, ...], Concept]] = {}
    everywhere = [
        w for line in _NEGATIONS.values() for w in line.split("|") if w not in _ONLY_THERE
    ]
    if language == "pt":
        everywhere = [w for w in everywhere if w != "no"]  # `no arquivo`: in the file
    negations = "|".join([*everywhere, *_NEGATIONS.get(language, "no").split("|")])
    rows = [*PHRASES.items(), (Concept.NOT, negations)]
    for concept, line in rows:
        for phrase in line.split("|"):
            words = tuple(phrase.split())
            table.setdefault(words[0], {}).setdefault(words, concept)
    return table
