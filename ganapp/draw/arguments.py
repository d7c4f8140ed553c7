"""Values from a page, a URL or an API call, checked one by one; each message names the parameter and its limits."""

import json
import math
import re
from collections.abc import Collection, Mapping, Sequence

from ganapp.contract import ANY
from ganapp.latents import MAX_SEED

MAX_TEXT = 10_000  # characters of a list of seeds or of labels; the longest honest one is far shorter

MOST_DIGITS = 30

Raw = object  # a value before it is checked


def whole(value: Raw, name: str, low: int, high: int) -> int:
    """A whole number from `low` to `high`, given as one or as text; 7.0 is 7. Raises ValueError."""
    wanted = f"{name} must be a whole number from {low} to {high}"
    number = _number(value, wanted)
    if not math.isfinite(number) or number != int(number) or not low <= number <= high:
        raise ValueError(f"{wanted}, not {_shown(value)}")
    return int(number)


def real(value: Raw, name: str, low: float, high: float) -> float:
    """A number from `low` to `high`, given as one or as text. Raises ValueError."""
    wanted = f"{name} must be a number from {low:g} to {high:g}"
    number = _number(value, wanted)
    if not low <= number <= high:  # false for NaN too
        raise ValueError(f"{wanted}, not {_shown(value)}")
    return float(number)


def choice(value: Raw, name: str, options: Sequence[str]) -> str:
    """One of the options. Raises ValueError that lists them."""
    if not isinstance(value, str) or value not in options:
        raise ValueError(f"{name} must be one of {', '.join(options)}, not {_shown(value)}")
    return value


def flag(value: Raw, name: str) -> bool:
    """True or False, given as such or as text. Raises ValueError."""
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false, not {_shown(value)}")
    return value


def numbers(value: Raw, name: str, low: int, high: int, fewest: int, most: int) -> list[int]:
    """Whole numbers, as a list or as text such as `1, 5, 8-11`. Raises ValueError."""
    if isinstance(value, str):
        items = list(_items(value, name, most))
    elif isinstance(value, Collection) and not isinstance(value, Mapping | bytes):
        items = list(value)
    else:
        raise ValueError(f"{name} must be a list such as 1, 5, 8-11, not {_shown(value)}")
    # The items are checked before their number, as far as it allows: in "1, x" the word is what is wrong.
    checked = [whole(item, name, low, high) for item in items[: most + 1]]
    if len(items) > most:
        raise ValueError(f"{name} must be at most {most} numbers")
    if len(items) < fewest:
        raise ValueError(f"{name} must be {fewest} to {most} numbers, not {len(items)}")
    return checked


def seeds(value: Raw, name: str, fewest: int, most: int) -> list[int]:
    """`numbers` that are seeds."""
    return numbers(value, name, 0, MAX_SEED, fewest, most)


def labels(value: Raw) -> dict[str, str]:
    """Chosen values by attribute, without those that are "any"; given as an object or as JSON. Raises ValueError.

    Whether the model has such attributes and values is for `GeneratorSpec.labels` to say.
    """
    chosen = _object(value)
    if not isinstance(chosen, Mapping) or not all(isinstance(text, str) for item in chosen.items() for text in item):
        raise ValueError(f'labels must be an object such as {{"body_color": "red"}}, not {_shown(value)}')
    return {attribute: text for attribute, text in chosen.items() if text != ANY}


def amounts(value: Raw, name: str, most: float) -> dict[str, float]:
    """Numbers from -most to most by name, without those that are 0; an object or JSON. Raises ValueError."""
    found = _object(value)
    if not isinstance(found, Mapping) or not all(isinstance(key, str) for key in found):
        raise ValueError(f'{name} must be an object such as {{"shape 1": 1.5}}, not {_shown(value)}')
    checked = {key: real(amount, f"{name} {key!r:.60}", -most, most) for key, amount in found.items()}
    return {key: amount for key, amount in checked.items() if amount}


def _object(value: Raw) -> Raw:
    """What JSON text holds, an object for nothing at all, and any other value as it is."""
    found = value
    if isinstance(value, str) and value.strip():
        try:
            found = json.loads(value[:MAX_TEXT])
        except (ValueError, RecursionError):
            found = value
    return {} if found is None or found == "" else found


def _number(value: Raw, wanted: str) -> int | float:
    if isinstance(value, str):
        # float() and int() also take "1_0", "inf" and digits of other scripts; an honest number needs none of them.
        text = value.strip()
        if not re.fullmatch(r"[+-]?[0-9]{1,30}(\.[0-9]{0,30})?", text):
            raise ValueError(f"{wanted}, not {_shown(value)}")
        return float(text) if "." in text else int(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{wanted}, not {_shown(value)}")
    if isinstance(value, int) and abs(value) >= 10**MOST_DIGITS:  # neither a float nor a message takes any
        raise ValueError(f"{wanted}, not one of over {MOST_DIGITS} digits")
    return value


def _items(text: str, name: str, most: int) -> Sequence[int | str]:
    """The items between commas (or spaces), with ranges spelt out; it stops as soon as there are more than `most`."""
    items: list[int | str] = []
    spaced = " ".join(text[:MAX_TEXT].split())  # single blanks: among many the pattern would take quadratic time
    for item in re.split("[,; ]+", re.sub(r" ?[-–] ?(?=\d)", "-", spaced)):
        span = re.fullmatch(r"([0-9]{1,10})-([0-9]{1,10})", item)
        if span:
            first, last = int(span[1]), int(span[2])
            if last < first:
                raise ValueError(f"{name} has the range {item}, which runs backwards")
            items += range(first, min(last, first + most) + 1)
        elif item:
            items.append(item)
        if len(items) > most:
            break
    return items


def _shown(value: Raw) -> str:
    return "nothing" if value is None else f"{value!r:.60}"
