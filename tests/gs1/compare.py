"""Reads generated product numbers with biip and with kroger-core, and fails if they
differ. Kroger's UPC of a barcode is its GTIN-13 without the check digit, with a zero
in front."""

import argparse
import collections
import random
import subprocess
import sys

import biip
from biip.gtin import GtinFormat

# biip knows the prefix of a number. These are not the numbers of one product.
OTHER_USES = ("restricted", "coupon", "refund", "variable")


def with_check_digit(body):
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(body)))
    return body + str(-total % 10)


def digits(count):
    return "".join(random.choice("0123456789") for _ in range(count))


def upc_e():
    body = random.choice("01") + digits(6)
    try:
        whole = biip.parse(body).upc
    except biip.ParseError:
        return body
    return body + whole.as_upc_a()[-1] if whole else body


KINDS = {
    "UPC-A": lambda: with_check_digit(random.choice("0001367") + digits(10)),
    "UPC-A of a number system for other uses": lambda: with_check_digit(random.choice("245") + digits(10)),
    "UPC-E": upc_e,
    "UPC-E without check digit": lambda: random.choice("01") + digits(6),
    "UPC-E without both": lambda: digits(6),
    "EAN-13": lambda: with_check_digit(digits(12)),
    "EAN-13 of a UPC-A": lambda: with_check_digit("0" + digits(11)),
    "EAN-8": lambda: with_check_digit(digits(7)),
    "GTIN-14": lambda: with_check_digit(digits(13)),
    "GTIN-14 of an item": lambda: with_check_digit("0" + digits(12)),
    "12 digits": lambda: digits(12),
    "13 digits": lambda: digits(13),
    "14 digits": lambda: digits(14),
    "symbology identifier": lambda: "]E0" + with_check_digit("00" + digits(10)),
    "element string": lambda: "]C101" + with_check_digit("00" + digits(11)) + "17261231",
}


def gtin_of(number):
    try:
        return biip.parse(number).gtin
    except biip.ParseError:
        return None


def difference(number, readings):
    """What is wrong with our `readings`. None: nothing."""
    gtin = gtin_of(number)
    barcodes = {upc for upc, form in readings if form in ("Barcode", "UpcE")}
    if gtin is None:
        is_certain = number.isdigit() and len(number) in (12, 13, 14)
        return "biip finds no GTIN" if is_certain and barcodes else None
    if gtin.format == GtinFormat.GTIN_14:
        return None if not readings else "biip finds a case"
    ean = gtin.as_gtin_13()
    usage = (gtin.prefix.usage if gtin.prefix else "").lower()
    expected = "0" + ean[:12]
    # GS1 lists 981 to 984 for coupons; biip has no entry for 984.
    if ean.startswith("984"):
        usage = "coupon"
    if type(gtin).__name__ == "Rcn" or any(use in usage for use in OTHER_USES) or ean.startswith("05"):
        return f"biip finds no product: {usage}" if expected in barcodes and not ean.startswith("00000") else None
    return None if expected in barcodes else f"biip finds {expected}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", required=True, help="the program that reads the numbers")
    parser.add_argument("--numbers", type=int, default=2000, help="how many of each kind")
    parser.add_argument("--seed", type=int, default=13)
    options = parser.parse_args()
    random.seed(options.seed)
    numbers = [(kind, make()) for kind, make in KINDS.items() for _ in range(options.numbers)]
    # Zeros alone are no number.
    numbers = [(kind, number) for kind, number in numbers if number.strip("0")]
    text = "".join(f"{number}\n" for _, number in numbers)
    lines = subprocess.run([options.ours], input=text, capture_output=True, text=True, check=True).stdout.split("\n")
    wrong = collections.defaultdict(list)
    for (kind, number), line in zip(numbers, lines):
        readings = [] if line == "refused" else [tuple(reading.split("=")) for reading in line.split(",")]
        what = difference(number, readings)
        if what:
            wrong[kind].append(f"{number}: {what}; ours: {line}")
    print("| kind | numbers | differ |")
    print("|---|---|---|")
    for kind in KINDS:
        print(f"| {kind} | {sum(of == kind for of, _ in numbers)} | {len(wrong[kind])} |")
    for kind, lines in wrong.items():
        for line in lines[:5]:
            print(f"{kind}: {line}")
    sys.exit(any(wrong.values()))


if __name__ == "__main__":
    main()
