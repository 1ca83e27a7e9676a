"""The rules of money, shares, temperatures, measures and dimensions in Chinese."""

import re

from datagen.text.chinese import cues
from datagen.text.chinese.patterns import (
    BEFORE_SIGN,
    HAN,
    SCALE,
    SCALE_SIGN,
    TO,
    TO_SIGN,
    N,
    say_before,
    sign_word,
    to_word,
)
from datagen.text.chinese.units import CODE_OF_CURRENCY, CURRENCY, CURRENCY_WORDS, LATIN, PER, SYMBOLS, UNIT
from datagen.text.chinese.words import cardinal, counted, number, percent, scaled
from datagen.text.reading import rule


def _amount(written: str, scale: str, currency: str) -> str:
    if re.fullmatch(r"[0-9,]{1,40}\.00?", written) and not scale:
        written = written.partition(".")[0]
    return scaled(written, scale) + currency


def _rate(per: str | None) -> str:
    """A rate, such as `/月`: 每月."""
    if not per:
        return ""
    per = per.lstrip("/ ")
    return "每" + LATIN.get(per, per)


_PER = f"(?P<per> {{0,1}}/ {{0,1}}(?:{PER}|{UNIT}))?"

_LETTER_SCALES = {"k": "千", "K": "千", "w": "万", "W": "万", "m": "百万", "M": "百万", "b": "十亿", "B": "十亿"}

_PAY = re.compile(
    "(?:薪|工资|收入|价|预算|存款|粉丝|播放|阅读|销量|销售额|卖|赚|花|投资|奖金|底薪|待遇|挣|薪水|offer|房租|月租|"
    "首付|贷款)[^.;!?。]{0,6}$"
)

_POWER = re.compile(" ?(?:快充|充电|功率|灯|的?灯|加热|电源|电机|适配器|无线)")


def _letter_scale(match: re.Match[str]) -> str | None:
    """Amounts written with a letter: 10k, 20W粉丝."""
    letter, left, right = match["letter"], cues.left_of(match), cues.right_of(match)
    cued = _PAY.search(left) or re.match(
        r"\+? ?(?:粉丝|阅读|播放|元|块|人民币|用户|人(?!物))|(?: ?[*×])?[0-9]{1,2}薪|[-~—]", right
    )
    if _POWER.match(right) or "功率" in left or re.search("[A-Za-z]$", left) or not (cued or letter == "w"):
        return None
    said = [_thousands(n) if letter in "kK" else scaled(n, "万") for n in (match["n"], match["to"]) if n]
    return "到".join(said)


def _thousands(written: str) -> str:
    """A number of thousands: 15k is 一万五千."""
    whole, _, decimals = written.replace(",", "").partition(".")
    return cardinal(str(int(whole + (decimals + "000")[:3])))


def _money_before(match: re.Match[str]) -> str:
    words = SYMBOLS[match["currency"]]
    if match["word"] and words == "元" and not match["letter"]:
        words = match["word"]
    return _money(match, _LETTER_SCALES.get(match["letter"] or "", "") + words)


def _money_after(match: re.Match[str]) -> str:
    return _money(match, SYMBOLS.get(match["currency"], match["currency"]))


def _money(match: re.Match[str], currency: str) -> str:
    said = ("负" if match["sign"] else "") + _amount(match["n"], match["scale"], "" if match["to"] else currency)
    if match["to"]:
        said += to_word(match) + _amount(match["to"], match["scale2"], currency)
    return said + _rate(match["per"])


def _percent(match: re.Match[str]) -> str:
    said = sign_word(match["sign"], "正") + percent(match["n"], match["kind"])
    if match["to"]:
        said += f"{to_word(match)}{sign_word(match['sign2'])}{percent(match['to'], match['kind2'])}"
    return said


def _percent_range(match: re.Match[str]) -> str:
    first, last = percent(match["n"], match["kind"]), percent(match["to"], match["kind"])
    return f"{sign_word(match['sign'], '正')}{first}{to_word(match)}{last}"


def _degree(sign: str | None, n: str, below: str) -> str:
    return (below if sign == "-" else sign_word(sign, "正")) + number(n)


def _degrees(match: re.Match[str]) -> str:
    """A temperature with its sign."""
    unit = match["unit"].strip()
    below = "" if re.search("零[上下]$", cues.left_of(match)) else "零下"
    return _degree(match["sign"], match["n"], below) + LATIN.get(unit, unit)


def _letter_degrees(match: re.Match[str]) -> str | None:
    """102F after words of fever and warmth."""
    if not re.search("(?:发烧|高烧|体温|温度|气温)[^,.;!?]{0,4}[,:]?$", cues.left_of(match)):
        return None
    return number(match[1]) + ("摄氏度" if match[2] == "C" else "华氏度")


def _quantity(match: re.Match[str]) -> str | None:
    """A number, or a range, with a unit in Latin letters."""
    left, unit = cues.left_of(match), match["unit"]
    is_letter = len(unit) == 1 and unit.isascii()
    if re.search("[A-Za-z]$", left) or (is_letter and re.search("[A-Za-z] $", left)) or cues.is_code(left):
        return None
    words = LATIN[unit]
    say = counted if words not in ("度",) else number
    first = sign_word(match["sign"]) + (
        say(match["n"]) + match["scale"] if not match["scale"] else scaled(match["n"], match["scale"])
    )
    if match["to"]:
        first += f"{to_word(match)}{say(match['to'])}"
    return first + words + _rate(match["per"])


def _rated(match: re.Match[str]) -> str:
    return say_before(match["n"], match["scale"], match["what"]) + match["what"] + _rate(match["per"])


def _dimension(match: re.Match[str]) -> str | None:
    parts = re.split(" {0,2}[×xX*] {0,2}", match[0])
    if any(cues.left_of(match).endswith(letter) for letter in ("A", "v")) and len(parts) == 1:
        return None
    return "乘".join(_one_dimension(part) for part in parts)


_PARTS_OF_DIMENSION = re.compile(f"({N})([%]?) ?({UNIT}|{HAN}{{0,3}})$")


def _one_dimension(part: str) -> str:
    match = _PARTS_OF_DIMENSION.match(part)
    if not match:
        return number(part)
    if match[2]:
        return percent(match[1])
    unit = LATIN.get(match[3], match[3])
    return (counted(match[1]) if unit else number(match[1])) + unit


_DEGREE = "(?P<unit> ?(?:℃|°[CcF]|°(?![0-9A-Za-z])|摄氏度|华氏度|度(?![数过假量]|电)))"


def _degrees_range(match: re.Match[str]) -> str:
    unit = match["unit2"].strip()
    words = LATIN.get(unit, unit)
    is_weather = words != "度" or match["unit"] or cues.is_temperature(cues.left_of(match))
    below = "零下" if is_weather else "负"
    inner = "度" if match["unit"] or (match["sign"] and not match["sign2"]) else ""
    first, last = _degree(match["sign"], match["n"], below), _degree(match["sign2"], match["to"], below)
    return f"{first}{inner}到{last}{words}"


RULES = (
    rule(
        "money",
        rf"(?P<sign>-(?=[^0-9]))?(?P<currency>{CURRENCY}) ?(?P<n>{N})(?P<scale>{SCALE})"
        rf"(?:{TO}{CURRENCY}? ?(?P<to>{N})(?P<scale2>{SCALE}))?"
        rf"(?P<letter>[kKmMbBwW](?![A-Za-z]))?(?![A-Za-z_^\\])(?:(?P<word>块钱|元|块)|美元|美金|欧元|英镑|港币|"
        rf"港元)?{_PER}",
        _money_before,
        ".",
        sign="-" + CURRENCY[1:-1],
    ),
    rule(
        "percent",
        rf"(?P<sign>{BEFORE_SIGN}[-+±])?(?P<n>{N}) ?(?P<kind>[%‰‱])"
        rf"(?:{TO}(?P<sign2>[-+])?(?P<to>{N}) ?(?P<kind2>[%‰‱]))?",
        _percent,
        "0.",
        sign=" %‰‱-+±",
        spaced="%‰‱",
        is_amount=True,
    ),
    rule(
        "percent",
        rf"(?P<sign>{BEFORE_SIGN}[-+±])?(?P<n>{N}){TO}(?P<to>{N}) ?(?P<kind>[%‰‱])",
        _percent_range,
        "0.",
        sign=TO_SIGN + "+±",
        is_amount=True,
    ),
    rule(
        "temperature",
        rf"(?P<sign>{BEFORE_SIGN}[-+±])?(?P<n>{N}){_DEGREE}?{TO}"
        rf"(?P<sign2>[-+])?(?P<to>{N}){_DEGREE.replace('unit', 'unit2')}",
        _degrees_range,
        "0.",
        sign=TO_SIGN + "℃°摄华度+±",
        is_amount=True,
    ),
    rule(
        "temperature",
        rf"(?P<sign>{BEFORE_SIGN}[-+±])?(?P<n>{N})(?P<unit> ?(?:℃|°[CcF]))",
        _degrees,
        "0.",
        sign=" ℃°-+±",
        spaced="℃°",
        is_amount=True,
    ),
    rule(
        "temperature",
        r"(?<![0-9A-Za-z.])([0-9]{2,3}(?:\.[0-9])?) ?([CF])(?![A-Za-z0-9])",
        _letter_degrees,
        sign=" CF",
        spaced="CF",
        digits="23",
        is_amount=True,
    ),
    rule(
        "coordinate",
        r"(?<![0-9.])([0-9]{1,3})°([0-9]{1,2})'(?:([0-9]{1,2}(?:\.[0-9]{1,6})?)(?:\"|''))?",
        lambda match: f"{number(match[1])}度{number(match[2])}分" + (f"{number(match[3])}秒" if match[3] else ""),
        sign="°",
        digits="123",
    ),
    rule(
        "dimension",
        rf"(?<![A-Za-z0-9.]){N}%?(?: ?{UNIT}|"
        rf"{HAN}{{0,2}}(?= ?[×xX*] ?[0-9]))?(?: {{0,2}}[×xX*] {{0,2}}{N}(?: ?{UNIT})?){{1,3}}(?![A-Za-z])",
        _dimension,
        sign=" %a×*°℃",
        is_amount=True,
    ),
    rule(
        "money",
        rf"(?P<sign>{BEFORE_SIGN}-)?(?P<n>{N})(?P<scale>{SCALE})"
        rf"(?:{CURRENCY_WORDS}?{TO}(?P<to>{N})(?P<scale2>{SCALE}))? ?"
        rf"(?P<currency>{CURRENCY_WORDS}|{CODE_OF_CURRENCY}|[$€£¥]){_PER}",
        _money_after,
        "0.",
        sign=f"{TO_SIGN}{SCALE_SIGN}元块美欧英日港人新韩卢泰澳加RCUEGJH$€£¥",
        is_amount=True,
    ),
    rule(
        "scale",
        rf"(?P<n>{N})(?:(?P<letter1>[kKwW])?{TO}(?P<to>{N}))?(?P<letter>[kKwW])(?![A-Za-z0-9])",
        _letter_scale,
        sign=TO_SIGN + "kKwW",
        is_amount=True,
    ),
    rule(
        "quantity",
        rf"(?P<sign>{BEFORE_SIGN}[-±])?(?P<n>{N})(?P<scale>{SCALE})(?:{TO}(?P<to>{N}))? ?(?P<unit>{UNIT})(?![%]){_PER}",
        _quantity,
        "0.",
        sign=f"{TO_SIGN}{SCALE_SIGN}±" + "".join({short[0] for short in LATIN}),
        is_amount=True,
    ),
    rule(
        "rate",
        rf"(?P<n>{N})(?P<scale>{SCALE})(?P<what>(?:块钱|[个人次元块件斤页字圈步杯秒分步度]|公里|千米|平方米|毫克|"
        rf"毫升|人次|英里|米|克|升|"
        rf"票)?)(?P<per>/(?:{PER}|{UNIT}))",
        _rated,
        sign=f"/{SCALE_SIGN}块个人次元件斤页字圈步杯秒分度公千平毫英米克升票",
        is_amount=True,
    ),
    rule(
        "measure",
        r"(?<![0-9./])([0-9]{2,3})/([0-9]{2,3}) ?mmHg",
        lambda match: f"{cardinal(match[1])}，{cardinal(match[2])}毫米汞柱",
        sign="/",
        digits="23",
    ),
)
