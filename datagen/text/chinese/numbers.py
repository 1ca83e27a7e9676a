"""The rules of scores, fractions, ranges, ordinals, arithmetic and plain numbers in Chinese."""

import re

from datagen.text.chinese import cues
from datagen.text.chinese.patterns import (
    CLEAR,
    FREE,
    HAN,
    MAKERS,
    SCALE,
    SCALE_SIGN,
    TO,
    TO_SIGN,
    N,
    say_before,
    sign_word,
    to_word,
)
from datagen.text.chinese.units import COUNTED, UNIT
from datagen.text.chinese.words import cardinal, counted, number, one_by_one, scaled
from datagen.text.reading import rule


def _ratio(match: re.Match[str]) -> str:
    return "比".join(number(part.strip()) for part in match[0].split(":"))


_ADDRESS = re.compile("(?:[路街巷弄道村]|大道|胡同|信箱|号楼|栋|座|幢|单元)$")


def _dashed_score(match: re.Match[str]) -> str | None:
    left, right = cues.left_of(match), cues.right_of(match)
    falls = int(match[1]) > int(match[2])
    house = "号?[楼线]|[栋座幢]|单元"
    if (_ADDRESS.search(left) and not re.match(house, right)) or (falls and re.match(house, right)):
        return f"{cardinal(match[1])}杠{cardinal(match[2])}"
    if MAKERS.search(left):
        return None
    between_teams = re.search(f"{HAN}$", left) and re.match(f"{HAN}{{2}}|$|[,.;!?。]", right)
    teams = (falls and len(match[1] + match[2]) < 5) or between_teams
    if (
        teams
        and int(match[1]) >= int(match[2])
        and not COUNTED.match(right)
        and not cues.is_code(left)
        and not _SUM.match(right)
    ):
        return f"{cardinal(match[1])}比{cardinal(match[2])}"
    if not re.search(r"比分(?:是|为|:)?$", left) and not re.match(
        " ?(?:完|大|小|险|惜|力|轻)?(?:取?胜|败|赢|输|负|平(?!方|均|米|台)|战[胜平]|领先|落后|晋级|击败|逆转|告负|"
        "不敌|拿下|淘汰)",
        right,
    ):
        return None
    return f"{cardinal(match[1])}比{cardinal(match[2])}"


def _range(match: re.Match[str]) -> str | None:
    """Two numbers and what is between them; subtraction and codes are not of this class."""
    left, right = cues.left_of(match), cues.right_of(match)
    first, last = match["n"], match["to"]
    if (
        MAKERS.search(left)
        or re.match(r" {0,2}[=+×÷]|等于|是?多少| {0,1}-[0-9]", right)
        or re.search(r"[0-9A-Za-z=+×÷-]$", left)
    ):
        return None
    is_dash = match["link"].strip() == "-"
    unit = COUNTED.match(match["scale2"] + right) or re.match(f"[月日号楼层班级路线期页章节%度]|{UNIT}", right)
    if is_dash and (cues.is_code(left) or cues.is_phone(left)) and not unit:
        return None
    smaller = float(first.replace(",", "")) < float(last.replace(",", ""))
    if is_dash and not smaller and not (unit or match["scale2"]):
        return None
    is_whole = first.isdecimal() and last.isdecimal()
    numbered = is_whole and (re.search("第$", left) or (len(first) > 1 and first[0] == "0"))
    is_counted = bool(COUNTED.match(right)) and not numbered
    if numbered:
        return f"{cardinal(first)}{to_word(match)}{cardinal(last)}"
    begin = (
        scaled(first, match["scale"], is_counted)
        if match["scale"]
        else (counted(first) if is_counted else number(first))
    )
    return f"{begin}{to_word(match)}{scaled(last, match['scale2'], is_counted)}"


_SUM = re.compile(r"(?: ?[-+×÷*/] ?[0-9.]{1,9}){0,4} ?\)? ?(?:=|(?<=\)) ?[/^!]|等于|是多少|得多少|得几|[+×÷*])")


def _subtraction(match: re.Match[str]) -> str | None:
    right, left = match.string[match.end("to") :][:48], cues.left_of(match)
    if _SUM.match(right) or re.search(r"[=+×÷*] {0,2}\(?$|(?:计算|算一下|等于)$", left):
        return f"{number(match[1])}减"
    return None


def _about(match: re.Match[str]) -> str | None:
    """Two numbers in a row that are an estimate: 3、4天."""
    if int(match[2]) != int(match[1]) + 1:
        return None
    return counted(match[1]) + cardinal(match[2])


def _seconds_after(match: re.Match[str]) -> str | None:
    """Digits after 1米, 3块, 9秒 without a unit of their own: 1米75."""
    return (
        one_by_one(match[0])
        if re.search("[0-9](?:米|秒|块)$", cues.left_of(match)) and not COUNTED.match(cues.right_of(match))
        else None
    )


def _fraction(match: re.Match[str]) -> str | None:
    whole, top, bottom = match[1], match[2], match[3]
    if re.search("[A-Za-z] ?$", cues.left_of(match)):
        return f"{cardinal(top)}，{cardinal(bottom)}"
    if (
        int(top) > int(bottom)
        and int(top) >= 100
        and int(bottom) > 10
        and not re.match(" ?[=+×÷*]", cues.right_of(match))
    ):
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
    if not left.endswith("第") and (
        int(match[0]) > 6
        or COUNTED.match(cues.right_of(match))
        or re.search("[提最增升]高$|[缩最减]小$|[扩最增]大$", left)
    ):
        return None if not left.endswith("负") else cardinal(match[0])
    return re.sub("^两", "二", cardinal(match[0])) if len(match[0]) < 4 else cardinal(match[0])


_NUMBERS_THAT_COUNT = re.compile("(?:共|有|每天|每周|每|还剩|剩|开|加开|跑|多|差|隔|发)$")


def _shift(match: re.Match[str]) -> str | None:
    return "两" if _NUMBERS_THAT_COUNT.search(cues.left_of(match)) else None


def _more(match: re.Match[str]) -> str:
    right = cues.right_of(match)
    plus = "多" if COUNTED.match(right) and not match[2] else "加"
    return scaled(match[1], match[2]) + plus


_OPERAND = re.compile(f"(?:(?<![A-Za-z])[A-Za-z]|[0-9)%℃元]|[0-9] ?{UNIT}) {{1,2}}$")


def _operator(match: re.Match[str]) -> str | None:
    return {"-": "减", "+": "加", "±": "正负"}[match[1]] if _OPERAND.search(cues.left_of(match)) else None


def _signed(match: re.Match[str]) -> str | None:
    """A sign and a number, if nothing stands before it that it could be subtracted from."""
    left, right = cues.left_of(match), cues.right_of(match)
    if match[1] == "-" and match[0][1] == " " and re.search("(?:^|[^0-9)]) $", left):
        return None
    if _OPERAND.search(left):
        return {"-": "减", "+": "加", "±": "正负"}[match[1]] + scaled(match[2], match[3], False)
    if re.search(
        "[A-Za-z0-9)%]$|[0-9](?:[年月日号点时分秒元个天周岁度米页章节楼层万亿千百]|小时|分钟|公[里斤])$", left
    ):
        return None
    name = re.search(
        "(?:歼|轰|运|直|强|东风|神舟|嫦娥|长征|红旗|巨浪|鹰击|图|米格|苏|天宫|问天|波音|空客|酷睿|附录|[^0-9]表)$", left
    )
    if name and match[1] == "-":
        return number(match[2]) if len(match[2]) < 3 else one_by_one(match[2])
    counting = bool(COUNTED.match(right))
    if match[1] == "-" and re.match("度", right) and cues.is_temperature(left):
        return "零下" + scaled(match[2], match[3], False)
    return sign_word(match[1]) + scaled(match[2], match[3], counting and not right.startswith(("度", "楼", "层")))


def _number(match: re.Match[str]) -> str | None:
    right = cues.right_of(match)
    if re.search("号[楼院]|单元|[栋幢]$", cues.left_of(match)[-2:]):
        return scaled(match[1], match[2], is_counted=False)
    return say_before(match[1], match[2], right[1:] if right[:1] == " " else right)


_RANGE_N = f"(?P<n>{N})(?P<scale>{SCALE})"

_RANGE_TO = f"(?P<to>{N})(?P<scale2>{SCALE})"

COUNTS = (
    rule(
        "count",
        rf"(?<![0-9A-Za-z第周期拜初高大小负零分米块$¥€£.,:/×*+~±—-])([1-9][0-9]{{0,8}})(?=(?:{CLEAR})(?!级|之|"
        rf" ?[-~—至到/×*x+]))",
        lambda match: counted(match[1]),
        sign="a",
    ),
    rule(
        "day",
        r"(?<![0-9A-Za-z$¥€£.,:/×*+~±·、—-])([1-9][0-9]?)(?=[月日号](?!游|内| ?[-—~至到]))",
        lambda match: cardinal(match[1]),
        sign="月日号",
        digits="12",
    ),
)
PAIRS = (
    rule(
        "ratio", rf"{FREE}(?<![A-Za-z])(?<![0-9]:){N}(?: ?: ?{N}){{1,4}}", _ratio, sign=": ", spaced=":", is_amount=True
    ),
    rule(
        "score", r"(?<![0-9A-Za-z./-])([0-9]{1,3})-([0-9]{1,3})(?![0-9A-Za-z.-])", _dashed_score, sign="-", digits="123"
    ),
)
SUBTRACTION = (
    rule("math", rf"(?<![A-Za-z0-9.])({N}) ?- ?(?=(?P<to>{N}))", _subtraction, sign="- ", spaced="-", is_amount=True),
)
PARTS = (
    rule(
        "fraction",
        r"(?<![0-9./])(?:([0-9]{1,3}) )?([0-9]{1,4})/([0-9]{1,5})(?![0-9/]|\.[0-9])",
        _fraction,
        sign="/ ",
        spaced="0",
        digits="1234",
    ),
    rule(
        "fraction",
        r"(?<![0-9./])([0-9]{1,2})/([0-9]{1,2}\.[0-9]{1,3})(?![0-9/.])",
        lambda match: f"{number(match[2])}分之{cardinal(match[1])}",
        sign="/",
        digits="12",
    ),
    rule(
        "fraction",
        r"(?<![0-9.])([0-9]{1,2}\.[0-9]{1,2})/(5|10|100)(?![0-9/.])",
        lambda match: f"{cardinal(match[2])}分之{number(match[1])}",
        sign=".",
        digits="12",
    ),
    rule("fraction", r"(?<![0-9.])([0-9]{1,5})分之([0-9]{1,5})(?![0-9])", _of, sign="分", digits="12345"),
    rule(
        "about",
        rf"(?<![0-9.、第])([1-8])、([2-9])(?=(?:{CLEAR}|[年层倍万千百十])(?!级))",
        _about,
        sign="、",
        digits="1",
    ),
    rule("range", f"{_RANGE_N}(?P<link>{TO}){_RANGE_TO}", _range, sign=TO_SIGN + SCALE_SIGN, is_amount=True),
)
ORDINALS = (
    rule(
        "day",
        r"(?:(?<=[大正腊]年初)|(?<=正月初)|(?<=腊月初)|(?<=[春农节历]初)|(?<![\u3400-\u9fff]初)(?<=初))(?:10|[1-9])(?![0-9.])",
        lambda match: cardinal(match[0]),
        digits="12",
    ),
    rule(
        "ordinal",
        r"(?<![A-Za-z0-9.])([1-9][0-9]{0,2})(?:st|nd|rd|th)(?![A-Za-z0-9])",
        lambda match: f"第{cardinal(match[1])}",
        sign="snrt",
        digits="123",
    ),
    rule("ordinal", r"(?<![0-9.])[0-9]{1,9}(?![0-9.])", _ordinal),
    rule("list", r"([0-9]{1,2})(\.|、|\)) {0,2}(?=[^\s0-9.,、)])", _list_item, sign=".、)", digits="12"),
    rule("list", r"([0-9]{1,2})(\.|\)) {1,2}(?=\S)", _list_item, sign=".)", digits="12"),
)
NUMBERS = (
    rule("number", r"(?<![0-9.])[0-9]{1,2}(?![0-9.])", _seconds_after, digits="12"),
    rule("quantity", r"(?<![0-9.])2(?=班(?!级|[的长主])|层|级)", _shift, sign="班层级", digits="1"),
    rule("quantity", rf"{FREE}({N})({SCALE})\+(?! ?[0-9A-Za-z])", _more, sign="+" + SCALE_SIGN, is_amount=True),
    rule("math", "([-+±]) (?=[0-9])", _operator, ".", sign="-+±"),
    rule("signed", rf"([-+±]) ?({N})({SCALE})", _signed, ".", sign="-+±"),
    rule("number", rf"{FREE}({N})({SCALE})", _number),
    rule("digits", "[0-9]{1,64}", lambda match: one_by_one(match[0])),
)
