"""Values of labels: made into ones that can condition a model, and the columns that do."""

import logging
import re
from collections import Counter
from collections.abc import Iterable

import numpy as np

from ganapp.contract import ANY, MAX_ATTRIBUTES
from ganapp.data.labels import same
from ganapp.data.sources import natural, printable

log = logging.getLogger(__name__)

Row = dict[str, str]  # a picture's values by column

MAX_VALUES = 64
UNKNOWN = {"", ANY, "nan", "null", "nil", "n/a", "na", "#n/a", "<na>", "?", "-", "unknown"}  # in lower case
SEVERAL = "|"  # between the values of a cell that holds several
QUANTILES = 4
NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[-+]?[0-9]+)?", re.IGNORECASE)


def settled(columns: Iterable[str], rows: list[Row]) -> list[str]:
    """The columns, once the values in `rows` are ones that can condition a model; see the three functions below."""
    in_one_case(rows)
    columns = apart(columns, rows)
    in_quantiles(columns, rows)
    return columns


def apart(columns: Iterable[str], rows: list[Row]) -> list[str]:
    """The columns, with one of yes and no for each value in place of those whose cells hold several, as in "hat|beard".

    An empty cell of such a column holds none of them. Values of one picture alone are left out.
    """
    kept = []
    for column in columns:
        if not any(SEVERAL in row.get(column, "") for row in rows):
            kept.append(column)
            continue
        cells = [(row, row.pop(column)) for row in rows if column in row]
        held = [({value.strip() for value in cell.split(SEVERAL)} - {""}, row) for row, cell in cells if known(cell)]
        count = Counter(value for values, _ in held for value in values)
        common = sorted(sorted(count, key=natural), key=lambda value: -count[value])
        values = sorted((value for value in common[:MAX_VALUES] if count[value] > 1), key=natural)
        for found, row in held:
            row.update({f"{column} {value}": "yes" if value in found else "no" for value in values})
        left = len(count) - len(values)
        said = f", without {left:,} that are too rare" if left else ""
        log.info("%s: holds several values; each of %d is an attribute%s", printable(column), len(values), said)
        kept += [f"{column} {value}" for value in values]
    return kept


def known(cell: str) -> bool:
    """Whether a cell that may hold several values says which; an empty one says that it has none."""
    return not cell or cell.lower() not in UNKNOWN


def in_quantiles(columns: Iterable[str], rows: list[Row]) -> None:
    """Put QUANTILES ranges in place of numbers that are too many to be values themselves: "0.5 to 2".

    Whole numbers that count the pictures say nothing of them and are left as they are.
    """
    for column in columns:
        found = [(row, row[column]) for row in rows if row.get(column, "").lower() not in UNKNOWN]
        if not found or not all(NUMBER.fullmatch(value) for _, value in found):
            continue
        numbers = np.array([float(value) for _, value in found])
        distinct = np.unique(numbers)
        if not np.isfinite(distinct).all() or not useless(Counter(value for _, value in found)) or len(distinct) < 2:
            continue
        if len(distinct) == len(found) and distinct[-1] - distinct[0] == len(found) - 1 and distinct[0] % 1 == 0:
            continue  # 1 to N, each once: a numbering
        bounds = np.unique(np.quantile(numbers, np.arange(1, QUANTILES) / QUANTILES))
        bins = np.searchsorted(bounds, numbers, "left")
        names = {}
        for each in set(bins.tolist()):
            inside = sorted(
                (number, value) for number, b, (_, value) in zip(numbers, bins, found, strict=True) if b == each
            )
            low, high = inside[0][1], inside[-1][1]
            names[each] = low if inside[0][0] == inside[-1][0] else f"{low} to {high}"
        for (row, _), each in zip(found, bins.tolist(), strict=True):
            row[column] = names[each]
        log.info("%s: %d numbers, in %d ranges of as many pictures each", printable(column), len(distinct), len(names))


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
    for column, found in values.items():
        reason = useless(found) or f"a model has at most {MAX_ATTRIBUTES}" * (len(kept) == MAX_ATTRIBUTES)
        if reason:
            log.warning("%s: no attribute, as %s", printable(column), reason)
        else:
            kept[column] = in_order(found)
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
