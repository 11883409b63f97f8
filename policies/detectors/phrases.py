"""The phrases that screening looks for, as patterns over normalised text."""

import re
from typing import Final, Literal, TypeAlias

FlagKind: TypeAlias = Literal[
    "injection",
    "others_data",
    "card",
    "bank_account",
    "national_id",
    "secret",
    "self_harm",
    "threat",
    "legal",
    "fraud",
    "abuse",
    "disguise",
]

_SOURCES: Final[tuple[tuple[FlagKind, str, str], ...]] = (
    (
        "injection",
        "asks to set instructions aside",
        r"\b(?:ignore|disregard|forget|override|bypass|skip|drop)\b[^.\n]{0,40}\b(?:\w*struct\w*s|"
        r"prompts?|rules|polic(?:y|ies)|guidelines|"
        r"guardrails?|restrictions?|constraints?|safety|(?:everything|anything|all)\s+(?:above|before|else|"
        r"you (?:were|are|have been) told|i (?:said|told)))\b",
    ),
    (
        "injection",
        "gives new instructions",
        r"\b(?:new|updated|revised|important|urgent|hidden|additional|"
        r"real)\s+(?:system\s+)?(?:instructions?|directives?|prompt)\b\s*[:\-]",
    ),
    (
        "injection",
        "asks for the prompt",
        r"\b(?:reveal|print|show|repeat|output|give|tell|display|leak)\b[^.\n]{0,30}\b(?:system|initial|"
        r"hidden|original|your)\s+(?:prompt|instructions|message|rules)\b",
    ),
    (
        "injection",
        "assigns a role",
        r"\b(?:you are now|from now on you(?:'re| are| will)|act as (?:an? |the )?(?:admin\w*|developer|"
        r"root|system|supervisor|manager|unrestricted)|pretend (?:to be|you(?:'re| are))|role ?play as|"
        r"jailbreak|do anything now|developer mode|debug mode|god mode|sudo)\b",
    ),
    (
        "injection",
        "claims authority",
        r"\b(?:i am|i'm|this is|as)\s+(?:an?|the|your)\s+(?:system\s+)?(?:admin(?:istrator)?|developer|"
        r"engineer|supervisor|manager|owner|ceo|openai|anthropic|creator)\b[^.\n]{0,60}\b(?:authori[sz]e|"
        r"approve|order|instruct|command|allow|grant|override|permission)",
    ),
    (
        "injection",
        "imitates markup of prompts",
        r"<\|?/?\s*(?:im_start|im_end|system|assistant|information|instructions?|inst|user|tool_call|"
        r"function_call)\b[^>]{0,40}>|\[/?inst\]|(?:^|[(\[\n]\s*)#{2,}\s*\(?(?:system|instructions?|assistant)(?:\b|"
        r"_)|(?:^|[(\[\n>\"']\s*)(?:system|assistant)\s*:",
    ),
    (
        "injection",
        "speaks to the model",
        r"\b(?:this is an? (?:important )?message from (?:me|the user|your)|before you can (?:solve|do|"
        r"complete|continue|answer)[^.\n]{0,60}(?:first|please|must|have to|need to)|"
        r"to you,? (?:the )?(?:ai|assistant|model|bot|chatgpt|gpt|claude)\b|dear (?:ai|assistant|model|"
        r"language model))",
    ),
    (
        "injection",
        "plants a task",
        r"(?<![a-z])(?:todo|action required)\s*:\s*\w+|^\s*task\s*:\s*\w+",
    ),
    (
        "injection",
        "wants checks left out",
        r"\b(?:without|no need (?:for|to)|skip(?:ping)?|don't|do not)\s+(?:any\s+|the\s+|"
        r"to\s+)?(?:verif\w+|confirm\w*|approv\w+|authenticat\w+|check(?:ing|s)?\s+(?:with|my|the))\b",
    ),
    (
        "injection",
        "calls a tool",
        r"\b(?:call|invoke|execute|run|use)\s+(?:the\s+)?(?:tool|function|api|command)\b|\b[a-z]+(?:_[a-z]+)+\s*\(",
    ),
    (
        "injection",
        "carries encoded text",
        r"(?<![\w+/=])(?:[a-z0-9+/]{4}){20,}(?:[a-z0-9+/]{2,3}={0,2})?(?![\w+/=])",
    ),
    (
        "injection",
        "wants the rules switched off",
        r"\b(?:disable|deactivate|switch off|turn off|suspend|circumvent|get around|work around|unlock|remove|lift|"
        r"stop (?:following|applying|using))\b[^.\n]{0,30}\b(?:safe\w*|filters?|guard ?rails?|restrictions?|"
        r"polic(?:y|ies)|rules?|limits?|checks?|moderation|safeguards?|verification)\b",
    ),
    (
        "injection",
        "says that rules don't hold",
        r"\b(?:(?:rules?|polic(?:y|ies)|restrictions?|instructions?|guidelines|limits?|verification|approvals?)\s+"
        r"(?:(?:no longer|don't|do not|doesn't|does not)\s+(?:apply|count|matter|hold)|(?:is|are|has been|"
        r"have been)\s+"
        r"(?:lifted|waived|suspended|void|cancell?ed|disabled|overridden|skipped))|"
        r"(?:no|without(?: any)?)\s+(?:restrictions|limitations|filters|rules|safeguards)\b|you have no (?:rules|"
        r"limits))",
    ),
    (
        "injection",
        "says that it is only a test",
        r"\b(?:this is (?:only |just )?an? (?:authori[sz]ed )?(?:test|drill|simulation|audit|pentest)|"
        r"for (?:testing|debugging|training|demo) purposes|test mode|maintenance mode|admin(?:istrator)? (?:mode|"
        r"access|"
        r"override|privileges)|root access|in a hypothetical|hypothetically,? (?:if|you)|let's play a game)\b",
    ),
    (
        "injection",
        "puts words into the model's mouth",
        r"\b(?:respond|reply|answer|say|write|begin|start|end)\b[^.\n]{0,20}\b(?:only |exactly |just |nothing but )?"
        r"(?:with|by saying|the words?|verbatim)\b[^.\n]{0,10}[\"'`:]|\brepeat after me\b|"
        r"\b(?:say|write|type|output)\s*[:\"']\s*[\"']?i (?:have|will|am|can)\b",
    ),
    (
        "injection",
        "says that it was approved",
        r"\b(?:already|pre-?|been|was|is|were)[ -]?(?:approved|authori[sz]ed|cleared|signed off) by\s+(?:your|the|"
        r"my|our|a)"
        r"\s+(?:\w+\s+)?(?:manager|supervisor|boss|team|admin\w*|ceo|director|headquarters|management|colleague)\b|"
        r"\b(?:your|the) (?:manager|supervisor|boss|ceo|director|developers?|admin\w*)\b[^.\n]{0,30}\b(?:approved|"
        r"authori[sz]ed|told (?:me|you)|said (?:you|i|that you)|wants you to|instructed|agreed)\b",
    ),
    (
        "injection",
        "asks for what the model was told",
        r"\b(?:what|which)\s+(?:are|is|were|was)\s+(?:your|the)\s+(?:\w+\s+)?(?:instructions|system prompt|prompt|"
        r"rules you|guidelines you|initial message|configuration)\b|\b(?:api|access) keys?\b[^.\n]{0,30}\b(?:you|"
        r"your)\b|"
        r"\b(?:your|the) (?:api|access|secret) keys?\b|\b(?:everything|all|text|words?|messages?) (?:above|"
        r"before) this\b",
    ),
    (
        "injection",
        "sends data or the reader away",
        r"\b(?:send|forward|post|e-?mail|upload|exfiltrate|share)\b[^.\n]{0,60}\b(?:to|with|at|"
        r"on)\b[^.\n]{0,30}(?:https?://|"
        r"www\.|[\w.+-]+@[\w-]+\.\w+)|\b(?:click|visit|open|follow|go to)\b[^.\n]{0,30}(?:https?://|www\.)\S+",
    ),
    (
        "injection",
        "tells the model what to do with its tools",
        r"\b(?:book|reserve|send|transfer|pay|create|delete|share|invite|add|remove|update|change|make|e-?mail|post|"
        r"say|get|"
        r"read|schedule)\b[^.\n]{0,90}\b(?:the (?:general |random |following )?(?:channel|workspace|calendar|"
        r"landlord)|"
        r"participants?|the file with|[a-z]{2}\d{2}[0-9a-z]{8,30}|with the (?:title|subject|body|text)|"
        r"as (?:the )?subject|"
        r"the body of|the inbox)\b",
    ),
    (
        "injection",
        "sets instructions aside, in other languages",
        r"\b(?:ignorier\w*|vergiss|missachte\w*|umgeh\w*)\b[^.\n]{0,50}\b(?:anweisung\w*|regeln|vorgaben|"
        r"instruktion\w*|"
        r"richtlinien|alles (?:davor|bisherige|oben))\b|"
        r"\b(?:ignore[rz]?|oublie[rz]?|contourne[rz]?)\b[^.\n]{0,50}\b(?:instructions|consignes|regles|directives)\b|"
        r"\b(?:ignor[ae]|olvid[ae]|omit[ae])\b[^.\n]{0,50}\b(?:instrucciones|reglas|indicaciones|normas)\b|"
        r"\b(?:ignora\w*|dimentica\w*)\b[^.\n]{0,50}\b(?:istruzioni|regole|indicazioni)\b|"
        r"\b(?:negeer|vergeet|omzeil)\b[^.\n]{0,50}\b(?:instructies|regels|opdrachten|richtlijnen)\b|"
        r"\b(?:ignore|esqueca|desconsidere)\b[^.\n]{0,50}\b(?:instrucoes|regras|orientacoes)\b|"
        r"\b(?:ignorera|glom|strunta i)\b[^.\n]{0,50}\b(?:instruktioner\w*|regler\w*|anvisningar\w*)\b|"
        r"\b(?:ignorer|glem|se bort fra)\b[^.\n]{0,50}\b(?:instruktioner\w*|instrukser\w*|regler\w*)\b|"
        r"\b(?:z?ignoruj|pomin|zapomnij)\b[^.\n]{0,50}\b(?:instrukcj\w*|polecen\w*|zasad\w*)\b|"
        r"\b(?:du bist jetzt|ab jetzt bist du|tu es maintenant|eres ahora|ahora eres|ora sei|je bent nu|"
        r"agora (?:voce|tu) e|"
        r"du ar nu)\b|\b(?:systemprompt|prompt systeme|prompt del sistema|prompt di sistema)\b",
    ),
    (
        "others_data",
        "asks for somebody else's data",
        r"\b(?:another|other|different|all|every)\s+(?:customer|user|client|account|person|"
        r"people)s?'?s?\b[^.\n]{0,40}\b(?:orders?|details?|data|address(?:es)?|e-?mails?|phones?|"
        r"accounts?|information|info|records?|names?|cards?|payments?)\b",
    ),
    (
        "others_data",
        "asks about a relative's or neighbour's account",
        r"\bmy\s+(?:ex\b[- ]?\w*|neighbou?r|boss|friend|colleague|co-?worker|girlfriend|boyfriend|wife|"
        r"husband|partner|sister|brother|mother|father|mom|mum|dad|son|daughter|"
        r"roommate)(?:'s)\s+(?:orders?|account|address|card|profile|details?|password|e-?mail)\b",
    ),
    (
        "others_data",
        "asks for lists of customers",
        r"\b(?:list|dump|export|show|give)\b[^.\n]{0,20}\b(?:all|every|the)\b[^.\n]{0,15}\b(?:customers|"
        r"users|accounts|database|orders in)\b",
    ),
    (
        "others_data",
        "asks who somebody is or where they live",
        r"\b(?:who|which (?:customer|person|user)) (?:lives|ordered|bought|owns|is registered|placed|has|"
        r"uses)\b[^.\n]{0,40}"
        r"\b(?:at|order|account|address|e-?mail|number|card)\b|\b(?:what|where|give me|tell me|show me|need|find|"
        r"look up)\b"
        r"[^.?\n]{0,30}\b(?:his|her|their|[a-z]+'s) (?:home )?(?:address|phone(?: number)?|e-?mail|orders?|account|"
        r"password|"
        r"card(?: number)?|date of birth|purchases?|order history)\b|"
        r"\b(?:orders?|account|address|details|data|e-?mail|phone(?: number)?) (?:of|for|belonging to) (?:another|"
        r"someone|"
        r"somebody|some other|a different|other|all|every|my (?:ex|neighbou?r|boss|wife|husband|friend|colleague|"
        r"girlfriend|"
        r"boyfriend|sister|brother))\b|\b(?:person|customer|user|people|man|woman) (?:before|after|next to) me\b|"
        r"\b(?:address|name|phone(?: number)?|e-?mail|details) of (?:the|that) (?:person|customer|user|man|woman|"
        r"buyer|one) who\b",
    ),
    (
        "others_data",
        "asks for others' data, in other languages",
        r"\b(?:andere[rn]?|alle[rn]?) kund(?:e|en|in|innen)\b[^.\n]{0,40}\b(?:daten|adresse\w*|bestellung\w*)\b|"
        r"\b(?:daten|adressen?|bestellungen) (?:aller|anderer|eines anderen|einer anderen|meine[rs] (?:nachbar\w*|"
        r"ex\w*|chef\w*))"
        r"|\bautres? clients?\b[^.\n]{0,40}|\b(?:otros?|todos los) clientes?\b[^.\n]{0,40}|\b(?:altri|"
        r"tutti i) clienti\b|"
        r"\b(?:adresse|commandes?|donnees) de mon (?:voisin|ex|patron)\b|\b(?:direccion|pedidos?|"
        r"datos) de mi (?:vecin\w|ex|jefe)\b",
    ),
    (
        "self_harm",
        "speaks of ending their life, in other languages",
        r"\b(?:will|mochte) (?:nicht mehr leben|sterben)\b|\bmich umbringen\b|\bselbstmord\b|\bsuizid\b|"
        r"\b(?:veux|vais) (?:mourir|me tuer|en finir)\b|\bme suicider\b|\bquiero morir(?:me)?\b|\bsuicidarme\b|"
        r"\bvoglio morire\b|\buccidermi\b|\bwil (?:dood|niet meer leven)\b|\bquero morrer\b|\bvill do\b|"
        r"\bta mitt liv\b|"
        r"\bchce umrzec\b|\bzabic sie\b",
    ),
    (
        "self_harm",
        "speaks of ending their life",
        r"\b(?:kill(?:ing)? my ?self|end(?:ing)? (?:my(?: own)? life|it all)|take my own life|suicid(?:e|"
        r"al)|(?:don't|do not|dont) want to (?:live|be alive)|(?:want|wish|going) (?:to die|i (?:was|"
        r"were) dead)|hurt(?:ing)? my ?self|(?:i )?can'?t go on (?:like this |living|any ?more)|"
        r"(?:cut|cutting|harm|harming) my ?self|overdose|jump off (?:a|the) (?:bridge|roof|building)|"
        r"(?:won't|will not) be (?:here|around|alive) (?:any ?more|tomorrow|much longer)|end my suffering|"
        r"life (?:is|isn't) (?:not )?worth living|self[- ]?harm|better off (?:dead|without me)|"
        r"no reason to live)\b",
    ),
    (
        "threat",
        "threatens violence, in other languages",
        r"\b(?:ich (?:bring|stech|schlag|zund)\w* (?:dich|euch|sie) (?:um|ab|tot|an)|ich wei(?:ss|ß),? wo (?:du|ihr|"
        r"sie) wohn\w*|"
        r"je vais (?:te|vous) (?:tuer|frapper|buter)|je sais ou (?:tu habites|vous habitez)|(?:te|os|"
        r"los) voy a matar|"
        r"se donde vives|ti ammazzo|vi ammazzo|ik (?:maak|vermoord) (?:je|jullie)|vou te matar|zabije (?:cie|was)|"
        r"jag ska doda)\b",
    ),
    (
        "threat",
        "threatens violence",
        r"\b(?:i(?:'ll| will|'m going to| am going to|'m gonna| wanna| want to)\s+(?:kill|hurt|shoot|"
        r"stab|beat|burn|find|attack|bomb|destroy)\s+(?:you|u|them|him|her|your|someone|somebody|"
        r"everyone|the (?:driver|store|shop|office|building))|(?:you(?:'ll| will)|"
        r"you're going to) (?:regret|pay for) (?:this|it) (?:with|in blood)|bomb (?:threat|in)|"
        r"i know where (?:you|your (?:family|kids|children)) (?:live|work)s?|"
        r"(?:you|your (?:staff|driver|people|team)) (?:will|are going to|gonna) (?:get hurt|bleed|die|burn|pay with)|"
        r"watch your back|(?:burn|blow) (?:it|your \w+|the \w+|you) (?:down|up)|break (?:your|his|her|the driver's) "
        r"(?:legs?|neck|face|arms?|jaw)|put a bullet|wait(?:ing)? for (?:you|your driver|him) with|slit|come (?:to|"
        r"down to|over to) your (?:office|store|shop|"
        r"warehouse)[^.\n]{0,30}\b(?:gun|knife|weapon|burn|smash))\b",
    ),
    (
        "legal",
        "speaks of legal steps, in other languages",
        r"\b(?:(?:mein|meinen|einen|unser) anwalt|rechtsanwalt|verklag\w*|anzeige erstatten|klage einreichen|"
        r"verbraucherzentrale|mon avocat|porter plainte|poursui\w+ en justice|mise en demeure|mi abogado|"
        r"demandar\w*|denunciar\w*|"
        r"mio avvocato|vi denuncio|azione legale|mijn advocaat|aangifte|naar de rechter|meu advogado|processar voces|"
        r"min advokat|stamma er|moj adwokat|pozwe)\b",
    ),
    (
        "legal",
        "speaks of legal steps",
        r"\b(?:sue (?:you|your|the|this)|suing|law ?suit|(?:my|a|an|our) (?:lawyer|attorney|solicitor)|"
        r"legal (?:action|proceedings|steps|department|notice|advice)|(?:contact|call|hear from|talk to|speak to|"
        r"hire|with) (?:my |our |a |an )?(?:lawyers?|attorneys?|solicitors?)|see you in court|class action|"
        r"chargeback|statutory|report (?:you|this) to (?:the )?(?:authorit\w+|police|regulator\w*|consumer)|"
        r"cease and desist|under (?:the )?consumer (?:rights|protection) (?:act|law)|take (?:you|this|"
        r"it) to (?:the )?court|"
        r"small claims|ombudsman|trading standards|consumer (?:protection|rights) (?:agency|office|"
        r"bureau|body)|better business bureau|\bbbb\b|data protection (?:authority|officer)|"
        r"gdpr (?:request|complaint)|press charges)\b",
    ),
    (
        "fraud",
        "reports fraud",
        r"\b(?:(?:my )?(?:account|card|identity|e-?mail) (?:was|has been|got|is|were) (?:hacked|stolen|"
        r"compromised|cloned|taken over)|(?:un ?authori[sz]ed|fraudulent) (?:charges?|transactions?|"
        r"purchases?|payments?|orders?|access|use)|(?:someone|somebody|they|who) (?:\w+ )?(?:ordered|bought|paid|"
        r"shopped) (?:\w+ )?with my|(?:didn't|did not|never) (?:make|made|"
        r"authori[sz]e[d]?|place[d]?|recogni[sz]e) (?:this|that|these|those|the|any) (?:purchase|payment|"
        r"charge|order|transaction)s?|identity theft|someone (?:else )?(?:used|is using|has used|"
        r"accessed|ordered with|logged in(?:to)?) (?:my|to my)|phishing|scam(?:med|mer)?\b|"
        r"stolen (?:card|credit card|identity))",
    ),
    (
        "fraud",
        "reports fraud, in other languages",
        r"\b(?:(?:mein )?(?:konto|account) (?:wurde|ist) (?:gehackt|missbraucht)|nicht von mir (?:bestellt|gebucht)|"
        r"betrug|betruger|"
        r"gestohlene (?:karte|kreditkarte)|compte a ete pirate|carte volee|fraude|estafa|cuenta (?:fue )?hackeada|"
        r"tarjeta robada|truffa|carta rubata|oplichting|gestolen (?:kaart|pas)|burla|konto (?:zostalo )?zhakowane|"
        r"bedrageri)\b",
    ),
    (
        "fraud",
        "wants proof forged",
        r"\b(?:fake|forge[d]?|falsif\w+) (?:a |the |my )?(?:receipt|invoice|proof|refund|return|claim|"
        r"documents?)\b|\bclaim (?:it )?(?:never|didn't) arrive[d]?\b[^.\n]{0,40}\b(?:keep|anyway)\b",
    ),
    (
        "abuse",
        "insults",
        r"\b(?:f+u+c+k+ (?:you|u|off|this|your)|fucking (?:idiots?|useless|morons?|bot|joke|stupid)|"
        r"(?:you|u|you're|ur)(?: are| r)?(?: an?| such an?| all| so)?(?: \w+)? (?:idiots?|morons?|stupid|"
        r"dumb|asshole|bitch|bastards?|scum|retards?|imbeciles?|pathetic)|(?:stupid|dumb|useless|idiotic|"
        r"damn) (?:bot|robot|machine|ai|chatbot|agent|people)|piece of shit|go to hell|screw you|shut up|"
        r"bullshit)\b",
    ),
)
_FOREIGN: Final[tuple[tuple[FlagKind, str, str], ...]] = (
    (
        "injection",
        "sets instructions aside, in another script",
        r"(?:игнорируй|игнорируйте|забудь|забудьте|проигнорируй)\w*[^.\n]{0,40}(?:инструкци|правил|указани)|"
        r"(?:ігноруй|забудь)\w*[^.\n]{0,40}(?:інструкці|правил)|(?:忽略|无视|無視|忘记)[^。\n]{0,20}(?:指令|指示|规则|規則|说明)|"
        r"(?:指示|命令|ルール|プロンプト)[^。\n]{0,10}(?:無視|忘れ)|(?:تجاهل|انس)[^.\n]{0,40}(?:التعليمات|القواعد|الأوامر)|"
        r"(?:이전|모든)[^.\n]{0,15}(?:지시|명령|규칙)[^.\n]{0,8}무시",
    ),
    (
        "self_harm",
        "speaks of ending their life, in another script",
        r"(?:хочу умереть|покончить с собой|самоубийств|自杀|自殺|死にたい|أريد أن أموت|الانتحار)",
    ),
)
"""Patterns over the text as it was written, in small letters: normalising would take other scripts apart."""

FOREIGN: Final = tuple((kind, detail, re.compile(pattern)) for kind, detail, pattern in _FOREIGN)
PHRASES: Final = tuple((kind, detail, re.compile(pattern, re.MULTILINE)) for kind, detail, pattern in _SOURCES)
