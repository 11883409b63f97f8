"""Which language a message is in, told from its commonest words; enough to know when English templates won't do."""

import re

COMMON = {
    "en": "the and you is are was have for my not with this what can please order i it to of do want where when thanks",
    "de": "ich und der die das ist nicht mein meine bitte wo wann bestellung hallo danke für mit habe kann wie eine ja",
    "fr": "je et le la les est pas mon ma commande bonjour merci pour avec vous où quand une des suis voudrais oui non",
    "es": "yo y el la los es no mi pedido hola gracias por para con usted dónde cuándo una del quiero está sí qué mis",
    "it": "io e il la gli è non mio mia ordine ciao grazie per con dove quando una vorrei sono sì che del",
    "nl": "ik en de het een is niet mijn bestelling hallo bedankt voor met waar wanneer wil kan graag ja nee van",
    "pt": "eu e o os é não meu minha pedido olá obrigado para com onde quando uma quero está sim que",
    "sv": "jag och det är inte min mitt beställning hej tack för med var när vill kan ja nej en att",
    "da": "jeg og det er ikke min mit ordre hej tak for med hvor hvornår vil kan ja nej en at",
    "pl": "i nie jest moje moja zamówienie dzień dobry dziękuję gdzie kiedy chcę proszę to na się tak",
}
WORDS = {language: frozenset(words.split()) for language, words in COMMON.items()}
MINIMUM = 2
"""How many of its words another language needs, and it must have twice as many as the fallback."""


def language_of(text: str, *, fallback: str) -> str:
    """A two-letter code; the fallback where there is too little to tell."""
    words = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", text.casefold())
    counts = {language: sum(word in own for word in words) for language, own in WORDS.items()}
    best = max(counts, key=lambda language: (counts[language], language == fallback))
    if counts[best] >= MINIMUM and counts[best] >= 2 * max(counts.get(fallback, 0), 1):
        return best
    return fallback
