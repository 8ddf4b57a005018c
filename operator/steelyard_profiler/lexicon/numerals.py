"""The whole numbers 1 to 99 in words.

Sources of the rules: the grammars of cardinal numbers, in the masculine or counting form; French as in
France (soixante-dix, quatre-vingts), Chinese and Japanese in characters, Korean in Sino-Korean.
"""

from collections.abc import Callable, Mapping

from steelyard_profiler.probes.words import listed

_TO_TWENTY: Mapping[str, tuple[str, ...]] = {
    "German": listed(
        "eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn "
        "siebzehn achtzehn neunzehn zwanzig"
    ),
    "French": listed(
        "un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix-sept "
        "dix-huit dix-neuf vingt"
    ),
    "Spanish": listed(
        "uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis "
        "diecisiete dieciocho diecinueve veinte"
    ),
    "Italian": listed(
        "uno due tre quattro cinque sei sette otto nove dieci undici dodici tredici quattordici quindici "
        "sedici diciassette diciotto diciannove venti"
    ),
    "Portuguese": listed(
        "um dois três quatro cinco seis sete oito nove dez onze doze treze catorze|quatorze quinze "
        "dezesseis|dezasseis dezessete|dezassete dezoito dezenove|dezanove vinte"
    ),
    "Dutch": listed(
        "een|één twee drie vier vijf zes zeven acht negen tien elf twaalf dertien veertien vijftien zestien "
        "zeventien achttien negentien twintig"
    ),
    "Swedish": listed(
        "ett|en två tre fyra fem sex sju åtta nio tio elva tolv tretton fjorton femton sexton sjutton arton "
        "nitton tjugo"
    ),
    "Polish": listed(
        "jeden dwa trzy cztery pięć sześć siedem osiem dziewięć dziesięć jedenaście dwanaście trzynaście "
        "czternaście piętnaście szesnaście siedemnaście osiemnaście dziewiętnaście dwadzieścia"
    ),
    "Russian": listed(
        "один два три четыре пять шесть семь восемь девять десять одиннадцать двенадцать тринадцать "
        "четырнадцать пятнадцать шестнадцать семнадцать восемнадцать девятнадцать двадцать"
    ),
    "Turkish": (
        *listed("bir iki üç dört beş altı yedi sekiz dokuz on"),
        *(
            "on bir",
            "on iki",
            "on üç",
            "on dört",
            "on beş",
            "on altı",
            "on yedi",
            "on sekiz",
            "on dokuz",
            "yirmi",
        ),
    ),
    "Chinese": listed("一 二 三 四 五 六 七 八 九 十 十一 十二 十三 十四 十五 十六 十七 十八 十九 二十"),
    "Japanese": listed("一 二 三 四 五 六 七 八 九 十 十一 十二 十三 十四 十五 十六 十七 十八 十九 二十"),
    "Korean": listed("일 이 삼 사 오 육 칠 팔 구 십 십일 십이 십삼 십사 십오 십육 십칠 십팔 십구 이십"),
}

_TENS: Mapping[str, tuple[str, ...]] = {
    "German": listed("zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig"),
    "Spanish": listed("veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa"),
    "Italian": listed("venti trenta quaranta cinquanta sessanta settanta ottanta novanta"),
    "Portuguese": listed("vinte trinta quarenta cinquenta sessenta setenta oitenta noventa"),
    "Dutch": listed("twintig dertig veertig vijftig zestig zeventig tachtig negentig"),
    "Swedish": listed("tjugo trettio fyrtio femtio sextio sjuttio åttio nittio"),
    "Polish": listed(
        "dwadzieścia trzydzieści czterdzieści pięćdziesiąt sześćdziesiąt siedemdziesiąt osiemdziesiąt "
        "dziewięćdziesiąt"
    ),
    "Russian": listed("двадцать тридцать сорок пятьдесят шестьдесят семьдесят восемьдесят девяносто"),
    "Turkish": listed("yirmi otuz kırk elli altmış yetmiş seksen doksan"),
}
"""Language → the words for 20, 30 … 90."""

_SPANISH_TWENTIES = listed(
    "veintiuno veintidós veintitrés veinticuatro veinticinco veintiséis veintisiete veintiocho veintinueve"
)
_KOREAN_ONES = listed("하나 둘 셋 넷 다섯 여섯 일곱 여덟 아홉")
_KOREAN_TENS = listed("열 스물 서른 마흔 쉰 예순 일흔 여든 아흔")
_KANA = listed("いち に さん よん|し ご ろく なな|しち はち きゅう|く")
_FRENCH_TENS = {2: "vingt", 3: "trente", 4: "quarante", 5: "cinquante", 6: "soixante"}

LANGUAGES = tuple(_TO_TWENTY)
"""The languages that numbers are told in."""


def cell(language: str, number: int) -> str:
    """The number in words, other spellings behind a bar; 1 … 99."""
    if number <= 20:
        return _TO_TWENTY[language][number - 1]
    tens, ones = divmod(number, 10)
    one = _TO_TWENTY[language][ones - 1].split("|")[0] if ones else ""
    return _JOINED.get(language, _spaced)(language, tens, one)


def readings(language: str, number: int) -> list[str]:
    """Other ways to write the number alone, 1 … 99: native Korean, Japanese in kana.

    Within a sentence some of these are other words.
    """
    tens, ones = divmod(number, 10)
    if language == "Korean":
        return [("", *_KOREAN_TENS)[tens] + ("", *_KOREAN_ONES)[ones]]
    if language == "Japanese":
        ten = [f"{kana}じゅう" for kana in _KANA[tens - 1].split("|")] if tens > 1 else ["じゅう" * tens]
        return [before + one for before in ten for one in (_KANA[ones - 1].split("|") if ones else [""])]
    return []


def _ten(language: str, tens: int) -> str:
    return _TENS[language][tens - 2]


def _spaced(language: str, tens: int, one: str) -> str:
    return f"{_ten(language, tens)} {one}".strip()


def _german(language: str, tens: int, one: str) -> str:
    return f"{'ein' if one == 'eins' else one}und{_ten(language, tens)}" if one else _ten(language, tens)


def _french(language: str, tens: int, one: str) -> str:
    if tens in (7, 9):
        teen = {"": "dix"}.get(one) or _TO_TWENTY["French"][9 + _TO_TWENTY["French"].index(one) + 1]
        if tens == 7:
            return f"soixante et {teen}" if teen == "onze" else f"soixante-{teen}"
        return f"quatre-vingt-{teen}"
    if tens == 8:
        return f"quatre-vingt-{one}" if one else "quatre-vingts|quatre-vingt"
    if not one:
        return _FRENCH_TENS[tens]
    return f"{_FRENCH_TENS[tens]} et un" if one == "un" else f"{_FRENCH_TENS[tens]}-{one}"


def _spanish(language: str, tens: int, one: str) -> str:
    if not one:
        return _ten(language, tens)
    if tens == 2:
        return _SPANISH_TWENTIES[_TO_TWENTY["Spanish"].index(one)]
    return f"{_ten(language, tens)} y {one}"


def _italian(language: str, tens: int, one: str) -> str:
    ten = _ten(language, tens)
    if one in ("uno", "otto"):
        ten = ten[:-1]
    return ten + ("tré" if one == "tre" else one)


def _portuguese(language: str, tens: int, one: str) -> str:
    return f"{_ten(language, tens)} e {one}" if one else _ten(language, tens)


def _dutch(language: str, tens: int, one: str) -> str:
    return (
        f"{one}{'ën' if one.endswith('e') else 'en'}{_ten(language, tens)}" if one else _ten(language, tens)
    )


def _swedish(language: str, tens: int, one: str) -> str:
    joined = _ten(language, tens) + one
    return f"{joined}|{_ten(language, tens)}en" if one == "ett" else joined


def _characters(language: str, tens: int, one: str) -> str:
    words = _TO_TWENTY[language]
    return words[tens - 1] + words[9] + one


_JOINED: Mapping[str, Callable[[str, int, str], str]] = {
    "German": _german,
    "French": _french,
    "Spanish": _spanish,
    "Italian": _italian,
    "Portuguese": _portuguese,
    "Dutch": _dutch,
    "Swedish": _swedish,
    "Chinese": _characters,
    "Japanese": _characters,
    "Korean": _characters,
}
"""How tens and ones are joined where it is not by a space."""
