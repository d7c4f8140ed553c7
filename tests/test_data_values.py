"""Values of labels: which columns condition a model, and how numbers and cells of several values come to do so."""

import logging

import numpy as np
import pytest

from ganapp.contract import MAX_ATTRIBUTES
from ganapp.data.tables import read_csv
from ganapp.data.values import (
    MOST_NAMED,
    QUANTILES,
    apart,
    as_numbers,
    attribute_values,
    in_one_case,
    in_quantiles,
    settled,
)


@pytest.mark.parametrize("unknown", ["", "any", "NaN", "nan", "null", "N/A", "#N/A", "<NA>", "?", "-", "Unknown"])
def test_every_spelling_of_nothing_is_unknown(unknown: str):
    values = [{"hat": ["red", "blue", unknown][i % 3]} for i in range(9)]
    assert attribute_values(["hat"], values) == {"hat": ["blue", "red"]}


def test_none_is_a_value():
    assert attribute_values(["hat"], [{"hat": ["none", "fez"][i % 2]} for i in range(4)]) == {"hat": ["fez", "none"]}


def test_values_in_another_case_are_one_value_in_its_commonest_spelling():
    values = [{"hat": value} for value in ("Red", "red", "Red", "BLUE", "blue")]
    in_one_case(values)
    assert [row["hat"] for row in values] == ["Red", "Red", "Red", "BLUE", "BLUE"]


def test_a_column_that_is_no_attribute_is_named_with_the_reason(caplog: pytest.LogCaptureFixture):
    values = [{"many": f"v{i // 2}", "title": f"t{i}", "same": "x", "none": "nan"} for i in range(130)]
    with caplog.at_level(logging.WARNING):
        assert attribute_values(["many", "title", "same", "none"], values) == {}
    for name, reason in {"many": "65 different", "title": "130", "same": "the same value", "none": "unknown"}.items():
        assert any(line.startswith(f"{name}: no attribute") and reason in line for line in caplog.messages)


def test_unknown_values_are_no_values_and_too_many_are_no_attribute():
    values = [{"a": ["", "any", "x", "y"][i % 4], "many": f"v{i % 65}", "most": str(i % 64)} for i in range(130)]
    attributes = attribute_values(["a", "many", "most"], values)
    assert attributes == {"a": ["x", "y"], "most": [str(i) for i in range(64)]}


def test_values_that_do_not_repeat_are_no_attribute():
    values = [{"title": f"title {i}", "pair": f"pair {i // 2}", "few": "ab"[i] if i < 2 else ""} for i in range(20)]
    assert list(attribute_values(["title", "pair", "few"], values)) == ["pair"]
    values[0]["pair"] = "one more"
    assert not attribute_values(["pair"], [{"pair": row["pair"]} for row in values])


@pytest.mark.parametrize(
    "numbers", [[0.5 * i for i in range(100)], [-3.25 * i for i in range(100)], [i**2 for i in range(100)]]
)
def test_numbers_become_ranges_of_as_many_pictures_each_in_their_order(numbers: list[float]):
    rows = [{"size": str(number)} for number in numbers]
    in_quantiles(["size"], rows)
    values = attribute_values(["size"], rows)["size"]
    assert len(values) == QUANTILES
    assert [sum(row["size"] == value for row in rows) for value in values] == [25] * 4
    ordered = sorted(zip(numbers, (row["size"] for row in rows), strict=True))
    assert list(dict.fromkeys(value for _, value in ordered)) == values
    for value in values:
        low, high = (float(end) for end in value.split(" to "))
        assert all((low <= n <= high) == (row["size"] == value) for n, row in zip(numbers, rows, strict=True))


def test_numbers_that_repeat_numberings_and_unknown_ones_are_left_as_they_are():
    rows = [
        {"eyes": str(i % 3), "id": str(i + 7), "mixed": f"{i}" if i else "tall", "some": f"{i}.5"} for i in range(100)
    ]
    rows[3]["some"] = "NaN"
    before = [dict(row) for row in rows]
    in_quantiles(["eyes", "id", "mixed", "some"], rows)
    assert [{**row, "some": ""} for row in rows] == [{**row, "some": ""} for row in before]
    assert rows[3]["some"] == "NaN" and rows[4]["some"] == rows[5]["some"]


def test_most_pictures_of_one_number_make_fewer_ranges():
    rows = [{"size": "0" if i < 90 else str(i)} for i in range(180)]
    in_quantiles(["size"], rows)
    assert attribute_values(["size"], rows) == {"size": ["0", "90 to 134", "135 to 179"]}


def test_a_cell_of_several_values_has_all_of_them():
    cells = ["hat|beard", "beard", "", "nan", "hat | beard", "crown|beard"]
    rows: list[dict] = [{"worn": cell, "eyes": "two"} for cell in cells] + [{"eyes": "one"}]
    assert apart(["worn", "eyes"], rows) == ["worn beard", "worn hat", "eyes"]
    assert [row.get("worn beard") for row in rows] == ["yes", "yes", "no", None, "yes", "yes", None]
    assert [row.get("worn hat") for row in rows] == ["yes", "no", "no", None, "yes", "no", None]
    assert all("worn" not in row for row in rows) and rows[-1] == {"eyes": "one"}


def test_more_attributes_than_a_model_has_are_named(caplog: pytest.LogCaptureFixture):
    rows = [{f"c{j}": "ab"[i % 2] for j in range(MAX_ATTRIBUTES + 2)} for i in range(8)]
    with caplog.at_level(logging.WARNING):
        kept = attribute_values(settled(rows[0], rows), rows)
    assert len(kept) == MAX_ATTRIBUTES and list(kept) == [f"c{j}" for j in range(MAX_ATTRIBUTES)]
    assert [line.split(":")[0] for line in caplog.messages] == [f"c{MAX_ATTRIBUTES}", f"c{MAX_ATTRIBUTES + 1}"]


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["62.57%", "3.5 %"], [62.57, 3.5]),
        (["$8,787.25", "$12"], [8787.25, 12]),
        (["259.35 €", "1.5 €"], [259.35, 1.5]),
        (["\u2212995.64", "+3"], [-995.64, 3]),
        (["470,26", "8"], [470.26, 8]),
        (["8.527,32", "1,5"], [8527.32, 1.5]),
        (["476,876.38"], [476876.38]),
        (["1,000", "12,500"], [1000, 12500]),
        (["20\u00a0337", "1 200"], [20337, 1200]),
        (["25 °C", "-3 °C"], [25, -3]),
        (["1e5", "2.5E-3", ".5"], [1e5, 0.0025, 0.5]),
    ],
)
def test_numbers_are_read_as_people_and_spreadsheets_write_them(cells: list[str], numbers: list[float]):
    assert as_numbers(cells) == numbers


@pytest.mark.parametrize("cell", ["sold", "inf", "nan", "-", "1.2.3", "7 x 8", "ape 7", "", "9" * 500])
def test_what_is_no_number_is_none(cell: str):
    assert np.isnan(as_numbers([cell])).all()


def test_units_that_differ_are_no_numbers_of_one_column():
    assert np.isnan(as_numbers(["25 °C", "3 °F"])).all()


def test_a_few_cells_that_are_no_numbers_are_unknown_and_named(caplog: pytest.LogCaptureFixture):
    rows = [{"price": f"{i * 1.5} €"} for i in range(39)] + [{"price": "sold"}]
    with caplog.at_level(logging.WARNING):
        in_quantiles(["price"], rows)
    assert rows[39]["price"] == "" and rows[3]["price"] == "0.0 € to 13.5 €"
    assert "price: no number, so unknown: sold" in caplog.text


@pytest.mark.parametrize("numbers", [range(1, 201), [i for i in range(1, 201) if i != 17], range(7, 60)])
def test_what_numbers_the_pictures_is_no_attribute_and_said_to_be_none(numbers, caplog: pytest.LogCaptureFixture):
    rows = [{"token": str(i)} for i in numbers]
    with caplog.at_level(logging.WARNING):
        assert attribute_values(settled(["token"], rows), rows) == {}
    assert "token: no attribute, as it numbers the pictures" in caplog.text
    temperatures = [{"t": str(i)} for i in range(-12, 12)]
    assert len(attribute_values(settled(["t"], temperatures), temperatures)["t"]) == QUANTILES


def test_a_value_of_several_writes_over_no_other_column_and_one_odd_cell_splits_nothing():
    rows = [{"tags": "hat|beard" if i % 2 else "beard", "tags hat": "ab"[i % 2]} for i in range(8)]
    assert apart(["tags", "tags hat"], rows) == ["tags beard", "tags: hat", "tags hat"]
    assert rows[1] == {"tags beard": "yes", "tags: hat": "yes", "tags hat": "b"}
    odd = [{"kind": "cat|dog" if i == 7 else ["cat", "dog"][i % 2]} for i in range(90)]
    assert apart(["kind"], odd) == ["kind"] and odd[7] == {"kind": "cat|dog"}


def test_of_very_many_columns_some_are_kept_and_some_are_named(caplog: pytest.LogCaptureFixture):
    names = [f"c{j}" for j in range(40_000)]
    lines = [",".join(["file_name", *names]), *(",".join([f"{i}.png", *[str(i % 2)] * 40_000]) for i in range(4))]
    table = read_csv("\n".join(lines).encode(), "t")
    rows = list(table.rows.values())
    with caplog.at_level(logging.WARNING):
        kept = attribute_values(settled(table.columns, rows), rows)
    assert list(kept) == names[:MAX_ATTRIBUTES] and len(caplog.messages) == MOST_NAMED + 1
    assert caplog.messages[-1] == f"and {40_000 - MAX_ATTRIBUTES - MOST_NAMED} more columns are no attributes"
