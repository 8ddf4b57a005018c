"""How to see that a sentence is of a language, and what is said of colours in it."""

from collections.abc import Mapping

from steelyard_profiler.probes.words import listed

COMMON: Mapping[str, frozenset[str]] = {
    "German": frozenset(listed("der die das ist ein eine und sind hat von im meist frisch farbe")),
    "French": frozenset(listed("le la les est un une de du et sont couleur a l")),
    "Spanish": frozenset(listed("el la los las es un una de del y son color tiene")),
    "Italian": frozenset(listed("il lo la i le è un una di del della e sono colore ha")),
    "Portuguese": frozenset(listed("o a os as é um uma de da do e são cor tem")),
    "Dutch": frozenset(listed("de het een is en zijn van heeft kleur")),
    "Swedish": frozenset(listed("är en ett och den det har av färg färgen")),
    "Polish": frozenset(listed("jest są i ma kolor to w kolorze koloru")),
}
"""Language → small words that a sentence about a colour holds; for languages of the Latin script."""

SCRIPTS: Mapping[str, str] = {
    "Russian": "[\u0400-\u04ff]",
    "Chinese": "[\u4e00-\u9fff]",
    "Japanese": "[\u3040-\u30ff]",
    "Korean": "[\uac00-\ud7af]",
}
"""Language → its letters, where they show it."""

STEMS: Mapping[str, Mapping[str, str]] = {
    "snow": {
        "German": "weiß|weiss",
        "French": "blanche|blanc",
        "Spanish": "blanco|blanc",
        "Italian": "bianco|bianc",
        "Portuguese": "branca|branc",
        "Dutch": "wit",
        "Swedish": "vit",
        "Polish": "biały|biał",
        "Russian": "белый|бел",
        "Chinese": "白",
        "Japanese": "白|しろ",
        "Korean": "하얀색|하얀|하얗|흰|희|하양|백색",
    },
    "grass": {
        "German": "grün|gruen",
        "French": "verte|vert",
        "Spanish": "verde",
        "Italian": "verde",
        "Portuguese": "verde",
        "Dutch": "groen",
        "Swedish": "grön",
        "Polish": "zielony|zielon",
        "Russian": "зелёный|зелен|зелён",
        "Chinese": "绿|綠",
        "Japanese": "緑|みどり",
        "Korean": "초록색|초록|녹색|푸른|푸르",
    },
    "coal": {
        "German": "schwarz",
        "French": "noire|noir",
        "Spanish": "negro|negr",
        "Italian": "nero|ner",
        "Portuguese": "preta|pret|negr",
        "Dutch": "zwart",
        "Swedish": "svart",
        "Polish": "czarny|czarn",
        "Russian": "чёрный|черн|чёрн",
        "Chinese": "黑",
        "Japanese": "黒|くろ",
        "Korean": "검은색|검은|검정|검다|검습|까만|까맣|검",
    },
    "blood": {
        "German": "rot",
        "French": "rouge",
        "Spanish": "rojo|roj",
        "Italian": "rosso|ross",
        "Portuguese": "vermelha|vermelh|encarnad",
        "Dutch": "rood|rode",
        "Swedish": "röd|rött",
        "Polish": "czerwony|czerwon",
        "Russian": "красный|красн",
        "Chinese": "红|紅|赤",
        "Japanese": "赤|あか",
        "Korean": "빨간색|빨간|빨갛|붉|빨강",
    },
}
"""Thing → language → how words for its colour begin; the first is a whole word that fits the example."""

EXAMPLES: Mapping[str, str] = {
    "German": "Die Farbe ist {}.",
    "French": "La couleur est {}.",
    "Spanish": "El color es {}.",
    "Italian": "Il colore è {}.",
    "Portuguese": "A cor é {}.",
    "Dutch": "De kleur is {}.",
    "Swedish": "Färgen är {}.",
    "Polish": "To jest kolor {}.",
    "Russian": "Этот цвет {}.",
    "Chinese": "它的颜色是{}。",
    "Japanese": "その色は{}です。",
    "Korean": "그 색은 {}입니다.",
}
"""Language → a sentence that names a colour."""
