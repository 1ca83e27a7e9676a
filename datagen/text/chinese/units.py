"""Measure words, units and currencies of Chinese."""

import re

MEASURE = (
    "人次|次|个|位|名|口|只|条|张|本|把|辆|台|件|套|间|遍|趟|回|场|顿|份|杯|瓶|碗|盘|盒|箱|包|袋|块|片|颗|粒|根|支|"
    "枝|朵|棵|株|"
    "幢|家|所|门|篇|首|句|段|章|页|行|列|排|种|类|样|项|款|组|队|对|双|副|打|批|群|轮|局|圈|步|站|单(?!元)|餐|针|"
    "剂|滴|勺|匙|罐|桶|壶|锅|"
    "串|束|捆|卷|枚|封|幅|扇|堵|户|股(?!票|份|东|市|价)|丝|板|居室|日(?=游|内)|[室房](?=[0-9一二两三][厅卫室])|阵|"
    "声|道|通|则|宗|例|笔|桌|题|招|周年|届|季(?!度)|"
    "班倒|拳|刀|端|侧|党|头|匹|艘|架|面|顶|盏|滩|处|"
    "人(?!世界|转)|"
    "公里|公斤|斤|克|千克|毫克|吨|升|毫升|里|亩|公顷|顷|米|厘米|毫米|分米|千米|英寸|英尺|英里|寸|尺|丈|"
    "平方|立方|平米|摄氏度|华氏度|度|伏|瓦|千瓦|安|赫兹|兆|焦|卡|千卡|大卡|分贝|毫安|像素|帧|"
    "秒|分钟|分(?!之)|刻钟|点|小时|钟头|天|周|星期|礼拜|个月|年(?!级)|岁|周岁|晚|夜|"
    "元|角|毛|块钱|美元|欧元|英镑|日元|港币|港元|美金|人民币|韩元|卢比|法郎|铢|"
    "倍|番(?![茄薯])|成|厅|卫|节|堂|课时|学时|字|词|册|部|集|期(?=课)|季度|步|票|球|胜|折(?!起)|"
    "大(?=[0-9一二两]小)|起(?=案|事|车|交|火)|"
    "班(?=[车次])|层(?=楼高)"
)  # fmt: skip
"""Words that are counted: 2 before them is 两. `楼`, `月`, `号` and the like are numbered instead: 二楼."""
COUNTED = re.compile(f"[多余几来]?(?:{MEASURE})")

_LENGTHS = {
    "km": "公里", "m": "米", "dm": "分米", "cm": "厘米", "mm": "毫米", "μm": "微米", "um": "微米", "nm": "纳米",
}  # fmt: skip
LATIN = {
    **_LENGTHS,
    **{f"{short}^2": f"平方{words}" for short, words in _LENGTHS.items()},
    **{f"{short}^3": f"立方{words}" for short, words in _LENGTHS.items()},
    "m2": "平方米", "m3": "立方米", "km2": "平方公里", "cm2": "平方厘米", "cm3": "立方厘米",
    "kg": "千克", "Kg": "千克", "KG": "千克", "g": "克", "mg": "毫克", "ug": "微克", "μg": "微克",
    "mcg": "微克", "t": "吨",
    "lb": "磅", "lbs": "磅", "oz": "盎司", "KM": "公里", "Km": "公里", "CM": "厘米", "MM": "毫米", "ft": "英尺",
    "mi": "英里",
    "mL": "毫升", "ml": "毫升", "ML": "毫升", "L": "升", "l": "升", "dL": "分升", "cc": "毫升",
    "h": "小时", "H": "小时", "hr": "小时", "hrs": "小时", "min": "分钟", "mins": "分钟", "s": "秒",
    "sec": "秒", "ms": "毫秒",
    "W": "瓦", "w": "瓦", "kW": "千瓦", "KW": "千瓦", "kw": "千瓦", "MW": "兆瓦", "V": "伏", "v": "伏",
    "kV": "千伏", "KV": "千伏",
    "mV": "毫伏", "mA": "毫安", "mAh": "毫安时", "mah": "毫安时", "Ah": "安时", "kWh": "千瓦时",
    "kwh": "千瓦时", "KWh": "千瓦时",
    "Wh": "瓦时", "Hz": "赫兹", "HZ": "赫兹", "hz": "赫兹", "kHz": "千赫兹", "KHz": "千赫兹", "MHz": "兆赫兹",
    "GHz": "吉赫兹",
    "dB": "分贝", "db": "分贝", "dBm": "分贝毫瓦", "Pa": "帕", "kPa": "千帕", "KPa": "千帕", "MPa": "兆帕",
    "hPa": "百帕",
    "J": "焦", "kJ": "千焦", "KJ": "千焦", "cal": "卡", "kcal": "千卡", "Kcal": "千卡", "mmHg": "毫米汞柱",
    "mol": "摩尔",
    "mmol": "毫摩尔", "rpm": "转每分钟", "mph": "英里每小时", "fps": "帧每秒", "FPS": "帧每秒", "px": "像素",
    "lx": "勒克斯", "N·m": "牛米", "N.m": "牛米", "Ω": "欧姆", "kΩ": "千欧", "ha": "公顷", "℃": "摄氏度",
    "°C": "摄氏度", "°c": "摄氏度", "°F": "华氏度",
    "°": "度", "s^2": "二次方秒", "GB": "GB", "TB": "TB", "MB": "MB", "KB": "KB", "kB": "KB", "Mbps": "Mbps",
    "Gbps": "Gbps", "Kbps": "Kbps",
    "kbps": "Kbps", "bpm": "次每分钟", "ppm": "ppm", "dpi": "dpi", "DPI": "DPI",
}  # fmt: skip
"""Words of units in Latin letters; sizes of memory keep their letters."""
_AFTER_LATIN = "(?![A-Za-z0-9^])"
UNIT = "(?:" + "|".join(re.escape(short) for short in sorted(LATIN, key=len, reverse=True)) + f"){_AFTER_LATIN}"
"""A unit in Latin letters, for a pattern after a number."""

SYMBOLS = {
    "\ue010": "港元", "\ue011": "新台币", "\ue012": "加元", "\ue013": "澳元", "\ue014": "新加坡元", "\ue015": "日元",
    "$": "美元", "€": "欧元", "£": "英镑", "¥": "元", "₩": "韩元", "₹": "卢比", "₽": "卢布", "฿": "泰铢", "₫": "越南盾",
    "RMB": "元", "CNY": "元", "USD": "美元", "EUR": "欧元", "GBP": "英镑", "JPY": "日元", "HKD": "港元",
}  # fmt: skip
"""Currencies before or after an amount."""
CURRENCY = "[" + "".join(short for short in SYMBOLS if len(short) == 1) + "]"
SIGN_OF_CODE = {
    "US$": "$", "USD": "$", "RMB¥": "¥", "RMB": "¥", "CNY": "¥", "CN¥": "¥", "EUR": "€", "GBP": "£",
    "HK$": "\ue010", "HKD": "\ue010",
    "NT$": "\ue011", "TWD": "\ue011", "CA$": "\ue012", "CAD": "\ue012", "AU$": "\ue013", "AUD": "\ue013",
    "SGD": "\ue014", "JPY": "\ue015",
    "JP¥": "\ue015",
}  # fmt: skip
"""Codes of currencies before an amount, as one sign; signs of our own are private characters."""
CODE_OF_CURRENCY = "(?:RMB|CNY|USD|EUR|GBP|JPY|HKD)(?![A-Za-z])"
CURRENCY_WORDS = "(?:元|块钱|块|美元|美金|欧元|英镑|日元|港元|港币|人民币|新台币|韩元|卢布|卢比|泰铢|澳元|加元)"

PER = (
    "平(?!方|米)|平米|平方米|平方公里|平方千米|立方米|公里|千米|公斤|千克|小时|分钟|个月|季度|星期|人次|工作日|"
    "课时|学期|"
    "[年月周天日夜晚时分秒人次个位名件份斤克吨升度节包盒瓶杯碗袋箱张间台套条只本页米亩户家班场局针片颗粒根支股把桌罐桶套票单期行字词句篇首层栋辆架艘头匹斗两尺寸]"
)
"""Units of a rate, after a slash."""


def _pairs() -> tuple[str, str]:
    pairs = (
        "個个兩两點点號号樓楼萬万億亿歲岁後后電电話话車车間间條条張张輛辆臺台時时鐘钟週周塊块雙双隻只場场種种項项頁页層层線线門门"
        "課课節节會会議议開开這这驗验證证碼码編编郵邮單单訂订機机熱热撥拨報报傳传氣气溫温攝摄華华壓压預预約约顆颗盤盘籃篮幣币"
        "鎊镑韓韩歐欧圓圆釐厘噸吨畝亩員员輪轮組组隊队對对級级屆届紀纪總总營营業业負负滿满減减漲涨達达佔占過过東东緯纬經经聯联"
        "繫系戶户帳账賬账學学護护發发據据際际飛飞區区棟栋衛卫廳厅貨货運运訊讯銀银從从當当獎奖數数實实價价費费類类樣样錢钱頭头齡龄"
        "轉转廣广顧顾陣阵聲声貫贯鎖锁鍋锅壺壶針针劑剂匯汇餘余稱称選选擇择體体麵面盞盏艙舱籤签冊册幀帧磚砖號号爾尔遲迟晝昼"
    )
    return pairs[::2], pairs[1::2]


TRADITIONAL = re.compile(f"[{_pairs()[0]}]")
TO_SIMPLIFIED = str.maketrans(*_pairs())
"""Characters of rules, traditional to simplified; one for one, so that places stay."""
TO_TRADITIONAL = str.maketrans(
    "个两点号楼万亿岁时钟块层线节负摄华压币镑韩欧厘吨组级总减达过东纬经单",
    "個兩點號樓萬億歲時鐘塊層線節負攝華壓幣鎊韓歐釐噸組級總減達過東緯經單",
)
"""Characters that rules say, simplified to traditional."""
