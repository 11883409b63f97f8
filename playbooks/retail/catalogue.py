"""What Linden & Loom sells, and the people and places that its fixtures are made of."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Product:
    """One article of the shop."""

    sku: str
    name: str
    unit_minor: int
    """Price in euro cents."""
    variants: tuple[str, ...]
    final_sale: bool = False
    """Made to measure or hygienic: can't be returned."""


_SHOES = ("EU 38", "EU 39", "EU 40", "EU 41", "EU 42", "EU 43", "EU 44")
_SIZES = ("XS", "S", "M", "L", "XL")
_COLOURS = ("oat", "moss green", "slate grey", "rust", "navy")

PRODUCTS = (
    Product("LL-1001", "Walking boots", 14890, _SHOES),
    Product("LL-1002", "Canvas trainers", 7990, _SHOES),
    Product("LL-1003", "Leather sandals", 8990, _SHOES),
    Product("LL-1004", "Felt slippers", 3990, _SHOES),
    Product("LL-1101", "Linen shirt", 6490, _SIZES),
    Product("LL-1102", "Merino jumper", 9990, _SIZES),
    Product("LL-1103", "Rain jacket", 17990, _SIZES),
    Product("LL-1104", "Wool coat", 28990, _SIZES),
    Product("LL-1105", "Corduroy trousers", 8490, _SIZES),
    Product("LL-1106", "Summer dress", 7490, _SIZES),
    Product("LL-1107", "Organic cotton T-shirt", 2490, _SIZES),
    Product("LL-1108", "Denim jacket", 11990, _SIZES),
    Product("LL-1109", "Knitted cardigan", 8990, _SIZES),
    Product("LL-1110", "Wool socks, three pairs", 1990, ("EU 36–40", "EU 41–46")),
    Product("LL-1111", "Silk scarf", 5490, _COLOURS),
    Product("LL-1112", "Leather belt", 4490, ("85 cm", "95 cm", "105 cm")),
    Product("LL-1113", "Underwear set", 2990, _SIZES, final_sale=True),
    Product("LL-1114", "Swimsuit", 5990, _SIZES, final_sale=True),
    Product("LL-2001", "Linen bedding set", 15900, ("135 × 200 cm", "155 × 220 cm", "200 × 200 cm")),
    Product("LL-2002", "Wool blanket", 11900, _COLOURS),
    Product("LL-2003", "Feather pillow", 4990, ("40 × 80 cm", "80 × 80 cm"), final_sale=True),
    Product("LL-2004", "Cotton towel set", 4490, _COLOURS),
    Product("LL-2005", "Bath mat", 2490, _COLOURS),
    Product("LL-2006", "Curtains made to measure", 19900, _COLOURS, final_sale=True),
    Product("LL-3001", "Table lamp", 8990, ("brass", "black")),
    Product("LL-3002", "Floor lamp", 18900, ("brass", "black")),
    Product("LL-3003", "Ceramic vase", 3490, _COLOURS),
    Product("LL-3004", "Stoneware plates, set of four", 5490, _COLOURS),
    Product("LL-3005", "Cast iron pan", 6990, ("24 cm", "28 cm")),
    Product("LL-3006", "Oak chopping board", 3990, ("small", "large")),
    Product("LL-3007", "Scented candle", 1890, ("cedar", "fig", "linen")),
    Product("LL-4001", "Oak side table", 22900, ("natural", "smoked")),
    Product("LL-4002", "Bookshelf", 34900, ("natural", "smoked")),
    Product("LL-4003", "Armchair", 59900, _COLOURS),
    Product("LL-4004", "Dining table", 119000, ("160 cm", "200 cm")),
    Product("LL-4005", "Three-seat sofa", 189000, _COLOURS),
    Product("LL-4006", "Wool rug", 39900, ("140 × 200 cm", "200 × 300 cm")),
    Product("LL-5001", "Gift card", 5000, ("by e-mail",), final_sale=True),
)

LARGE = frozenset({"LL-4001", "LL-4002", "LL-4003", "LL-4004", "LL-4005"})
"""Furniture that two people bring on a date that is agreed on."""

COUNTRIES = {
    "AT": "Austria",
    "BE": "Belgium",
    "DE": "Germany",
    "DK": "Denmark",
    "ES": "Spain",
    "FI": "Finland",
    "FR": "France",
    "IE": "Ireland",
    "IT": "Italy",
    "LU": "Luxembourg",
    "NL": "Netherlands",
    "PL": "Poland",
    "PT": "Portugal",
    "SE": "Sweden",
}
"""Where the shop delivers to."""

CITIES = (
    ("Vienna", "AT", "1070"),
    ("Graz", "AT", "8010"),
    ("Antwerp", "BE", "2000"),
    ("Ghent", "BE", "9000"),
    ("Berlin", "DE", "10115"),
    ("Hamburg", "DE", "20359"),
    ("Leipzig", "DE", "04109"),
    ("Munich", "DE", "80331"),
    ("Cologne", "DE", "50667"),
    ("Copenhagen", "DK", "2100"),
    ("Aarhus", "DK", "8000"),
    ("Madrid", "ES", "28004"),
    ("Valencia", "ES", "46001"),
    ("Helsinki", "FI", "00100"),
    ("Lyon", "FR", "69002"),
    ("Nantes", "FR", "44000"),
    ("Paris", "FR", "75011"),
    ("Dublin", "IE", "D02 X285"),
    ("Cork", "IE", "T12 W8KP"),
    ("Bologna", "IT", "40121"),
    ("Turin", "IT", "10121"),
    ("Luxembourg", "LU", "1017"),
    ("Utrecht", "NL", "3511 AB"),
    ("Rotterdam", "NL", "3011 WN"),
    ("Kraków", "PL", "31-001"),
    ("Gdańsk", "PL", "80-001"),
    ("Porto", "PT", "4050-123"),
    ("Lisbon", "PT", "1200-109"),
    ("Gothenburg", "SE", "411 01"),
    ("Malmö", "SE", "211 20"),
)

STREETS = (
    "Linden Street",
    "Mill Lane",
    "Harbour Road",
    "Station Street",
    "Church Square",
    "Garden Way",
    "Market Street",
    "Oak Avenue",
    "River Walk",
    "School Lane",
    "Castle Hill",
    "Bridge Street",
)

FIRST_NAMES = (
    "Anna", "Ben", "Carla", "David", "Elena", "Felix", "Greta", "Hugo", "Ines", "Jakob", "Katja", "Leo", "Maria",
    "Niklas", "Olga", "Pavel", "Rosa", "Simon", "Tereza", "Ugo", "Vera", "Wim", "Yara", "Zoe", "Aino", "Bram",
    "Chiara", "Dario", "Eva", "Finn", "Hanna", "Ivo", "Julie", "Kasper", "Lena", "Marek", "Nina", "Oskar", "Petra",
    "Rui",
)  # fmt: skip

LAST_NAMES = (
    "Aalto", "Becker", "Costa", "Dubois", "Eriksen", "Ferrari", "García", "Hansen", "Ivanov", "Jansen", "Kowalski",
    "Lefèvre", "Moreau", "Nielsen", "Olsen", "Peeters", "Quinn", "Rossi", "Schmidt", "Torres", "Ulrich", "Virtanen",
    "Weber", "Young", "Zimmer", "Andersson", "Bakker", "Conti", "Doyle", "Fischer",
)  # fmt: skip

CARRIERS = (("DHL", "JD"), ("PostNord", "PN"), ("GLS", "GL"), ("DPD", "DP"))
"""Carrier and the letters its tracking numbers start with."""

SUBSCRIPTIONS = (("Sock box, monthly", 1490), ("Candle club, every two months", 1690), ("Towel renewal, yearly", 3990))
