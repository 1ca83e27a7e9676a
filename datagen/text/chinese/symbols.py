"""The rules of marks and symbols in Chinese, in order: said, a pause, or dropped by name."""

import re
from collections.abc import Callable
from functools import partial

from datagen.text.chinese import cues
from datagen.text.chinese.units import LATIN, PER, SYMBOLS, UNIT
from datagen.text.chinese.words import cardinal, one_by_one
from datagen.text.reading import Rule, any_case, rule, says

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
    if re.search(r"(?:^|[^A-Za-z0-9])[A-Za-z]$|\.[A-Za-z]$", left) and re.match(
        r"[A-Za-z](?:\.|[^A-Za-z0-9]|$)", right
    ):
        return " "
    return " " if re.search("(?<![A-Za-z])(?:Vol|vol|Fig|Ch|Sec|Ver|Rev|Mr|Dr|Ms)$", left) else "点"


_JOINED, _APART = "\ue020", "\ue021"
"""Stand for a sign with or without spaces around it, in the patterns of what is on its sides."""
_SIGN = f"[{_JOINED}{_APART}]"
_Table = tuple[tuple[re.Pattern[str], str], ...]


def _table(*rows: tuple[str, str]) -> _Table:
    return tuple((re.compile(pattern), words) for pattern, words in rows)


def _by_sides(table: _Table, match: re.Match[str]) -> str:
    """The words of the first row whose pattern is found around a sign."""
    left, right = cues.left_of(match), cues.right_of(match)
    spaced = f"{left}{match[0].replace(match[0].strip(), _JOINED)}{right}"
    around = re.sub(f" +{_JOINED} *|{_JOINED} +", _APART, spaced)
    return next(words for pattern, words in table if pattern.search(around))


_COMPOUND = (
    "体系|系统|平衡|反应|关系|模型|理论|定律|定理|方程|曲线|循环|协议|转换|合作|组合|结构|效应|交互|协同|界面|接口|自贸区|自由贸易|"
    "博览会|协定|峰会|联合|一体化|混合|综合|比(?![分赛较])|对"
)
"""Words after two nouns with a dash between them that it links."""
_HYPHENS = _table(
    (f"(?<![{_LATIN}])[{_LATIN}]{_JOINED}(?![{_LATIN}0-9])", "减"),
    (f"(?:(?<![A-Za-z])[A-Za-z]|[0-9)]){_APART}(?:[A-Za-z](?![A-Za-z])|[0-9(])", "减"),
    (f"·[^·]{{1,12}}{_JOINED}[{_HAN}]", ""),
    (f"[{_HAN}]{_SIGN}[{_HAN}]{{2,6}}(?:高铁|航班|列车|火车|机票|线|航线|高速|的(?:高铁|航班|火车|机票|车票))", "到"),
    (f"[{_HAN}]{_SIGN}[{_HAN}]{{1,8}}?(?:{_COMPOUND})", ""),
    (f"(?P<letter>[A-Z])[0-9]{{1,4}}{_JOINED}(?P=letter)[0-9]", "到"),
    (f"(?:(?:波音|空客)[A-Z]?[0-9]{{3}}|[A-Za-z]-?[0-9]{{1,9}}){_JOINED}", " "),
    (f"[\\^=+*×÷].{{0,12}}[0-9)]{_JOINED}[0-9a-z(]", "减"),
    (f"[0-9](?:[%年月日号点时分秒元个天周岁度米页章节楼层万亿千百]|小时|分钟|公[里斤])?{_SIGN}[0-9]", "到"),
    (
        f"[A-Za-z0-9]{_JOINED}(?:[A-Za-z0-9._-]{{1,40}}@|[A-Za-z0-9-]{{1,40}}\\.(?:com|cn|net|org|edu|gov|"
        f"io)(?![a-z]))",
        "杠",
    ),
    (f"(?<![A-Za-z])[a-z]{_JOINED}[a-z](?![A-Za-z])", "减"),
    (f"[0-9月日号点时分]{_SIGN}(?:次|翌|第二)", "到"),
    (f"(?:周|星期|礼拜)[一二三四五六日天]{_SIGN}(?:周|星期|礼拜)", "到"),
    (f"[{_LATIN}0-9]{_JOINED}[{_LATIN}0-9]", " "),
    ("", "，"),
)
_SLASHES = _table(
    (f"(?:[0-9][{_HAN}]{{1,2}}|[元块人次个件万亿角分里米克升]){_SIGN}(?:{PER}|{UNIT})(?![{_HAN}]{{2}})", "每"),
    (f"[元块]{_SIGN}", ""),
    (f"[月年天日次晚]{_SIGN}[人位户间台]", "每"),
    (f"(?:°[CF]?|%){_SIGN}[0-9]", "，"),
    (f"(?:[0-9)!]{_APART}[0-9(]|[)!]{_JOINED}[0-9(]|[0-9]{_JOINED}\\()", "除以"),
    (f"[0-9](?:[A-Za-z]{{1,4}}|[升克]){_SIGN}100 ?(?:km|公里|g|克|m[lL])", "每"),
    (f"[0-9](?:[A-Za-z]{{1,4}}|[升克])?{_SIGN}[0-9]", "，"),
    (f"和{_JOINED}或", ""),
    (f"(?:[0-9]|\\.[A-Za-z]{{2,6}}(?:/[A-Za-z0-9_-]{{1,16}})?){_JOINED}[0-9A-Za-z]|[A-Za-z]{_JOINED}[0-9]", "斜杠"),
    (f"[A-Za-z]{_SIGN}[A-Za-z]", " "),
    (f"(?:类型|类别|题材|风格|分类|体裁|标签|流派)[^,.;。]{{0,12}}{_SIGN}", "，"),
    (f"{_SIGN}[{_HAN}]{{1,4}}(?:电影|片(?!段)|小说|剧(?!烈)|动画|题材|风格|音乐)", "，"),
    (f"[^ ,.]{_SIGN}[^ ,.]", "或"),
    ("", "，"),
)


def _hash(match: re.Match[str]) -> str:
    left, right = cues.left_of(match), cues.right_of(match)
    if re.search(r"(?<![A-Za-z])[A-Z]$", left):
        return "井"
    if re.search("[0-9]$", left) and re.match("[0-9楼栋门机线厅窗桌炉柴汽油]", right):
        return "号"
    if re.match("[号]", right):
        return "井"
    if re.search(r"[以按拨或和、*](?:下|一下)? ?[\"“'‘]?$", left) and re.match(
        r"[\"”'’]? ?(?:键|结束|结尾|开头|返回|确认|退出|挂断|重听|[和或、,，。;；]|$)", right
    ):
        return "井号"
    if (
        re.match(r" ?[和或、] ?(?:\*|星号)", right)
        or re.match("键", right)
        or (re.search("[0-9]$", left) and not re.match(f"[{_HAN}]", right))
    ):
        return "井号"
    return "，" if left.endswith(" ") else ""


def _number_sign(match: re.Match[str]) -> str | None:
    return None if re.search("[A-Za-z0-9]$", cues.left_of(match)) else f"第{cardinal(match[1])}"


_AFTER_BRACKET = re.compile(
    "[\"'”’」』》 ]{0,2}(?:的(?![确士])|"
    "了(?!解)|[吗呢吧嘛啊呀啦们着]|地(?![球区方址点铁理面图])|得(?![到出以])|过(?![去程后于度])|之|"
    "中(?![国文央午])|[里内](?!容|部)|上(?![海午周])|"
    "时(?![间代])|后(?!来)|前(?!往)|等(?![待到])|组成|构成|所|以[上下内外]|左右|一样|似的)"
)
"""Beginnings that belong to the word before a bracket: nobody pauses before it."""
_GLOSS = re.compile(f"[(\\[][{_LATIN}][{_LATIN} .'-]{{0,24}}$")
_PREDICATE = re.compile(
    "[是在有为也都就和与及或以将会能可被把对从由于则而但并其又还不没已曾让使给向因这那说发创成提开通位]|来自|主要|通常|包括|"
    "作|指|属|等于|进|出|做|表|代|需|负|拥|具|去|来|推|宣|认|决|采|生|获|得"
)


def _closing(match: re.Match[str]) -> str:
    """A pause after a bracket, but none before what belongs to the word in front of it."""
    left, right = match.string[max(0, match.start() - 28) : match.start()], cues.right_of(match)
    if _AFTER_BRACKET.match(right):
        return ""
    is_gloss = _GLOSS.search(left) and re.match(f"[{_HAN}]", right) and not _PREDICATE.match(right)
    return "" if is_gloss else "，"


def _unit_again(match: re.Match[str]) -> str | None:
    """摄氏度(℃): the sign of a unit after its name."""
    left = cues.left_of(match)
    if not left.endswith(LATIN[match[1]]):
        return None
    return "" if _AFTER_BRACKET.match(cues.right_of(match)) or not re.match(f"[{_HAN}]", cues.right_of(match)) else " "


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


def _charge(match: re.Match[str]) -> str | None:
    """The charge of an ion: SO4²⁻."""
    return cardinal(match[1]) + ("负" if match[2] == "-" else "正") if _ION.search(cues.left_of(match)) else None


def _single_charge(match: re.Match[str]) -> str | None:
    """The charge of H+, OH- and their like."""
    ions = _POSITIVE if match[0] == "+" else _NEGATIVE
    if not ions.search(cues.left_of(match)) or re.match(" [0-9(]", cues.right_of(match)):
        return None
    return "正" if match[0] == "+" else "负"


_POSITIVE = re.compile("(?<![A-Za-z0-9])(?:H|Na|K|Li|Ag|NH4|H3O)$")
_NEGATIVE = re.compile("(?<![A-Za-z0-9])(?:OH|Cl|Br|NO3|NO2|HCO3|HSO4|HSO3|MnO4|CN|ClO)$")
_ION = re.compile(r"(?<![A-Za-z])(?:[A-Z][a-z]?[0-9]{0,2}|\([A-Za-z0-9]{1,8}\)[0-9]?){1,5}$")


def _arrow(match: re.Match[str]) -> str:
    """From one place to another; a pause between sentences, 生成 after the sum of a reaction."""
    left, right = cues.left_of(match).rstrip(), cues.right_of(match).lstrip()
    if re.search("[.,!?;:。，！？；：]$", left):
        return "，"
    return "生成" if _REACTION.search(left) and re.match("[0-9]{0,2}[A-Z(]", right) else "到"


_REACTION = re.compile(
    r"[A-Z][A-Za-z0-9()]{0,8} ?\+ ?[0-9]{0,2}[A-Z][A-Za-z0-9()]{0,8}$|[A-Z][a-z]?[0-9][A-Za-z0-9()]{0,8}$"
)


_FUNCTION = re.compile(r"(?<![A-Za-z])[A-Za-z]\([A-Za-z0-9^ ]{1,16}$")


def _function_end(match: re.Match[str]) -> str | None:
    """The bracket that closes f(x) or O(n)."""
    left = match.string[max(0, match.start() - 18) : match.start()]
    return " " if _FUNCTION.search(left) else None


def _secret_end(match: re.Match[str]) -> str | None:
    """The last sign of a password with underscores."""
    return "感叹号" if re.search("[A-Za-z0-9]_[A-Za-z0-9]{1,15}$", cues.left_of(match)) else None


def _plus(match: re.Match[str]) -> str:
    return "加" * min(len(match[0].replace(" ", "")), 2)


def _underscores(match: re.Match[str]) -> str | None:
    left, right = cues.left_of(match), cues.right_of(match)
    if len(match[0]) > 2 or left.endswith("_"):
        return None
    return "下划线" if re.search("[A-Za-z0-9]$", left) and re.match("[A-Za-z0-9]", right) else ""


def _apostrophe(match: re.Match[str]) -> str:
    left, right = cues.left_of(match), cues.right_of(match)
    return "'" if re.search(f"[{_LATIN}]$", left) and re.match(f"[{_LATIN}]", right) else ""


def _rule(name: str, pattern: str, say: _Say | str, sign: str = "") -> Rule:
    """A rule of signs; a part begins with one of those that are named."""
    return rule(name, pattern, says(say) if isinstance(say, str) else say, ".", sign=sign)


_CLOSE = ")）]}】〕〗"

GREEK_LETTER = re.compile("(?<![\u0370-\u03ff])(?<![\u0370-\u03ff] )[Α-Ωα-ω](?! ?[\u0370-\u03ff])")
"""A letter as a symbol, not one of a Greek text."""

_WORDS = {
    "=": "等于", "×": "乘", "÷": "除以", "±": "正负", "≈": "约等于", "≠": "不等于", "≤": "小于等于",
    "≥": "大于等于", "√": "根号", "∞": "无穷大", "∠": "角", "∈": "属于", "∵": "因为", "∴": "所以",
    "⊥": "垂直于", "∥": "平行于",
    "⋅": "乘", "≡": "恒等于", "∝": "正比于", "°": "度", "%": "百分号", "‰": "千分号", "&": "和", "@": "艾特",
    "§": "第", "〇": "零",
    "〒": "邮编", "〜": "到", "∶": "比", "≪": "远小于", "≫": "远大于", "≦": "小于等于", "≧": "大于等于",
    "∑": "求和", "∫": "积分",
    "⇋": "可逆生成", "⇌": "可逆生成", "∪": "并", "∩": "交", "⊂": "包含于", "∅": "空集", "∆": "三角", "∂": "偏",
}  # fmt: skip

_GREEK_NAMES = (
    "阿尔法 贝塔 伽马 德尔塔 艾普西隆 泽塔 伊塔 西塔 约塔 卡帕 拉姆达 缪 纽 克西 奥密克戎 派 柔 西格玛 西格玛 陶 "
    "宇普西隆 斐 希 普西 欧米伽"
)
_GREEK = dict(zip("αβγδεζηθικλμνξοπρσςτυφχψω", _GREEK_NAMES.split(), strict=True))

RULES = (
    Rule(
        "Greek letter",
        GREEK_LETTER,
        lambda match: _GREEK[match[0].lower()],
        "a",
        any_case(_GREEK),
    ),
    _rule("initials", f"(?<=[A-Z]\\.[A-Z])\\.(?=[{_HAN}])", "", "."),
    _rule("charge", r"[-+](?=$|[ ,.;:?!)，。；、{_HAN}])".replace("{_HAN}", _HAN), _single_charge, "-+"),
    _rule("charge", r"(?<=[A-Z0-9a-z)\]])\^([0-9])([-+])(?![0-9A-Za-z(]| [0-9a-z(])", _charge, "^"),
    _rule("decimal", r"(?<![A-Za-z0-9])\.([0-9]{1,20})(?![0-9.])", lambda match: "零点" + one_by_one(match[1]), "."),
    _rule(
        "comparison",
        f" {{0,1}}(?:(?<=[0-9A-Za-z)%{_HAN} ])[<>](?= ?[0-9A-Za-z({_HAN}-])|^[<>](?=[0-9]))",
        lambda match: "小于" if "<" in match[0] else "大于",
        " <>",
    ),
    _rule("factorial", r"(?<=[0-9a-z)])!(?= ?[/=×*+(])", "的阶乘", "!"),
    _rule("secret", "!(?=[\"”'])", _secret_end, "!"),
    _rule("dot", r"(?<=[A-Za-z0-9])\.(?=[A-Za-z0-9])", _dot, "."),
    _rule("ellipsis", r"(?:\.{2,64}|…{1,64})", "，", ".…"),
    _rule("mark", r"[,.?!;:，。？！；：、…]{1,64}", _marks, ",.?!;:，。？！；：、…"),
    _rule("space", r"\s{1,64}", " "),
    _rule("apostrophe", "'", _apostrophe, "'"),
    _rule("quote", '["“”‘’«»《》〈〉「」『』`´]{1,64}', ""),
    _rule("call", r"(?<=[A-Za-z0-9_])\(\)", " ", "("),
    _rule("function", r"(?<![A-Za-z][A-Za-z])(?<=[A-Za-z])\((?=[A-Za-z0-9^ ]{1,16}\))", " ", "("),
    _rule("function", r"\)", _function_end, ")"),
    _rule("unit again", rf"\(({UNIT})\)", _unit_again, "("),
    _rule("degrees", "°(?:C|c)(?![A-Za-z])", "摄氏度", "°"),
    _rule("degrees", "°(?:F|f)(?![A-Za-z])", "华氏度", "°"),
    _rule("bracket", r"[)）\]}】〕〗]{1,64}(?=[^\s()（）\[\]{}【】〔〕〖〗|])", _closing, _CLOSE),
    _rule("bracket", r"[()（）\[\]{}【】〔〕〖〗|]{1,64}", "，", "(（[{【〔〖|" + _CLOSE),
    _rule("arrow", r"[-=]>|[→⇒➡⟶➔➜]", _arrow, "-=→⇒➡⟶➔➜"),
    _rule("arrow", "<[-=](?![0-9])|[←⇐]", "，", "<←⇐"),
    _rule("equation", r"==?", "等于", "="),
    _rule("dash", r"—{1,64}|-{2,64}", "，", "—-"),
    _rule("hyphen", "-", partial(_by_sides, _HYPHENS), "-"),
    _rule("slash", "/", partial(_by_sides, _SLASHES), "/"),
    _rule("ordinal", "#([0-9]{1,3})(?![0-9])", _number_sign, "#"),
    _rule("hash", "#", _hash, "#"),
    _rule("about", "~", _tilde, "~"),
    _rule("power", r"\^\(?(-?[0-9]{1,3})\)?", _power, "^"),
    _rule("power", r"\^([A-Za-z])(?![A-Za-z0-9])", lambda match: f"的{match[1]}次方", "^"),
    _rule("power", r"\^(?=[A-Za-z])", "的", "^"),
    _rule("root", r"√(?=[0-9])", "根号", "√"),
    _rule("plus", r"\+{1,3}", _plus, "+"),
    _rule("underscore", "_{1,64}", _underscores, "_"),
    _rule("middle dot", "[·•‧∙・◦▪]{1,64}", ""),
    _rule("star", r"\*(?=号)", "星", "*"),
    _rule("star", r"\*(?=键)", "星号", "*"),
    _rule("star", r"\*{1,64}", "", "*"),
    *(_rule("symbol", re.escape(symbol), words, symbol) for symbol, words in _WORDS.items()),
    _rule("currency", "[€£¥₩]", lambda match: SYMBOLS[match[0]], "€£¥₩"),
    _rule("emoji", f"{_EMOJI}{{1,64}}", ""),
)
