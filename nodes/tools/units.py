"""Units by name, in English and Spanish: what they measure and how large they are, as exact fractions.

Sizes are definitions (the international foot and pound, the thermochemical calorie, the US gallon), so conversions
between them are exact. A year counts 365 days and a month a twelfth of it, as calendars differ.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Unit:
    """`value * size + zero` is the value in the base unit of its dimension."""

    symbol: str
    dimension: str
    size: Fraction
    zero: Fraction = Fraction(0)


# dimension, then a line a unit: symbol, size in the base unit (a product or quotient), names. Symbols and names that
# differ by case only (Mb, MB) are told apart; others are found whatever their case, accents and plural.
_TABLE = """
length
m 1 metre meter metro
km 1000 kilometre kilometer kilometro kms
dm 1/10 decimetre decimeter decimetro
cm 1/100 centimetre centimeter centimetro
mm 1/1000 millimetre millimeter milimetro
µm 1/1000000 um micrometre micrometer micrometro micron micra
nm 1/1000000000 nanometre nanometer nanometro
mi 1609.344 mile milla
yd 0.9144 yard yarda
ft 0.3048 foot feet pie '
in 0.0254 inch inche pulgada "
nmi 1852 nautical_mile milla_nautica
ly 9460730472580800 light_year lightyear ano_luz anos_luz
mass
kg 1 kilogram kilogramme kilogramo kilo
g 1/1000 gram gramme gramo gr
mg 1/1000000 milligram miligramo
µg 1/1000000000 ug mcg microgram microgramo
t 1000 tonne metric_ton tonelada tonelada_metrica
lb 0.45359237 lbs pound libra
oz 0.028349523125 ounce onza
st 6.35029318 stone
short_ton 907.18474 ton us_ton tonelada_corta
temperature
K 1 kelvin
°C 1 C celsius centigrade centigrado degree_celsius degrees_celsius grado_celsius grado_centigrado degree_c degrees_c
°F 5/9 F fahrenheit degree_fahrenheit degrees_fahrenheit grado_fahrenheit degree_f degrees_f
area
m² 1 m2 m^2 sqm square_metre square_meter metro_cuadrado
km² 1000000 km2 km^2 square_kilometre square_kilometer kilometro_cuadrado
cm² 1/10000 cm2 cm^2 square_centimetre square_centimeter centimetro_cuadrado
ha 10000 hectare hectarea
acre 4046.8564224 ac
ft² 0.09290304 ft2 ft^2 sqft sq_ft square_foot square_feet pie_cuadrado
mi² 2589988.110336 mi2 mi^2 sq_mi square_mile milla_cuadrada
volume
L 1/1000 litre liter litro
mL 1/1000000 millilitre milliliter mililitro cc
cL 1/100000 centilitre centiliter centilitro
m³ 1 m3 m^3 cubic_metre cubic_meter metro_cubico
cm³ 1/1000000 cm3 cm^3 cubic_centimetre cubic_centimeter centimetro_cubico
gal 0.003785411784 gallon us_gallon galon
imperial_gal 0.00454609 imperial_gallon uk_gallon galon_imperial
qt 0.000946352946 quart cuarto_de_galon
pt 0.000473176473 pint pinta
cup 0.0002365882365 taza
fl_oz 0.0000295735295625 fluid_ounce onza_liquida floz
tbsp 0.00001478676478125 tablespoon cucharada
tsp 0.00000492892159375 teaspoon cucharadita
speed
m/s 1 mps metre_per_second meter_per_second metros_por_segundo metres_per_second meters_per_second
km/h 5/18 kmh kph kilometre_per_hour kilometer_per_hour kilometres_per_hour kilometers_per_hour kilometros_por_hora
mph 0.44704 mi/h mile_per_hour miles_per_hour millas_por_hora
kn 463/900 kt knot nudo
ft/s 0.3048 fps feet_per_second pies_por_segundo
time
s 1 sec second segundo seg
ms 1/1000 millisecond milisegundo
min 60 minute minuto
h 3600 hr hour hora
d 86400 day dia
week 604800 wk semana
month 2628000 mes
year 31536000 yr ano
data
B 8 byte octeto
bit 1 b
kB 8000 KB kilobyte
MB 8000000 megabyte
GB 8000000000 gigabyte
TB 8000000000000 terabyte
PB 8000000000000000 petabyte
KiB 8192 kibibyte
MiB 8388608 mebibyte
GiB 8589934592 gibibyte
TiB 8796093022208 tebibyte
kb 1000 Kb kbit kilobit
Mb 1000000 Mbit megabit
Gb 1000000000 Gbit gigabit
Tb 1000000000000 Tbit terabit
energy
J 1 joule julio
kJ 1000 kilojoule kilojulio
MJ 1000000 megajoule megajulio
mJ 1/1000 millijoule milijulio
cal 4.184 calorie caloria
kcal 4184 kilocalorie kilocaloria
Wh 3600 watt_hour vatio_hora
kWh 3600000 kilowatt_hour kilovatio_hora
BTU 1055.05585262
eV 0.0000000000000000001602176634 electronvolt electronvoltio
pressure
Pa 1 pascal
hPa 100 hectopascal
kPa 1000 kilopascal
MPa 1000000 megapascal
mPa 1/1000 millipascal milipascal
bar 100000
mbar 100 millibar milibar
atm 101325 atmosphere atmosfera
mmHg 133.322387415
torr 101325/760
psi 8896443230521/1290320000
"""
_ZEROS = {"°C": Fraction("273.15"), "°F": Fraction("459.67") * Fraction(5, 9)}
_IN_LOWER_CASE = {"kb": "kB", "mb": "MB", "gb": "GB", "tb": "TB"}
"""`500 mb` are megabytes to who types so."""
MAX_NAME_CHARS = 40


def find_unit(name: str) -> Unit | None:
    """The unit of that symbol or name, in any spelling: `km`, `Kilómetros`, `sq ft`, `°F`, `grados Celsius`."""
    if len(name) > MAX_NAME_CHARS:
        return None
    key = "_".join(name.replace("º", "°").replace("μ", "µ").replace("-", " ").strip(" .").split())
    if key in _EXACT:
        return _EXACT[key]
    return next((_FOLDED[form] for form in _forms(_fold(key)) if form in _FOLDED), None)


def known_names() -> tuple[str, ...]:
    """Every name of the table, for hints."""
    return tuple(_FOLDED)


def _forms(key: str) -> Iterator[str]:
    """The key itself, then as singular: `miles`, `kilometros_cuadrados`, `meses`; `celsius` is none."""
    words = key.split("_")
    yield key
    for ending in ("s", "es"):
        yield "_".join(word if len(word) < 4 or word.endswith("us") else word.removesuffix(ending) for word in words)


def _fold(text: str) -> str:
    """Without case and accents; `°` is dropped, so that `°c` is `c`."""
    plain = unicodedata.normalize("NFKD", text.replace("°", "").replace("²", "2").replace("³", "3")).casefold()
    return "".join(char for char in plain if not unicodedata.combining(char))


def _read_table() -> tuple[dict[str, Unit], dict[str, Unit]]:
    """Units by exact symbol or name, and by folded name; a fold that two units share is left out."""
    exact: dict[str, Unit] = {}
    dimension = ""
    for line in _TABLE.split("\n"):
        symbol, *rest = line.split() or ("",)
        if not rest:
            dimension = symbol
            continue
        unit = Unit(symbol.replace("_", " "), dimension, _fraction(rest[0]), _ZEROS.get(symbol, Fraction(0)))
        exact |= dict.fromkeys((symbol, *rest[1:]), unit)
    folded: dict[str, Unit] = {}
    shared = set()
    for name, unit in exact.items():
        if folded.setdefault(_fold(name), unit) != unit:
            shared.add(_fold(name))
    for name in shared:
        del folded[name]
    return exact, folded | {name: exact[symbol] for name, symbol in _IN_LOWER_CASE.items()}


def _fraction(text: str) -> Fraction:
    top, _, bottom = text.partition("/")
    return Fraction(top) / Fraction(bottom or 1)


_EXACT, _FOLDED = _read_table()
