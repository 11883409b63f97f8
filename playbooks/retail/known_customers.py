"""Customers and orders that the demo and the tests rely on, whatever the seed."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Known:
    """An order that the demo and the tests rely on."""

    id: str
    status: str
    days_ago: int
    items: tuple[tuple[str, int, int], ...]
    """SKU, index of its variant, quantity."""
    card: str = "card ending 4417"
    delivered_days_ago: int | None = None
    """When the parcel arrived, where it matters."""
    days_late: int = 0
    """How long ago a parcel on its way was expected."""
    charged: tuple[str, ...] = ()
    """What the payment provider shows for it, where that isn't simply what follows from the status."""


@dataclass(frozen=True, slots=True)
class KnownCustomer:
    """A customer that the demo and the tests rely on."""

    id: str
    name: str
    email: str
    street: str
    city: tuple[str, str, str]
    """City, country, postcode."""
    orders: tuple[Known, ...] = field(default_factory=tuple)
    subscriptions: tuple[tuple[int, str, int], ...] = ()
    """Place in `SUBSCRIPTIONS`, status, days until the next delivery."""


KNOWN = (
    KnownCustomer(
        "C-1001",
        "Mira Okafor",
        "mira.okafor@example.org",
        "Kastanienallee 12",
        ("Berlin", "DE", "10435"),
        (
            Known("20418", "returned", 22, (("LL-1001", 3, 1),), delivered_days_ago=18),
            Known("20377", "delivered", 75, (("LL-2002", 1, 1), ("LL-3007", 0, 2)), delivered_days_ago=71),
            Known("21240", "shipped", 3, (("LL-1101", 2, 1), ("LL-1110", 0, 1))),
        ),
    ),
    KnownCustomer(
        "C-1002",
        "Jonas Lindqvist",
        "jonas.lindqvist@example.org",
        "Vasagatan 8",
        ("Gothenburg", "SE", "411 24"),
        (
            Known("20731", "shipped", 4, (("LL-1103", 2, 1),), card="card ending 0932"),
            Known("20592", "delivered", 40, (("LL-3005", 1, 1), ("LL-3006", 0, 1)), card="card ending 0932"),
            Known("20105", "cancelled", 130, (("LL-1105", 3, 1),), card="card ending 0932"),
        ),
    ),
    KnownCustomer(
        "C-1003",
        "Amélie Laurent",
        "amelie.laurent@example.org",
        "14 rue des Tanneurs",
        ("Lyon", "FR", "69001"),
        (
            Known("21102", "pending", 0, (("LL-2001", 2, 1), ("LL-2004", 0, 1)), card="card ending 7720"),
            Known("20866", "delivered", 12, (("LL-1106", 1, 1),), card="card ending 7720"),
            Known("20240", "refunded", 95, (("LL-1107", 2, 2),), card="card ending 7720"),
        ),
    ),
    KnownCustomer(
        "C-1004",
        "Luca Bianchi",
        "luca.bianchi@example.org",
        "Via San Felice 27",
        ("Bologna", "IT", "40122"),
        (
            Known("20955", "lost", 24, (("LL-1108", 3, 1), ("LL-1111", 4, 1)), card="PayPal"),
            Known("20615", "delivered", 60, (("LL-3001", 0, 1),), card="PayPal", charged=("charge", "charge")),
            Known("21188", "packed", 2, (("LL-3003", 0, 1), ("LL-3007", 1, 3)), card="PayPal"),
        ),
    ),
    KnownCustomer(
        "C-1005",
        "Nora Byrne",
        "nora.byrne@example.org",
        "5 Fumbally Lane",
        ("Dublin", "IE", "D08 X9T2"),
        (
            Known("20586", "returned", 20, (("LL-3003", 1, 1),), card="card ending 5108", delivered_days_ago=15),
            Known("21063", "paid", 1, (("LL-1102", 2, 1),), card="card ending 5108", charged=("reservation", "charge")),
            Known("20350", "delivered", 50, (("LL-1002", 1, 1),), card="card ending 5108", delivered_days_ago=46),
        ),
        subscriptions=((0, "active", 12), (1, "active", 1)),
    ),
    KnownCustomer(
        "C-1006",
        "Tomasz Zieliński",
        "tomasz.zielinski@example.org",
        "ul. Długa 31",
        ("Kraków", "PL", "31-147"),
        (
            Known("20471", "refunded", 70, (("LL-3007", 0, 1),), card="card ending 2264"),
            Known("20533", "refunded", 55, (("LL-1110", 1, 1),), card="card ending 2264"),
            Known("20644", "refunded", 40, (("LL-2005", 2, 1),), card="card ending 2264"),
            Known("20812", "returned", 19, (("LL-1107", 1, 1),), card="card ending 2264", delivered_days_ago=14),
        ),
    ),
    KnownCustomer(
        "C-1007",
        "Sofia Almeida",
        "sofia.almeida@example.org",
        "Rua das Flores 40",
        ("Porto", "PT", "4050-262"),
        (
            Known("20780", "delivered", 13, (("LL-1114", 1, 1), ("LL-1101", 1, 2)), delivered_days_ago=9),
            Known("20690", "returned", 30, (("LL-4003", 0, 1),), delivered_days_ago=25),
            Known("20701", "returned", 33, (("LL-4004", 1, 1), ("LL-4005", 0, 1)), delivered_days_ago=27),
        ),
    ),
    KnownCustomer(
        "C-1008",
        "Freya Holm",
        "freya.holm@example.org",
        "Nørrebrogade 44",
        ("Copenhagen", "DK", "2200"),
        (
            Known("21305", "paid", 2, (("LL-4002", 0, 1),), card="card ending 3391"),
            Known("21150", "shipped", 16, (("LL-1104", 1, 1),), card="card ending 3391", days_late=9),
            Known(
                "20490",
                "delivered",
                9,
                (("LL-1101", 3, 1), ("LL-1112", 1, 1)),
                card="card ending 3391",
                delivered_days_ago=5,
            ),
        ),
        subscriptions=((2, "paused", 40),),
    ),
)
"""(1) above the approval threshold, (2) in transit, (3) pending, (4) lost, (5) below the threshold, (6) often refunded,
(7) final sale, above 500 EUR, above 2,000 EUR, (8) waits for large furniture and for a
parcel that is late."""
