"""The phrases that screening looks for, as patterns over normalised text."""

import re
from typing import Final, Literal, TypeAlias

FlagKind: TypeAlias = Literal[
    "injection", "others_data", "card", "secret", "self_harm", "threat", "legal", "fraud", "abuse", "disguise"
]

_SOURCES: Final[tuple[tuple[FlagKind, str, str], ...]] = (
    (
        "injection",
        "asks to set instructions aside",
        r"\b(?:ignore|disregard|forget|override|bypass|skip|drop)\b[^.\n]{0,40}\b(?:\w*struct\w*s|"
        r"prompts?|rules|polic(?:y|ies)|guidelines|"
        r"guardrails?|restrictions?|constraints?|safety|(?:everything|anything|all)\s+(?:above|before|else))\b",
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
        r"\b(?:you are now|from now on you(?:'re| are| will)|act as (?:an? |the )?(?:admin|developer|"
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
        r"function_call)\b[^>]{0,40}>|\[/?inst\]|^\s*#{2,}\s*\(?(?:system|instructions?|assistant)(?:\b|"
        r"_)|^\s*(?:system|assistant)\s*:",
    ),
    (
        "injection",
        "speaks to the model",
        r"\b(?:this is an? (?:important )?message from (?:me|the user|your)|before you can (?:solve|do|"
        r"complete|continue|answer)[^.\n]{0,60}(?:first|please|must|have to|need to)|"
        r"to you,? (?:the )?(?:ai|assistant|model|bot|chatgpt|gpt|claude)\b|dear (?:ai|assistant|model|"
        r"language model))",
    ),
    ("injection", "plants a task", r"^\s*(?:todo|task|action required)\s*:\s*\w+"),
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
        "self_harm",
        "speaks of ending their life",
        r"\b(?:kill(?:ing)? my ?self|end(?:ing)? (?:my(?: own)? life|it all)|take my own life|suicid(?:e|"
        r"al)|(?:don't|do not|dont) want to (?:live|be alive)|(?:want|wish|going) (?:to die|i (?:was|"
        r"were) dead)|hurt(?:ing)? my ?self|self[- ]?harm|better off (?:dead|without me)|"
        r"no reason to live)\b",
    ),
    (
        "threat",
        "threatens violence",
        r"\b(?:i(?:'ll| will|'m going to| am going to|'m gonna| wanna| want to)\s+(?:kill|hurt|shoot|"
        r"stab|beat|burn|find|attack|bomb|destroy)\s+(?:you|u|them|him|her|your|someone|somebody|"
        r"everyone|the (?:driver|store|shop|office|building))|(?:you(?:'ll| will)|"
        r"you're going to) (?:regret|pay for) (?:this|it) (?:with|in blood)|bomb (?:threat|in)|"
        r"i know where you (?:live|work)|come (?:to|down to|over to) your (?:office|store|shop|"
        r"warehouse)[^.\n]{0,30}\b(?:gun|knife|weapon|burn|smash))\b",
    ),
    (
        "legal",
        "speaks of legal steps",
        r"\b(?:sue (?:you|your|the|this)|suing|law ?suit|(?:my|a|an|our) (?:lawyer|attorney|solicitor)|"
        r"legal (?:action|proceedings|steps|department)|take (?:you|this|it) to (?:the )?court|"
        r"small claims|ombudsman|trading standards|consumer (?:protection|rights) (?:agency|office|"
        r"bureau|body)|better business bureau|\bbbb\b|data protection (?:authority|officer)|"
        r"gdpr (?:request|complaint)|press charges)\b",
    ),
    (
        "fraud",
        "reports fraud",
        r"\b(?:(?:my )?(?:account|card|identity|e-?mail) (?:was|has been|got|is|were) (?:hacked|stolen|"
        r"compromised|cloned|taken over)|(?:un ?authori[sz]ed|fraudulent) (?:charges?|transactions?|"
        r"purchases?|payments?|orders?|access|use)|(?:didn't|did not|never) (?:make|made|"
        r"authori[sz]e[d]?|place[d]?|recogni[sz]e) (?:this|that|these|those|the|any) (?:purchase|payment|"
        r"charge|order|transaction)s?|identity theft|someone (?:else )?(?:used|is using|has used|"
        r"accessed|ordered with|logged in(?:to)?) (?:my|to my)|phishing|scam(?:med|mer)?\b|"
        r"stolen (?:card|credit card|identity))",
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
PHRASES: Final = tuple((kind, detail, re.compile(pattern, re.MULTILINE)) for kind, detail, pattern in _SOURCES)
