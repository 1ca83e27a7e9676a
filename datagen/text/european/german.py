"""German: words, gender and case, dates, times and ordinals."""

# ruff: noqa: RUF012, SIM905 - tables are only read, and words are read more easily in a line
import re

from typing_extensions import override

from datagen.text.european.skeleton import European
from datagen.text.european.words import ROMANS, Match, alternatives, before, in_words
from datagen.text.reading import Rule, rule, word_set

_FEMININE = word_set(
    "person lampe nacht stunde minute sekunde woche seite frage antwort tasse flasche karte tür straße stadt nummer "
    "million milliarde etage klasse reihe runde chance hälfte stelle dose tüte scheibe packung portion prise tonne "
    "frau tochter schwester mutter katze bahn fahrt reise suite dusche pizza cola suppe jacke hose bluse tasche e-mail "
    "mail app datei rate gruppe schule firma bank post hand tafel decke matratze milch butter birne banane tomate "
    "gurke zwiebel kugel pause stufe liga staffel folge version auflage ausgabe generation etappe nachricht "
    "unterschrift sprache kasse bestellnummer adresse haltestelle station klinik praxis spritze tablette pille "
    "monatskarte tageskarte fahrkarte woche rose blume familie übernachtung"
)
_NEUTER = word_set(
    "kind zimmer bett ticket mal jahr haus auto buch glas stück bier brot hotel konto paket kilo gramm paar fenster "
    "handy telefon bild video spiel tor ei mädchen baby team hemd kleid fahrrad büro dorf land licht geschenk angebot "
    "formular dokument foto gerät modell quartal semester halbjahr jahrhundert jahrtausend ergebnis getränk menü essen "
    "schnitzel eis wasser doppelzimmer einzelzimmer stockwerk obergeschoss untergeschoss prozent drittel viertel pfund "
    "gigabyte megabyte wort problem blatt messer kissen handtuch dutzend rezept medikament fach feld date meeting "
    "interview treffen gespräch lied kapitel märz-angebot"
)
_FEMININE_ENDS = re.compile(r"(?:ung|heit|keit|schaft|ion|tät|ei|ik|anz|enz|nacht|karte|nummer|stunde|flasche|straße)$")
_NEUTER_ENDS = re.compile(r"(?:chen|lein|ment|um|zimmer|bett|haus|jahr|stück|geschoss|ticket|buch|konto|paket|glas)$")
_OPENERS = word_set(
    "danke ich wir sie er es das die der bitte ist und aber können haben wie was wann wo warum dann ja nein gut okay "
    "vielen mein meine ihr ihre gibt darf soll kann möchten für in im am bei wenn auch sonst alles genau hier dort"
)
_DATIVE = word_set("mit von zu bei nach seit aus ab")
_OF_DATIVE_DER = word_set("in an auf aus bei mit nach von zu seit vor hinter neben über unter während")
_ORDINAL_CUES = word_set(
    "am im zum vom beim den dem des zur der die das ein eine einen einem einer jeder jede jedes seit als wurde wird"
)
_BEING = word_set("ist war sind bleibt heißt wird nur noch")
_COUNTED = re.compile(r"(?:en|er|e|s|n)$")
_ENDS = re.compile(r"\s*\Z")
_OF_YEARS = word_set(
    "im jahr jahre jahres in seit bis von vom ab um anno sommer winter herbst frühling frühjahr ende anfang mitte vor "
    "nach und war gegründet baujahr jahrgang januar februar märz april mai juni juli august september oktober november "
    "dezember"
)
_GAMES = word_set(
    "spiel gewann gewonnen endete ergebnis siegte verlor verloren stand führt führte halbzeit match sieg mit tore"
)
_PARTS = {2: "halb", 3: "drittel", 4: "viertel"}
_DAYS = {
    "Mo": "Montag",
    "Di": "Dienstag",
    "Mi": "Mittwoch",
    "Do": "Donnerstag",
    "Fr": "Freitag",
    "Sa": "Samstag",
    "So": "Sonntag",
}
_ADJECTIVES = "jährig|tägig|stündig|minütig|köpfig|teilig|prozentig|wöchig|monatig|stöckig|sitzig|fach"


class German(European):
    """German."""

    code = "de"
    signs = {
        "-": "minus", "–": "bis", ":": "zu", ",": "Komma", ".": "Punkt", "dot": "Punkt", "@": "ät", "and": "und",
        "or": "oder", "of": "von", "/": "pro", "#": "Nummer", "%": "Prozent", "‰": "Promille", "+": "plus",
        "=": "gleich", "±": "plus minus", "≈": "ungefähr", "~": "ungefähr", "≤": "kleiner oder gleich",
        "≥": "größer oder gleich", "≠": "ungleich", "<": "kleiner als", ">": "größer als", "&": "und", "×": "mal",
        "÷": "geteilt durch", "§": "Paragraf", "°": "Grad", "→": "nach",
    }  # fmt: skip
    units = {
        "km/h": ("Kilometer pro Stunde", "Kilometer pro Stunde", "m"),
        "m/s": ("Meter pro Sekunde", "Meter pro Sekunde", "m"),
        "km^2": ("Quadratkilometer", "Quadratkilometer", "m"), "m^2": ("Quadratmeter", "Quadratmeter", "m"),
        "qm": ("Quadratmeter", "Quadratmeter", "m"), "m2": ("Quadratmeter", "Quadratmeter", "m"),
        "m^3": ("Kubikmeter", "Kubikmeter", "m"), "m3": ("Kubikmeter", "Kubikmeter", "m"),
        "cm^2": ("Quadratzentimeter", "Quadratzentimeter", "m"), "km": ("Kilometer", "Kilometer", "m"),
        "m": ("Meter", "Meter", "m"),
        "cm": ("Zentimeter", "Zentimeter", "m"), "mm": ("Millimeter", "Millimeter", "m"),
        "kg": ("Kilogramm", "Kilogramm", "n"),
        "g": ("Gramm", "Gramm", "n"), "mg": ("Milligramm", "Milligramm", "n"), "l": ("Liter", "Liter", "m"),
        "L": ("Liter", "Liter", "m"),
        "ml": ("Milliliter", "Milliliter", "m"), "cl": ("Zentiliter", "Zentiliter", "m"),
        "ha": ("Hektar", "Hektar", "m"),
        "h": ("Stunde", "Stunden", "f"), "Std.": ("Stunde", "Stunden", "f"), "Std": ("Stunde", "Stunden", "f"),
        "Min.": ("Minute", "Minuten", "f"), "Min": ("Minute", "Minuten", "f"), "min": ("Minute", "Minuten", "f"),
        "Sek.": ("Sekunde", "Sekunden", "f"), "s": ("Sekunde", "Sekunden", "f"), "GB": ("Gigabyte", "Gigabyte", "n"),
        "MB": ("Megabyte", "Megabyte", "n"), "KB": ("Kilobyte", "Kilobyte", "n"), "TB": ("Terabyte", "Terabyte", "n"),
        "Mbit/s": ("Megabit pro Sekunde", "Megabit pro Sekunde", "n"),
        "kWh": ("Kilowattstunde", "Kilowattstunden", "f"),
        "kW": ("Kilowatt", "Kilowatt", "n"), "W": ("Watt", "Watt", "n"), "V": ("Volt", "Volt", "n"),
        "Hz": ("Hertz", "Hertz", "n"),
        "MHz": ("Megahertz", "Megahertz", "n"), "GHz": ("Gigahertz", "Gigahertz", "n"), "PS": ("PS", "PS", "n"),
        "kcal": ("Kilokalorie", "Kilokalorien", "f"), "t": ("Tonne", "Tonnen", "f"),
        "°C": ("Grad Celsius", "Grad Celsius", "m"),
        "°F": ("Grad Fahrenheit", "Grad Fahrenheit", "m"), "°": ("Grad", "Grad", "m"), "Stk.": ("Stück", "Stück", "n"),
        '"': ("Zoll", "Zoll", "m"),
    }  # fmt: skip
    currencies = {
        **dict.fromkeys(("€", "EUR", "Euro"), ("Euro", "Euro", "m", "Cent", "Cent")),
        **dict.fromkeys(("$", "US$", "USD"), ("Dollar", "Dollar", "m", "Cent", "Cent")),
        **dict.fromkeys(("£", "GBP"), ("Pfund", "Pfund", "n", "Penny", "Pence")),
        **dict.fromkeys(("CHF", "Fr.", "SFr."), ("Franken", "Franken", "m", "Rappen", "Rappen")),
        **dict.fromkeys(("¥", "JPY"), ("Yen", "Yen", "m", "", "")),
    }  # fmt: skip
    scales = {
        **dict.fromkeys(("Mio.", "Mio", "Millionen", "Million"), ("Million", "Millionen")),
        **dict.fromkeys(("Mrd.", "Mrd", "Milliarden", "Milliarde"), ("Milliarde", "Milliarden")),
        "Tsd.": ("tausend", "tausend"), "k": ("tausend", "tausend"), "Tausend": ("tausend", "tausend"),
    }  # fmt: skip
    per = {
        "Monat": "pro Monat", "Jahr": "pro Jahr", "Tag": "pro Tag", "Woche": "pro Woche", "Nacht": "pro Nacht",
        "h": "pro Stunde",
        "Std.": "pro Stunde", "Std": "pro Stunde", "Stunde": "pro Stunde", "Person": "pro Person",
        "Pers.": "pro Person",
        "kg": "pro Kilo", "l": "pro Liter", "L": "pro Liter", "m^2": "pro Quadratmeter", "qm": "pro Quadratmeter",
        "kWh": "pro Kilowattstunde", "Min.": "pro Minute", "min": "pro Minute", "km": "pro Kilometer",
        "Stück": "pro Stück",
        "Stk.": "pro Stück", "s": "pro Sekunde", "Mon.": "pro Monat", "Kind": "pro Kind",
    }  # fmt: skip
    months = tuple("Januar Februar März April Mai Juni Juli August September Oktober November Dezember".split())
    short_months = {"jan": 1, "feb": 2, "mär": 3, "apr": 4, "jun": 6, "jul": 7, "aug": 8, "sep": 9, "sept": 9,
                    "okt": 10, "nov": 11, "dez": 12, "jänner": 1}  # fmt: skip
    short_forms = {
        "z. B.": "zum Beispiel", "z.B.": "zum Beispiel", "d. h.": "das heißt", "d.h.": "das heißt",
        "u. a.": "unter anderem",
        "u.a.": "unter anderem", "usw.": "und so weiter", "bzw.": "beziehungsweise", "ca.": "circa", "Nr.": "Nummer",
        "Tel.": "Telefon",
        "Dr.": "Doktor", "Prof.": "Professor", "Hr.": "Herr", "Hrn.": "Herrn", "Fr.": "Frau", "Str.": "Straße",
        "inkl.": "inklusive",
        "zzgl.": "zuzüglich", "max.": "maximal", "min.": "mindestens", "mind.": "mindestens", "ggf.": "gegebenenfalls",
        "evtl.": "eventuell", "St.": "Sankt", "Mio.": "Millionen", "Mrd.": "Milliarden", "etc.": "et cetera",
        "vgl.": "vergleiche",
        "u. U.": "unter Umständen", "o. Ä.": "oder Ähnliches", "i. d. R.": "in der Regel", "i.d.R.": "in der Regel",
        "Abt.": "Abteilung",
        "Abs.": "Absatz", "Art.": "Artikel", "S.": "#Seite", "Bd.": "Band", "Hbf.": "Hauptbahnhof",
        "Hbf": "Hauptbahnhof",
        "v. Chr.": "vor Christus", "n. Chr.": "nach Christus", "Std.": "Stunden", "Min.": "Minuten",
        "exkl.": "exklusive",
        "geb.": "geboren", "gest.": "gestorben", "sog.": "sogenannt", "zz.": "zurzeit", "o.g.": "oben genannt",
        "MwSt.": "Mehrwertsteuer",
        "u. v. m.": "und vieles mehr", "u.v.m.": "und vieles mehr", "u.": "und", "Mo.": "#Montag", "Di.": "#Dienstag",
        "Mi.": "#Mittwoch",
        "Do.": "#Donnerstag", "Sa.": "#Samstag", "So.": "#Sonntag", "Pers.": "Personen", "Whg.": "Wohnung",
        "EG": "Erdgeschoss", "OG": "Obergeschoss", "UG": "Untergeschoss", "vs.": "gegen",
    }  # fmt: skip
    ends = frozenset(
        ("usw.", "etc.", "v. Chr.", "n. Chr.", "Std.", "Min.", "MwSt.", "Pers.", "Hbf.", "Str.", "Whg.", "o. Ä.")
    )
    labels = word_set(
        "code pin passwort kennwort kundennummer bestellnummer auftragsnummer rechnungsnummer vertragsnummer "
        "kontonummer buchungsnummer reservierungsnummer referenznummer vorgangsnummer kartennummer telefonnummer "
        "nummernfolge flug durchwahl plz postleitzahl buchungscode zugangscode tan mitgliedsnummer sendungsnummer "
        "ticketnummer steuernummer personalnummer zählernummer endziffern zugnummer"
    )
    fillers = word_set("ist lautet die der den war nummer nr mit auf ihre meine")
    of_dates = frozenset[str]()
    phones = (
        r"\(0\d{1,5}\) ?\d{2,12}(?:[ -]\d{2,8}){0,4}(?!\d)|0\d{1,4}(?: ?/ ?| - |[ -])\d{3,12}(?:[ -]\d{2,8}){0,4}(?!\d)"
        r"|0\d{1,4}(?:[ -]\d{2,4}){2,6}(?!\d)"
    )
    joiners = "und|oder|bis"

    @override
    def own_rules(self) -> tuple[Rule, ...]:
        hour = r"([01]?\d|2[0-4])"
        days = "|".join(_DAYS)
        romans = alternatives(ROMANS)
        months = alternatives(self.months)
        return (
            rule("time", rf"{hour}[:.]([0-5]\d)(?::([0-5]\d))? ?(?:Uhr|h)(?![^\W_])", self._time),
            rule("time", rf"{hour}()() ?Uhr(?: ([0-5]?\d)(?![\d.,:]| ?[€%]| [A-ZÄÖÜ]))?(?![^\W_])", self._time),
            rule("time", rf"{hour}:([0-5]\d)(?::([0-5]\d))?(?![\d:])", self._time),
            rule("date", r"(\d{1,2})\. ?(\d{1,2})\.(?:( ?\d{4}|\d{2})(?!\d))?(?! ?\d)", self._day_month),
            rule("money", r"(\d{1,6}),-(?! ?(?:€|EUR|Euro|\d))", lambda m: f"{self.whole(m[1], 'ein')} Euro"),
            rule("ordinal", rf"(\d{{1,3}})\.-(\d{{1,3}})\. (?={months})", self._ordinal_range),
            rule("ordinal", r"(\d{1,3})\.(?=$| ?-|[ ,;)!?])", self._ordinal),
            rule("decade", r"(\d{2,4})er(?:n)?(?![^\W_])", self._decade),
            rule("times", r"(\d{1,4}) ?(?:[xX]|-?mal)(?![^\W_])(?! ?\d)", lambda m: f"{self.whole(m[1], 'ein')}mal"),
            rule("adjective", rf"(\d{{1,6}})-?((?:{_ADJECTIVES})\w{{0,4}})",
                 lambda m: self.whole(m[1], "ein") + m[2]),
            rule("adjective", r"(\d{1,3}) ?%-?(ig\w{0,2})(?![^\W_])", lambda m: f"{self.whole(m[1])}prozent{m[2]}"),
            rule("postal code", r"(?<=, )\d{5}(?= [A-ZÄÖÜ])", lambda m: self.digits(m[0])),
            rule("all day", r"24/7(?!\d)", lambda _: "vierundzwanzig sieben"),
            rule("days", rf"({days})\.? ?[-—] ?({days})\.?(?![^\W_])", _days, "ag",
                 word_set("mo di mi do fr sa so")),
            rule("Roman numeral", rf"({romans})(\.)?(?![^\W_])", self._roman, "a", [r.lower() for r in ROMANS]),
        )  # fmt: skip

    @override
    def prepared(self, text: str) -> str:
        return re.sub(r"(?<=[a-zäöüß])str\.(?= |,|$)", "straße", text)

    @override
    def cardinal(self, number: int, form: str = "") -> str:
        if number == 1:
            return form or "eins"
        return in_words(number, "de")

    @override
    def decimals(self, digits: str) -> str:
        return self.digits(digits)

    @override
    def form_before(self, noun: str, after: str, match: Match) -> str:
        if noun.islower():
            if (
                noun in ("und", "oder", "bis", "zu", "von", "mal", "mit", "für", "pro", "in", "im", "ist")
                or not after[:1].isupper()
            ):
                return ""
            noun = after
        gender = self.gender(noun)
        words = before(match)
        last = words[-1] if words else ""
        if last in _DATIVE or last in ("einem", "dem"):
            return "einer" if gender == "f" else "einem"
        nominative = (
            not words
            or last in _BEING
            or match.string[max(0, match.start() - 2) : match.start()].strip() in tuple(".!?:")
        )
        return {"f": "eine", "n": "ein"}.get(gender, "ein" if nominative else "einen")

    def gender(self, noun: str) -> str:
        """The gender of a noun, `m`, `f` or `n`; by its ending if it is in no list."""
        low = noun.lower()
        if low in _FEMININE or _FEMININE_ENDS.search(low):
            return "f"
        return "n" if low in _NEUTER or _NEUTER_ENDS.search(low) else "m"

    @override
    def date(self, day: int, month: int, year: str, match: Match) -> str:
        ending = self._ending(match, self.months[month - 1])
        said = self.year(year, None) or self.whole(year) if year else ""
        return f"{self.ordinal(day, ending)} {self.months[month - 1]} {said}".strip()

    @override
    def cents(self, number: int, one: str, many: str) -> str:
        return self.cardinal(number)

    @override
    def money(self, written: str, sign: str, scale: str) -> str:
        if (
            scale in ("Mio.", "Mio", "Million", "Millionen", "Mrd.", "Mrd", "Milliarde", "Milliarden")
            and written == "1"
        ):
            return f"eine {self.scales[scale][0]} {self.currencies[sign][1]}"
        return super().money(written, sign, scale)

    @override
    def whole(self, digits: str, form: str = "") -> str:
        return super().whole(digits, {"m": "ein", "n": "ein", "f": "eine"}.get(form, form))

    @override
    def fraction(self, above: int, below: int, match: Match) -> str:
        if below == 2:
            noun, form = self._noun.match(match.string, match.end()), self.form_at(match)
            if above == 1 and form and noun and not match[1]:
                neuter = self.gender(noun[1]) == "n"
                return (
                    "eine halbe"
                    if form in ("eine", "einer")
                    else "ein halbes"
                    if neuter
                    else ("einen halben" if form == "einen" else "ein halber")
                )
            if above == 1:
                return "ein halb"
            return f"{self.cardinal(above)} Halbe"
        part = _PARTS.get(below) or self.ordinal(below, "").removesuffix("t") + "tel"
        return f"{self.cardinal(above, 'ein')} {part.capitalize()}"

    @override
    def fraction_of(self, above: int, below: int, unit: tuple[str, str, str]) -> str:
        name, _, gender = unit
        if (above, below) == (1, 2):
            return f"{ {'f': 'eine halbe', 'n': 'ein halbes'}.get(gender, 'einen halben') } {name}"
        part = _PARTS.get(below) or self.ordinal(below, "").removesuffix("t") + "tel"
        return f"{self.cardinal(above, 'ein')} {part.capitalize()} {name}"

    @override
    def year(self, digits: str, match: Match | None) -> str | None:
        number = int(digits)
        if not 1100 <= number < 2100 or (match and not self._is_year(match)):
            return None
        return in_words(number, "de", "year")

    def _is_year(self, match: Match) -> bool:
        words = before(match)
        noun = self._noun.match(match.string, match.end())
        if (
            noun
            and noun[1][:1].isupper()
            and _COUNTED.search(noun[1])
            and match.string[match.end() : match.end() + 1] == " "
        ):
            return bool(words) and words[-1] in ("jahr", "jahre", "seit", "sommer", "winter")
        return int(match[0]) < 2000 or (bool(words) and words[-1] in _OF_YEARS) or words[-2:-1] == ["jahr"]

    def ordinal(self, number: int, ending: str) -> str:
        """An ordinal number with its ending: `ordinal(3, "en")` is "dritten"."""
        return in_words(number, "de", "ordinal").removesuffix("e") + ending

    def _ending(self, match: Match, noun: str) -> str:
        """The ending of an ordinal before a noun, by the article before it; of two, both have the same."""
        head = match.string[max(0, match.start() - 48) : match.start()]
        head = re.sub(r"\d{1,2}\.(?: ?\d{1,2}\.| [A-ZÄ]\w{2,9})?(?: (?:bis|und|oder|auf)| ?[-—,/]) ?$", "", head)
        words = re.findall(r"[^\W\d_]+", head.lower())
        last, second = words[-1] if words else "", words[-2] if len(words) > 1 else ""
        adjacent = bool(re.search(r"[^\W_] $", head)) or head.endswith("(")
        if not adjacent:
            last = ""
        if last == "der":
            return "en" if second in _OF_DATIVE_DER else "e"
        if last in ("die", "das"):
            return "e"
        if re.fullmatch(r"(?:[mds]?ein|kein|ihr|unser|euer)", last):
            return "es" if self.gender(noun) == "n" else "er"
        if last in _ORDINAL_CUES - {"als", "wurde", "wird"} | {
            "bis",
            "ab",
            "nach",
            "vor",
            "unter",
            "unserem",
        } or last.endswith(("em", "en", "einer", "ihrer")):
            return "e" if last == "eine" else "en"
        if last.endswith("e") and last not in ("wurde", "wird"):
            return "e"
        return {"f": "e", "n": "es"}.get(self.gender(noun), "er")

    def _ordinal(self, match: Match) -> str | None:
        number, rest = int(match[1]), match.string[match.end() : match.end() + 32]
        if not 0 < number <= 999:
            return None
        words = before(match)
        last = words[-1] if words else ""
        noun = re.match(r" ?([^\W\d_]+)", rest)
        if noun and noun[1].lower() in self.short_months:
            return None
        other = re.match(r" ?(?:bis|und|oder|[-—]) ?(?:zum |den )?\d{1,3}\.", rest)
        is_cue = last in _ORDINAL_CUES or re.fullmatch(
            r"[mds]?eine?[mnrs]?|ihre?[mnrs]?|unsere?[mnrs]?|keine?[mnrs]?", last
        )
        if not (noun or other):
            today = words[-2:] == ["ist", "der"]
            certain = (last in ("am", "zum", "vom", "im", "den", "dem") or today) and number <= 31
            return (
                f"{self.ordinal(number, 'e' if today else 'en')}."
                if certain and match.string[match.start() - 1] == " "
                else None
            )
        if noun and noun[1][0].isupper() and not other and (not is_cue or noun[1].lower() in _OPENERS):
            known = noun[1].lower() in (
                "stock",
                "etage",
                "platz",
                "klasse",
                "jahrhundert",
                "weltkrieg",
                "advent",
                "liga",
                "geburtstag",
                "obergeschoss",
                "og",
                "quartal",
                "reihe",
                "runde",
                "mal",
            )
            if not known:
                return None
        if noun and noun[1].islower() and not is_cue and not other:
            return None
        after = re.search(r"\b([A-ZÄÖÜ][^\W\d_]+)", rest)
        name = after[1] if after else ""
        name = {"OG": "Obergeschoss", "UG": "Untergeschoss"}.get(name, name)
        return self.ordinal(number, self._ending(match, name))

    def _ordinal_range(self, match: Match) -> str:
        ending = self._ending(match, "Tag")
        return f"{self.ordinal(int(match[1]), ending)} bis {self.ordinal(int(match[2]), ending)}"

    def _day_month(self, match: Match) -> str | None:
        day, month, year = int(match[1]), int(match[2]), (match[3] or "").strip()
        if not 1 <= day <= 31 or not 1 <= month <= 12:
            return None
        stop = "." if not year and _ENDS.match(match.string, match.end()) else ""
        return self.date(day, month, year, match) + stop

    def _time(self, match: Match) -> str | None:
        if _GAMES.intersection(before(match)[-2:]) and "Uhr" not in match[0] and int(match[1]) < 10:
            return None
        hour = self.cardinal(int(match[1]), "ein")
        minute = match[2] or (match[4] if match.re.groups > 3 else "") or "0"
        words = f"{hour} Uhr" + (f" {self.cardinal(int(minute))}" if int(minute) else "")
        return (
            f"{words} und {self.cardinal(int(match[3]), 'eine')} Sekunde{'n' * (int(match[3]) > 1)}"
            if match[3]
            else words
        )

    def _decade(self, match: Match) -> str:
        digits = match[1]
        words = (in_words(int(digits), "de", "year") if len(digits) == 4 else self.cardinal(int(digits))) + "er"
        noun = match.string[match.end() : match.end() + 7].strip().startswith("Jahre")
        return words + "n" * match[0].endswith("n") if noun else (words + "n" * match[0].endswith("n")).capitalize()

    def _roman(self, match: Match) -> str | None:
        if len(match[1]) < 2 and not match[2]:
            return None
        number = ROMANS[match[1]]
        if not match[2]:
            return self.cardinal(number)
        rest = match.string[match.end() : match.end() + 24]
        noun = re.match(r" ([A-ZÄÖÜ][^\W\d_]+)", rest)
        if noun and noun[1] in ("Jahrhundert", "Weltkrieg", "Stock", "Quartal"):
            return self.ordinal(number, self._ending(match, noun[1]))
        name = re.search(r"[A-ZÄÖÜ][a-zäöüß]+ $", match.string[max(0, match.start() - 16) : match.start()])
        if not name:
            return None
        return f"der {self.ordinal(number, 'e').capitalize()}" + ("." if not rest.strip() else "")

    @override
    def dash_word(self, match: Match) -> str:
        left = re.search(r"(\d{1,2}) ?$", match.string[max(0, match.start() - 3) : match.start()])
        right = re.match(r" ?(\d{1,2})(?![\d.,])", match.string[match.end() : match.end() + 4])
        score = left and right and int(left[1]) > int(right[1])
        return "zu" if score and _GAMES.intersection(before(match)) else "bis"


def _days(match: Match) -> str:
    return f"{_DAYS[match[1]]} bis {_DAYS[match[2]]}"


GERMAN = German()
