"""The rules of digits that name a thing in Chinese: phones, cards, codes, rooms, models, versions."""

import re

from datagen.text.chinese import cues
from datagen.text.chinese.patterns import MAKERS
from datagen.text.chinese.units import COUNTED, UNIT
from datagen.text.chinese.words import cardinal, one_by_one
from datagen.text.reading import rule


def _expiry(match: re.Match[str]) -> str | None:
    return one_by_one(match[1] + match[2]) if "有效期" in cues.left_of(match) else None


def _flat(match: re.Match[str]) -> str | None:
    """A building, a staircase and a room: 3-2-501."""
    *outer, room = match[0].split("-")
    right = cues.right_of(match)
    if len(outer) == 1 and (COUNTED.match(right) or room.endswith("00") or re.match(f"[%万亿千百元字]|{UNIT}", right)):
        return None
    return "杠".join([*map(cardinal, outer), one_by_one(room)])


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


_HOTLINE = "12306|12123|123(?:15|20|33|45|48|58|65|66|69|78|88|95|28|29|55|18|19|50|51)|955[0-9]{2}|100(?:86|10|01)"


def _hotline(match: re.Match[str]) -> str | None:
    return None if COUNTED.match(cues.right_of(match).lstrip(" ")) else one_by_one(match[0])


_EMERGENCY = "110|119|120|122|112|114|911|999"
_LIST_LEFT = re.compile(r"(?:[0-9]{1,5}(?:[、,/和或与]|以及) ?){1,4}$")
_LIST_RIGHT = re.compile(r"(?: ?(?:[、,/和或与]|以及) ?[0-9]{1,5}){1,4}")
_CALLS = re.compile("电话|拨|打|报警|急救|求助|紧急|号码|热线")


def _emergency(match: re.Match[str]) -> str | None:
    """Numbers of the police and the like in a row: 110、119、120."""
    left, right = cues.left_of(match), cues.right_of(match)
    before, after = _LIST_LEFT.search(left), _LIST_RIGHT.match(right)
    numbers = re.findall("[0-9]+", (before[0] if before else "") + (after[0] if after else ""))
    if not numbers or not all(re.fullmatch(f"{_EMERGENCY}|{_HOTLINE}", number) for number in numbers):
        return None
    rest = right[after.end() :] if after else right
    is_known = {"119", "122"}.intersection((*numbers, match[0])) or _CALLS.search(left) or _CALLS.search(rest)
    return one_by_one(match[0]) if is_known and not COUNTED.match(rest) else None


_SPECIAL = re.compile(
    "(?:期间|当天|大战|节|大学|高校|工程|院校|学校|医院|胶水|消毒液|大促|活动|促销|购物|晚会|大楼|国道|省道|高地|"
    "厂|所|部队|部门|团|事件|班(?!车|次)|制|工作制|快乐|地震|页面|系列|特工|"
    "芯片|处理器|空难|战斗机|轰炸机|客机|飞机|坦克|步枪|手枪|航空|高速)"
)


_WORDS = ("996", "007", "985", "1314", "520")
"""Digits that are words wherever they count nothing."""


def _named(match: re.Match[str]) -> str | None:
    """Three digits that are a name: 985高校, 波音737, 101大楼."""
    left, right = cues.left_of(match), cues.right_of(match)
    digits = match[0]
    is_word = digits in _WORDS and not COUNTED.match(right) and not re.match("[多余几%+万亿-]", right)
    if is_word and not re.search("[=+×÷*-] ?$", left):
        return one_by_one(digits)
    is_named = _SPECIAL.match(right) and len(digits) > 2 and digits[-2:] != "00"
    is_model = MAKERS.search(left) and not (re.search("[、,/和与及或]$", left) and COUNTED.match(right))
    return one_by_one(digits) if is_named or is_model else None


def _room(match: re.Match[str]) -> str:
    return one_by_one(match[1])


_ROOM = re.compile(
    "(?:房间|房号|客房|门牌|住在?)(?:号码?)?(?:[是为在,: ]|就|您?的){0,3}"
    "(?:[0-9一二三四五六七八九十]{1,3}(?:号楼|[楼层栋座])){1,2}的?(?:房间)?[是为:]{0,2}$"
    '|(?:房间|房号|客房)(?:号码?)?(?:[是为在,: "“]|就|应该|好像|叫|换[成到]|改[成到为]){0,4}$'
)
"""A room is named before its number: 房间是8楼的, 房号是."""


def _house(match: re.Match[str]) -> str | None:
    """A room number that stands by itself after a floor or a building."""
    left, right = cues.left_of(match), cues.right_of(match)
    if _ROOM.search(left) and not COUNTED.match(right) and not re.match("[多余几万千百%~-]", right):
        return one_by_one(match[0])
    if (
        not re.search(r"(?:单元|[楼栋座厦层幢]|[0-9][门#])(?:[,。 ]{0,2}|,? ?请到|,? ?我住)$", left)
        or COUNTED.match(right)
        or right.startswith("号")
    ):
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
    long = (len(digits) > 2 and word.lower() != "top") or digits[0] == "0"
    if match[1] and not long and COUNTED.match(right) and len(word) < 2:
        return None
    if match[1] and re.search("(?<![A-Za-z0-9.-])[a-z]$", left):
        return "减" + cardinal(digits)
    mixed = cues.is_code(left[: len(left) - len(word)]) and bool(re.match("[A-Za-z]", right))
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
    if (
        not re.search("[A-Za-z] $", left)
        or len(match[0]) < 3
        or COUNTED.match(right.lstrip(" "))
        or re.match(f" ?{UNIT}|,[0-9]|[万亿千]", right)
    ):
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
    if re.match(", ?星号", right):
        return one_by_one(match[0])
    if cues.is_dialled(left) and (
        len(match[0]) >= 5 or match[0] in ("110", "119", "120", "122", "114", "999", "911", "112", "111")
    ):
        return one_by_one(match[0])
    return None


def _long(match: re.Match[str]) -> str | None:
    """Eight digits or more that count nothing, or zeros before a number."""
    digits, right = match[0], cues.right_of(match)
    if len(digits) > 1 and digits[0] == "0":
        return one_by_one(digits)
    if (
        len(digits) < 8
        or re.match(f" ?(?:{UNIT})|[百千万亿]", right)
        or (COUNTED.match(right.lstrip(" ")) and len(digits) < 17)
    ):
        return None
    return None if digits.endswith("0000") and len(digits) < 15 else one_by_one(digits)


_DOMAIN_END = r"\.(?:com|cn|net|org|edu|gov|io|top|cc|tv|vip|me|co|info|app|dev)(?![A-Za-z])"

ADDRESSES = (
    rule(
        "address",
        r"(?<=[A-Za-z0-9])-[0-9]{1,20}(?=[A-Za-z0-9._-]{0,40}@)",
        lambda match: one_by_one(match[0].replace("-", "杠")),
        ".",
        sign="-",
    ),
    rule(
        "address",
        rf"[0-9]{{1,20}}(?=[A-Za-z0-9._-]{{0,40}}@[A-Za-z0-9]|{_DOMAIN_END})",
        lambda match: one_by_one(match[0]),
        sign="a._-@",
    ),
    rule("address", "(?<=@)[0-9]{1,20}", lambda match: one_by_one(match[0])),
)
NAMES = (
    rule("code", "0[xX][0-9]{1,16}(?![0-9])", lambda match: one_by_one(match[0]), sign="xX", digits="1"),
    rule(
        "name",
        r"(?<![0-9A-Za-z.])(?:58(?=同城)|51(?=[jJ]ob)|985(?=[/、和]211)|211(?=[/、和]985)|(?<=985[/、和])211|"
        r"(?<=211[/、和])985|99(?=大促|公益)|[0-9]{2}(?=式(?:坦克|步枪|手枪|冲锋|机枪|战车|$))|1024(?=程序员)|"
        r"18650|(?:1080|1440|2160|720|"
        r"480)(?=[pPiI](?![A-Za-z]))|360(?=安全|杀毒|浏览器|搜索|卫士|软件)|7-11|711(?=便利)|1688(?=网|平台|批发)|"
        r"84(?=消毒)|315|110(?=报警|"
        r"接警|指挥|电话)|119(?=火警|消防|报警|指挥|电话)|120(?=急救|电话|救护)|122(?=交通|报警|电话))(?!人|个|[0-9.])",
        lambda match: _groups(match[0]).replace("，", ""),
        digits="12345",
    ),
    rule("special", r"(?<![0-9.])24/7(?![0-9]|小时)", lambda _: "七天二十四小时", sign="/", digits="2"),
    rule("code", r"(?<=[A-Za-z]_)[0-9]{1,20}(?![0-9.])", lambda match: one_by_one(match[0])),
    rule("phone", rf"(?<![0-9A-Za-z.])(?:{_EMERGENCY})(?![0-9A-Za-z.])", _emergency, digits="3"),
    rule("special", r"(?<![0-9.])7/24(?=小时| ?h)", lambda _: "七乘二十四", sign="/", digits="1"),
    rule("code", r"(?<![0-9/])([0-9]{2})/([0-9]{2})(?![0-9/])", _expiry, sign="/", digits="2"),
    rule(
        "room",
        r"(?<![0-9A-Za-z./-])[1-9][0-9]?(?:-[1-9][0-9]?){0,2}-[1-9][0-9]{2,3}(?![0-9A-Za-z./-])",
        _flat,
        sign="-",
        digits="12",
    ),
    rule(
        "name",
        r"(?<![0-9.])([0-9]{1,2})[·•‧∙・]([0-9]{1,2})(?![0-9])",
        lambda match: one_by_one(match[1] + match[2]),
        sign="·•‧∙・",
        digits="12",
    ),
)
PHONES = (
    rule(
        "phone",
        r"(?:\+?1[- ]{1,2})?\(?[0-9]{3}\)?[- ]{1,2}[0-9]{3}-[0-9]{4}(?![0-9-])",
        _telephone,
        "0.",
        sign="+(- )",
        digits="13",
    ),
    rule(
        "phone",
        r"(?<![A-Za-z0-9-])(?:(?:\+|00)?86[- ]?)?1[3-9][0-9][- ]?[0-9]{4}[- ]?[0-9]{4}(?![A-Za-z0-9])",
        _telephone,
        "0.",
        digits="23456",
    ),
    rule(
        "phone",
        r"\+?86[- ]?(?:10|2[0-9]|[3-9][0-9]{2})[- ][0-9]{3,4}[- ]?[0-9]{4}(?![0-9])",
        _telephone,
        "0.",
        sign="+- ",
        digits="245",
    ),
    rule(
        "phone",
        r"(?<![A-Za-z0-9-])(?:0[0-9]{2,3}[- ][0-9]{3,4}[- ]?[0-9]{4}|"
        r"[48]00-?[0-9]{3,4}-?[0-9]{3,4})(?:-[0-9]{1,4}(?![0-9]))?(?![\d])",
        _telephone,
        digits="346",
    ),
    rule("version", r"(?<![0-9.])[0-9]{1,4}(?:\.[0-9]{1,4}){2,4}(?![0-9.])", _version, sign=".", digits="1234"),
    rule("code", r"(?<![0-9])[0-9]{3,8}(?: [0-9]{3,4}){2,5}(?![0-9])", _spaced, sign=" ", spaced="0", digits="3456"),
    rule("code", r"(?<![0-9.])[0-9]{1,20}(?:[- ][0-9]{1,20}){1,6}[Xx]?(?![0-9])", _grouped, sign="- ", spaced="0"),
)
CODES = (
    rule("code", r"(?<![0-9.])[0-9]{17}[Xx]", lambda match: one_by_one(match[0]), sign="Xx", digits="6"),
    rule("code", r"(?<![0-9.])[0-9]{1,64}(?![0-9])", _code),
    rule("phone", rf"(?<![0-9A-Za-z.])(?:{_HOTLINE})(?![0-9A-Za-z.])", _hotline, digits="5"),
    rule(
        "room",
        r"(?<![0-9A-Za-z.])([0-9]{3,4})(?=室|房|号房|教室|会议室|路(?!程)|包厢|包间|病房)",
        _room,
        sign="室房号教会路包病",
        digits="34",
    ),
    rule("room", r"(?<![0-9A-Za-z.])([0-9]{4})(?=号)", _room, sign="号", digits="4"),
    rule("code", r"(?<![0-9A-Za-z.])([0-9]{6})(?=的?(?:股票|这只股|基金))", _room, sign="的股这基", digits="6"),
    rule("room", r"(?<![0-9A-Za-z.])[0-9]{3,4}(?![0-9.])", _house, digits="34"),
    rule("name", r"(?<![0-9.])[0-9]{2,4}(?![0-9.,])", _named, digits="234"),
)
MODELS = (
    rule("model", r"(?<![0-9.])(-)([0-9]{1,64})(?![0-9]|\.[0-9])", _after_latin, ".", sign="-"),
    rule("model", r"(?<=[A-Za-z])()([0-9]{1,64})(?![0-9]|\.[0-9])", _after_latin),
    rule("model", r"(?<=[A-Za-z] )[0-9]{3,64}(?![0-9]|\.[0-9])", _after_word),
    rule("code", r"(?<![0-9.])[0-9]{1,64}(?![0-9]|\.[0-9])", _long),
)
