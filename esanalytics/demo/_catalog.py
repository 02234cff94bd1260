"""What the shop sells, and the words its payloads use."""

from __future__ import annotations

import numpy as np

__all__ = [
    "CANCEL_REASONS",
    "CARRIERS",
    "CITIES",
    "COUNTRIES",
    "COUPONS",
    "DEPOTS",
    "FAIL_REASONS",
    "FAMILY_NAMES",
    "GIVEN_NAMES",
    "METHODS",
    "POPULARITY",
    "PRICES",
    "QUANTITIES",
    "RECEIVERS",
    "REFUND_REASONS",
    "SKUS",
    "SUPPLIERS",
]

_CENTS = (
    *(490, 790, 990, 1250, 1490, 1790, 1990, 2290, 2490, 2790, 2990, 3450),
    *(3990, 4490, 4990, 5490, 5990, 6990, 7950, 8990, 9990, 12900, 14900, 19900),
)
PRICES = np.array(_CENTS)
"""The price of each article, in cents."""
SKUS = tuple(f"sku-{number:03}" for number in range(1, len(PRICES) + 1))
POPULARITY = np.array([9, 7, 8, 12, 10, 7, 14, 6, 9, 6, 8, 5, 7, 4, 6, 3, 4, 3, 2, 3, 2, 1, 1, 1])
"""How often each article is asked for, against the others."""
QUANTITIES = 4
"""The most pieces of one article in one line."""

COUPONS = (("WELCOME5", 500), ("SPRING10", 1000))
"""The coupons: their code, and their discount in cents."""

METHODS = ("card", "paypal", "invoice")
FAIL_REASONS = ("insufficient_funds", "card_expired", "suspected_fraud")
CANCEL_REASONS = ("payment_failed", "changed_mind", "ordered_twice", "too_slow")
REFUND_REASONS = ("damaged", "wrong_item", "not_as_described", "changed_mind")
CARRIERS = ("DHL", "UPS", "PostNord")
DEPOTS = ("Hamburg", "Leipzig", "Rotterdam", "Malmö")
RECEIVERS = ("recipient", "neighbour", "parcel_box")
SUPPLIERS = ("Nordlicht", "Baltic Trade", "Hansa Import")
COUNTRIES = ("DE", "NL", "DK", "SE", "PL")
CITIES = (
    ("Berlin", "10115"),
    ("Utrecht", "3511"),
    ("Aarhus", "8000"),
    ("Malmö", "211 20"),
    ("Łódź", "90-001"),
)
GIVEN_NAMES = (
    "Ada",
    "Björn",
    "Chiara",
    "Dmitri",
    "Elif",
    "Freya",
    "Günther",
    "Hana",
    "Ines",
    "João",
    "Katarzyna",
    "Lars",
)
FAMILY_NAMES = (
    "Andersen",
    "Becker",
    "de Vries",
    "Kowalska",
    "Lindqvist",
    "Müller",
    "Novák",
    "Øster",
    "Petit",
    "Yücel",
)
