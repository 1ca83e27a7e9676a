"""Parts of the patterns of numbers, and what all rules of numbers share."""

import re
from collections.abc import Callable

from datagen.text.chinese.units import COUNTED
from datagen.text.chinese.words import scaled

N = r"(?:[0-9]{1,3}(?:,[0-9]{3}){1,6}(?![0-9])|[0-9]{1,20}(?![0-9]))(?:\.[0-9]{1,20}(?![0-9]))?(?!\.[0-9])"
"""A number."""
SCALE = "[百千万亿]{0,3}"
SCALE_SIGN = "百千万亿"
FREE = r"(?<![0-9.])"
"""Not inside a longer number."""
BEFORE_SIGN = "(?<![0-9A-Za-z%)℃°])(?<![0-9][元块角度日月年号点时分秒个天岁米克斤楼层万])"
"""A place at which a sign belongs to the number after it."""
TO = r" {0,2}(?:[-—~]|—{2}|至|到) {0,2}"
TO_SIGN = " -—~至到"
"""Characters that `TO` begins with."""
DATE_SEPARATOR = "[-/.]"
HAN = "[\u3400-\u9fff]"
CLEAR = (
    "个月|小时|分钟|公里|公斤|毫升|人(?!世界|转)|"
    "[个位名次天件只张本把台辆套间遍趟份杯瓶碗盒箱包袋片颗粒根支朵棵家篇首句岁种类项款组队条秒周斤克]"
)
"""Measure words that follow only what is counted."""
Say = Callable[[re.Match[str]], str | None]


def say_before(written: str, scale: str, after: str) -> str:
    """A number before a text: 两 if a measure word follows."""
    return scaled(written, scale, is_counted=bool(COUNTED.match(after)))


def to_word(match: re.Match[str]) -> str:
    """The word of a range: 至 if it is written so, else 到."""
    return "至" if "至" in match[0] else "到"


def sign_word(sign: str | None, plus: str = "加") -> str:
    """The word of a sign before a number; empty if there is none."""
    return {"-": "负", "+": plus, "±": "正负"}.get(sign or "", "")


MAKERS = re.compile(
    "(?:(?:波音|空客|空中客车)(?:公司)?的?(?:A?[0-9]{3}(?:[、,/和与及或]|以及)){0,4}|骁龙|麒麟|天玑|标致|电影|奔驰|宝马|奥迪|特工|代号|拒绝|反对|实行|考上|臺北|台北|"
    '[国省县乡]道|型号)[A-Z]?[《" ]?$'
)


YEAR = "(?:1[0-9]|20)[0-9]{2}"
