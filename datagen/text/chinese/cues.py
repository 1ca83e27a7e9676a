"""What stands beside a number in Chinese and decides its class. Texts are in simplified characters."""

import re
from functools import lru_cache

_WINDOW = 16
_LINK = r"(?:号码|号|码)?(?:依次|分别|就|应该|好像|大概|应)?(?:是|为|:|\s|,|\"|'|\(|\[|改成|改为|设为|设成|输入|填|写)*"
_MIXED = "[A-Za-z0-9 _.-]{0,8}"

_CODE = re.compile(
    rf"(?:验证码|校验码|密码|口令|邮编|邮政编码|编码|代码|条形码|条码|邀请码|优惠码|兑换码|取件码|提货码|取货码|取票码|核销码|识别码|激活码|"
    rf"单号|订单|工单|退款单|快递单|运单|保单|单据|账号|帐号|账户|卡号|尾号|后[一二三四五六七八九0-9]位(?:数|数字)?|前[一二三四五六七八九0-9]位(?:数|数字)?|"
    rf"末[一二三四五六七八九0-9]位(?:数|数字)?|背面[一二三四五六七八九0-9]位(?:数|数字)?|[一二三四五六七八九0-9]位数字?|学号|工号|编号|证号|学籍号|流水号|案号|批号|序列号|批次号|档案号|"
    rf"身份证|护照|驾照|社保卡|银行卡|会员卡|信用卡|储蓄卡|车架号|车牌|车号|书号|刊号|文号|票号|取餐号|排队号|合同号|微信|QQ|QQ群|群号|"
    rf"股票|基金|国标|错误码|报错|房间|房号|会议室|教室|包间|包厢|病房|门牌|房门|分机|内线|区号|柜号|储物柜|门禁|暗号|频道号?|航班|车次|车厢号|会议号|端口|(?<![A-Za-z])IP|料号|货号|款号|(?<![A-Za-z])(?:OTP|PIN|ID|id|UID))"
    rf"{_LINK}{_MIXED}$"
)
_PHONE = re.compile(
    rf"(?:电话|手机|热线|座机|传真|联系方式|拨打|致电|客服|来电|回拨|呼叫|专线|电联|报警|急救|火警|拨通|拨|短信[到至])(?:了|过|通|一下|请)?{_LINK}$"
    rf"|转$"
)
_DIAL = re.compile("(?:打|拨|呼叫|按|拨打|致电)(?:了|过|通|给|一下)?$")
_RATIO = re.compile(
    r"(?:比例尺?|比分|比值|配比|比率|赔率|兑水?|稀释|分[为成]|战成|踢成|打成|扳成|改写[为成]|[和与][水糖盐油醋粉奶米酒蜜]|(?<![对])按照?|以)"
    r"(?:大?约|都|就|暂时|最终|定格在|锁定)?(?:是|为|:|\s)*$"
)
_SCORE_RIGHT = re.compile(
    "(?:的?(?:大?比分|优势|成绩|总比分))|(?:完|大|小|险|惜|力|轻)?(?:取?胜|败|赢|输|负|平(?!方|均|米|台))|战[胜平]|领先|落后|晋级|击败|逆转|告[负捷]|不敌|拿下|淘汰|的?比例|"
    "的?(?:屏幕|画面|画幅|宽屏)|稀释|兑|勾兑|混合"
)
_YEAR_LEFT = re.compile("(?:公元|公历|西元|民国|始于|生于|建于|成立于|卒于|截至|自|于|届|[到至—-])$")
_TEMPERATURE = re.compile("(?:气温|温度|体温|最低|最高|低温|高温|今天|明天|后天|昨天|夜间|白天|降[到至]|冷冻|室外|零下|温)[^,.;!?]{0,4}$")
_ONLY = re.compile("(?:共|有|每天|每|还剩|剩|开|加|跑|上|下|多|差|隔|等)$")
_UNIT_IN_HOUSE = re.compile(r"(?:[楼层栋座单元厦室门排]|请到|住在?|家在|[A-Z]座|位于|,|\s)+$")


def left_of(match: re.Match[str]) -> str:
    """The text before a match, as much of it as cues look at."""
    return match.string[max(0, match.start() - _WINDOW) : match.start()]


def right_of(match: re.Match[str]) -> str:
    """The text after a match, as much of it as cues look at."""
    return match.string[match.end() : match.end() + _WINDOW]


@lru_cache(maxsize=1024)
def is_code(left: str) -> bool:
    """True after words such as 验证码.

    >>> is_code("您的验证码是"), is_code("我有")
    (True, False)
    """
    return bool(_CODE.search(left))


@lru_cache(maxsize=1024)
def is_phone(left: str) -> bool:
    """True after words such as 电话.

    >>> is_phone("客服热线:"), is_phone("我有")
    (True, False)
    """
    return bool(_PHONE.search(left))


def is_dialled(left: str) -> bool:
    """True after a verb of dialling.

    >>> is_dialled("火灾请打"), is_dialled("我有")
    (True, False)
    """
    return bool(_DIAL.search(left))


def is_ratio(left: str, right: str) -> bool:
    """True if a pair of numbers is a score or a ratio, not a time of day.

    >>> is_ratio("比分是", ""), is_ratio("我们", "赢了"), is_ratio("会议", "开始")
    (True, True, False)
    """
    return bool(_RATIO.search(left) or _SCORE_RIGHT.match(right))


@lru_cache(maxsize=1024)
def is_temperature(left: str) -> bool:
    """True after words of the weather.

    >>> is_temperature("最低气温"), is_temperature("余额")
    (True, False)
    """
    return bool(_TEMPERATURE.search(left))
