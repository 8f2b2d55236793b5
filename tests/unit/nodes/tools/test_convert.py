"""Unit conversion: exact, in two languages, and never between different kinds."""

from fractions import Fraction

import pytest
from langchain_core.tools import ToolException

from nodes.tools.calculator import render
from nodes.tools.convert import convert, convert_value, shown
from nodes.tools.units import find_unit, known_names
from tests.unit.nodes.tools.calls import call
from tests.unit.nodes.tools.odd import ODD


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [
        (5, "km", "miles", "3.106855961"),
        (1, "mile", "km", "1.609344"),
        (5, "Kilómetros", "millas", "3.106855961"),
        (10, "pulgadas", "cm", "25.4"),
        (6, "feet", "metros", "1.8288"),
        (2, "kg", "libras", "4.409245244"),
        (1, "tonelada", "kilos", "1000"),
        (1, "ton", "kg", "907.18474"),
        (100, "°C", "°F", "212"),
        (98.6, "F", "grados Celsius", "37"),
        (-40, "ºC", "degrees Fahrenheit", "-40"),
        (0, "kelvin", "celsius", "-273.15"),
        (0.1, "m", "cm", "10"),
        (1, "hectárea", "m2", "10000"),
        (3, "metros cuadrados", "cm²", "30000"),
        (1, "gallon", "litros", "3.785411784"),
        (2, "tazas", "mL", "473.176473"),
        (1, "cubic metre", "litres", "1000"),
        (36, "km/h", "m/s", "10"),
        (60, "millas por hora", "km/h", "96.56064"),
        (3, "días", "horas", "72"),
        (2, "years", "days", "730"),
        (6, "meses", "años", "0.5"),
        (1, "GB", "MB", "1000"),
        (1, "GiB", "MiB", "1024"),
        (8, "Mb", "MB", "1"),
        (500, "mb", "gb", "0.5"),
        (1, "kWh", "kJ", "3600"),
        (1, "kcal", "J", "4184"),
        (1, "atm", "hPa", "1013.25"),
        (760, "torr", "atm", "1"),
        (32, "psi", "Pa", "220632.2334"),
        (1e-9, "m", "nm", "1"),
    ],
)
def test_values_are_converted_exactly(value: float, source: str, target: str, expected: str) -> None:
    assert render(convert_value(value, source, target)) == expected


@pytest.mark.parametrize(
    ("value", "source", "target", "reason"),
    [
        (1, "kg", "km", "kg measures mass and km length"),
        (1, "Mb", "m", "Mb measures data and m length"),
        (1, "kilometros", "millaz", "did you mean milla"),
        (1, "parsnips", "km", "'parsnips' is no known unit"),
        (1, "", "km", "no known unit"),
        (float("inf"), "m", "km", "finite"),
        (float("nan"), "m", "km", "finite"),
        (-300, "°C", "K", "absolute zero"),
    ],
)
def test_what_cannot_be_converted_says_why(value: float, source: str, target: str, reason: str) -> None:
    with pytest.raises(ToolException, match=reason) as told:
        convert_value(value, source, target)
    assert "\n" not in str(told.value) and len(str(told.value)) < 200


@pytest.mark.parametrize(("value", "text"), [(1e-9, "1e-9"), (5e20, "5e+20"), (0.0, "0"), (1e-6, "0.000001")])
def test_very_large_and_small_values_have_an_exponent(value: float, text: str) -> None:
    assert shown(Fraction(str(value))) == text


@pytest.mark.parametrize("value", [1e308, -1e308, 5e-324])
def test_the_largest_and_smallest_numbers_are_told_shortly(value: float) -> None:
    assert len(shown(convert_value(value, "m", "nm"))) < 25


@pytest.mark.parametrize("name", ODD)
def test_odd_names_are_no_units(name: str) -> None:
    assert find_unit(name) is None


def test_every_name_of_the_table_is_found_whatever_its_case() -> None:
    for name in known_names():
        found = find_unit(name.upper().replace("_", " "))
        assert found is not None and found in (find_unit(name), find_unit(found.symbol))


async def test_models_call_it_with_a_number_and_two_units() -> None:
    told = await call([convert()], "convert", value=5, from_unit="km", to_unit="miles")
    assert (told.text, told.status) == ("3.106855961 mi", "success")
    told = await call([convert()], "convert", value="five", from_unit="km", to_unit="miles")
    assert told.status == "error" and told.text.startswith("Error: convert takes other arguments: value: ")
    told = await call([convert()], "convert", value=1, from_unit="km", to_unit="kg")
    assert told.text == "Error: km measures length and kg mass; give two units of the same kind"
