"""Which language a message is in, told from its commonest words; enough to know when English templates won't do."""

import re

COMMON = {
    "en": (
        "the and you is are was have has for my not with this what which can could please order i it its to of do "
        "did does want where when why how thanks thank your that there will would like need no yes but if from me "
        "any get"
    ),
    "de": (
        "ich und der die das den dem ist sind war nicht mein meine meinen meiner meines bitte wo wann warum wie "
        "bestellung bestellungen paket lieferung hallo danke für mit habe haben kann können möchte will eine "
        "einen einem ja nein sie es noch schon auch wurde wird von zu auf im guten tag stornieren"
    ),
    "fr": (
        "je j'ai et le la les un une des du est sont pas mon ma mes commande colis bonjour merci pour avec vous "
        "où quand comment suis voudrais veux oui non mais dans ce cette s'il plaît votre"
    ),
    "es": (
        "yo y el la los las un una es son no mi mis pedido paquete hola gracias por para con usted dónde cuándo "
        "cómo del quiero está sí qué pero favor"
    ),
    "it": (
        "io e il la gli lo un una è sono non mio mia ordine pacco ciao grazie per con dove quando come vorrei sì "
        "che del della ma favore"
    ),
    "nl": (
        "ik en de het een is zijn niet mijn bestelling pakket hallo bedankt voor met waar wanneer hoe wil kan "
        "graag ja nee van maar dit alstublieft"
    ),
    "pt": (
        "eu e o os um uma é são não meu minha pedido encomenda olá obrigado obrigada para com onde quando como "
        "quero está sim que mas por favor"
    ),
    "sv": (
        "jag och det är inte min mitt beställning paket hej tack för med var när hur vill kan ja nej en ett att men"
    ),
    "da": ("jeg og det er ikke min mit ordre pakke hej tak for med hvor hvornår hvordan vil kan ja nej en et at men"),
    "pl": (
        "i nie jest moje moja mój zamówienie paczka dzień dobry dziękuję gdzie kiedy jak chcę proszę to na się tak ale"
    ),
}
WORDS = {language: frozenset(words.split()) for language, words in COMMON.items()}
MINIMUM = 2
"""How many of its words another language needs, and it must have twice as many as the fallback."""


def language_of(text: str, *, fallback: str) -> str:
    """A two-letter code; the fallback where there is too little to tell."""
    plain = re.sub(r"\S+@\S+", " ", text.casefold().replace("’", "'"))
    words = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", plain)
    counts = {language: sum(word in own for word in words) for language, own in WORDS.items()}
    best = max(counts, key=lambda language: (counts[language], language == fallback))
    if counts[best] >= MINIMUM and counts[best] >= 2 * max(counts.get(fallback, 0), 1):
        return best
    return fallback
