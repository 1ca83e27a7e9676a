"""The parts of a text that are read alike in Spanish, German and French, and the rules that read them.

A language is a class with its words: tables of units, currencies and short forms, and methods for
numbers, dates and times. Each group of digits is classified once, by the signs and words around it.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from datagen.text.european.amounts import NUMBER, Amount, amount_of
from datagen.text.european.words import LETTERS, Match, alternatives, any_other, before
from datagen.text.markup import prose
from datagen.text.reading import WORD, Reader, Reading, Rule, any_case, read_until_stable, rule, says
from datagen.text.tidying import tidy

_CHARACTERS = re.compile(rf"[{LETTERS}' ,.?!;:]*")
_UNTIDY = re.compile(
    rf"[ ,.?!;:'](?:(?<= )[ ,.?!;:]|(?<=[,.?!;:])(?! |$)|(?<=^[ ,.?!;:])|(?<=[ ,;:])$|(?<=')(?![{LETTERS}])"
    rf"|(?<=')(?<![{LETTERS}]'))"
)
_FOREIGN = re.compile(rf"[^\W\d_{LETTERS}]+")
_NOT_SPOKEN = re.compile(rf"[^{LETTERS}' ,.?!;:]")
_MARKS = re.compile(
    r"(?:[ ,?;]+|!(?!=)|:(?![\d/])|\.(?= |$)|'(?!\d)|(?<=[^\W\d_])-(?=[^\W\d_])"
    r"|(?<=[^\W\d_,.?!])\"(?= |$|,|\.)|(?<= )\"(?=[^\W\d_])|(?<=[^\W\d_])\)(?=[ ,.?!;:]|$)|(?<= )\((?=[^\W\d_]{2}))+"
)
_UNSAID_MARKS = str.maketrans({"-": " ", '"': " ", "(": ", ", ")": ", "})
_SHORTEST_PHONE = 7
_EACH = frozenset(("por", "pro", "par", "je", "cada", "chaque", "el", "le", "un", "al"))
_LONGEST = 12
"""Digits of the longest number that is said as one; longer ones are said digit by digit."""
_CODE = r"(?=[^\W_]{0,23}(?:-[^\W_]{1,24}){0,4}\d)[^\W_]{1,24}(?:-[^\W_]{1,24}){0,4}(?![^\W_])"


class European:
    """A language that writes numbers, dates and money as most of Europe does."""

    code: str
    """ISO 639-1, as num2words knows it."""
    signs: Mapping[str, str]
    """The words of signs: `-` minus, `–` to, `:` of scores, `,` and `.` inside numbers, and others."""
    units: Mapping[str, tuple[str, str, str]]
    """Symbol of a unit → its word for one, for several, and its gender."""
    currencies: Mapping[str, tuple[str, str, str, str, str]]
    """Sign or code of a currency → its words and gender, and the words of its hundredth (may be empty)."""
    scales: Mapping[str, tuple[str, str]]
    """Short form between a number and a currency → its words for one and for several."""
    per: Mapping[str, str]
    """Unit after a slash → "per" and the unit."""
    months: tuple[str, ...]
    short_months: Mapping[str, int]
    """Short forms of months in lower case, without a dot."""
    short_forms: Mapping[str, str]
    """Abbreviation as written → its words."""
    ends: frozenset[str] = frozenset()
    """Abbreviations with a dot that may end a sentence."""
    labels: frozenset[str]
    """Nouns before a number that is said digit by digit."""
    fillers: frozenset[str]
    """Words between a label and its number."""
    of_dates: frozenset[str]
    """Words before a day and a month in digits, such as `el 3/12`."""
    phones: str
    """Pattern of telephone numbers without a country code."""
    of_millions = ""
    """Stands between whole millions and their unit."""
    joiners: str
    """Pattern of words between two numbers that count the same noun."""

    def __init__(self) -> None:
        """Compile the rules."""
        self._noun = re.compile(rf"(?: ?[-—] ?{NUMBER}| (?:{self.joiners}) {NUMBER})? ?-?([^\W\d_]+)(?: ([^\W\d_]+))?")
        self._forms = {
            f"{form[0].upper()}{form[1:]}": f"{words[0].upper()}{words[1:]}" for form, words in self.short_forms.items()
        }
        self._forms |= self.short_forms
        rules = (*self.own_rules(), *self._shared_rules())
        rules = tuple(replace(each, words=each.words | any_case(each.words)) for each in rules)
        self._reader = Reader(rules, _MARKS)
        self._read_words = frozenset(word.lower() for each in rules for word in each.words)

    # -- hooks of a language ------------------------------------------------------------------------------

    def own_rules(self) -> tuple[Rule, ...]:
        """Rules of the language alone, such as of times and ordinals; they come first."""
        raise NotImplementedError

    def cardinal(self, number: int, form: str = "") -> str:
        """A whole number in words; a form fits it to its noun, an empty one stands alone."""
        raise NotImplementedError

    def form_before(self, noun: str, after: str, match: Match) -> str:
        """The form of a number before a noun; the word after it and the match help to tell."""
        raise NotImplementedError

    def date(self, day: int, month: int, year: str, match: Match) -> str:
        """A date in words; the year may be empty."""
        raise NotImplementedError

    def fraction(self, above: int, below: int, match: Match) -> str:
        """A fraction in words."""
        raise NotImplementedError

    def fraction_of(self, above: int, below: int, unit: tuple[str, str, str]) -> str:
        """A fraction of a unit in words."""
        raise NotImplementedError

    def year(self, digits: str, match: Match) -> str | None:
        """A number of four digits as a year; None if it is said as any other number."""
        del digits, match
        return None

    def cents(self, number: int, one: str, many: str) -> str:
        """The words of cents, which follow those of whole units."""
        raise NotImplementedError

    def phone_group(self, digits: str) -> str:
        """A group of digits of a telephone number."""
        return self.digits(digits)

    def prepared(self, text: str) -> str:
        """The text before compatibility characters are folded."""
        return text

    # -- numbers ------------------------------------------------------------------------------------------

    def digits(self, digits: str) -> str:
        """Digits one by one."""
        return " ".join(self.cardinal(int(digit)) for digit in digits)

    def whole(self, digits: str, form: str = "") -> str:
        """A whole number; long ones and those with leading zeros digit by digit."""
        if len(digits) > _LONGEST or (len(digits) > 1 and digits[0] == "0"):
            return self.digits(digits)
        return self.cardinal(int(digits), form)

    def decimals(self, digits: str) -> str:
        """Digits after a decimal mark."""
        return self.whole(digits) if len(digits) == 2 and digits[0] != "0" else self.digits(digits)

    def number(self, amount: Amount, form: str = "") -> str:
        """A number with or without decimals."""
        if not amount.fraction:
            return self.whole(amount.whole, form)
        return f"{self.whole(amount.whole)} {self.signs[amount.mark]} {self.decimals(amount.fraction)}"

    def form_at(self, match: Match) -> str:
        """The form of a number by what follows it; empty if it stands alone."""
        found = self._noun.match(match.string, match.end())
        return self.form_before(found[1], found[2] or "", match) if found else ""

    # -- reading ------------------------------------------------------------------------------------------

    def read(self, text: str) -> Reading:
        """Read a text aloud.

        Args:
            text: Any text.

        Returns:
            One line of letters, apostrophes, single spaces and `, . ? ! ; :`, and what no rule reads.
        """
        return read_until_stable(text, self._read, self.is_spoken)

    def is_spoken(self, text: str) -> bool:
        """True if a text needs no normalization; the only cost for plain text."""
        if not _CHARACTERS.fullmatch(text) or _UNTIDY.search(text):
            return False
        return self._read_words.isdisjoint(re.findall(r"[^\W_]+", text.lower()))

    def _read(self, text: str) -> Reading:
        text = prose(self.prepared(text), self._item, self.signs["dot"], self.signs["@"])
        said, unread = list[str](), list[str]()
        for part in self._reader.parts(text):
            if part.rule == WORD:
                unread += _FOREIGN.findall(part.said)
                said.append(part.said.translate(_UNSAID_MARKS))
            elif part.rule:
                said.append(f" {part.said} " if part.said.strip(" .,'") else part.said)
            else:
                unread.append(text[part.begin : part.end])
        return Reading(tidy(_NOT_SPOKEN.sub(" ", "".join(said).replace("-", " ")), LETTERS), tuple(unread))

    def _item(self, number: int) -> str:
        return f"{self.cardinal(number).capitalize()}. "

    # -- rules --------------------------------------------------------------------------------------------

    def _shared_rules(self) -> tuple[Rule, ...]:
        money, codes = alternatives(self.currencies), [c for c in self.currencies if c[0].isalpha()]
        scale = alternatives(self.scales)
        unit = alternatives(self.units)
        month = alternatives((*self.months, *(f"{short}." for short in self.short_months), *self.short_months))
        shorts = alternatives(self._forms)
        lone = sorted(unit for unit in self.units if re.fullmatch("[b-df-hj-np-tv-z]{2}", unit))
        first_words = {re.split("[^a-zà-ÿA-Z]", form)[0] for form in self._forms}
        return (
            rule("abbreviation", rf"(?:{shorts})(?![^\W\d_])", self._short_form, "ag", first_words - {""}),
            rule("phone", r"\+\d{1,3}(?:[ ./-]{0,2}(?:\(0\) ?)?\d{1,12}){1,8}(?!\d)", self._phone, "."),
            rule("phone", rf"(?:{self.phones})(?![\d€$%]|[,.]\d)", self._phone, "0."),
            rule("date", r"(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)", self._iso_date),
            rule("date", r"(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})(?!\d|[./-]\d)", self._numeric_date),
            rule("date", r"(\d{1,2})/(\d{1,2})(?![\d/])", self._short_date),
            rule("date", rf"(\d{{1,2}})(?:\.|er|°)? (?:de )?((?i:{month}))(?!\w)(?:,? (?:del? )?(\d{{4}})(?!\d))?",
                 self._month_date),
            rule("version", r"\d{1,9}(?:\.\d{1,9}){2,6}(?!\d)", self._version),
            rule("money", rf"({money}) ?({NUMBER})(?: ?({scale})(?!\w))?", self._money_before, "ag.",
                 [re.split("[^a-z]", code.lower())[0] for code in codes]),
            rule("money", rf"({NUMBER})(?:,[-—]{{1,2}})? ?(?:({scale}) ?)?({money})(?![^\W_])", self._money_after),
            rule("percent", rf"({NUMBER}) ?([%‰])", lambda m: f"{self.number(amount_of(m[1]))} {self.signs[m[2]]}"),
            rule("height", r"(\d) ?m ?(\d\d)(?!\d|[,.]\d|[^\W_])", self._height),
            rule("measure", rf"({NUMBER}) ?({unit})(?![^\W_]|\^)(?:/({alternatives(self.units)})(?!\w))?",
                 self._measure),
            rule("fraction", rf"(?:(\d{{1,4}}) )?(\d{{1,3}})/(\d{{1,3}})(?![\d/])(?: ?({unit})(?![^\W_]|\^))?",
                 self._fraction),
            rule("score", r"(\d{1,3}):(\d{1,3})(?![\d:])",
                 lambda m: f"{self.whole(m[1])} {self.signs[':']} {self.whole(m[2])}"),
            rule("times", rf"({NUMBER}) ?[x×*] ?(?=\d)", lambda m: f"{self.number(amount_of(m[1]))} {self.signs['×']}"),
            rule("code", _CODE, self._code, "0g"),
            rule("unit", rf"({'|'.join(lone)})(?![^\W_])", self._lone_unit, "a", lone),
            rule("number", NUMBER, self._plain_number),
            *self._signs(money),
        )  # fmt: skip

    def _signs(self, money: str) -> tuple[Rule, ...]:
        word = self.signs
        per = alternatives(self.per)
        spoken = tuple(
            rule("sign", rf" ?{re.escape(sign)} ?", says(f" {word[sign]} "), ".", sign=f" {sign}"[1:])
            for sign in "+=±≈≤≥≠<>&×÷§~%‰@→"
        )
        return (
            rule("per", rf" ?/ ?({per})(?![^\W_])", self._per, ".", sign="/"),
            rule("currency", rf"(?:{money})(?![^\W_])", lambda m: self.currencies[m[0]][1], "."),
            rule("dots", r"\.{2,400}", says(". "), ".", sign="."),
            rule("dot", r"(?<=[^\W_])\.(?=[^\W\d_])", says(f" {word['dot']} "), ".", sign="."),
            rule("stop", r"\.", says(". "), ".", sign="."),
            rule("dash", r"[-—]", self._dash, ".", sign="-—"),
            rule("slash", r" ?/ ?", self._slash, ".", sign="/"),
            rule("number sign", r"# ?(?=\d)", says(f" {word['#']} "), ".", sign="#"),
            rule("degrees", r"°", says(f" {word['°']} "), ".", sign="°"),
            *spoken,
            rule("bracket", r"[()\[\]|•]", says(", "), ".", sign="()[]|•"),
            rule("mark", r"[^\w\s]|_|\s", any_other, "."),
        )

    def _short_form(self, match: Match) -> str | None:
        words = self._forms[match[0]]
        rest = match.string[match.end() : match.end() + 2].lstrip()
        if not rest.isdecimal() and words.startswith("#"):  # a short form of a number: "no. 5"
            return None
        if (
            len(match[0]) < 3
            and match[0].endswith(".")
            and match[0][0].isupper()
            and not rest[:1].isdecimal()
            and not rest[:1].isupper()
        ):
            return None
        words = words.lstrip("#")
        ends = match[0] in self.ends and match[0].endswith(".") and (not rest or rest[0].isupper())
        return f"{words}." if ends else words

    def _phone(self, match: Match) -> str | None:
        groups = re.findall(r"\d+", match[0])
        if sum(map(len, groups)) < _SHORTEST_PHONE:
            return None
        plus = f"{self.signs['+']} " if match[0][0] == "+" else ""
        if len(groups) == 1 and not plus:
            groups = [groups[0][k : k + 3] for k in range(0, len(groups[0]), 3)]
        return plus + ", ".join(map(self.phone_group, groups))

    def _dated(self, day: str, month: str, year: str, match: Match) -> str | None:
        if int(month) > 12 and int(day) <= 12:
            day, month = month, day
        if not 1 <= int(day) <= 31 or not 1 <= int(month) <= 12:
            return None
        return self.date(int(day), int(month), year, match)

    def _iso_date(self, match: Match) -> str | None:
        return self._dated(match[3], match[2], match[1], match)

    def _numeric_date(self, match: Match) -> str | None:
        return self._dated(match[1], match[3], match[4], match)

    def _short_date(self, match: Match) -> str | None:
        words = before(match)
        return self._dated(match[1], match[2], "", match) if words and words[-1] in self.of_dates else None

    def _month_date(self, match: Match) -> str | None:
        name, months = match[2].rstrip(".").lower(), [each.lower() for each in self.months]
        month = months.index(name) + 1 if name in months else self.short_months[name]
        return self.date(int(match[1]), month, match[3] or "", match) if 1 <= int(match[1]) <= 31 else None

    def _version(self, match: Match) -> str | None:
        if re.fullmatch(r"\d{1,3}(?:\.\d{3})+", match[0]):  # thousands
            return None
        return f" {self.signs['.']} ".join(map(self.whole, match[0].split(".")))

    def _money_before(self, match: Match) -> str:
        return self.money(match[2], match[1], match[3] or "")

    def _money_after(self, match: Match) -> str:
        return self.money(match[1], match[3], match[2] or "")

    def money(self, written: str, sign: str, scale: str) -> str:
        """An amount of money in words.

        Args:
            written: The number.
            sign: A key of `currencies`.
            scale: A key of `scales`, or empty.
        """
        one, many, gender, cent, cents = self.currencies[sign]
        if "$" in sign and re.fullmatch(r"\d{1,3}(?:,\d{3})+", written):  # as written in America
            written = written.replace(",", "")
        amount = amount_of(written)
        if scale:
            words = self.scales[scale]
            return f"{self.number(amount, 'm')} {words[0] if amount.is_one else words[1]} {many}"
        if len(amount.fraction) != 2 or not cent:
            of = self.of_millions if amount.whole.endswith("000000") and not amount.fraction else ""
            return f"{self.number(amount, gender)} {of}{one if amount.is_one else many}"
        n_cents = int(amount.fraction)
        whole = f"{self.whole(amount.whole, gender)} {one if int(amount.whole) == 1 else many}"
        if not n_cents:
            return whole
        if not int(amount.whole):
            return f"{self.cardinal(n_cents, 'm')} {cent if n_cents == 1 else cents}"
        return f"{whole} {self.cents(n_cents, cent, cents)}"

    def _height(self, match: Match) -> str:
        one, many, gender = self.units["m"]
        return f"{self.whole(match[1], gender)} {one if match[1] == '1' else many} {self.whole(match[2])}"

    def _lone_unit(self, match: Match) -> str:
        """A unit without a number, as in "per kg"."""
        words = before(match)
        return self.units[match[1]][0 if words and words[-1] in _EACH else 1]

    def _measure(self, match: Match) -> str | None:
        begin = match.start()
        if match[2] == '"' and match.string[max(0, begin - 200) : begin].count('"') % 2:  # the end of a quotation
            return None
        one, many, gender = self.units[match[2]]
        amount = amount_of(match[1])
        below = f" {self.signs['/']} {self.units[match[3]][0]}" if match[3] else ""
        return f"{self.number(amount, gender)} {one if amount.is_one else many}{below}"

    def _fraction(self, match: Match) -> str | None:
        whole, above, below = match[1], int(match[2]), int(match[3])
        if not below:
            return None
        if match[4]:
            mixed = f"{self.whole(whole)} {self.signs['and']} " if whole else ""
            return mixed + self.fraction_of(above, below, self.units[match[4]])
        if whole:
            return f"{self.whole(whole)} {self.signs['and']} {self.fraction(above, below, match)}"
        if above >= below or below > 12 or (below == 10):
            return f"{self.cardinal(above)} {self.signs['of']} {self.cardinal(below)}"
        return self.fraction(above, below, match)

    def _code(self, match: Match) -> str | None:
        pieces = re.findall(r"[^\W\d_]+|\d+", match[0])
        if len(pieces) == 1 or not any(piece.isdecimal() for piece in pieces):
            return None
        if "-" in match[0] and not any(piece.isalpha() for piece in pieces):
            return None
        mixed = len(pieces) > 3
        return " ".join(
            piece if piece.isalpha() else self.digits(piece) if mixed or len(piece) > 3 else self.whole(piece)
            for piece in pieces
        )

    def _plain_number(self, match: Match) -> str:
        amount = amount_of(match[0])
        if amount.fraction or len(amount.whole) != len(match[0]):
            return self.number(amount, self.form_at(match))
        if len(match[0]) > 2 and self._is_code(match):
            return self.digits(match[0])
        if len(match[0]) == 4 and (year := self.year(match[0], match)):
            return year
        return self.whole(match[0], self.form_at(match))

    def _is_code(self, match: Match) -> bool:
        """True for the number after a label, and after the letters of a flight."""
        begin = match.start()
        if re.search(r"(?<![^\W_])[A-Z]{2,3} $", match.string[max(0, begin - 5) : begin]):
            noun = self._noun.match(match.string, match.end())
            return not noun or not noun[1].endswith(("s", "x", "n"))
        words = before(match)
        while words and words[-1] in self.fillers:
            if words.pop() in self.labels:
                return True
        return bool(words) and words[-1] in self.labels

    def _per(self, match: Match) -> str | None:
        head = match.string[max(0, match.start() - 24) : match.start()]
        names = {word for money in self.currencies.values() for word in money[:2]}
        of_amount = re.search(r"[\d%€$£¥]$|\d ?[A-Za-z]{1,3}$", head) or head.rpartition(" ")[2] in names
        return self.per[match[1]] if of_amount else None

    def _dash(self, match: Match) -> str:
        """A dash says minus, to, a pause, or nothing, by what stands at its sides."""
        text, begin, end = match.string, match.start(), match.end()
        left, right = text[max(0, begin - 1) : begin], text[end : end + 1]
        spaced = left in ("", " ")
        number_right = bool(re.match(r" ?[€$£]?\d", text[end : end + 3]))
        number_left = bool(re.search(r"(?:[\d%€$£°]|\d ?[A-Za-z]{1,4}\.?)\)? ?$", text[max(0, begin - 8) : begin]))
        if number_right and number_left and not (spaced and right != " "):
            return f" {self.dash_word(match)} "
        if number_right and right != " " and (spaced or left in tuple('(=,:"')):
            return f" {self.signs['-']} "
        return " " if match[0] == "-" and left.isalnum() and right.isalnum() else ", "

    def dash_word(self, match: Match) -> str:
        """The word of a dash between two numbers."""
        del match
        return self.signs["–"]

    def _slash(self, match: Match) -> str:
        left = match.string[max(0, match.start() - 1) : match.start()]
        right = match.string[match.end() : match.end() + 1]
        if left.isalpha() and right.isalpha():
            return " " if left in "yY" or (right == "o" and self.code == "es") else f" {self.signs['or']} "
        return f" {self.signs['/']} " if left.isalnum() and right.isalnum() else " "
