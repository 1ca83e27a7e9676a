"""Spanish: words, gender, dates, times and ordinals."""

# ruff: noqa: RUF012, SIM905 - tables are only read, and words are read more easily in a line
import re

from typing_extensions import override

from datagen.text.european.skeleton import European
from datagen.text.european.words import ROMANS, Match, alternatives, before, in_words
from datagen.text.reading import Rule, rule, word_set

_FEMININE = word_set(
    "noche noches tarde tardes clase clases calle calles llave llaves parte partes vez veces leche carne gente mujer "
    "mujeres flor flores mano manos foto fotos moto motos radio red redes pared paredes imagen imágenes serie series "
    "base bases fase fases frase frases clave claves nube nubes suite suites torre torres luz luces cruz cruces orden "
    "órdenes sal miel piel señal señales postal postales nariz voz voces"
)
_MASCULINE = word_set(
    "día días mapa mapas problema problemas programa programas sistema sistemas idioma idiomas tema temas planeta "
    "planetas clima climas sofá sofás tranvía tranvías menú menús turista turistas guardia poema poemas dálmata "
    "dálmatas atleta atletas colega colegas gorila gorilas"
)
_NO_NOUN = word_set(
    "de del a al y o u e por para con sin en que es son era fue más menos hasta desde entre como si no ni la el los "
    "las se me te le lo su mi tu ha han hay está están cada contra sobre pero porque cuando donde ya también gracias "
    "mañana ahora hoy ayer nada era estaba tiene tengo va da ahora aquí allí todavía media"
)
_FEMININE_ENDS = re.compile(r"(?:as?|ión|iones|dad|dades|tud|tudes|umbres?|triz)$")
_ORDINALS = (
    "cero primero segundo tercero cuarto quinto sexto séptimo octavo noveno décimo undécimo duodécimo decimotercero "
    "decimocuarto decimoquinto decimosexto decimoséptimo decimoctavo decimonoveno"
).split()
_TENS = "_ décimo vigésimo trigésimo cuadragésimo quincuagésimo sexagésimo septuagésimo octogésimo nonagésimo".split()
_WARM = word_set("temperatura temperaturas grados hace hacía bajo ángulo fiebre termómetro horno mínima máxima")
_ENDS = "o|a|er|ro|do|to|mo|vo|no|ra|da|ta|ma|va|na|os|as"
"""Ends of ordinal numbers in digits."""
_MOST_BY_DEGREE = 20
"""Largest ordinal number that is written with a sign for degrees: 3° for 3º."""
_PARTS = {2: "medio", 3: "tercio", 4: "cuarto", 5: "quinto", 6: "sexto", 7: "séptimo", 8: "octavo", 9: "noveno",
          11: "onceavo", 12: "doceavo"}  # fmt: skip

_KINGS = word_set(
    "felipe juan carlos isabel alfonso fernando luis enrique pío benedicto francisco papa rey reina jaime"
)
_DAYS = {"L": "lunes", "M": "martes", "X": "miércoles", "J": "jueves", "V": "viernes", "S": "sábado", "D": "domingo"}


class Spanish(European):
    """Spanish, as in Spain and Latin America."""

    code = "es"
    signs = {
        "-": "menos", "–": "a", ":": "a", ",": "coma", ".": "punto", "dot": "punto", "@": "arroba", "and": "y",
        "or": "o", "of": "sobre", "/": "por", "#": "número", "%": "por ciento", "‰": "por mil", "+": "más",
        "=": "igual a", "±": "más menos", "≈": "aproximadamente", "~": "aproximadamente", "≤": "menor o igual que",
        "≥": "mayor o igual que", "≠": "distinto de", "<": "menor que", ">": "mayor que", "&": "y", "×": "por",
        "÷": "entre", "§": "párrafo", "°": "grados", "→": "a",
    }  # fmt: skip
    units = {
        "km/h": ("kilómetro por hora", "kilómetros por hora", "m"),
        "m/s": ("metro por segundo", "metros por segundo", "m"),
        "km^2": ("kilómetro cuadrado", "kilómetros cuadrados", "m"), "m^2": ("metro cuadrado", "metros cuadrados", "m"),
        "m2": ("metro cuadrado", "metros cuadrados", "m"), "m^3": ("metro cúbico", "metros cúbicos", "m"),
        "m3": ("metro cúbico", "metros cúbicos", "m"), "cm^2": ("centímetro cuadrado", "centímetros cuadrados", "m"),
        "km": ("kilómetro", "kilómetros", "m"), "m": ("metro", "metros", "m"), "cm": ("centímetro", "centímetros", "m"),
        "mm": ("milímetro", "milímetros", "m"), "kg": ("kilogramo", "kilogramos", "m"), "g": ("gramo", "gramos", "m"),
        "gr": ("gramo", "gramos", "m"), "mg": ("miligramo", "miligramos", "m"), "l": ("litro", "litros", "m"),
        "L": ("litro", "litros", "m"), "ml": ("mililitro", "mililitros", "m"), "cl": ("centilitro", "centilitros", "m"),
        "ha": ("hectárea", "hectáreas", "f"), "h": ("hora", "horas", "f"), "hs": ("hora", "horas", "f"),
        "hrs": ("hora", "horas", "f"), "min": ("minuto", "minutos", "m"), "s": ("segundo", "segundos", "m"),
        "seg": ("segundo", "segundos", "m"), "ms": ("milisegundo", "milisegundos", "m"),
        "GB": ("gigabyte", "gigabytes", "m"), "MB": ("megabyte", "megabytes", "m"),
        "KB": ("kilobyte", "kilobytes", "m"),
        "TB": ("terabyte", "terabytes", "m"), "Mbps": ("megabit por segundo", "megabits por segundo", "m"),
        "kWh": ("kilovatio hora", "kilovatios hora", "m"), "kW": ("kilovatio", "kilovatios", "m"),
        "W": ("vatio", "vatios", "m"), "V": ("voltio", "voltios", "m"), "Hz": ("hercio", "hercios", "m"),
        "MHz": ("megahercio", "megahercios", "m"), "GHz": ("gigahercio", "gigahercios", "m"),
        "CV": ("caballo", "caballos", "m"),
        "kcal": ("kilocaloría", "kilocalorías", "f"), "°C": ("grado Celsius", "grados Celsius", "m"),
        "°F": ("grado Fahrenheit", "grados Fahrenheit", "m"), "°": ("grado", "grados", "m"),
        '"': ("pulgada", "pulgadas", "f"),
    }  # fmt: skip
    currencies = {
        **dict.fromkeys(("€", "EUR"), ("euro", "euros", "m", "céntimo", "céntimos")),
        **dict.fromkeys(("$", "US$", "USD"), ("dólar", "dólares", "m", "centavo", "centavos")),
        **dict.fromkeys(("£", "GBP"), ("libra", "libras", "f", "penique", "peniques")),
        **dict.fromkeys(("¥", "JPY"), ("yen", "yenes", "m", "", "")),
        **dict.fromkeys(("MXN", "ARS", "COP", "CLP", "MX$"), ("peso", "pesos", "m", "centavo", "centavos")),
        "CHF": ("franco", "francos", "m", "céntimo", "céntimos"), "S/": ("sol", "soles", "m", "céntimo", "céntimos"),
    }  # fmt: skip
    scales = {
        "millones de": ("millón de", "millones de"), "millón de": ("millón de", "millones de"), "mil": ("mil", "mil"),
        "M": ("millón de", "millones de"), "k": ("mil", "mil"), "K": ("mil", "mil"),
        "mill.": ("millón de", "millones de"),
        "millones": ("millón de", "millones de"), "mil millones de": ("mil millones de", "mil millones de"),
    }  # fmt: skip
    per = {
        "mes": "al mes", "año": "al año", "día": "al día", "semana": "a la semana", "noche": "por noche",
        "h": "por hora",
        "hora": "por hora", "persona": "por persona", "kg": "por kilo", "l": "por litro", "m^2": "por metro cuadrado",
        "m2": "por metro cuadrado", "kWh": "por kilovatio hora", "min": "por minuto", "unidad": "por unidad",
        "ud.": "por unidad",
        "km": "por kilómetro", "pers.": "por persona", "s": "por segundo",
    }  # fmt: skip
    months = tuple("enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre".split())
    short_months = {"ene": 1, "feb": 2, "mar": 3, "abr": 4, "jun": 6, "jul": 7, "ago": 8, "sep": 9, "sept": 9,
                    "oct": 10, "nov": 11, "dic": 12, "setiembre": 9}  # fmt: skip
    short_forms = {
        "Sr.": "señor", "Sra.": "señora", "Srta.": "señorita", "Sres.": "señores", "Dr.": "doctor", "Dra.": "doctora",
        "D.": "don", "Dña.": "doña", "Ud.": "usted", "Uds.": "ustedes", "Vd.": "usted", "Vds.": "ustedes",
        "Prof.": "profesor", "Av.": "avenida", "Avda.": "avenida", "avda.": "avenida", "C/": "calle ", "c/": "calle ",
        "Pza.": "plaza", "Ctra.": "carretera", "n.°": "#número", "N.°": "#número", "n°": "#número", "N°": "#número",
        "núm.": "#número", "Núm.": "#número", "nro.": "#número", "No.": "#número", "Nro.": "#número",
        "tel.": "teléfono", "Tel.": "teléfono", "tfno.": "teléfono", "p. ej.": "por ejemplo", "p.ej.": "por ejemplo",
        "etc.": "etcétera", "EE. UU.": "Estados Unidos", "EE.UU.": "Estados Unidos", "EEUU": "Estados Unidos",
        "pág.": "página", "págs.": "páginas", "aprox.": "aproximadamente", "hab.": "habitación", "máx.": "máximo",
        "mín.": "mínimo", "incl.": "incluido", "art.": "artículo", "vol.": "volumen", "a. C.": "antes de Cristo",
        "d. C.": "después de Cristo", "uds.": "unidades", "ud.": "unidad", "dpto.": "departamento",
        "izq.": "izquierda", "dcha.": "derecha", "St.": "san", "vs.": "contra", "lun.": "lunes", "mié.": "miércoles",
        "jue.": "jueves", "vie.": "viernes", "sáb.": "sábado", "dto.": "descuento",
        "Sto.": "Santo", "Sta.": "Santa",
    }  # fmt: skip
    ends = frozenset(("etc.", "EE. UU.", "EE.UU.", "uds.", "a. C.", "d. C.", "izq.", "dcha.", "aprox."))
    labels = word_set(
        "código códigos pin clave contraseña reserva pedido cuenta tarjeta referencia localizador expediente cliente "
        "vuelo extensión postal cp socio póliza incidencia ticket contrato termina dni"
    )
    fillers = word_set("es el la de número con en su n")
    of_dates = word_set("el del al día fecha lunes martes miércoles jueves viernes sábado domingo")
    phones = (
        r"[6-9]\d{2}[ .-]?\d{3}[ .-]?\d{3}(?!\d)|[6-9]\d{2}(?:[ .-]\d{2}){3}(?!\d)"
        r"|[89]\d[ .-]\d{3}[ .-]\d{2}[ .-]\d{2}(?!\d)"
        r"|\(\d{2,4}\) ?\d{3,4}[ -]?\d{3,4}(?!\d)|\d{2,3}[ -]\d{3,4}[ -]\d{4}(?!\d)"
    )
    of_millions = "de "
    joiners = "y|o|a|u"

    @override
    def own_rules(self) -> tuple[Rule, ...]:
        hour = r"([01]?\d|2[0-4])"
        half = r"(?: ?([apAP])\.? ?[mM]\b\.?)"
        romans = alternatives(ROMANS)
        return (
            rule("time", rf"{hour}[:h]([0-5]\d)(?::([0-5]\d))?(?!\d)(?: ?(h|hs|hrs|horas)\b\.?)?{half}?", self._time),
            rule("time", rf"{hour}\.([0-5]\d)()(?: (h|hs|hrs|horas)\b\.?){half}?", self._time),
            rule("time", rf"(?<=\blas ){hour}\.([0-5]\d)(?![\d%])()()()", self._time),
            rule("time", rf"{hour}()()(){half}", self._time),
            rule("ordinal", rf"(\d{{1,3}})(?:\.? ?°|\.?(?:{_ENDS}))(?![^\W_])(?! ?C)", self._ordinal),
            rule("postal code", r"(?<=, )\d{5}(?= [A-ZÁÉÍÓÚ])", lambda m: self.digits(m[0])),
            rule("all day", r"24/7(?!\d)", lambda _: "veinticuatro siete"),
            rule("days", r"([LMXJVSD])[-—]([LMXJVSD])(?![^\W_]|-)", lambda m: f"{_DAYS[m[1]]} a {_DAYS[m[2]]}", "ag",
                 word_set("l m x j v s d")),
            rule("Roman numeral", rf"({romans})(?![^\W_])", self._roman, "a", [r.lower() for r in ROMANS]),
        )  # fmt: skip

    @override
    def prepared(self, text: str) -> str:
        # NFKC makes letters of º and ª too, but º is also written for degrees, and after n. for a number
        text = re.sub(r"(?<![\d,])(\d{1,3})\.?º(?! ?[CF]\b)", r"\1o", text) if "º" in text else text
        return re.sub(r"(?<=\d)\.?ª", "a", text.replace("º", "°"))

    @override
    def cardinal(self, number: int, form: str = "") -> str:
        words = in_words(number, "es").replace("veintiuno mil", "veintiún mil")
        words = re.sub(r"\buno (?=mil)", "un ", words)
        if form == "f":
            head, million, tail = words.rpartition("mill")  # "doscientos millones de personas"
            tail = re.sub(r"cientos\b", "cientas", tail).replace("quinientos", "quinientas")
            words = head + million + re.sub("uno$", "una", tail)
        elif form == "m":
            words = re.sub("veintiuno$", "veintiún", words)
            words = re.sub(r"\buno$", "un", words)
        return words

    @override
    def form_before(self, noun: str, after: str, match: Match) -> str:
        if not noun.islower() or noun in _NO_NOUN:
            return ""
        if noun in ("mil", "millones", "millón") and after:
            return "m"
        return (
            "f"
            if noun in _FEMININE
            or (noun not in _MASCULINE and not noun.endswith(("ista", "istas")) and _FEMININE_ENDS.search(noun))
            else "m"
        )

    @override
    def date(self, day: int, month: int, year: str, match: Match) -> str:
        first = "primero" if day == 1 else self.cardinal(day)
        return f"{first} de {self.months[month - 1]}" + (f" de {self.whole(year)}" if year else "")

    @override
    def cents(self, number: int, one: str, many: str) -> str:
        return f"con {self.cardinal(number, 'm')} {one if number == 1 else many}"

    @override
    def fraction(self, above: int, below: int, match: Match) -> str:
        noun = self.form_at(match)
        if (above, below) == (1, 2):
            return "media" if noun == "f" else "medio" if noun or match[1] else "un medio"
        part = f"{self.cardinal(above, 'm')} {_PARTS[below]}{'s' if above > 1 else ''}"
        return f"{part} de" if noun else part

    @override
    def fraction_of(self, above: int, below: int, unit: tuple[str, str, str]) -> str:
        if (above, below) == (1, 2):
            return f"{'media' if unit[2] == 'f' else 'medio'} {unit[0]}"
        part = _PARTS.get(below) or f"{self.cardinal(below)}avo"
        return f"{self.cardinal(above, 'm')} {part}{'s' if above > 1 else ''} de {unit[0]}"

    def ordinal(self, number: int, feminine: bool) -> str:
        """An ordinal number; beyond 99 the cardinal, as people say it."""
        if number >= 100:
            return self.cardinal(number)
        tens, ones = divmod(number, 10)
        words = _ORDINALS[number] if number < 20 else f"{_TENS[tens]} {_ORDINALS[ones] if ones else ''}".strip()
        return re.sub(r"o\b", "a", words) if feminine else words

    def _ordinal(self, match: Match) -> str | None:
        mark = match[0][len(match[1]) :].lstrip(". ")
        number = int(match[1])
        if mark in ("°", "o") and _WARM.intersection(before(match)):
            return f"{self.cardinal(number, 'm')} grado{'s' * (number != 1)}"
        if not number or (mark == "°" and (number > _MOST_BY_DEGREE or " " in match[0])):
            return None
        noun = self.form_at(match)
        words = self.ordinal(number, mark.endswith(("a", "as")))
        short = mark in ("er",) or (noun == "m" and words.endswith(("primero", "tercero")))
        return (words[:-1] if short and words.endswith(("primero", "tercero")) else words) + "s" * mark.endswith("s")

    def _time(self, match: Match) -> str | None:
        hour, minute, second, unit, half = int(match[1]), match[2], match[3], match[4], (match[5] or "").lower()
        if half and not 1 <= hour <= 12:
            return None
        words = self.cardinal(hour, "f")
        if minute and int(minute):
            words += f" {self.whole(minute)}"
        if second:
            words += f" {self.whole(second)}" if int(minute) else f" cero cero {self.whole(second)}"
        if half:
            return f"{words} {_part_of_day(hour, half)}{'.' if _ends(match) else ''}"
        return f"{words} hora{'s' if hour != 1 else ''}" if unit else words

    def _roman(self, match: Match) -> str | None:
        words = before(match)
        number = ROMANS[match[1]]
        if words and words[-1] in _KINGS and number <= 10:
            feminine = words[-1] in ("isabel", "reina")
            return self.ordinal(number, feminine)
        cue = words and words[-1] in (
            "siglo",
            "siglos",
            "capítulo",
            "tomo",
            "volumen",
            "guerra",
            "fase",
            "tipo",
            "luis",
        )
        if len(match[1]) > 1 or cue:
            return self.cardinal(number) if cue or len(match[1]) > 1 else None
        return None


def _part_of_day(hour: int, half: str) -> str:
    if half == "a":
        return "de la noche" if hour == 12 else "de la mañana"
    return "del mediodía" if hour == 12 else "de la tarde" if hour < 8 else "de la noche"


def _ends(match: Match) -> bool:
    rest = match.string[match.end() : match.end() + 2].lstrip()
    return match[0].endswith(".") and (not rest or rest[0].isupper())


SPANISH = Spanish()
