"""The rules of numbers in Chinese, in order: the first that takes a place decides its class.

Patterns are matched at the first digit or sign. What stands before a number is looked up in a
window of fixed length, and repetitions are bounded.
"""

import re
from collections.abc import Callable

from datagen.text.chinese import cues
from datagen.text.chinese.units import (
    CODE_OF_CURRENCY,
    COUNTED,
    CURRENCY,
    CURRENCY_WORDS,
    LATIN,
    PER,
    SYMBOLS,
    UNIT,
)
from datagen.text.chinese.words import cardinal, clock, counted, date, number, one_by_one, percent, scaled, year
from datagen.text.reading import Rule

_N = r"(?:[0-9]{1,3}(?:,[0-9]{3}){1,6}(?![0-9])|[0-9]{1,20}(?![0-9]))(?:\.[0-9]{1,20}(?![0-9]))?(?!\.[0-9])"
"""A number."""
_WHOLE = r"(?:[0-9]{1,3}(?:,[0-9]{3}){1,6}|[0-9]{1,20})(?![0-9])"
_SCALE = "[百千万亿]{0,3}"
_FREE = r"(?<![0-9.])"
"""Not inside a longer number."""
_BEFORE_SIGN = "(?<![0-9A-Za-z%)℃°])(?<![0-9][元块角度日月年号点时分秒个天岁米克斤楼层万])"
"""Where a sign belongs to the number after it."""
_TO = r" {0,2}(?:[-—~]|—{2}|至|到) {0,2}"
_DATE_SEPARATOR = "[-/.]"
_NOT_LATIN = "(?![A-Za-z0-9])"
_HAN = "[\u3400-\u9fff]"

_CLEAR = "个月|小时|分钟|公里|公斤|毫升|[个位名次天件只张本把台辆套间遍趟份杯瓶碗盒箱包袋片颗粒根支朵棵家门篇首句岁种类项款组队条秒周斤克]|人(?!世界|转)"
_Say = Callable[[re.Match[str]], str | None]


def _say_n(written: str, scale: str, after: str) -> str:
    """A number before a text: 两 if a measure word follows."""
    return scaled(written, scale, is_counted=bool(COUNTED.match(after)))


# dates and times ---------------------------------------------------------------------------------


def _full_date(match: re.Match[str]) -> str | None:
    said = date(match[1], match[2], match[3])
    return said and said + ("，" if match[4] else "")


def _packed_date(match: re.Match[str]) -> str | None:
    left = cues.left_of(match)
    if cues.is_code(left) or cues.is_phone(left):
        return None
    return date(match[1], match[2], match[3])


_DATE_RIGHT = re.compile(
    r" ?(?:出发|回来|到期|前|之前|以前|以后|之后|后|起|开始|截止|入住|退房|离店|上午|下午|晚|早|中午|凌晨|号|至|到|当天|生日|报名|是.{0,6}[节日]|"
    r"\((?:周|星期)|周[一二三四五六日]|星期|发货|到货|生效|开会|放假|开学|上映|发布|\d{1,2}:\d\d)"
)
_DATE_LEFT = re.compile("(?:日期|生日|时间|截止[到至]?|[于在从自]|今天|明天|昨天|后天|周[一二三四五六日]|星期[一二三四五六日]|[0-9]/[0-9]{1,2} ?[到至~—-]) {0,2}(?:是|为|:)? ?\\(?$")
_FRACTION_RIGHT = re.compile(f" ?(?:的|杯|勺|茶匙|汤匙|匙|个|量|左右|以上|以下|强|弱|是海洋|{UNIT})")
_COMMON = frozenset((16, 20, 24, 25, 30, 12, 10, 9, 8, 7, 6, 5, 4, 3, 2, 15, 18))
"""Denominators of fractions that could be days."""


def _month_day(match: re.Match[str]) -> str | None:
    month, day = int(match[1]), int(match[2])
    right, left = cues.right_of(match), cues.left_of(match)
    if not (1 <= month <= 12 and 1 <= day <= 31) or _FRACTION_RIGHT.match(right) or cues.is_code(left):
        return None
    if match[0] == "9/11":
        return "九一一"
    if re.match(r" ?[=+×÷*]|\)(?! ?[\u3400-\u9fff])|[a-z]", right) or re.search(r"(?:等于|[加减乘=+×÷*-]) ?\(?$|[=+×÷*] ?-$", left):
        return None
    cued = _DATE_RIGHT.match(right) or _DATE_LEFT.search(left)
    padded = match[1][0] == "0" or match[2][0] == "0"
    if cued or padded or month > day or day not in _COMMON:
        return date("", match[1], match[2])
    return None


def _dashed_month_day(match: re.Match[str]) -> str | None:
    if COUNTED.match(cues.right_of(match)) or cues.is_code(cues.left_of(match)):
        return None
    return date("", match[1], match[2])


def _expiry(match: re.Match[str]) -> str | None:
    return one_by_one(match[1] + match[2]) if "有效期" in cues.left_of(match) else None


def _event(match: re.Match[str]) -> str | None:
    """Days that are names: 6.18大促, 5.12地震."""
    if len(match[1]) == 1:
        return one_by_one(match[1] + match[2])
    return cardinal(match[1]) + "点" + one_by_one(match[2]) if match[1] != match[2] else f"双{cardinal(match[1])}"


def _meridiem(match: re.Match[str]) -> str | None:
    said = clock(match[1], match[2] or "0")
    left = cues.left_of(match)
    return said and ("" if re.search("[上下中]午|早上|晚上|凌晨$", left) else "上午" if match[3] in "aA" else "下午") + said


def _time_range(match: re.Match[str]) -> str | None:
    begin, end = clock(match[1], match[2]), clock(match[3], match[4])
    return f"{begin}到{end}" if begin and end else None


_LENGTH_OF_TIME = re.compile("(?:时长|用时|耗时|配速|成绩|进度|播放到)(?:是|为|:|到|在)*$")


def _time(match: re.Match[str]) -> str | None:
    left, right = cues.left_of(match), cues.right_of(match)
    hour, minute, second = match[1], match[2], match[3] or ""
    second = "" if second == "00" else second
    if not second and cues.is_ratio(left, right):
        return None
    if _LENGTH_OF_TIME.search(left) and not second:
        return f"{counted(hour.lstrip('0') or '0')}分{'零' if minute[0] == '0' else ''}{cardinal(minute.lstrip('0') or '0')}秒"
    return clock(hour, minute, second)


def _ratio(match: re.Match[str]) -> str:
    return "比".join(number(part.strip()) for part in match[0].split(":"))


def _dashed_score(match: re.Match[str]) -> str | None:
    left, right = cues.left_of(match), cues.right_of(match)
    if not re.search(r"比分(?:是|为|:)?$", left) and not re.match(
        " ?(?:完|大|小|险|惜|力|轻)?(?:取?胜|败|赢|输|负|平(?!方|均|米|台)|战[胜平]|领先|落后|晋级|击败|逆转|告负|不敌|拿下|淘汰)", right
    ):
        return None
    return f"{cardinal(match[1])}比{cardinal(match[2])}"


def _month(digits: str) -> str:
    return cardinal(digits.lstrip("0"))


def _days(match: re.Match[str]) -> str | None:
    """Days of one month: 8月8-10日."""
    if not re.search("月(?:份)?$", cues.left_of(match)):
        return None
    unit = match.string[match.end()]
    return f"{_month(match[1])}{unit}{_to(match)}{_month(match[2])}"


# years -------------------------------------------------------------------------------------------


_LONG_AGO = re.compile("(?:距今|历时|历经|长达|近|约|大约|超过|将近|持续|存在|已有|有|了|过|前|用|满|第)$")


def _year(match: re.Match[str]) -> str | None:
    digits, left, right = match[1], cues.left_of(match), cues.right_of(match)
    if len(digits) == 4:
        if digits[1:] == "000" and (_LONG_AGO.search(left) or re.match("年(?:前|的?历史|以[上前]|来|多|文明|之久|后)", right)):
            return None
        if digits[0] in "12":
            return year(digits)
        return None
    if re.search("公元$", left) and len(digits) == 3:
        return year(digits)
    if len(digits) == 2:
        recent = digits[0] in "0" or (
            int(digits) >= 49
            and (re.search("(?:[^存]在|[从于自])$", left) or re.match("年(?:出生|生人|毕业|入学|参军|[版款]|的(?![\u3400-\u9fff]))", right))
        ) or (
            int(digits) >= 85 and re.match("年的(?!历史|时间|岁月|努力|发展|经验|积累|传统)", right)
        )
        return year(digits) if recent else None
    return None


def _year_range(match: re.Match[str]) -> str:
    return f"{year(match[1])}{match[2]}{match[3].strip() if match[3].strip() == '至' else '到'}{year(match[4])}"


def _bare_year(match: re.Match[str]) -> str | None:
    """Four digits that can only be a year: no measure word follows, nothing is added to them."""
    left, right = cues.left_of(match), cues.right_of(match)
    if match[1][:2] not in ("19", "20"):
        return None
    if match[1][2:] == "00" and not re.search("[^0-9]#$|届$", left):
        return None
    if COUNTED.match(right.lstrip(" ")) or re.match(r" {0,2}[-+*/=×÷^%‰~—]|[多余几来]", right) or re.search(r"[-+*/=×÷^~—$¥€£] {0,2}$", left):
        return None
    if re.search(r"(?:等于|共|一共|总共|有|达|达到|超过|约|近|花了|赚|满|减|等于是|是)$", left) and not re.match(_HAN, right):
        return None
    return year(match[1]) if re.search('(?:《|"|#)$', left) or re.match(f"{_HAN}|[#》]", right) else None


# money, percent, quantities ----------------------------------------------------------------------


def _amount(written: str, scale: str, currency: str) -> str:
    if re.fullmatch(r"[0-9,]{1,40}\.00?", written) and not scale:
        written = written.partition(".")[0]
    return scaled(written, scale) + currency


def _to(match: re.Match[str]) -> str:
    return "至" if "至" in match[0] else "到"


def _rate(per: str | None) -> str:
    """A rate, such as `/月`: 每月."""
    if not per:
        return ""
    per = per.lstrip("/ ")
    return "每" + LATIN.get(per, per)


_PER = f"(?P<per> {{0,1}}/ {{0,1}}(?:{PER}|{UNIT}))?"


_LETTER_SCALES = {"k": "千", "K": "千", "w": "万", "W": "万", "m": "百万", "M": "百万", "b": "十亿", "B": "十亿"}
_PAY = re.compile("(?:薪|工资|收入|价|预算|存款|粉丝|播放|阅读|销量|销售额|卖|赚|花|投资|奖金|底薪|待遇|挣|薪水|offer|房租|月租|首付|贷款)[^.;!?。]{0,6}$")
_POWER = re.compile(" ?(?:快充|充电|功率|灯|的?灯|加热|电源|电机|适配器|无线)")


def _letter_scale(match: re.Match[str]) -> str | None:
    """Amounts written with a letter: 10k, 20W粉丝."""
    letter, left, right = match["letter"], cues.left_of(match), cues.right_of(match)
    cued = _PAY.search(left) or re.match(r"\+? ?(?:粉丝|阅读|播放|元|块|人民币|用户|人(?!物))|(?: ?[*×])?[0-9]{1,2}薪|[-~—]", right)
    if _POWER.match(right) or "功率" in left or re.search("[A-Za-z]$", left) or not (cued or letter == "w"):
        return None
    said = [_thousands(n) if letter in "kK" else scaled(n, "万") for n in (match["n"], match["to"]) if n]
    return "到".join(said)


def _thousands(written: str) -> str:
    """A number of thousands: 15k is 一万五千."""
    whole, _, decimals = written.replace(",", "").partition(".")
    return cardinal(str(int(whole + (decimals + "000")[:3])))


def _money_before(match: re.Match[str]) -> str:
    sign = "负" if match["sign"] else ""
    currency = _LETTER_SCALES.get(match["letter"] or "", "") + SYMBOLS[match["currency"]]
    if match["word"] and currency == "元" and not match["letter"]:
        currency = match["word"]
    if match["to"]:
        return f"{sign}{_amount(match['n'], match['scale'], '')}{_to(match)}{_amount(match['to'], match['scale2'], currency)}{_rate(match['per'])}"
    return sign + _amount(match["n"], match["scale"], currency) + _rate(match["per"])


def _money_after(match: re.Match[str]) -> str:
    currency = match["currency"]
    words = SYMBOLS.get(currency, currency)
    sign = "负" if match["sign"] else ""
    if match["to"]:
        return f"{sign}{_amount(match['n'], match['scale'], '')}{_to(match)}{_amount(match['to'], match['scale2'], words)}{_rate(match['per'])}"
    return sign + _amount(match["n"], match["scale"], words) + _rate(match["per"])


def _sign(sign: str | None, plus: str = "加") -> str:
    return {"-": "负", "+": plus, "±": "正负"}.get(sign or "", "")


def _percent(match: re.Match[str]) -> str:
    said = _sign(match["sign"], "正") + percent(match["n"], match["kind"])
    if match["to"]:
        said += f"{_to(match)}{_sign(match['sign2'])}{percent(match['to'], match['kind2'])}"
    return said


def _percent_range(match: re.Match[str]) -> str:
    return f"{_sign(match['sign'], '正')}{percent(match['n'], match['kind'])}{_to(match)}{percent(match['to'], match['kind'])}"


def _degrees(match: re.Match[str]) -> str:
    """A temperature with its sign, or a range of them."""
    unit = LATIN.get(match["unit"].replace(" ", ""), match["unit"])
    below = "零下" if unit != "度" or cues.is_temperature(cues.left_of(match)) else "负"
    if re.search("零[上下]$", cues.left_of(match)):
        below = ""

    def say(sign: str | None, n: str) -> str:
        return (below if sign == "-" else _sign(sign, "正")) + number(n)

    first = say(match["sign"], match["n"])
    if not match["to"]:
        return first + unit
    inner = unit if match["sign"] and not match["sign2"] else ""
    return f"{first}{'度' if inner == '摄氏度' else inner}到{say(match['sign2'], match['to'])}{unit}"


def _quantity(match: re.Match[str]) -> str | None:
    """A number, or a range, with a unit in Latin letters."""
    left, unit = cues.left_of(match), match["unit"]
    is_letter = len(unit) == 1 and unit.isascii()
    if re.search("[A-Za-z]$", left) or (is_letter and re.search("[A-Za-z] $", left)) or cues.is_code(left):
        return None
    words = LATIN[unit]
    say = counted if words not in ("度",) else number
    first = _sign(match["sign"]) + (say(match["n"]) + match["scale"] if not match["scale"] else scaled(match["n"], match["scale"]))
    if match["to"]:
        first += f"{_to(match)}{say(match['to'])}"
    return first + words + _rate(match["per"])


def _rated(match: re.Match[str]) -> str:
    return _say_n(match["n"], match["scale"], match["what"]) + match["what"] + _rate(match["per"])


def _dimension(match: re.Match[str]) -> str | None:
    parts = re.split(" {0,2}[×xX*] {0,2}", match[0])
    if any(cues.left_of(match).endswith(letter) for letter in ("A", "v")) and len(parts) == 1:
        return None
    return "乘".join(_one_dimension(part) for part in parts)


_PARTS_OF_DIMENSION = re.compile(f"({_N})([%]?) ?({UNIT}|{_HAN}{{0,3}})$")


def _one_dimension(part: str) -> str:
    match = _PARTS_OF_DIMENSION.match(part)
    if not match:
        return number(part)
    if match[2]:
        return percent(match[1])
    unit = LATIN.get(match[3], match[3])
    return (counted(match[1]) if unit else number(match[1])) + unit


# ranges ------------------------------------------------------------------------------------------

_RANGE_OF_CODES = re.compile(r"(?:[-/]|[0-9])$")


def _range(match: re.Match[str]) -> str | None:
    """Two numbers and what is between them; subtraction and codes are not of this class."""
    left, right = cues.left_of(match), cues.right_of(match)
    first, last = match["n"], match["to"]
    if re.match(r" {0,2}[=+×÷]|等于|是?多少| {0,1}-[0-9]", right) or re.search(r"[0-9A-Za-z=+×÷-]$", left):
        return None
    is_dash = match["link"].strip() == "-"
    unit = COUNTED.match(match["scale2"] + right) or re.match(f"[月日号楼层班级路线期页章节%度]|{UNIT}", right)
    if is_dash and (cues.is_code(left) or cues.is_phone(left)) and not unit:
        return None
    smaller = float(first.replace(",", "")) < float(last.replace(",", ""))
    if is_dash and not smaller and not (unit or match["scale2"]):
        return None
    numbered = re.search("第$", left) or (len(first) > 1 and first[0] == "0")
    is_counted = bool(COUNTED.match(right)) and not numbered
    if numbered:
        return f"{cardinal(first)}{'至' if '至' in match['link'] else '到'}{cardinal(last)}"
    link = "至" if match["link"].strip() == "至" else "到"
    begin = scaled(first, match["scale"], is_counted) if match["scale"] else (counted(first) if is_counted else number(first))
    return f"{begin}{link}{scaled(last, match['scale2'], is_counted)}"


_SUM = re.compile(r"(?: ?[-+×÷*/] ?[0-9.]{1,9}){0,4} ?\)? ?(?:=|(?<=\)) ?[/^!]|等于|是多少|得多少|得几|[+×÷*])")


def _subtraction(match: re.Match[str]) -> str | None:
    right, left = match.string[match.end("to") :][:48], cues.left_of(match)
    if _SUM.match(right) or re.search(r"[=+×÷*] {0,2}\(?$|(?:计算|算一下|等于)$", left):
        return f"{number(match[1])}减"
    return None


# codes -------------------------------------------------------------------------------------------


def _groups(text: str) -> str:
    return "，".join(one_by_one(group) for group in re.findall("[0-9Xx]{1,64}", text))


def _telephone(match: re.Match[str]) -> str:
    return _groups(match[0])


def _grouped(match: re.Match[str]) -> str | None:
    """Groups of digits after a word that says what they are."""
    left, right = cues.left_of(match), cues.right_of(match)
    if not (cues.is_code(left) or cues.is_phone(left) or re.search(r"[A-Za-z]-?$", left)):
        return None
    return None if COUNTED.match(right) else _groups(match[0])


def _spaced(match: re.Match[str]) -> str:
    return _groups(match[0])


_HOTLINE = "12306|123(?:15|20|33|45|48|58|65|66|69|78|88|95|28|29|55|18|19|50|51)|955[0-9]{2}|100(?:86|10|01)"


def _hotline(match: re.Match[str]) -> str | None:
    return None if COUNTED.match(cues.right_of(match).lstrip(" ")) else one_by_one(match[0])


_SPECIAL = re.compile(
    "(?:大学|高校|工程|院校|学校|医院|胶水|消毒液|大促|活动|促销|购物|晚会|大楼|国道|省道|高地|厂|所|部队|部门|团|事件|班(?!车|次)|制|工作制|快乐|地震|页面|系列|特工|"
    "芯片|处理器|空难|战斗机|轰炸机|客机|飞机|坦克|步枪|手枪|航空|高速)"
)
_NAMES = re.compile("(?:波音|空客|空中客车|骁龙|麒麟|天玑|标致|电影|奔驰|宝马|奥迪|特工|代号|拒绝|反对|实行|考上|臺北|台北|[国省县乡]道|型号)[A-Z]?[《\" ]?$")


def _named(match: re.Match[str]) -> str | None:
    """Three digits that are a name: 985高校, 波音737, 101大楼."""
    left, right = cues.left_of(match), cues.right_of(match)
    digits = match[0]
    if digits in ("985", "211", "996", "520", "1314", "007", "404", "618") and not COUNTED.match(right) and not re.match("[多余几%+万亿-]", right):
        if digits in ("996", "007", "985", "1314", "520") and not re.search("[=+×÷*-] ?$", left):
            return one_by_one(digits)
    if (_SPECIAL.match(right) and 2 < len(digits) and digits[-2:] != "00") or (digits == "84" and right.startswith("消毒")) or _NAMES.search(left):
        return one_by_one(digits)
    return None


def _room(match: re.Match[str]) -> str:
    return one_by_one(match[1])


def _house(match: re.Match[str]) -> str | None:
    """A room number that stands by itself after a floor or a building."""
    left, right = cues.left_of(match), cues.right_of(match)
    if not re.search(r"(?:单元|[楼栋座厦层幢])(?:[,。 ]{0,2}|,? ?请到|,? ?我住)$", left) or COUNTED.match(right) or right.startswith("号"):
        return None
    return one_by_one(match[0])


def _after_latin(match: re.Match[str]) -> str | None:
    """Digits attached to Latin letters: a model, a flight, a code."""
    left, right = cues.left_of(match), cues.right_of(match)
    digits = match[2]
    if not re.search(r"[A-Za-z]$", left):
        return None
    whole = re.search("[A-Za-z0-9-]{1,16}$", left)
    word = whole[0] if whole else ""
    long = len(digits) > 2 or digits[0] == "0"
    if match[1] and not long and COUNTED.match(right) and len(word) < 2:
        return None
    mixed = bool(re.search("[0-9]", word)) or cues.is_code(left[: len(left) - len(word)]) and bool(re.match("[A-Za-z]", right))
    return one_by_one(digits) if long or mixed else cardinal(digits)


def _version(match: re.Match[str]) -> str | None:
    parts = match[0].split(".")
    if len(parts) == 4:
        return "点".join(one_by_one(part) for part in parts)
    head, *rest = parts
    return "点".join([cardinal(head), *(cardinal(part) if len(part) < 2 else one_by_one(part) for part in rest)])


def _after_word(match: re.Match[str]) -> str | None:
    """A number after a Latin word and a space: iPhone 15, RTX 4090, Office 365."""
    left, right = cues.left_of(match), cues.right_of(match)
    if not re.search("[A-Za-z] $", left) or len(match[0]) < 3 or COUNTED.match(right.lstrip(" ")) or re.match(f" ?{UNIT}|[,万亿千]", right):
        return None
    return one_by_one(match[0])


def _code(match: re.Match[str]) -> str | None:
    left, right = cues.left_of(match), cues.right_of(match)
    if COUNTED.match(right) or re.match(r"[百千万亿%‰]|[.,][0-9]", right):
        return None
    if len(match[0]) < 3 and match[0][0] != "0" and not re.search("[码位]|尾号|QQ", left):
        return None
    if cues.is_code(left) or cues.is_phone(left):
        return one_by_one(match[0])
    if cues.is_dialled(left) and (len(match[0]) >= 5 or match[0] in ("110", "119", "120", "122", "114", "999", "911", "112", "111")):
        return one_by_one(match[0])
    return None


def _long(match: re.Match[str]) -> str | None:
    """Eight digits or more that count nothing, or zeros before a number."""
    digits, right = match[0], cues.right_of(match)
    if len(digits) > 1 and digits[0] == "0":
        return one_by_one(digits)
    if len(digits) < 8 or re.match(f" ?(?:{UNIT})|[百千万亿]", right) or (COUNTED.match(right.lstrip(" ")) and len(digits) < 17):
        return None
    return None if digits.endswith("0000") and len(digits) < 15 else one_by_one(digits)


def _about(match: re.Match[str]) -> str | None:
    """Two numbers in a row that mean about so many: 3、4天."""
    if int(match[2]) != int(match[1]) + 1:
        return None
    return counted(match[1]) + cardinal(match[2])


def _feet_or_minutes(match: re.Match[str]) -> str:
    if len(match[2]) == 1:
        return f"{counted(match[1])}英尺{counted(match[2])}英寸"
    return f"{counted(match[1])}分{cardinal(match[2].lstrip('0') or '0')}秒"


def _seconds_after(match: re.Match[str]) -> str | None:
    """What stands after 1米, 3块, 9秒 without a unit: 1米75."""
    return one_by_one(match[0]) if re.search("[0-9](?:米|秒|块)$", cues.left_of(match)) and not COUNTED.match(cues.right_of(match)) else None


# fractions and plain numbers ---------------------------------------------------------------------


def _fraction(match: re.Match[str]) -> str | None:
    whole, top, bottom = match[1], match[2], match[3]
    if int(top) > int(bottom) and int(top) >= 100 and int(bottom) > 10 and not re.match(" ?[=+×÷*]", cues.right_of(match)):
        return f"{cardinal(top)}，{cardinal(bottom)}"  # blood pressure, sizes
    if int(bottom) == 0 or (int(top) % int(bottom) == 0 and not whole):
        return f"{cardinal(top)}除以{cardinal(bottom)}"
    said = {"100": "百", "1000": "千"}.get(bottom) if int(top) < 10 else None
    said = f"{said or cardinal(bottom)}分之{cardinal(top)}"
    return f"{cardinal(whole)}又{said}" if whole else said


def _of(match: re.Match[str]) -> str:
    return f"{cardinal(match[1])}分之{cardinal(match[2])}"


def _list_item(match: re.Match[str]) -> str | None:
    left = cues.left_of(match)
    if not re.search(r"(?:^|[\s.;:!?。；：！？])$", left) or re.search(r"[=+*/×÷<>~-] {0,2}$", left):
        return None
    if re.search("[A-Za-z] $", left):
        return None
    if left.endswith(":") and match[1] != "1":
        return None
    if re.search("[\u3400-\u9fffA-Za-z0-9,、] +$", left) and match[2] in ("、", ")"):
        return None
    return f"第{cardinal(match[1])}，"


def _ordinal(match: re.Match[str]) -> str | None:
    left = cues.left_of(match)
    if not left.endswith("第") and not re.search("(?:星期|礼拜|周|[高初大小]|负|维生素[A-Z])$", left):
        return None
    if not left.endswith("第") and (int(match[0]) > 6 or COUNTED.match(cues.right_of(match)) or re.search("[提最增升]高$|[缩最减]小$|[扩最增]大$", left)):
        return None if not left.endswith("负") else cardinal(match[0])
    return re.sub("^两", "二", cardinal(match[0])) if len(match[0]) < 4 else cardinal(match[0])


_NUMBERS_THAT_COUNT = re.compile("(?:共|有|每天|每周|每|还剩|剩|开|加开|跑|多|差|隔|发)$")


def _shift(match: re.Match[str]) -> str | None:
    return "两" if _NUMBERS_THAT_COUNT.search(cues.left_of(match)) else None


def _more(match: re.Match[str]) -> str:
    right = cues.right_of(match)
    plus = "多" if COUNTED.match(right) and not match[2] else "加"
    return scaled(match[1], match[2]) + plus


def _signed(match: re.Match[str]) -> str | None:
    """A sign and a number, if nothing stands before it that it could be subtracted from."""
    left, right = cues.left_of(match), cues.right_of(match)
    if match[1] == "-" and match[0][1] == " " and re.search("(?:^|[^0-9)]) $", left):
        return None
    if re.search("(?<![A-Za-z])[A-Za-z] {1,2}$|[0-9)] {1,2}$", left):
        return {"-": "减", "+": "加", "±": "正负"}[match[1]] + scaled(match[2], match[3], False)
    if re.search("[A-Za-z0-9)%]$|[0-9](?:[年月日号点时分秒元个天周岁度米页章节楼层万亿千百]|小时|分钟|公[里斤])$", left):
        return None
    name = re.search("(?:歼|轰|运|直|强|东风|神舟|嫦娥|长征|红旗|巨浪|鹰击|图|米格|苏|天宫|问天|波音|空客|酷睿|附录|[^0-9]表)$", left)
    if name and match[1] == "-":
        return number(match[2]) if len(match[2]) < 3 else one_by_one(match[2])
    counting = bool(COUNTED.match(right))
    if match[1] == "-" and re.match("度", right) and cues.is_temperature(left):
        return "零下" + scaled(match[2], match[3], False)
    return _sign(match[1]) + scaled(match[2], match[3], counting and not right.startswith(("度", "楼", "层")))


def _number(match: re.Match[str]) -> str | None:
    right = cues.right_of(match)
    return _say_n(match[1], match[2], right[1:] if right[:1] == " " else right)


def _rule(name: str, pattern: str, say: _Say, first: str = "0") -> Rule:
    return Rule(name, re.compile(pattern), say, first)


_ODD = r"(?P<sign>[-+±])?"
_RANGE_N = f"(?P<n>{_N})(?P<scale>{_SCALE})"
_RANGE_TO = f"(?P<to>{_N})(?P<scale2>{_SCALE})"
_DEGREE = "(?P<unit> ?(?:℃|°[CcF]|°(?![0-9A-Za-z])|摄氏度|华氏度|度(?![数过假量]|电)))"
_Y = "(?:1[0-9]|20)[0-9]{2}"

_DOMAIN_END = r"\.(?:com|cn|net|org|edu|gov|io|top|cc|tv|vip|me|co|info|app|dev)(?![A-Za-z])"


RULES = (
    # most numbers are of this class, so it is looked at first
    _rule(
        "count",
        rf"(?<![0-9A-Za-z第周期拜初高大小负零分米块$¥€£.,:/×*+~±—-])([1-9][0-9]{{0,8}})(?=(?:{_CLEAR})(?!级|之| ?[-~—至到/×*x+]))",
        lambda match: counted(match[1]),
    ),
    _rule(
        "address",
        rf"(?<=[A-Za-z0-9])-[0-9]{{1,20}}(?=[A-Za-z0-9._-]{{0,40}}@)|[0-9]{{1,20}}(?=[A-Za-z0-9._-]{{0,40}}@[A-Za-z0-9]|{_DOMAIN_END})|(?<=@)[0-9]{{1,20}}",
        lambda match: one_by_one(match[0].replace("-", "杠")),
        "0.",
    ),
    _rule("date", rf"{_FREE}([12][0-9]{{3}}){_DATE_SEPARATOR}([0-9]{{1,2}}){_DATE_SEPARATOR}([0-9]{{1,2}})(?![0-9]|\.[0-9])(T(?=[0-9]))?", _full_date),
    _rule("date", r"(?<![0-9.A-Za-z])((?:19|20)[0-9]{2})([01][0-9])([0-3][0-9])(?![0-9]|\.[0-9])", _packed_date),
    _rule("date", rf"{_FREE}(?<![/-])([0-9]{{1,2}})\.([0-9]{{1,2}})(?=大促|购物|假期|小长假|黄金周|狂欢|事件|地震|活动|促销|[^0-9]{{0,2}}节(?!目))", _event),
    _rule("special", r"(?<![0-9.])24/7(?![0-9])", lambda match: "二十四七"),
    _rule("special", r"(?<![0-9.])7/24(?=小时| ?h)", lambda match: "七乘二十四"),
    _rule("code", r"(?<![0-9/])([0-9]{2})/([0-9]{2})(?![0-9/])", _expiry),
    _rule("date", r"(?<![0-9/.])([0-9]{1,2})/([0-9]{1,2})(?![0-9/%]|\.[0-9])", _month_day),
    _rule("date", r"(?<![0-9A-Za-z./-])([01][0-9])-([0-3][0-9])(?![0-9A-Za-z%-]|\.[0-9])", _dashed_month_day),
    _rule("time", rf"{_FREE}(?<![0-9]:)([0-9]{{1,2}}):([0-5][0-9])(?::00)?{_TO}([0-9]{{1,2}}):([0-5][0-9])(?::00)?(?![0-9:])", _time_range),
    _rule("time", rf"{_FREE}(?<![0-9]:)([0-9]{{1,2}})(?::([0-5][0-9]))? ?([aApP])\.?[mM](?![A-Za-z])\.?", _meridiem),
    _rule("time", rf"{_FREE}(?<![0-9]:)([0-9]{{1,2}}):([0-5][0-9])(?::([0-5][0-9]))?(?:分(?!钟))?(?![0-9:])", _time),
    _rule("ratio", rf"{_FREE}(?<![A-Za-z])(?<![0-9]:){_N}(?: ?: ?{_N}){{1,4}}", _ratio),
    _rule("score", r"(?<![0-9A-Za-z./-])([0-9]{1,3})-([0-9]{1,3})(?![0-9A-Za-z.-])", _dashed_score),
    _rule("year", rf"{_FREE}({_Y}|[0-9]{{2}})(年?)({_TO})({_Y}|(?<=年[-—~到至])[0-9]{{2}})(?=年(?!级)|学年|财年|赛季|年度)", _year_range),
    _rule("date", rf"{_FREE}({_Y})([./-])(0?[1-9]|1[0-2]){_TO}({_Y})\2(0?[1-9]|1[0-2])(?![0-9])", lambda match: f"{year(match[1])}年{_month(match[3])}月到{year(match[4])}年{_month(match[5])}月"),
    _rule("date", rf"(?<![0-9A-Za-z./-])({_Y})[-/](0[1-9]|1[0-2])(?![0-9./-]|{_HAN}{{0,1}}年|级|届)", lambda match: f"{year(match[1])}年{_month(match[2])}月"),
    _rule("date", rf"{_FREE}([0-9]{{1,2}}){_TO}([0-9]{{1,2}})(?=[日号](?![楼线店]))", _days),
    _rule("year", rf"{_FREE}([0-9]{{2,4}})(?=年(?!级|龄)|财年|年度)", _year),
    _rule("year", rf"{_FREE}({_Y})(?=[级届款版]|财年)", lambda match: year(match[1])),
    _rule("decade", r"(?<![0-9.])([0-9][05])(?=后(?![面边来]))", lambda match: year(match[1])),
    _rule("decade", rf"{_FREE}({_Y}|00|10)(?=年代|s年代)", lambda match: year(match[1])),
    # codes
    _rule("phone", r"(?<![A-Za-z0-9-])(?:\+?86[- ]?)?1[3-9][0-9][- ]?[0-9]{4}[- ]?[0-9]{4}(?![A-Za-z0-9])", _telephone, "0."),
    _rule("phone", r"\+?86[- ]?(?:10|2[0-9]|[3-9][0-9]{2})[- ][0-9]{3,4}[- ]?[0-9]{4}(?![0-9])", _telephone, "0."),
    _rule("phone", r"(?<![A-Za-z0-9-])(?:0[0-9]{2,3}[- ][0-9]{3,4}[- ]?[0-9]{4}|[48]00-?[0-9]{3,4}-?[0-9]{3,4})(?:-[0-9]{1,4}(?![0-9]))?(?![\d])", _telephone),
    _rule("version", r"(?<![0-9.])[0-9]{1,4}(?:\.[0-9]{1,4}){2,4}(?![0-9.])", _version),
    _rule("code", r"(?<![0-9])[0-9]{3,8}(?: [0-9]{3,4}){2,5}(?![0-9])", _spaced),
    _rule("code", r"(?<![0-9.])[0-9]{1,20}(?:[- ][0-9]{1,20}){1,6}[Xx]?(?![0-9])", _grouped),
    # what has a unit
    _rule(
        "money",
        rf"(?P<sign>-(?=[^0-9]))?(?P<currency>{CURRENCY}) ?(?P<n>{_N})(?P<scale>{_SCALE})(?:{_TO}{CURRENCY}? ?(?P<to>{_N})(?P<scale2>{_SCALE}))?"
        rf"(?P<letter>[kKmMbBwW](?![A-Za-z]))?(?![A-Za-z_^\\])(?:(?P<word>块钱|元|块)|美元|美金|欧元|英镑|港币|港元)?{_PER}",
        _money_before,
        ".",
    ),
    _rule(
        "percent",
        rf"(?P<sign>{_BEFORE_SIGN}[-+±])?(?P<n>{_N}) ?(?P<kind>[%‰‱])(?:{_TO}(?P<sign2>[-+])?(?P<to>{_N}) ?(?P<kind2>[%‰‱]))?",
        _percent,
        "0.",
    ),
    _rule("percent", rf"(?P<sign>{_BEFORE_SIGN}[-+±])?(?P<n>{_N}){_TO}(?P<to>{_N}) ?(?P<kind>[%‰‱])", _percent_range, "0."),
    _rule("temperature", rf"(?P<sign>{_BEFORE_SIGN}[-+±])?(?P<n>{_N}){_DEGREE}?{_TO}(?P<sign2>[-+])?(?P<to>{_N}){_DEGREE.replace('unit', 'unit2')}", lambda match: _degrees_range(match), "0."),
    _rule("temperature", rf"(?P<sign>{_BEFORE_SIGN}[-+±])?(?P<n>{_N})(?P<to>(?!))?(?P<unit> ?(?:℃|°[CcF]))", _degrees, "0."),
    _rule("coordinate", r"(?<![0-9.])([0-9]{1,3})°([0-9]{1,2})'(?:([0-9]{1,2}(?:\.[0-9]{1,6})?)(?:\"|''))?", lambda match: f"{number(match[1])}度{number(match[2])}分" + (f"{number(match[3])}秒" if match[3] else "")),
    _rule("math", rf"(?<![A-Za-z0-9.])({_N}) ?- ?(?=(?P<to>{_N}))", _subtraction),
    _rule("dimension", rf"(?<![A-Za-z0-9.]){_N}%?(?: ?{UNIT}|{_HAN}{{0,2}}(?= ?[×xX*] ?[0-9]))?(?: {{0,2}}[×xX*] {{0,2}}{_N}(?: ?{UNIT})?){{1,3}}(?![A-Za-z])", _dimension),
    _rule(
        "money",
        rf"(?P<sign>{_BEFORE_SIGN}-)?(?P<n>{_N})(?P<scale>{_SCALE})(?:{CURRENCY_WORDS}?{_TO}(?P<to>{_N})(?P<scale2>{_SCALE}))? ?(?P<currency>{CURRENCY_WORDS}|{CODE_OF_CURRENCY}|[$€£¥]){_PER}",
        _money_after,
        "0.",
    ),
    _rule("scale", rf"(?P<n>{_N})(?:(?P<letter1>[kKwW])?{_TO}(?P<to>{_N}))?(?P<letter>[kKwW])(?![A-Za-z0-9])", _letter_scale),
    _rule(
        "quantity",
        rf"(?P<sign>{_BEFORE_SIGN}[-±])?(?P<n>{_N})(?P<scale>{_SCALE})(?:{_TO}(?P<to>{_N}))? ?(?P<unit>{UNIT})(?![%]){_PER}",
        _quantity,
        "0.",
    ),
    _rule("rate", rf"(?P<n>{_N})(?P<scale>{_SCALE})(?P<what>(?:块钱|[个人次元块件斤页字圈步杯秒分步度]|公里|千米|平方米|毫克|毫升|人次|英里|米|克|升|票)?)(?P<per>/(?:{PER}|{UNIT}))", _rated),
    _rule("measure", r"(?<![0-9./])([0-9]{2,3})/([0-9]{2,3}) ?mmHg", lambda match: f"{cardinal(match[1])}，{cardinal(match[2])}毫米汞柱"),
    _rule("fraction", r"(?<![0-9./])(?:([0-9]{1,3}) )?([0-9]{1,4})/([0-9]{1,5})(?![0-9/]|\.[0-9])", _fraction),
    _rule("fraction", r"(?<![0-9.])([0-9]{1,2}\.[0-9]{1,2})/(5|10|100)(?![0-9/.])", lambda match: f"{cardinal(match[2])}分之{number(match[1])}"),
    _rule("fraction", r"(?<![0-9.])([0-9]{1,5})分之([0-9]{1,5})(?![0-9])", _of),
    _rule("about", rf"(?<![0-9.、第])([1-8])、([2-9])(?=(?:{_CLEAR}|[年层倍万千百十])(?!级))", _about),
    _rule("clock", r"(?<![0-9.])([0-9]{1,2})'([0-9]{1,2})(?:\"|''|(?![0-9A-Za-z]))", _feet_or_minutes),
    _rule("name", r"(?<![0-9.])([0-9]{1,2})[·•‧∙・]([0-9]{1,2})(?![0-9])", lambda match: one_by_one(match[1] + match[2])),
    _rule("name", r"(?<![0-9A-Za-z.])(?:58(?=同城)|51(?=[jJ]ob)|360(?=安全|杀毒|浏览器|搜索|卫士|软件)|7-11|711(?=便利)|1688(?=网|平台|批发)|84(?=消毒)|315|110(?=报警|接警|指挥|电话)|119(?=火警|消防|报警|指挥|电话)|120(?=急救|电话|救护)|122(?=交通|报警|电话))(?!人|个|[0-9.])", lambda match: _groups(match[0]).replace("，", "")),
    _rule("range", f"{_RANGE_N}(?P<link>{_TO}){_RANGE_TO}", _range),
    _rule("code", r"(?<![0-9.])[0-9]{17}[Xx]", lambda match: one_by_one(match[0])),
    _rule("code", r"(?<![0-9.])[0-9]{1,64}(?![0-9])", _code),
    _rule("month", "0([1-9])(?=[月日时点]|号(?![上中下]))", lambda match: counted(match[1]) if match.string[match.end()] in "时点" else cardinal(match[1])),
    _rule("phone", rf"(?<![0-9A-Za-z.])(?:{_HOTLINE})(?![0-9A-Za-z.])", _hotline),
    _rule("room", r"(?<![0-9A-Za-z.])([0-9]{3,4})(?=室|房|号房|教室|会议室|路(?!程)|包厢|包间|病房)", _room),
    _rule("room", r"(?<![0-9A-Za-z.])([0-9]{4})(?=号)", _room),
    _rule("room", r"(?<![0-9A-Za-z.])[0-9]{3,4}(?![0-9.])", _house),
    _rule("name", r"(?<![0-9.])[0-9]{2,4}(?![0-9.,])", _named),
    _rule("ordinal", r"([0-9]{1,3})(?:st|nd|rd|th)(?![A-Za-z])", lambda match: f"第{cardinal(match[1])}"),
    _rule("ordinal", r"(?<![0-9.])[0-9]{1,9}(?![0-9.])", _ordinal),
    _rule("list", r"([0-9]{1,2})(\.|、|\)) {0,2}(?=[^\s0-9.,、)])", _list_item),
    _rule("list", r"([0-9]{1,2})(\.|\)) {1,2}(?=\S)", _list_item),
    _rule("year", rf"(?<![0-9A-Za-z.,])({_Y})(?![0-9A-Za-z.,]|[百千万亿])", _bare_year),
    _rule("model", r"(?<![0-9.])(-?)([0-9]{1,64})(?![0-9]|\.[0-9])", _after_latin, "0."),
    _rule("model", r"(?<![0-9.])[0-9]{1,64}(?![0-9]|\.[0-9])", _after_word),
    _rule("number", r"(?<![0-9.])[0-9]{1,2}(?![0-9.])", _seconds_after),
    _rule("code", r"(?<![0-9.])[0-9]{1,64}(?![0-9]|\.[0-9])", _long),
    _rule("quantity", r"(?<![0-9.])2(?=班(?!级|[的长主])|层|级)", _shift),
    _rule("quantity", rf"{_FREE}({_N})({_SCALE})\+(?! ?[0-9A-Za-z])", _more),
    _rule("signed", rf"([-+±]) ?({_N})({_SCALE})", _signed, "."),
    _rule("number", rf"{_FREE}({_N})({_SCALE})", _number),
    _rule("digits", "[0-9]{1,64}", lambda match: one_by_one(match[0])),
)


def _degrees_range(match: re.Match[str]) -> str | None:
    left = cues.left_of(match)
    unit = match["unit2"].strip()
    words = LATIN.get(unit, unit)
    below = "零下" if words != "度" or match["unit"] or cues.is_temperature(left) else "负"

    def say(sign: str | None, n: str) -> str:
        return (below if sign == "-" else _sign(sign, "正")) + number(n)

    inner = "度" if match["unit"] or (match["sign"] and not match["sign2"]) else ""
    return f"{say(match['sign'], match['n'])}{inner}到{say(match['sign2'], match['to'])}{words}"
