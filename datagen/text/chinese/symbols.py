"""The rules of marks and symbols in Chinese, in order: said, a pause, or dropped by name."""

import re
from collections.abc import Callable

from datagen.text.chinese import cues
from datagen.text.chinese.units import PER, SYMBOLS, UNIT
from datagen.text.chinese.words import cardinal, one_by_one
from datagen.text.reading import Rule

_HAN = "\u3400-\u9fff\U00020000-\U000323af"
_LATIN = "A-Za-zÀ-ÖØ-öø-ɏ"
_WIDE = str.maketrans(",.?!;:、…", "，。？！；：，。")
_EMOJI = (
    "[\u2190\u2191\u2193\u2195-\u21ff\u2300-\u23ff\u2500-\u27bf\u2900-\u297f\u2b00-\u2bff\u3030\u303d\u3297\u3299"
    "\U0001f000-\U0001faff\ufe00-\ufe0f\u200d\U000e0020-\U000e007f※〓★☆○●◎◇◆□■△▲▽▼♀♂]"
)

_Say = Callable[[re.Match[str]], str | None]


def _marks(match: re.Match[str]) -> str:
    return match[0].translate(_WIDE)


def _dot(match: re.Match[str]) -> str:
    """A dot inside Latin letters and digits: in an address 点, in initials nothing."""
    left, right = cues.left_of(match), cues.right_of(match)
    if re.search(r"(?:^|[^A-Za-z0-9])[A-Za-z]$|\.[A-Za-z]$", left) and re.match(r"[A-Za-z](?:\.|[^A-Za-z0-9]|$)", right):
        return " "
    return " " if re.search("(?<![A-Za-z])(?:Vol|vol|Fig|Ch|Sec|Ver|Rev|Mr|Dr|Ms)$", left) else "点"


def _hyphen(match: re.Match[str]) -> str | None:
    left, right = cues.left_of(match), cues.right_of(match)
    is_dash = left.endswith(" ") and right.startswith(" ")
    left, right = (left.rstrip(" "), right.lstrip(" ")) if is_dash else (left, right)
    if re.search(rf"(?<![{_LATIN}])[{_LATIN}]$", left) and not re.match(f"[{_LATIN}0-9]", right) and not is_dash:
        return "减"
    if re.search(r"(?:(?<![A-Za-z])[A-Za-z]|[0-9)]) ?$", left) and re.match("(?:[A-Za-z](?![A-Za-z])|[0-9(])", right) and is_dash:
        return "减"
    if "·" in left and re.match("[\u3400-\u9fff]", right):
        return ""
    if re.search("[\u3400-\u9fff]$", left) and re.match(r"[\u3400-\u9fff]{2,6}(?:高铁|航班|列车|火车|机票|线|航线|高速|的(?:高铁|航班|火车|机票|车票))", right):
        return "到"
    if re.search("[A-Za-z]-?[0-9]{1,9}$", left):
        return " "
    if re.search(r"[\^=+*×÷]", left) and re.search("[0-9)]$", left) and not is_dash and re.match("[0-9a-z(]", right):
        return "减"
    if re.search("[0-9](?:[%年月日号点时分秒元个天周岁度米页章节楼层万亿千百]|小时|分钟|公[里斤])?$", left) and re.match("[0-9]", right):
        return "到"
    if re.search("[A-Za-z0-9]$", left) and re.match(rf"[A-Za-z0-9._-]{{1,40}}@|[A-Za-z0-9-]{{1,40}}\.(?:com|cn|net|org|edu|gov|io)(?![a-z])", right):
        return "杠"
    if re.search("(?:周|星期|礼拜)[一二三四五六日天]$", left) and re.match("周|星期|礼拜", right):
        return "到"
    return " " if not is_dash and re.search(f"[{_LATIN}0-9]$", left) and re.match(f"[{_LATIN}0-9]", right) else "，"


_PAID = re.compile("(?:[元块人次个件万亿角分里米克升]|[A-Za-z]|公里|千克|吨)$")


def _slash(match: re.Match[str]) -> str:
    left, right = cues.left_of(match), cues.right_of(match)
    if _PAID.search(left) and re.match(f"(?:{PER}|{UNIT})(?![{_HAN}]{{2}})", right) and not re.search("[A-Za-z]$", left):
        return "每"
    if re.search("[元块]$", left):
        return ""
    if left.endswith("和") and right.startswith("或"):
        return ""
    if re.search("[0-9a-zA-Z]$", left) and re.match("[0-9a-zA-Z]", right):
        return "斜杠" if re.search(r"[0-9]$|\.[A-Za-z]{2,6}(?:/[A-Za-z0-9_-]{1,16})?$", left) or re.match("[0-9]", right) else " "
    return "或" if right.strip() and left.strip() else "，"


def _hash(match: re.Match[str]) -> str:
    left, right = cues.left_of(match), cues.right_of(match)
    if re.search(r"(?<![A-Za-z])[A-Z]$", left):
        return "井"
    if re.match("[号]", right):
        return "井"
    if re.match("键", right) or (re.search("[0-9]$", left) and not re.match(f"[{_HAN}]", right)):
        return "井号"
    return ""


def _number_sign(match: re.Match[str]) -> str | None:
    return None if re.search("[A-Za-z0-9]$", cues.left_of(match)) else f"第{cardinal(match[1])}"


def _tilde(match: re.Match[str]) -> str:
    left, right = cues.left_of(match), cues.right_of(match)
    if not re.match(" ?[0-9¥$€£]", right):
        return "到" if re.search("[0-9日月号]$", left) and right.strip() else "，"
    return "到" if re.search(f"[0-9{_HAN}]$", left) and re.search("[0-9日月号点分年元度%周]$", left) else "约"


def _power(match: re.Match[str]) -> str:
    if match[1] == "2":
        return "的平方"
    minus = "负" if match[1].startswith("-") else ""
    return f"的{minus}{cardinal(match[1].lstrip('-'))}次方"


def _plus(match: re.Match[str]) -> str:
    return "加" * min(len(match[0].replace(" ", "")), 2)


def _underscores(match: re.Match[str]) -> str | None:
    left, right = cues.left_of(match), cues.right_of(match)
    if len(match[0]) > 2:
        return None
    return "下划线" if re.search("[A-Za-z0-9]$", left) and re.match("[A-Za-z0-9]", right) else ""


def _apostrophe(match: re.Match[str]) -> str:
    left, right = cues.left_of(match), cues.right_of(match)
    return "'" if re.search(f"[{_LATIN}]$", left) and re.match(f"[{_LATIN}]", right) else ""


def _fixed(words: str) -> _Say:
    return lambda match: words


def _rule(name: str, pattern: str, say: _Say | str) -> Rule:
    return Rule(name, re.compile(pattern), _fixed(say) if isinstance(say, str) else say, ".")


_WORDS = {
    "=": "等于", "×": "乘", "÷": "除以", "±": "正负", "≈": "约等于", "≠": "不等于", "≤": "小于等于", "≥": "大于等于", "√": "根号", "∞": "无穷大", "∠": "角", "∈": "属于", "∵": "因为", "∴": "所以", "⊥": "垂直于", "∥": "平行于",
    "⋅": "乘", "≡": "恒等于", "∝": "正比于", "°": "度", "%": "百分号", "‰": "千分号", "&": "和", "@": "艾特", "§": "第", "〇": "零",
    "〒": "邮编", "〜": "到", "∶": "比", "≪": "远小于", "≫": "远大于", "≦": "小于等于", "≧": "大于等于", "∑": "求和", "∫": "积分",
    "∪": "并", "∩": "交", "⊂": "包含于", "∅": "空集", "∆": "三角", "∂": "偏",
}  # fmt: skip

RULES = (
    _rule("decimal", r"(?<![A-Za-z0-9])\.([0-9]{1,20})(?![0-9.])", lambda match: "零点" + one_by_one(match[1])),
    _rule("comparison", f" {{0,1}}(?:(?<=[0-9A-Za-z)%{_HAN} ])[<>](?= ?[0-9A-Za-z({_HAN}-])|^[<>](?=[0-9]))", lambda match: "小于" if "<" in match[0] else "大于"),
    _rule("factorial", r"(?<=[0-9a-z)])!(?= ?[/=×*+(])", "的阶乘"),
    _rule("dot", r"(?<=[A-Za-z0-9])\.(?=[A-Za-z0-9])", _dot),
    _rule("ellipsis", r"(?:\.{2,64}|…{1,64})", "，"),
    _rule("mark", r"[,.?!;:，。？！；：、…]{1,64}", _marks),
    _rule("space", r"\s{1,64}", " "),
    _rule("apostrophe", "'", _apostrophe),
    _rule("quote", "[\"“”‘’«»《》〈〉「」『』`´]{1,64}", ""),
    _rule("bracket", r"[()（）\[\]{}【】〔〕〖〗|]{1,64}", "，"),
    _rule("arrow", r"[-=]>|[→⇒➡⟶➔➜]", "到"),
    _rule("arrow", "<[-=](?![0-9])|[←⇐]", "，"),
    _rule("equation", r"==?", "等于"),
    _rule("dash", r"—{1,64}|-{2,64}", "，"),
    _rule("hyphen", "-", _hyphen),
    _rule("slash", " ?/ ?", _slash),
    _rule("ordinal", "#([0-9]{1,3})(?![0-9])", _number_sign),
    _rule("hash", "#", _hash),
    _rule("about", "~", _tilde),
    _rule("power", r"\^\(?(-?[0-9]{1,3})\)?", _power),
    _rule("power", r"\^(?=[A-Za-z])", "的"),
    _rule("root", r"√(?=[0-9])", "根号"),
    _rule("plus", r"\+{1,3}", _plus),
    _rule("underscore", "_{1,64}", _underscores),
    _rule("middle dot", "[·•‧∙・◦▪]{1,64}", ""),
    _rule("star", r"\*(?=[键号])", "星"),
    _rule("star", r"\*{1,64}", ""),
    *(_rule("symbol", re.escape(symbol), words) for symbol, words in _WORDS.items()),
    _rule("currency", "[€£¥₩]", lambda match: SYMBOLS[match[0]]),
    _rule("emoji", f"{_EMOJI}{{1,64}}", ""),
)
