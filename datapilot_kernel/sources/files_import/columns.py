"""What type a column of text cells has, decided from its values, and the SQL that converts it.

A decision is a pattern (one that Python and DuckDB's RE2 read alike) with a conversion. Cells that match the pattern
convert; cells that say nothing become NULL; any other is a bad cell, which the report names by line and column. A few bad
cells among many good ones do not make a column text; identifiers made of digits (SIRET, postcodes, telephone numbers,
codes with leading zeros) do not make it a number.

Rejected: guessing per cell. One column has one format, or "01/02/2025" and "02/13/2025" would be two months apart.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from datapilot_kernel.sources.files_import.cells import CURRENCY, NULL_WORDS, SIGN, SPACES, TYPED_NULL_WORDS, stripped
from datapilot_kernel.sources.files_import.report import ColumnOverride, ColumnType, Note

MOST_DECIMALS = 9
_SP = f"[{SPACES}]?"

_CODE_WORDS = frozenset((
    "siret", "siren", "nic", "ape", "naf", "postal", "cp", "postcode", "zip", "tel", "telephone", "phone", "portable",
    "mobile", "gsm", "fax", "iban", "bic", "rib", "nir", "secu", "ean", "ean13", "gencod", "gencode", "insee", "compte",
    "code", "cd", "ref", "reference", "sku", "isbn", "matricule", "lettrage",
))  # fmt: skip
_DATE_WORDS = frozenset(("date", "dt", "jour", "echeance", "du", "au", "le", "dte"))

_BOOLEANS: tuple[tuple[frozenset[str], frozenset[str]], ...] = tuple(
    (frozenset((yes,)), frozenset((no,)))
    for yes, no in (("oui", "non"), ("vrai", "faux"), ("true", "false"), ("yes", "no"), ("o", "n"), ("y", "n"))
)


@dataclass(frozen=True)
class Decision:
    """A column's type: how to recognise its cells, and how to convert one.

    ``convert`` has ``{v}`` where the (trimmed) cell's SQL goes; it is NULL or an error for a cell that matches the pattern
    and is still none (31/02/2025).
    """

    type: ColumnType
    native: str
    pattern: str | None = None
    convert: str = "{v}"
    format: str | None = None
    doubts: tuple[Note, ...] = ()
    overridden: bool = False

    @property
    def null_words(self) -> tuple[str, ...]:
        """The cells that say nothing in such a column, in lower case."""
        return NULL_WORDS if self.type == "text" else TYPED_NULL_WORDS


def null_literals(decision: Decision) -> str:
    """Return the SQL list of the cells that say nothing, in the ways people write them."""
    forms: dict[str, None] = {}
    for word in decision.null_words:
        forms.update(dict.fromkeys((word, word.upper(), word.capitalize(), word.title())))
    forms["NaN"] = None
    return ", ".join("'" + form.replace("'", "''") + "'" for form in forms)


def sql_text(text: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def _accepts(good: int, bad: int, bad_values: Sequence[str]) -> bool:
    """Tell whether a type stands in spite of the cells that do not fit."""
    if bad == 0:
        return good > 0
    return good > 0 and (bad <= 0.02 * good or (bad <= 3 and good >= 4 * bad))


def decide(
    name: str, counts: Mapping[str, int], override: ColumnOverride | None, comma_file: bool, day_order: str | None = None
) -> Decision:
    """Decide a column's type.

    Parameters
    ----------
    name
        The SQL name: its words tell identifiers and dates.
    counts
        Its distinct cells, as written, with how often each occurs.
    comma_file
        Other columns of the file have a decimal comma: a point then groups thousands.
    day_order
        ``dmy`` or ``mdy`` when other columns of the file leave no doubt about it.
    """
    values: Counter[str] = Counter()
    for cell, count in counts.items():
        values[stripped(cell)] += count
    typed = {v: n for v, n in values.items() if v.lower() not in TYPED_NULL_WORDS}
    if override is not None and (override.type or override.format):
        return replace(_overridden(override, typed, comma_file), overridden=True)
    if not typed:
        return Decision("text", "VARCHAR")
    tokens = frozenset(name.split("_"))
    dated = _date(typed, day_order if _undecided(typed) else None, bool(tokens & _DATE_WORDS))
    for candidate in (_boolean(typed), dated, _number(typed, None, comma_file)):
        if candidate is None:
            continue
        good, bad_values = _fit(candidate, typed)
        bad = sum(typed[v] for v in bad_values)
        if not _accepts(good, bad, bad_values):
            continue
        if candidate.type == "integer" and (kept := _kept_as_text(tokens, typed, bad_values)):
            return Decision("text", "VARCHAR", format="code", doubts=(Note(key=f"sources.note_code_{kept}"),))
        return candidate
    return Decision("text", "VARCHAR")


def _fit(decision: Decision, values: Mapping[str, int]) -> tuple[int, list[str]]:
    pattern = re.compile(decision.pattern or "(?s:.*)")
    good, bad = 0, []
    for value, count in values.items():
        if pattern.fullmatch(value) and (decision.type not in {"date", "timestamp"} or _is_day(value, decision)):
            good += count
        else:
            bad.append(value)
    return good, bad


# Yes and no.


def _boolean(values: Mapping[str, int]) -> Decision | None:
    seen = {value.lower() for value in values}
    for yes, no in _BOOLEANS:
        if seen <= yes | no and (len(next(iter(yes))) > 1 or len(seen) == 2):
            word, other = next(iter(yes)), next(iter(no))
            return Decision(
                "boolean", "BOOLEAN", f"(?i:{word}|{other})", f"lower({{v}}) = {sql_text(word)}", f"{word}/{other}"
            )
    return None


# Numbers.

_WRAPPING = re.compile(rf"^\(?{_SP}{SIGN}?{_SP}{CURRENCY}?{_SP}{SIGN}?{_SP}|{_SP}{CURRENCY}?{_SP}-?\)?$", re.IGNORECASE)
_BODY = re.compile(r"(?:\d[\d \u00a0\u202f\u2009'.,]*|[.,]\d+)")
_SCIENTIFIC = r"[-+]?\d+(?:[.,]\d+)?(?:[eE][-+]?\d+)?"


def _number(values: Mapping[str, int], sign: Literal["comma", "point"] | None, comma_file: bool) -> Decision | None:
    bodies = {}
    for value in values:
        body = _WRAPPING.sub("", value)
        if _BODY.fullmatch(body):
            bodies[value] = body
    if not bodies or sum(values[v] for v in bodies) < 0.5 * sum(values.values()):
        scientific = sum(n for v, n in values.items() if re.fullmatch(_SCIENTIFIC, v))
        return _float() if scientific > 0.5 * sum(values.values()) else None
    if any(re.search(r"\d[eE][-+]?\d", v) and re.fullmatch(_SCIENTIFIC, v) for v in values):
        return _float()
    doubts: list[Note] = []
    decimal = {"comma": ",", "point": "."}[sign] if sign else _decimal_sign(list(bodies.values()), comma_file, doubts)
    if any("%" in v for v in values):
        doubts.append(Note(key="sources.note_percent"))
    scale = max((len(b.rpartition(decimal)[2]) for b in bodies.values() if decimal in b), default=0)
    if scale > MOST_DECIMALS:
        return _float()
    digits = max(len(re.sub(r"\D", "", b.partition(decimal)[0])) for b in bodies.values())
    return _numeric(decimal, scale, digits, list(bodies), tuple(doubts))


def _decimal_sign(bodies: list[str], comma_file: bool, doubts: list[Note]) -> str:
    both = [b for b in bodies if "," in b and "." in b]
    if both:
        return max(",", ".", key=lambda s: sum(b.rfind(s) > b.rfind("," if s == "." else ".") for b in both))
    commas = [b for b in bodies if "," in b]
    points = [b for b in bodies if "." in b]
    # "0,250" is no group of thousands.
    grouped_comma = bool(commas) and all(re.fullmatch(r"[1-9]\d{0,2}(,\d{3})+", b) for b in commas)
    grouped_point = bool(points) and all(re.fullmatch(r"[1-9]\d{0,2}(\.\d{3})+", b) for b in points)
    if commas and not points:
        if grouped_comma and any(b.count(",") > 1 for b in commas):
            return "."
        if grouped_comma:
            doubts.append(Note(key="sources.note_three_decimals", values={"example": commas[0]}))
        return ","
    if points and not commas:
        if grouped_point and (comma_file or any(b.count(".") > 1 for b in points)):
            return ","
        if grouped_point:
            doubts.append(Note(key="sources.note_three_decimals", values={"example": points[0]}))
        return "."
    if commas and points:
        return "," if grouped_point or not grouped_comma else "."
    return "," if comma_file else "."


def _numeric(decimal: str, scale: int, digits: int, examples: list[str], doubts: tuple[Note, ...]) -> Decision:
    sign = "comma" if decimal == "," else "point"
    point = re.escape(decimal)
    stored = max(scale, 2) if scale else 0
    fraction = f"(?:{point}\\d{{0,{stored}}})?" if scale else ""
    native = "BIGINT" if not scale else f"DECIMAL({18 if digits + stored <= 18 else 38},{stored})"
    if not scale and digits > 18:
        native = "HUGEINT" if digits <= 37 else "VARCHAR"
    if native == "VARCHAR":
        return Decision("text", "VARCHAR")
    kind: ColumnType = "decimal" if scale else "integer"
    whole = 18 - stored if native != "HUGEINT" and "38" not in native else 37 - stored
    simple = f"-?\\d{{1,{whole}}}{fraction}"
    if all(re.fullmatch(simple, v) for v in examples):
        convert = f"CAST(replace({{v}}, ',', '.') AS {native})" if decimal == "," and scale else f"CAST({{v}} AS {native})"
        return Decision(kind, native, simple, convert, sign if scale else None, doubts)
    groups = " \u00a0\u202f\u2009'" + ("." if decimal == "," else ",")
    number = f"(?:\\d{{1,3}}(?:[{groups}]\\d{{3}})+|\\d{{1,{whole}}}){fraction}"
    if scale:
        number = f"(?:{number}|{point}\\d{{1,{stored}}})"
    full = f"(?i:\\(?{_SP}{SIGN}?{_SP}{CURRENCY}?{_SP}{SIGN}?{_SP}{number}{_SP}{CURRENCY}?{_SP}-?\\)?)"
    kept = f"regexp_replace({{v}}, '[^0-9{decimal}]', '', 'g')"
    if decimal == ",":
        kept = f"replace({kept}, ',', '.')"
    minus = "CASE WHEN starts_with({v}, '(') OR contains({v}, '-') OR contains({v}, '\u2212') THEN '-' ELSE '' END"
    return Decision(kind, native, full, f"CAST({minus} || {kept} AS {native})", sign if scale else None, doubts)


def _float() -> Decision:
    return Decision("float", "DOUBLE", _SCIENTIFIC, "CAST(replace({v}, ',', '.') AS DOUBLE)", "scientific")


def _kept_as_text(tokens: frozenset[str], values: Mapping[str, int], bad_values: Sequence[str]) -> str | None:
    """Say why whole numbers are identifiers and stay text; None: they are numbers."""
    numbers = [v for v in values if v.isdigit()]
    if any(len(v) > 1 and v[0] == "0" for v in numbers):
        return "leading_zero"
    if any(re.search(r"\d", v) for v in bad_values):
        return "letters"
    if any(v.startswith("+") and len(v) >= 10 for v in values):
        return "phone"
    if tokens & _CODE_WORDS and len(numbers) == len(values):
        return "header"
    count = len(numbers)
    if count < 3 or count != len(values):
        return None
    lengths = {len(v) for v in numbers}
    if lengths == {14} or (lengths == {9} and sum(map(_luhn, numbers)) >= 0.9 * count):
        return "siret"
    if lengths <= {13, 15} and sum(map(_ean_or_nir, numbers)) >= 0.9 * count:
        return "ean"
    return None


def _luhn(digits: str) -> bool:
    total = 0
    for position, digit in enumerate(reversed(digits)):
        number = int(digit) * (2 if position % 2 else 1)
        total += number - 9 if number > 9 else number
    return total % 10 == 0


def _ean_or_nir(digits: str) -> bool:
    if len(digits) == 15:
        return int(digits[13:]) == 97 - int(digits[:13]) % 97
    check = sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(digits[:12]))
    return (10 - check % 10) % 10 == int(digits[12])


# Days and times.

_DAY = re.compile(
    r"(?:(?P<a>\d{1,2})(?P<s>[/.\-])(?P<b>\d{1,2})(?P=s)(?P<y>\d{4}|\d{2})|(?P<Y>\d{4})(?P<S>[/.\-])(?P<M>\d{1,2})(?P=S)(?P<D>\d{1,2}))"
    r"(?:(?P<t>[T ])(?P<h>\d{1,2}):(?P<m>\d{2})(?::(?P<sec>\d{2})(?P<f>\.\d{1,9})?)?(?P<z>Z|[+-]\d{2}(?::?\d{2})?)?)?"
)
_COMPACT = re.compile(r"(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")


def _date(values: Mapping[str, int], order: str | None, named_date: bool) -> Decision | None:
    if values and all(_COMPACT.fullmatch(v) for v in values) and (named_date or order == "ymd"):
        return Decision("date", "DATE", r"\d{8}", "CAST(strptime({v}, '%Y%m%d') AS DATE)", "yyyymmdd")
    found = {v: m for v in values if (m := _DAY.fullmatch(v))}
    if not found or sum(values[v] for v in found) < 0.5 * sum(values.values()):
        return None
    doubts: list[Note] = []
    order = order if order in {"dmy", "mdy"} else _day_order(found, values, doubts)
    shapes: dict[str, str] = {}
    midnight = all(m["t"] is None or (int(m["h"]) == int(m["m"]) == int(m["sec"] or 0) == 0) for m in found.values())
    zoned = any(m["z"] for m in found.values())
    if zoned and not midnight:
        pattern = r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}(?::?\d{2})?)?"
        return Decision("timestamptz", "TIMESTAMPTZ", pattern, "CAST({v} AS TIMESTAMPTZ)", "iso", tuple(doubts))
    for match in found.values():
        shapes.update([_shape(match, order, midnight)])
    pattern = "|".join(shapes)
    formats = list(dict.fromkeys(shapes.values()))
    listed = sql_text(formats[0]) if len(formats) == 1 else "[" + ", ".join(map(sql_text, formats)) + "]"
    cell = "split_part(replace({v}, 'T', ' '), ' ', 1)" if midnight and any(m["t"] for m in found.values()) else "{v}"
    said = order if any(m["a"] for m in found.values()) else "ymd"
    if midnight:
        return Decision("date", "DATE", pattern, f"CAST(strptime({cell}, {listed}) AS DATE)", said, tuple(doubts))
    return Decision("timestamp", "TIMESTAMP", pattern, f"strptime({{v}}, {listed})", said, tuple(doubts))


def _shape(match: re.Match[str], order: str, midnight: bool) -> tuple[str, str]:
    """Return the pattern of such cells and strptime's format for them."""
    if match["a"]:
        sep = match["s"]
        year, digits = ("%Y", 4) if len(match["y"]) == 4 else ("%y", 2)
        first, second = ("%d", "%m") if order == "dmy" else ("%m", "%d")
        pattern = rf"\d{{1,2}}{re.escape(sep)}\d{{1,2}}{re.escape(sep)}\d{{{digits}}}"
        written = f"{first}{sep}{second}{sep}{year}"
    else:
        sep = match["S"]
        pattern = rf"\d{{4}}{re.escape(sep)}\d{{1,2}}{re.escape(sep)}\d{{1,2}}"
        written = f"%Y{sep}%m{sep}%d"
    if match["t"] is None:
        return pattern, written
    if midnight:
        return pattern + r"(?:[T ]0{1,2}:00(?::00(?:\.0+)?)?(?:Z|[+-]00(?::?00)?)?)?", written
    pattern += rf"{match['t']}\d{{1,2}}:\d{{2}}"
    written += f"{match['t']}%H:%M"
    if match["sec"]:
        pattern, written = pattern + r":\d{2}", written + ":%S"
    if match["f"]:
        pattern, written = pattern + r"\.\d{1,9}", written + ".%n"
    return pattern, written


def _undecided(values: Mapping[str, int]) -> bool:
    """Tell whether no day of a column says by itself what is day and what is month."""
    found = [m for v in values if (m := _DAY.fullmatch(v)) and m["a"]]
    return bool(found) and all(int(m["a"]) <= 12 and int(m["b"]) <= 12 for m in found)


def _day_order(found: Mapping[str, re.Match[str]], values: Mapping[str, int], doubts: list[Note]) -> str:
    pairs = [(int(m["a"]), int(m["b"]), values[v]) for v, m in found.items() if m["a"]]
    if not pairs:
        return "dmy"
    day_first = sum(n for a, b, n in pairs if a > 12 >= b)
    month_first = sum(n for a, b, n in pairs if b > 12 >= a)
    if day_first == month_first == 0 and any(a != b for a, b, _ in pairs):
        example = next(v for v, m in found.items() if m["a"] and m["a"] != m["b"])
        doubts.append(Note(key="sources.note_day_or_month", values={"example": example}))
    return "mdy" if month_first > day_first else "dmy"


def _is_day(value: str, decision: Decision) -> bool:
    match = _DAY.fullmatch(value)
    if match is None:
        return bool(_COMPACT.fullmatch(value))
    if match["a"]:
        first, second = int(match["a"]), int(match["b"])
        day, month = (second, first) if decision.format == "mdy" else (first, second)
        year = int(match["y"]) if len(match["y"]) == 4 else 2000 + int(match["y"])
    else:
        year, month, day = int(match["Y"]), int(match["M"]), int(match["D"])
    try:
        date(year, month, day)
    except ValueError:
        return False
    return match["t"] is None or (int(match["h"]) < 24 and int(match["m"]) < 60 and int(match["sec"] or 0) < 60)


def _overridden(override: ColumnOverride, values: Mapping[str, int], comma_file: bool) -> Decision:
    """Return the decision a person made; what does not fit becomes a bad cell."""
    match override.type or {"comma": "decimal", "point": "decimal"}.get(override.format or "", "date"):
        case "text":
            return Decision("text", "VARCHAR")
        case "boolean":
            yes, no = "oui|vrai|true|yes|o|y|1|x", "non|faux|false|no|n|0"
            listed = ", ".join(sql_text(word) for word in yes.split("|"))
            return Decision("boolean", "BOOLEAN", f"(?i:{yes}|{no})", f"lower({{v}}) IN ({listed})", "oui/non")
        case "date" | "timestamp" as kind:
            shaped = {v: n for v, n in values.items() if _DAY.fullmatch(v) or _COMPACT.fullmatch(v)} or {"01/01/2000": 1}
            found = _date(shaped, override.format, True) or Decision("date", "DATE")
            if kind == "date" and found.type in {"timestamp", "timestamptz"}:
                return replace(found, type="date", native="DATE", convert=f"CAST({found.convert} AS DATE)", doubts=())
            if kind == "timestamp" and found.type == "date":
                return replace(
                    found, type="timestamp", native="TIMESTAMP", convert=f"CAST({found.convert} AS TIMESTAMP)", doubts=()
                )
            return replace(found, doubts=())
        case "float":
            return _float()
        case kind:
            sign = override.format if override.format in {"comma", "point"} else None
            numbers = {v: n for v, n in values.items() if _BODY.fullmatch(_WRAPPING.sub("", v))} or {"0,00": 1}
            number = _number(numbers, sign, comma_file)
            if number is None or number.type == "float":
                return _float()
            if kind == "integer" and number.type == "decimal":
                return _numeric(",", 0, 18, ["x"], ())
            if kind == "decimal" and number.type == "integer":
                return replace(
                    number,
                    type="decimal",
                    native="DECIMAL(18,2)",
                    convert=number.convert.replace("BIGINT", "DECIMAL(18,2)"),
                    doubts=(),
                )
            return replace(number, doubts=())
