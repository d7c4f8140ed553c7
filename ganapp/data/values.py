"""Values of labels: made into ones that can condition a model, and the columns that do."""

import logging
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from operator import itemgetter

import numpy as np

from ganapp.contract import ANY, MAX_ATTRIBUTES
from ganapp.data.labels import same
from ganapp.data.sources import natural, printable

log = logging.getLogger(__name__)

Row = dict[str, str]  # a picture's values by column

MAX_VALUES = 64
MOST_NAMED = 100  # columns that are left out, in the log
UNKNOWN = {"", ANY, "nan", "null", "nil", "n/a", "na", "#n/a", "<na>", "?", "-", "unknown"}  # in lower case
SEVERAL = "|"  # between the values of a cell that holds several
QUANTILES = 4
MOST_ODD = 0.05  # of a column's cells may be no numbers
WRITTEN = re.compile(
    r"(?P<before>[^\w+.,-]{0,4})(?P<number>[-+]?[0-9.,][0-9., ']*(e[-+]?[0-9]+)?)(?P<behind>[^0-9.,]{0,12})",
    re.IGNORECASE,
)
NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[-+]?[0-9]+)?", re.IGNORECASE)


def settled(columns: Iterable[str], rows: list[Row]) -> list[str]:
    """The columns, once the values in `rows` are ones that can condition a model; see the three functions below."""
    in_one_case(rows)
    columns = apart(columns, rows)
    in_quantiles(columns, rows)
    return columns


def apart(columns: Iterable[str], rows: list[Row]) -> list[str]:
    """The columns, with one of yes and no for each value in place of those whose cells hold several, as in "hat|beard".

    An empty cell of such a column holds none of them. Values of one picture alone are left out. A column of which
    hardly a cell holds several is left as it is.
    """
    columns, kept = list(columns), []
    for column in columns:
        filled = [row[column] for row in rows if row.get(column)]
        several = sum(SEVERAL in cell for cell in filled)
        if several <= MOST_ODD * len(filled):
            kept.append(column)
            continue
        cells = [(row, row.pop(column)) for row in rows if column in row]
        held = [({value.strip() for value in cell.split(SEVERAL)} - {""}, row) for row, cell in cells if known(cell)]
        count = Counter(value for values, _ in held for value in values)
        common = sorted(sorted(count, key=natural), key=lambda value: -count[value])
        values = sorted((value for value in common[:MAX_VALUES] if count[value] > 1), key=natural)
        names = {value: f"{column} {value}" for value in values}
        names |= {value: f"{column}: {value}" for value, name in names.items() if name in columns}
        for found, row in held:
            row.update({name: "yes" if value in found else "no" for value, name in names.items()})
        left = len(count) - len(values)
        said = f", without {left:,} that are too rare" if left else ""
        log.info("%s: holds several values; each of %d is an attribute%s", printable(column), len(values), said)
        kept += names.values()
    return kept


def known(cell: str) -> bool:
    """Whether a cell that may hold several values says which; an empty one says that it has none."""
    return not cell or cell.lower() not in UNKNOWN


def in_quantiles(columns: Iterable[str], rows: list[Row]) -> None:
    """Put QUANTILES ranges in place of numbers that are too many to be values themselves: "0.5 to 2".

    A few cells that are no numbers are made unknown, and named. Whole numbers that number the pictures say nothing of
    them and are left as they are.
    """
    for column in columns:
        found = [(row, row[column]) for row in rows if row.get(column, "").lower() not in UNKNOWN]
        if not found or not useless(Counter(value for _, value in found)):
            continue
        numbers = as_numbers([value for _, value in found])
        pairs = [(number, *pair) for number, pair in zip(numbers, found, strict=True) if math.isfinite(number)]
        odd = [row for (row, _), number in zip(found, numbers, strict=True) if not math.isfinite(number)]
        distinct = np.unique([number for number, *_ in pairs])
        if len(odd) > MOST_ODD * len(found) or len(distinct) < 2 or is_numbering(distinct, len(pairs)):
            continue
        if odd:
            named = ", ".join(printable(row[column]) for row in odd[:3])
            log.warning("%s: no number, so unknown: %s%s", printable(column), named, " ..." * (len(odd) > 3))
            for row in odd:
                row[column] = ""
        bounds = np.unique(np.quantile([number for number, *_ in pairs], np.arange(1, QUANTILES) / QUANTILES))
        bins: dict[int, list] = {}
        for pair in pairs:
            bins.setdefault(int(np.searchsorted(bounds, pair[0], "left")), []).append(pair)
        for inside in bins.values():
            (low, _, least), (high, _, most) = min(inside, key=itemgetter(0)), max(inside, key=itemgetter(0))
            name = least if low == high else f"{least} to {most}"
            for _, row, _ in inside:
                row[column] = name
        log.info("%s: %d numbers, in %d ranges of as many pictures each", printable(column), len(distinct), len(bins))


def is_numbering(distinct: np.ndarray, count: int) -> bool:
    """Whether sorted different numbers of so many pictures number them: whole, from 0 on, each once, few left out."""
    whole = (distinct % 1 == 0).all() and distinct[0] >= 0
    return bool(whole) and len(distinct) == count and distinct[-1] - distinct[0] < 2 * count


def as_numbers(texts: list[str]) -> list[float]:
    """The numbers in the cells of a column, nan for what is none, as people and their spreadsheets write them.

    With a unit before or behind, the same in all cells ("25 °C", "$8,787.25", "62.5%"), with blanks or marks between
    thousands, and with a decimal comma where all of the column's commas can be one.
    """
    cells = [WRITTEN.fullmatch(unicodedata.normalize("NFKC", text).replace("\u2212", "-").strip()) for text in texts]
    units = {(cell["before"].strip(), cell["behind"].strip()) for cell in cells if cell}
    if not units or len(units) > 1:
        cells = [cell if cell and not cell["before"].strip() + cell["behind"].strip() else None for cell in cells]
    written = [cell["number"] if cell else "" for cell in cells]
    mark = decimal_mark(written)
    return [as_number(text, mark) for text in written]


def decimal_mark(written: list[str]) -> str:
    """What stands before a column's decimals: a comma if it is the last mark of a cell, or cannot part thousands."""
    for text in written:
        marks = [each for each in text if each in ".,"]
        if len(set(marks)) == 2:
            return marks[-1]
    commas = [text for text in written if "," in text]
    return "," if commas and not all(re.fullmatch(r"[-+]?[0-9]{1,3}(,[0-9]{3})+", text) for text in commas) else "."


def as_number(text: str, mark: str) -> float:
    plain = re.sub(r"[ ']", "", text.replace("," if mark == "." else ".", "")).replace(mark, ".")
    return float(plain) if NUMBER.fullmatch(plain) and len(plain) < 400 else math.nan


def attribute_values(columns: Iterable[str], rows: Iterable[Row]) -> dict[str, list[str]]:
    """The columns that can condition a model, at most MAX_ATTRIBUTES: those with 2 to MAX_VALUES values, in order.

    A value must stand for two pictures on average: titles, which differ from picture to picture, say nothing that
    a model could learn. UNKNOWN are no values. A column that is left out is named in the log, with the reason.
    """
    values: dict[str, Counter[str]] = {column: Counter() for column in columns}
    for row in rows:
        for column, value in row.items():
            if value.lower() not in UNKNOWN:
                values[column][value] += 1
    kept: dict[str, list[str]] = {}
    left = 0
    for column, found in values.items():
        reason = useless(found) or f"a model has at most {MAX_ATTRIBUTES}" * (len(kept) == MAX_ATTRIBUTES)
        if not reason:
            kept[column] = in_order(found)
        elif (left := left + 1) <= MOST_NAMED:
            log.warning("%s: no attribute, as %s", printable(column), reason)
    if left > MOST_NAMED:
        log.warning("and %d more columns are no attributes", left - MOST_NAMED)
    return kept


def in_order(values: Iterable[str]) -> list[str]:
    """The values in natural order, or by the number that each begins with."""
    values = sorted(values, key=natural)
    begin = [NUMBER.match(value) for value in values]
    if not all(begin):
        return values
    return sorted(values, key=lambda value: float(NUMBER.match(value)[0]))


def useless(found: Counter[str]) -> str:
    """Why values that occur so often cannot condition a model, "" if they can."""
    if not found:
        return "all its values are unknown"
    if len(found) == 1:
        return "all pictures have the same value"
    if all(value.isdecimal() for value in found) and is_numbering(np.sort([float(v) for v in found]), found.total()):
        return "it numbers the pictures"
    if len(found) > MAX_VALUES:
        return f"its {len(found):,} different values are more than {MAX_VALUES}"
    if len(found) > found.total() // 2:
        return f"its {len(found):,} values say too little of {found.total():,} pictures: each must stand for two"
    return ""


def in_one_case(rows: list[Row]) -> None:
    """Give values of a column that differ only in case, or in the spelling of Unicode, their commonest spelling."""
    spelt: dict[tuple[str, str], Counter[str]] = {}
    for row in rows:
        for column, value in row.items():
            spelt.setdefault((column, same(value)), Counter())[value] += 1
    for row in rows:
        for column, value in row.items():
            counts = spelt[column, same(value)]
            if len(counts) > 1:
                row[column] = min(counts, key=lambda spelling: (-counts[spelling], spelling))
