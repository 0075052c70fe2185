"""Names of the columns of tables with one message a row, and what stands in them for who speaks.

In some twenty-five languages, spelled as `columns.normalise` leaves them.
"""

from typing import Final

# ruff: noqa: RUF001 - letters of other scripts are meant

CONVERSATION: Final = frozenset(
    ("conversation", "conv", "convo", "ticket", "thread", "chat", "case", "session", "dialog", "dialogue", "discussion",
     "conversation uuid", "chat session", "gespräch", "gesprächs", "vorgang", "vorgangs", "fall", "unterhaltung", "konversation",
     "konversations", "ticketnummer", "vorgangsnummer", "fallnummer", "chatverlauf", "anfragenummer", "fil", "dossier",
     "échange", "conversación", "conversacion", "hilo", "caso", "diálogo", "conversazione", "discussione", "pratica",
     "conversa", "chamado", "atendimento", "protocolo", "gesprek", "zaak", "rozmowa", "rozmowy", "wątek", "zgłoszenie",
     "zgłoszenia", "konversation", "ärende", "tråd", "samtale", "sag", "keskustelu", "tiketti", "konverzace", "tiket",
     "vlákno", "görüşme", "sohbet", "konuşma", "диалог", "диалога", "беседа", "чат", "чата", "тикет", "тикета", "обращение",
     "обращения", "діалог", "звернення", "会話", "スレッド", "チケット", "对话", "会话", "會話", "工单", "대화", "티켓", "상담",
     "المحادثة", "محادثة", "التذكرة", "שיחה", "percakapan", "tiket", "hội thoại", "συνομιλία", "conversație", "beszélgetés")
)  # fmt: skip
"""What a message belongs to; besides it a name may only say that it is a number."""

NUMBER: Final = frozenset(
    ("id", "ids", "no", "nr", "num", "number", "nummer", "key", "uuid", "guid", "ref", "reference", "código", "numéro", "n°",
     "número", "numero", "numer", "de", "du", "del", "della", "do", "da", "la", "le", "номер", "番号", "编号", "번호")
)  # fmt: skip
"""Words beside such a name."""

JOINED: Final = ("id", "nummer", "nr", "番号", "编号", "編號", "번호", "号")
"""The same written together with it."""

SENDER: Final = (
    "role", "direction", "sender role", "author role", "sender type", "author type", "user type", "speaker role",
    "participant type", "participant role", "sender", "author", "from", "speaker", "sent by", "written by", "created by",
    "posted by", "participant", "who", "rolle", "richtung", "absendertyp", "absender", "von", "verfasser", "autor", "sprecher",
    "gesendet von", "erstellt von", "rôle", "direction du message", "expéditeur", "expediteur", "auteur", "envoyé par", "rol",
    "dirección", "remitente", "emisor", "enviado por", "ruolo", "direzione", "mittente", "autore", "inviato da", "papel",
    "função", "direção", "remetente", "afzender", "richting", "van", "verzonden door", "rola", "kierunek", "nadawca", "roll",
    "riktning", "avsändare", "från", "afsender", "avsender", "fra", "retning", "rooli", "lähettäjä", "suunta", "odesílatel",
    "odesilatel", "směr", "gönderen", "yön", "роль", "отправитель", "автор", "направление", "от", "відправник",
    "役割", "送信者", "発信者", "差出人", "角色", "发送者", "发件人", "发送方", "發送者", "역할", "보낸 사람", "발신자", "작성자",
    "الدور", "المرسل", "שולח", "תפקיד", "pengirim", "peran", "người gửi", "vai trò", "αποστολέασ", "ρόλοσ", "expeditor",
    "feladó", "szerep", "user", "username", "type",
)  # fmt: skip
"""Who says a message, the plainest first; which is taken is told by what stands in them."""

TEXT: Final = (
    "message", "message text", "message body", "text", "body", "content", "message content", "body text", "plain body",
    "utterance", "msg", "nachricht", "nachrichtentext", "text der nachricht", "mitteilung", "inhalt", "mensaje", "texto",
    "cuerpo", "contenido", "texto del mensaje", "texte", "contenu", "corps", "messaggio", "testo", "contenuto", "mensagem",
    "conteúdo", "corpo", "bericht", "berichttekst", "tekst", "inhoud", "wiadomość", "treść", "treść wiadomości", "meddelande",
    "innehåll", "besked", "melding", "viesti", "teksti", "zpráva", "obsah", "mesaj", "metin", "сообщение",
    "текст", "текст сообщения", "повідомлення", "メッセージ", "本文", "内容", "消息", "消息内容", "信息", "訊息", "메시지", "내용", "본문",
    "الرسالة", "رسالة", "النص", "הודעה", "תוכן", "pesan", "isi pesan", "tin nhắn", "nội dung", "μήνυμα", "κείμενο", "üzenet",
)  # fmt: skip

TIME: Final = (
    "timestamp", "datetime", "date time", "created at", "sent at", "sent on", "message time", "message date", "time sent",
    "date sent", "created", "created on", "sent", "posted at", "ts", "zeitstempel", "zeitpunkt", "gesendet am", "gesendet",
    "erstellt am", "erstellt", "datum", "date", "zeit", "uhrzeit", "time", "horodatage", "envoyé le", "créé le", "heure",
    "marca de tiempo", "fecha", "fecha de envío", "fecha y hora", "hora", "enviado el", "data", "data e ora", "data e hora", "ora",
    "inviato il", "enviado em", "criado em", "tijdstip", "tijd", "verzonden op", "czas", "data wysłania", "tid", "tidpunkt",
    "dato", "tidspunkt", "aika", "päivämäärä", "aikaleima", "čas", "tarih", "zaman", "saat", "дата", "время", "дата и время",
    "час", "日時", "送信日時", "日付", "時間", "時刻", "时间", "发送时间", "日期", "시간", "날짜", "일시", "التاريخ", "الوقت",
    "תאריך", "שעה", "waktu", "tanggal", "thời gian", "ngày", "ημερομηνία", "ώρα", "dátum", "idő",
)  # fmt: skip
"""When a message was sent, the plainest first; day and hour may stand apart."""

SUBJECT: Final = frozenset(
    ("subject", "betreff", "sujet", "objet", "asunto", "oggetto", "assunto", "onderwerp", "temat", "ämne", "emne", "aihe",
     "předmět", "konu", "тема", "件名", "主题", "主旨", "제목")
)  # fmt: skip
"""Only mails have one, and mails quote each other."""

HIDDEN: Final = frozenset(
    ("internal", "is internal", "private", "is private", "intern", "privat", "interne", "privé", "interno", "privado", "privato")
)  # fmt: skip
"""Columns that are true for internal notes."""

OPEN: Final = frozenset(("public", "is public", "öffentlich", "público", "pubblico"))
"""Columns that are false for internal notes."""

KIND: Final = frozenset(
    ("type", "message type", "comment type", "part type", "visibility", "typ", "nachrichtentyp", "sichtbarkeit", "art", "tipo",
     "visibilidad", "visibilité", "visibilità", "soort", "rodzaj", "тип", "類型", "类型", "유형")
)  # fmt: skip
"""Columns that may say that a message is a note."""

NOTE: Final = frozenset(
    ("note", "internal", "internal note", "internal comment", "private", "private note", "private comment", "whisper", "notiz",
     "interne notiz", "intern", "interner kommentar", "nota", "nota interna", "nota privada", "nota privata", "note interne",
     "note privée", "interno", "privado", "interne notitie", "notatka", "notatka wewnętrzna", "внутренняя заметка", "заметка")
)  # fmt: skip

TRUE: Final = frozenset(
    (
        "true",
        "1",
        "yes",
        "ja",
        "oui",
        "sí",
        "si",
        "sì",
        "sim",
        "y",
        "tak",
        "да",
        "wahr",
        "vrai",
        "verdadero",
        "x",
    )
)
FALSE: Final = frozenset(
    ("false", "0", "no", "nein", "non", "não", "nee", "n", "nie", "нет", "falsch", "faux", "falso")
)

USER: Final = frozenset(
    ("customer", "client", "user", "end user", "enduser", "visitor", "guest", "contact", "lead", "requester", "caller", "buyer",
     "consumer", "human", "shopper", "patient", "subscriber", "questioner", "customers", "users", "inbound", "incoming", "in",
     "received", "kunde", "kundin", "kunden", "besucher", "besucherin", "nutzer", "nutzerin", "benutzer", "anwender",
     "interessent", "gast", "eingehend", "eingang", "empfangen", "cliente", "clienta", "usuario", "visitante", "contacto",
     "entrante", "entrada", "recibido", "cliente final", "utilisateur", "visiteur", "usager", "cliente", "entrant", "reçu",
     "utente", "visitatore", "in entrata", "entrata", "ricevuto", "usuário", "utilizador", "recebida", "recebido", "klant",
     "gebruiker", "bezoeker", "inkomend", "klient", "klientka", "użytkownik", "gość", "przychodząca", "przychodzące", "kund",
     "användare", "besökare", "inkommande", "bruger", "bruker", "indgående", "innkommende", "asiakas", "käyttäjä", "saapuva",
     "zákazník", "uživatel", "příchozí", "müşteri", "kullanıcı", "ziyaretçi", "gelen", "клиент", "пользователь",
     "покупатель", "посетитель", "входящее", "входящий", "клієнт", "користувач", "お客様", "お客さま", "顧客", "ユーザー", "受信",
     "客户", "用户", "顾客", "访客", "客戶", "買家", "买家", "고객", "사용자", "수신", "العميل", "عميل", "زبون", "مستخدم", "לקוח",
     "pelanggan", "pengguna", "khách hàng", "khách", "πελάτησ", "utilizator", "ügyfél", "vásárló", "ग्राहक")
)  # fmt: skip

ASSISTANT: Final = frozenset(
    ("agent", "support", "staff", "assistant", "operator", "representative", "rep", "csr", "advisor", "adviser", "employee",
     "admin", "administrator", "moderator", "teammate", "team", "company", "business", "shop", "store", "seller", "merchant",
     "vendor", "service", "helpdesk", "help desk", "support agent", "customer service", "customer support", "human agent",
     "ai", "ai assistant", "model", "gpt", "chatgpt", "expert", "consultant", "agents", "outbound", "outgoing", "out", "sent",
     "mitarbeiter", "mitarbeiterin", "berater", "beraterin", "bearbeiter", "sachbearbeiter", "kundenservice", "kundendienst",
     "kundenberater", "kundenbetreuer", "händler", "verkäufer", "firma", "assistent", "agentin", "ausgehend", "ausgang",
     "gesendet", "agente", "asesor", "asesora", "asistente", "soporte", "operador", "operadora", "empleado", "vendedor",
     "empresa", "saliente", "salida", "enviado", "conseiller", "conseillère", "opérateur", "employé", "assistante", "vendeur",
     "service client", "entreprise", "sortant", "envoyé", "operatore", "assistente", "assistenza", "consulente", "addetto",
     "venditore", "azienda", "in uscita", "uscita", "inviato", "atendente", "suporte", "loja", "enviada", "medewerker",
     "klantenservice", "adviseur", "verkoper", "bedrijf", "uitgaand", "konsultant", "konsultantka", "pracownik", "doradca",
     "obsługa", "asystent", "sprzedawca", "wychodząca", "wychodzące", "handläggare", "medarbetare", "kundtjänst", "utgående",
     "medarbejder", "kundeservice", "udgående", "asiakaspalvelu", "asiakaspalvelija", "lähtevä", "operátor", "podpora",
     "asistent", "pracovník", "odchozí", "temsilci", "destek", "asistan", "giden", "оператор", "агент", "поддержка", "менеджер",
     "сотрудник", "ассистент", "консультант", "исходящее", "исходящий", "担当者", "担当", "オペレーター", "サポート", "スタッフ",
     "アシスタント", "店舗", "送信", "客服", "坐席", "助手", "商家", "卖家", "賣家", "상담원", "상담사", "직원", "발신", "موظف", "الدعم",
     "وكيل", "مساعد", "נציג", "תמיכה", "סוכן", "agen", "petugas", "nhân viên", "hỗ trợ", "υποστήριξη", "εκπρόσωποσ",
     "ügyintéző", "ügyfélszolgálat")
)  # fmt: skip

BOT: Final = frozenset(
    ("bot", "chatbot", "chat bot", "virtual agent", "virtual assistant", "robot", "бот", "чат бот", "ボット", "机器人", "챗봇")
)  # fmt: skip
"""They answer where nobody else does; beside people they are left out."""

EVENT: Final = frozenset(
    ("system", "event", "automation", "automatic", "auto", "auto reply", "autoreply", "autoresponder", "trigger", "workflow",
     "tool", "function", "notification", "système", "sistema", "systeem", "система", "システム", "系统", "시스템")
)  # fmt: skip
"""Nobody: what the software itself writes."""
