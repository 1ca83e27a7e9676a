"""French: words, gender, dates, times and ordinals."""

# ruff: noqa: RUF012, SIM905 - tables are only read, and words are read more easily in a line
import re

from typing_extensions import override

from datagen.text.european.skeleton import European
from datagen.text.european.words import ROMANS, Match, alternatives, before, in_words
from datagen.text.reading import Rule, rule, word_set

_FEMININE = word_set(
    "personne personnes nuit nuits chambre chambres table tables place places heure heures minute minutes seconde "
    "secondes semaine semaines année années journée journées fois page pages ligne lignes carte cartes bouteille "
    "bouteilles tasse tasses boîte boîtes pièce pièces porte portes rue rues voiture voitures valise valises femme "
    "femmes fille filles chaise chaises entrée entrées étape étapes main clé clés clef photo photos image images tonne "
    "tonnes livre-sterling demande demandes commande commandes facture factures offre offres classe classes école "
    "écoles ville villes route routes adresse adresses tranche tranches cuillère cuillères goutte gouttes annexe "
    "annexes langue langues lettre lettres marque marques question questions réponse réponses pomme pommes orange "
    "bière bières pizza pizzas baguette baguettes salade salades crème soupe mère sœur banque mairie gare une petite "
    "grande nouvelle autre bonne dernière première seule telle quelle vieille belle douzaine dizaine centaine "
    "vingtaine étoile étoiles nuitée nuitées fenêtre fenêtres équipe équipes hôtesse caisse caisses"
)
_MASCULINE = word_set(
    "musée musées lycée lycées génie incendie parapluie silence côté côtés été étés comité comités traité traités "
    "invité invités député députés arrêté arrêtés"
)
_FEMININE_ENDS = re.compile(
    r"(?:[ts]ions?|ées?|tés?|ettes?|ences?|ances?|ures?|ades?|udes?|esses?|elles?|ies?|euses?)$"
)
_NO_NOUN = word_set(
    "de du des à au aux et ou pour par avec sans en dans que qui est sont était sur plus moins le la les se me te ne "
    "pas y il elle on nous vous ils elles mais donc or ni car comme si chez vers contre merci demain aujourd hier"
)
_PARTS = {2: "demi", 3: "tiers", 4: "quart"}
_DAYS = {"lun": "lundi", "mar": "mardi", "mer": "mercredi", "jeu": "jeudi", "ven": "vendredi", "sam": "samedi",
         "dim": "dimanche"}  # fmt: skip
_ROMAN_CUES = word_set("chapitre tome volume louis henri charles françois napoléon guerre phase type acte benoît jean")


class French(European):
    """French as in France: soixante-dix, quatre-vingts."""

    code = "fr"
    signs = {
        "-": "moins", "–": "à", ":": "à", ",": "virgule", ".": "point", "dot": "point", "@": "arobase", "and": "et",
        "or": "ou", "of": "sur", "/": "par", "#": "numéro", "%": "pour cent", "‰": "pour mille", "+": "plus",
        "=": "égale", "±": "plus ou moins", "≈": "environ", "~": "environ", "≤": "inférieur ou égal à",
        "≥": "supérieur ou égal à", "≠": "différent de", "<": "inférieur à", ">": "supérieur à", "&": "et",
        "×": "fois", "÷": "divisé par", "§": "paragraphe", "°": "degrés", "→": "à",
    }  # fmt: skip
    units = {
        "km/h": ("kilomètre par heure", "kilomètres par heure", "m"),
        "m/s": ("mètre par seconde", "mètres par seconde", "m"),
        "km^2": ("kilomètre carré", "kilomètres carrés", "m"), "m^2": ("mètre carré", "mètres carrés", "m"),
        "m2": ("mètre carré", "mètres carrés", "m"), "m^3": ("mètre cube", "mètres cubes", "m"),
        "m3": ("mètre cube", "mètres cubes", "m"), "cm^2": ("centimètre carré", "centimètres carrés", "m"),
        "km": ("kilomètre", "kilomètres", "m"), "m": ("mètre", "mètres", "m"), "cm": ("centimètre", "centimètres", "m"),
        "mm": ("millimètre", "millimètres", "m"), "kg": ("kilogramme", "kilogrammes", "m"),
        "g": ("gramme", "grammes", "m"),
        "mg": ("milligramme", "milligrammes", "m"), "l": ("litre", "litres", "m"), "L": ("litre", "litres", "m"),
        "ml": ("millilitre", "millilitres", "m"), "cl": ("centilitre", "centilitres", "m"),
        "ha": ("hectare", "hectares", "m"),
        "min": ("minute", "minutes", "f"), "mn": ("minute", "minutes", "f"), "s": ("seconde", "secondes", "f"),
        "j": ("jour", "jours", "m"), "Go": ("gigaoctet", "gigaoctets", "m"), "Mo": ("mégaoctet", "mégaoctets", "m"),
        "Ko": ("kilooctet", "kilooctets", "m"), "To": ("téraoctet", "téraoctets", "m"),
        "GB": ("gigaoctet", "gigaoctets", "m"),
        "MB": ("mégaoctet", "mégaoctets", "m"), "Mbit/s": ("mégabit par seconde", "mégabits par seconde", "m"),
        "kWh": ("kilowattheure", "kilowattheures", "m"), "kW": ("kilowatt", "kilowatts", "m"),
        "W": ("watt", "watts", "m"),
        "V": ("volt", "volts", "m"), "Hz": ("hertz", "hertz", "m"), "MHz": ("mégahertz", "mégahertz", "m"),
        "GHz": ("gigahertz", "gigahertz", "m"), "kcal": ("kilocalorie", "kilocalories", "f"),
        "t": ("tonne", "tonnes", "f"),
        "°C": ("degré Celsius", "degrés Celsius", "m"), "°F": ("degré Fahrenheit", "degrés Fahrenheit", "m"),
        "°": ("degré", "degrés", "m"), "ch": ("cheval", "chevaux", "m"),
        '"': ("pouce", "pouces", "m"),
    }  # fmt: skip
    currencies = {
        **dict.fromkeys(("€", "EUR"), ("euro", "euros", "m", "centime", "centimes")),
        **dict.fromkeys(("$", "US$", "USD", "CAD"), ("dollar", "dollars", "m", "cent", "cents")),
        **dict.fromkeys(("£", "GBP"), ("livre", "livres", "f", "penny", "pence")),
        **dict.fromkeys(("¥", "JPY"), ("yen", "yens", "m", "", "")),
        "CHF": ("franc", "francs", "m", "centime", "centimes"), "FCFA": ("franc CFA", "francs CFA", "m", "", ""),
    }  # fmt: skip
    scales = {
        "M": ("million de", "millions de"), "k": ("mille", "mille"), "K": ("mille", "mille"),
        "Md": ("milliard de", "milliards de"),
        "millions de": ("million de", "millions de"), "millions d'": ("million d'", "millions d'"),
        "million de": ("million de", "millions de"), "milliards de": ("milliard de", "milliards de"),
        "mille": ("mille", "mille"),
    }  # fmt: skip
    per = {
        "mois": "par mois", "an": "par an", "jour": "par jour", "semaine": "par semaine", "nuit": "par nuit",
        "h": "de l'heure",
        "heure": "de l'heure", "personne": "par personne", "pers.": "par personne", "pers": "par personne",
        "kg": "le kilo",
        "l": "le litre", "L": "le litre", "m^2": "le mètre carré", "m2": "le mètre carré", "kWh": "le kilowattheure",
        "min": "la minute", "km": "par kilomètre", "s": "par seconde", "j": "par jour", "pièce": "la pièce",
    }  # fmt: skip
    months = tuple("janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split())
    short_months = {"janv": 1, "févr": 2, "fév": 2, "avr": 4, "juil": 7, "sept": 9, "oct": 10, "nov": 11, "déc": 12,
                    "aout": 8, "fevrier": 2, "decembre": 12}  # fmt: skip
    short_forms = {
        "M.": "Monsieur", "MM.": "Messieurs", "Mme": "Madame", "Mmes": "Mesdames", "Mlle": "Mademoiselle",
        "Mlles": "Mesdemoiselles",
        "Dr": "Docteur", "Dr.": "Docteur", "Pr": "Professeur", "Me": "Maître", "n°": "numéro", "N°": "numéro",
        "no.": "#numéro",
        "nos": "nos", "av.": "avenue", "Av.": "avenue", "bd": "boulevard", "Bd": "boulevard", "bd.": "boulevard",
        "St": "Saint",
        "St-": "Saint ", "Ste": "Sainte", "etc.": "et cetera", "env.": "environ", "tél.": "téléphone",
        "Tél.": "téléphone",
        "p. ex.": "par exemple", "p.ex.": "par exemple", "ex.": "exemple", "c.-à-d.": "c'est-à-dire", "max.": "maximum",
        "min.": "minimum", "RDV": "rendez-vous", "rdv": "rendez-vous", "svp": "s'il vous plaît",
        "SVP": "s'il vous plaît",
        "réf.": "référence", "Réf.": "référence", "apr.": "après", "av. J.-C.": "avant Jésus-Christ",
        "apr. J.-C.": "après Jésus-Christ", "pers.": "personnes", "hab.": "habitants", "resp.": "respectivement",
        "chap.": "chapitre",
        "vol.": "volume", "vs": "contre", "lun.": "lundi", "mar.": "mardi", "jeu.": "jeudi", "ven.": "vendredi",
        "sam.": "samedi", "dim.": "dimanche",
        "appt.": "appartement", "ét.": "étage", "incl.": "inclus", "Cie": "compagnie", "p.": "#page",
    }  # fmt: skip
    ends = frozenset(("etc.", "max.", "min.", "av. J.-C.", "apr. J.-C.", "pers.", "hab.", "incl."))
    labels = word_set(
        "code codes pin passe réservation référence dossier billet carte compte vol poste postal contrat client "
        "commande suivi ticket identifiant"
    )
    fillers = word_set("est le la de numéro du n")
    of_dates = word_set("le du au dès date lundi mardi mercredi jeudi vendredi samedi dimanche")
    phones = r"0\d(?:[ .-]?\d{2}){4}(?!\d)|0[ ]?8\d{2}(?:[ .]?\d{3}){2}(?!\d)"
    of_millions = "de "
    joiners = "et|ou|à"

    @override
    def own_rules(self) -> tuple[Rule, ...]:
        hour = r"([01]?\d|2[0-4])"
        days = "|".join(_DAYS)
        romans = alternatives(ROMANS)
        suffixes = word_set("e er re ème eme")
        return (
            rule("all day", r"24 ?h ?(?:/|sur) ?24", lambda _: "vingt quatre heures sur vingt quatre"),
            rule("all day", r"7 ?j(?:ours)? ?(?:/|sur) ?7", lambda _: "sept jours sur sept"),
            rule("all day", r"7/7|24/7|24/24", lambda m: " sur ".join(map(self.whole, m[0].split("/")))),
            rule("time", r"(\d{1,3}) ?[hH](?: ?([0-5]\d))?(?: ?(?:min|mn))?(?![^\W_])", self._time),
            rule("time", rf"{hour}:([0-5]\d)(?::([0-5]\d))?(?!\d)(?: ?h\b)?", self._clock),
            rule("ordinal", r"(\d{1,4})(er|re|ère|ème|ères|èmes|eme|nde|nd|e|è|ers|es)(?![^\W_])", self._ordinal),
            rule("days", rf"({days})\.?[-—]({days})\.?(?![^\W_])", _days, "ag", _DAYS),
            rule("Roman numeral", rf"({romans})(er|re|e|ème|eme)?(?![^\W_])", self._roman, "a",
                 [r + s for r in ROMANS for s in ("", *suffixes)]),
        )  # fmt: skip

    @override
    def prepared(self, text: str) -> str:
        text = text.replace("º", "°").replace("ᵉʳ", "er").replace("ᵉ", "e")
        return re.sub(r"(?<=\d)°(?= ?[a-zé]{4})", "e", text) if "°" in text and "étage" in text else text

    @override
    def cardinal(self, number: int, form: str = "") -> str:
        words = in_words(number, "fr").replace("-", " ")
        return re.sub(r"\bun$", "une", words) if form == "f" else words

    @override
    def form_before(self, noun: str, after: str, match: Match) -> str:
        if not noun.islower() or noun in _NO_NOUN:
            return ""
        return "f" if noun in _FEMININE or (noun not in _MASCULINE and _FEMININE_ENDS.search(noun)) else "m"

    @override
    def date(self, day: int, month: int, year: str, match: Match) -> str:
        first = "premier" if day == 1 else self.cardinal(day)
        return f"{first} {self.months[month - 1]}" + (f" {self.whole(year)}" if year else "")

    @override
    def cents(self, number: int, one: str, many: str) -> str:
        return (
            self.cardinal(number)
            if many == "centimes"
            else f"et {self.cardinal(number)} {one if number == 1 else many}"
        )

    @override
    def money(self, written: str, sign: str, scale: str) -> str:
        words = super().money(written, sign, scale)
        return words.replace(" de euro", " d'euro").replace("d' euro", "d'euro")

    @override
    def phone_group(self, digits: str) -> str:
        if len(digits) > 3:
            pairs = [digits[k : k + 2] for k in range(0, len(digits), 2)]
            return ", ".join(map(self.phone_group, pairs))
        zeros = len(digits) - len(digits.lstrip("0"))
        if zeros == len(digits):
            return self.digits(digits)
        return " ".join([*["zéro"] * zeros, self.cardinal(int(digits))])

    @override
    def whole(self, digits: str, form: str = "") -> str:
        if len(digits) == 5 and digits[0] == "0" and digits[1] != "0":  # a postal code
            return f"zéro {self.cardinal(int(digits))}"
        return super().whole(digits, form)

    @override
    def fraction(self, above: int, below: int, match: Match) -> str:
        if below == 2:
            noun = self.form_at(match)
            one = "une" if noun == "f" else "un"
            return f"{'' if match[1] else one} demi".strip() if above == 1 else f"{self.cardinal(above)} demis"
        part = _PARTS.get(below) or self.ordinal(below)
        part = part if above == 1 or part.endswith("s") else f"{part}s"
        return f"{self.cardinal(above)} {part}" + (" de" if self.form_at(match) else "")

    @override
    def fraction_of(self, above: int, below: int, unit: tuple[str, str, str]) -> str:
        if (above, below) == (1, 2):
            return f"{'une' if unit[2] == 'f' else 'un'} demi {unit[0]}"
        part = _PARTS.get(below) or self.ordinal(below)
        return f"{self.cardinal(above)} {part}{'' if above == 1 or part.endswith('s') else 's'} de {unit[0]}"

    def ordinal(self, number: int, feminine: bool = False) -> str:
        """An ordinal number."""
        if number == 1:
            return "première" if feminine else "premier"
        words = in_words(number, "fr", "ordinal").replace("-", " ")
        return words.replace("vingtsième", "vingtième").replace("centsième", "centième")

    def _ordinal(self, match: Match) -> str:
        mark = match[2]
        if mark in ("nd", "nde") and match[1] == "2":
            return "second" + "e" * mark.endswith("e")
        words = self.ordinal(int(match[1]), mark in ("re", "ère", "ères"))
        return words + "s" * mark.endswith("s")

    def _hours(self, hour: str) -> str:
        return f"{self.whole(str(int(hour)), 'f')} heure{'s' if int(hour) > 1 else ''}"

    def _time(self, match: Match) -> str | None:
        if match[2] is None and "min" in match[0]:
            return None
        minutes = int(match[2] or 0)
        return self._hours(match[1]) + (f" {self.cardinal(minutes)}" if minutes else "")

    def _clock(self, match: Match) -> str:
        words = self._hours(match[1]) + (f" {self.cardinal(int(match[2]))}" if int(match[2]) else "")
        return (
            f"{words} et {self.cardinal(int(match[3]), 'f')} seconde{'s' * (int(match[3]) > 1)}" if match[3] else words
        )

    def _roman(self, match: Match) -> str | None:
        number, suffix = ROMANS[match[1]], match[2]
        if suffix:
            following = match.string[match.end() : match.end() + 2]
            return self.ordinal(number, suffix == "re") if len(match[1]) > 1 or following.startswith(" ") else None
        words = before(match)
        cue = bool(words) and words[-1] in _ROMAN_CUES
        if number == 1 and cue:
            return None
        return self.cardinal(number) if cue or len(match[1]) > 1 else None


def _days(match: Match) -> str:
    return f"{_DAYS[match[1]]} à {_DAYS[match[2]]}"


FRENCH = French()
