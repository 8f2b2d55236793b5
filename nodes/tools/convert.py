"""Unit conversion, exact where the definitions are."""

from __future__ import annotations

import difflib
import math
from decimal import Decimal
from fractions import Fraction

from langchain_core.tools import BaseTool, ToolException, tool

from nodes.tools.calculator import render
from nodes.tools.units import MAX_NAME_CHARS, Unit, find_unit, known_names


def convert_value(value: float, from_unit: str, to_unit: str) -> Fraction:
    """`value` of one unit in another, exactly. Raises ToolException for unknown units and for different dimensions.

    A float counts as the decimal that it is written as: 0.1 is a tenth.
    """
    if not math.isfinite(value):
        raise ToolException("the value must be a finite number")
    source, target = _known(from_unit), _known(to_unit)
    if source.dimension != target.dimension:
        raise ToolException(
            f"{source.symbol} measures {source.dimension} and {target.symbol} {target.dimension}; "
            "give two units of the same kind"
        )
    base = Fraction(str(value)) * source.size + source.zero
    if source.dimension == "temperature" and base < 0:
        raise ToolException(f"{shown(Fraction(str(value)))} {source.symbol} is below absolute zero")
    return (base - target.zero) / target.size


def convert() -> BaseTool:
    """The tool that models see: `convert(value:number, from_unit, to_unit)`."""

    @tool("convert")
    def run(value: float, from_unit: str, to_unit: str) -> str:
        """Convert units, such as 5, `km`, `miles`: length, mass, temperature, area, volume, speed, time, data…"""
        # The result alone: small models copy what they are told, and lose their way in an equation.
        return f"{shown(convert_value(value, from_unit, to_unit))} {_known(to_unit).symbol}"

    return run


def shown(value: Fraction) -> str:
    """A value as people write it; very large and very small ones with an exponent, to 10 digits."""
    if value == 0 or Fraction(1, 10**6) <= abs(value) < 10**15:
        return render(value)
    return f"{(Decimal(value.numerator) / Decimal(value.denominator)).normalize():.10g}"


def _known(name: str) -> Unit:
    if unit := find_unit(name):
        return unit
    near = difflib.get_close_matches(name[:MAX_NAME_CHARS].casefold(), known_names(), n=1, cutoff=0.75)
    hint = f"did you mean {near[0].replace('_', ' ')}?" if near else "write for example km, miles, kg, °F, litres"
    raise ToolException(f"'{name[:MAX_NAME_CHARS]}' is no known unit; {hint}")
