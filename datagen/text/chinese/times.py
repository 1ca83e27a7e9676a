"""The rules of dates, times and years in Chinese."""

import re

from datagen.text.chinese import cues
from datagen.text.chinese.patterns import DATE_SEPARATOR, FREE, HAN, TO, TO_SIGN, YEAR, to_word
from datagen.text.chinese.units import COUNTED, UNIT
from datagen.text.chinese.words import cardinal, clock, counted, date, one_by_one, year
from datagen.text.reading import rule


def _full_date(match: re.Match[str]) -> str | None:
    said = date(match[1], match[2], match[3])
    return said and said + ("，" if match[4] else "")


def _foreign_date(match: re.Match[str]) -> str | None:
    """The month first, as in 10/15/2021, unless it can only be the day."""
    return date(match[3], match[1], match[2]) or date(match[3], match[2], match[1])


def _packed_date(match: re.Match[str]) -> str | None:
    left = cues.left_of(match)
    if cues.is_code(left) or cues.is_phone(left):
        return None
    return date(match[1], match[2], match[3])


_DATE_RIGHT = re.compile(
    r" ?(?:出发|回来|到期|前|之前|以前|以后|之后|后|起|开始|截止|入住|退房|离店|上午|下午|晚|早|中午|凌晨|号|至|到|"
    r"当天|生日|报名|是.{0,6}[节日]|"
    r"\((?:周|星期)|周[一二三四五六日]|星期|发货|到货|生效|开会|放假|开学|上映|发布|\d{1,2}:\d\d)"
)

_DATE_LEFT = re.compile(
    "(?:日期|生日|时间|截止[到至]?|[于在从自]|今天|明天|昨天|后天|周[一二三四五六日]|星期[一二三四五六日]|"
    "[0-9]/[0-9]{1,2} ?[到至~—-]) {0,2}(?:是|为|:)? ?\\(?$"
)

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
    if re.match(r" ?[=+×÷*]|\)(?! ?[\u3400-\u9fff])|[a-z]", right) or re.search(
        r"(?:等于|[加减乘=+×÷*-]) ?\(?$|[=+×÷*] ?-$", left
    ):
        return None
    if re.search("[A-Za-z] ?$", left):
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


def _event(match: re.Match[str]) -> str | None:
    """Days that are names: 6.18大促, 5.12地震."""
    if len(match[1]) == 1:
        return one_by_one(match[1] + match[2])
    return cardinal(match[1]) + "点" + one_by_one(match[2]) if match[1] != match[2] else f"双{cardinal(match[1])}"


def _meridiem(match: re.Match[str]) -> str | None:
    said = clock(match[1], match[2] or "0")
    left = cues.left_of(match)
    return (
        said
        and ("" if re.search("[上下中]午|早上|晚上|凌晨$", left) else "上午" if match[3] in "aA" else "下午") + said
    )


def _meridiem_range(match: re.Match[str]) -> str | None:
    begin, end = clock(match[1], match[2] or "0"), clock(match[4], match[5] or "0")
    halves = ["上午" if letter in "aA" else "下午" for letter in (match[3], match[6])]
    return f"{halves[0]}{begin}到{halves[1]}{end}" if begin and end else None


def _short_range(match: re.Match[str]) -> str | None:
    begin, end = date(match[1], match[3], match[4]), date("", match[5], match[6])
    return f"{begin}到{end}" if begin and end else None


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
        seconds = minute if minute[0] == "0" else cardinal(minute)
        return f"{counted(hour.lstrip('0') or '0')}分{one_by_one(seconds)}秒"
    return clock(hour, minute, second)


def _slashed_days(match: re.Match[str]) -> str | None:
    """A range of days, 10/1-10/7; a range of proper fractions, 1/3-1/2, is none."""
    first, last = (int(match[1]), int(match[2])), (int(match[3]), int(match[4]))
    rises = first[0] * last[1] < last[0] * first[1]
    if first >= last or (rises and first[0] < first[1] <= 12 and last[0] < last[1] <= 12):
        return None
    begin, end = date("", match[1], match[2]), date("", match[3], match[4])
    return f"{begin}到{end}" if begin and end else None


def _month(digits: str) -> str:
    return cardinal(digits.lstrip("0"))


def _days(match: re.Match[str]) -> str | None:
    """Days of one month: 8月8-10日."""
    if not re.search("月(?:份)?$", cues.left_of(match)):
        return None
    unit = match.string[match.end()]
    return f"{_month(match[1])}{unit}{to_word(match)}{_month(match[2])}"


_LONG_AGO = re.compile("(?:距今|历时|历经|长达|近|约|大约|超过|将近|持续|存在|已有|有|了|过|前|用|满|第)$")


def _year(match: re.Match[str]) -> str | None:
    digits, left, right = match[1], cues.left_of(match), cues.right_of(match)
    if len(digits) == 4:
        if digits[1:] == "000" and (
            _LONG_AGO.search(left) or re.match("年(?:前|的?历史|以[上前]|来|多|文明|之久|后)", right)
        ):
            return None
        if digits[0] in "12":
            return year(digits)
        return None
    if re.search("公元$", left) and len(digits) == 3:
        return year(digits)
    if len(digits) == 2:
        recent = (
            digits[0] in "0"
            or (
                int(digits) >= 49
                and (
                    re.search("(?:[^存]在|[从于自])$", left)
                    or re.match("年(?:出生|生人|毕业|入学|参军|[版款]|的(?![\u3400-\u9fff]))", right)
                )
            )
            or (
                int(digits) >= 85
                and re.match(
                    "年(?:的(?!历史|时间|岁月|努力|发展|经验|积累|传统)|(?![代来前后间内以多了里老历时寿有的,.;!?。，；！？]|$))",
                    right,
                )
            )
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
    if (
        COUNTED.match(right.lstrip(" "))
        or re.match(r" {0,2}[-+*/=×÷^%‰~—]|[多余几来]", right)
        or re.search(r"[-+*/=×÷^~—$¥€£] {0,2}$", left)
    ):
        return None
    if re.search(r"(?:等于|共|一共|总共|有|达|达到|超过|约|近|花了|赚|满|减|等于是|是)$", left) and not re.match(
        HAN, right
    ):
        return None
    return (
        year(match[1])
        if re.search('(?:《|"|#|(?<![A-Za-z])(?:[Ii]n|[Ss]ince|[Ff]rom|until|of) )$', left)
        or re.match(f"{HAN}|[#》]", right)
        else None
    )


def _feet_or_minutes(match: re.Match[str]) -> str:
    if len(match[2]) == 1:
        return f"{counted(match[1])}英尺{counted(match[2])}英寸"
    return f"{counted(match[1])}分{cardinal(match[2].lstrip('0') or '0')}秒"


DATES = (
    rule(
        "date",
        rf"{FREE}({YEAR})([./-])([0-9]{{1,2}})\2([0-9]{{1,2}}) ?[-—~至到] ?([0-9]{{1,2}})\2([0-9]{{1,2}})(?![0-9])",
        _short_range,
        sign="./-",
        digits="4",
    ),
    rule(
        "year",
        r"(?<![0-9A-Za-z.])(20[0-9]{2})(?=[QH][1-4](?![0-9A-Za-z]))",
        lambda match: year(match[1]),
        sign="QH",
        digits="4",
    ),
    rule(
        "date",
        rf"{FREE}([12][0-9]{{3}}){DATE_SEPARATOR}([0-9]{{1,2}}){DATE_SEPARATOR}([0-9]{{1,2}})(?![0-9]|"
        rf"\.[0-9])(T(?=[0-9]))?",
        _full_date,
        sign="-/.",
        digits="4",
    ),
    rule("date", rf"(?<![0-9./-])([0-3]?[0-9])/([0-3]?[0-9])/({YEAR})(?![0-9/])", _foreign_date, sign="/", digits="12"),
    rule(
        "date",
        r"(?<![0-9.A-Za-z])((?:19|20)[0-9]{2})([01][0-9])([0-3][0-9])(?![0-9]|\.[0-9])",
        _packed_date,
        digits="6",
    ),
    rule(
        "date",
        rf"{FREE}(?<![/-])([0-9]{{1,2}})\.([0-9]{{1,2}})(?=大促|购物|假期|小长假|黄金周|狂欢|事件|地震|活动|促销|"
        rf"[^0-9]{{0,2}}节(?!目))",
        _event,
        sign=".",
        digits="12",
    ),
)
TIMES = (
    rule(
        "time",
        rf"{FREE}(?<![0-9]:)([0-9]{{1,2}})(?::([0-5][0-9]))? ?([aApP])[mM]"
        rf"{TO}([0-9]{{1,2}})(?::([0-5][0-9]))? ?([aApP])[mM](?![A-Za-z])",
        _meridiem_range,
        sign=": aApP",
        digits="12",
    ),
    rule(
        "time",
        r"(?<![0-9.A-Za-z])([0-9]{1,2})h ?([0-9]{1,2})(?:m(?:in)?)?(?![A-Za-z0-9])",
        lambda match: f"{counted(match[1])}小时{cardinal(match[2].lstrip('0') or '0')}分钟",
        sign="h",
        digits="12",
    ),
    rule(
        "date",
        rf"(?<![0-9/.])([0-9]{{1,2}})/([0-9]{{1,2}}){TO}([0-9]{{1,2}})/([0-9]{{1,2}})(?![0-9/])",
        _slashed_days,
        sign="/",
        digits="12",
    ),
    rule("date", r"(?<![0-9/.])([0-9]{1,2})/([0-9]{1,2})(?![0-9/%]|\.[0-9])", _month_day, sign="/", digits="12"),
    rule(
        "date",
        r"(?<![0-9A-Za-z./-])([01][0-9])-([0-3][0-9])(?![0-9A-Za-z%-]|\.[0-9])",
        _dashed_month_day,
        sign="-",
        digits="2",
    ),
    rule(
        "time",
        rf"{FREE}(?<![0-9]:)([0-9]{{1,2}}):([0-5][0-9])(?::00)?{TO}([0-9]{{1,2}}):([0-5][0-9])(?::00)?(?![0-9:])",
        _time_range,
        sign=":",
        digits="12",
    ),
    rule(
        "time",
        rf"{FREE}(?<![0-9]:)([0-9]{{1,2}})(?::([0-5][0-9]))? ?([aApP])\.?[mM](?![A-Za-z])\.?",
        _meridiem,
        sign=": aApP",
        digits="12",
    ),
    rule(
        "time",
        rf"{FREE}(?<![0-9]:)([0-9]{{1,2}}):([0-5][0-9])(?::([0-5][0-9]))?(?:分(?!钟))?(?![0-9:])",
        _time,
        sign=":",
        digits="12",
    ),
    rule(
        "clock",
        r"(?<![0-9.])([0-9]{1,2})'([0-9]{1,2})(?:\"|''|(?![0-9A-Za-z]))",
        _feet_or_minutes,
        sign="'",
        digits="12",
    ),
    rule(
        "month",
        "0([1-9])(?=[月日时点]|号(?![上中下]))",
        lambda match: counted(match[1]) if match.string[match.end()] in "时点" else cardinal(match[1]),
        sign="月日时点号",
        digits="2",
    ),
)
YEARS = (
    rule(
        "year",
        rf"{FREE}({YEAR}|[0-9]{{2}})(年?)({TO})({YEAR}|(?<=年[-—~到至])[0-9]{{2}})(?=年(?!级)|学年|财年|赛季|年度)",
        _year_range,
        sign=TO_SIGN + "年",
        digits="24",
    ),
    rule(
        "date",
        rf"{FREE}({YEAR})([./-])(0?[1-9]|1[0-2]){TO}({YEAR})\2(0?[1-9]|1[0-2])(?![0-9])",
        lambda match: f"{year(match[1])}年{_month(match[3])}月到{year(match[4])}年{_month(match[5])}月",
        sign="./-",
        digits="4",
    ),
    rule(
        "date",
        rf"(?<![0-9A-Za-z./-])({YEAR})[-/](0[1-9]|1[0-2])(?![0-9./-]|{HAN}{{0,1}}年|级|届)",
        lambda match: f"{year(match[1])}年{_month(match[2])}月",
        sign="-/",
        digits="4",
    ),
    rule("date", rf"{FREE}([0-9]{{1,2}}){TO}([0-9]{{1,2}})(?=[日号](?![楼线店]))", _days, sign=TO_SIGN, digits="12"),
    rule(
        "year",
        rf"{FREE}({YEAR})()({TO})([0-9]{{2}})(?=赛季|学年|财年|年(?!级))",
        _year_range,
        sign=TO_SIGN,
        digits="4",
    ),
    rule("year", rf"{FREE}([0-9]{{2,4}})(?=年(?!级|龄|代)|财年|年度)", _year, sign="年财", digits="234"),
    rule(
        "year",
        rf"(?<![0-9A-Za-z./-])({YEAR})()([-—~])({YEAR})(?![0-9.%-]| ?{HAN}| ?{UNIT})",
        _year_range,
        sign="-—~",
        digits="4",
    ),
    rule("year", rf"{FREE}({YEAR})(?=[级届款版]|财年)", lambda match: year(match[1]), sign="级届款版财", digits="4"),
    rule("decade", r"(?<![0-9.])([0-9][05])(?=后(?![面边来]))", lambda match: year(match[1]), sign="后", digits="2"),
    rule("decade", rf"{FREE}({YEAR}|00|10)(?=年代|s年代)", lambda match: year(match[1]), sign="年s", digits="24"),
)
BARE_YEARS = (rule("year", rf"(?<![0-9A-Za-z.,])({YEAR})(?![0-9A-Za-z]|[.,][0-9]|[百千万亿])", _bare_year, digits="4"),)
