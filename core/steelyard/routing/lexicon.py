"""The words by which the built-in classifier knows kinds of work and their difficulty.

Weights are in logits: 1 makes a category about 2.7 times as probable. They were set by hand and checked for
order of magnitude on public question sets; a learned classifier replaces them where one is installed.
"""

from steelyard.api.profile import Category

BASE = {
    Category.KNOWLEDGE: 1.0,
    Category.WRITING: 0.3,
    Category.REASONING: 0.2,
    Category.INSTRUCTION: 0.0,
    Category.MATH: 0.0,
    Category.CODING: 0.0,
    Category.EXTRACTION: -0.5,
}
"""What a request is before it was read; categories that are absent need a sign of their own."""

_WORDS: dict[Category, dict[float, str]] = {
    Category.MATH: {
        2.5: "calculate integral derivative equation equations polynomial theorem algebra geometry "
        "arithmetic probability logarithm sqrt factorial divisible quadratic matrix hypotenuse boxed "
        "numerator denominator modulo remainder triangle cosine sine tangent",
        1.5: "sum product multiply multiplied divide divided plus minus times subtract percent percentage "
        "fraction average total solve compute evaluate equals square cube root area perimeter volume "
        "radius diameter angle integer integers digits prime even odd ratio speed altogether twice thrice "
        "half third quarter dozen each per",
        0.8: "many much more less fewer cost costs price dollars cents miles hours minutes number numbers "
        "left remaining spend spent earn earns buys sells pay pays interest add count value",
    },
    Category.CODING: {
        3.0: "python javascript typescript golang rust java kotlin c++ sql bash regex html css api "
        "def async await struct stdout refactor compile compiler unittest pytest docker kubernetes",
        1.8: "function functions code program script class method algorithm bug debug implement array "
        "string strings variable loop recursion recursive database query server library framework "
        "exception traceback endpoint json yaml import return returns integer boolean null git "
        "tuple tuples lists dictionary list",
        0.8: "write error given input output parse file run test tests type",
    },
    Category.REASONING: {
        2.2: "deduce infer logically puzzle riddle syllogism premise conclusion contradiction knights knaves "
        "liar sibling taller shorter older younger heavier clue clues seated neighbours houses",
        1.2: "if then therefore because must all none some either neither before after who whose left "
        "right order first last behind between except true false might likely would could why following",
    },
    Category.KNOWLEDGE: {
        1.5: "who when where capital president author invented discovered founded located country city "
        "river war century born died named famous element symbol planet species cell protein gene acid "
        "disease treatment law court constitution philosophy economics chemistry physics biology history",
        0.8: "which what meaning define definition explain describe difference known called film movie song "
        "book actor team king queen language year",
    },
    Category.INSTRUCTION: {
        2.0: "exactly uppercase lowercase capitals bullet bullets verbatim repeat rhyme rhyming "
        "alphabetical alphabetically backwards reverse reversed comma-separated",
        1.2: "words sentences paragraphs letters letter word sentence only answer reply respond format begin "
        "end ending avoid without include containing must never comma commas list starting steps",
    },
    Category.EXTRACTION: {
        3.0: "extract json csv fields parse classify sentiment",
        1.5: "following text email invoice record table document passage paragraph names dates phone address "
        "schema key keys value values find identify return entity entities label category summary",
    },
    Category.WRITING: {
        2.8: "story poem essay haiku blog speech lyrics novel tagline slogan limerick",
        1.5: "write draft compose rewrite rephrase tone letter article creative email headline paragraph "
        "summarize summarise summary describe character style brainstorm ideas polite thank thanks hello hi",
    },
    Category.MULTILINGUAL: {
        4.0: "translate translation",
        2.0: "spanish french german italian portuguese chinese japanese korean arabic hindi russian turkish "
        "dutch polish swedish ukrainian vietnamese",
        1.2: "der das und ist nicht wie warum les est une pour pourquoi que los las qué una por il che di",
    },
    Category.TOOL_USE: {
        0.8: "search look weather book schedule send call tool browse lookup fetch current today",
    },
}

WORDS: dict[str, tuple[tuple[Category, float], ...]] = {}
"""By lower-case word: what it speaks for, and how strongly."""

for _category, _by_weight in _WORDS.items():
    for _weight, _text in _by_weight.items():
        for _word in _text.split():
            WORDS[_word] = (*WORDS.get(_word, ()), (_category, _weight))

_DIFFICULTY: dict[float, str] = {
    0.9: "prove proof derive rigorous theorem lemma integral eigenvalue asymptotic np-hard bijection "
    "convergence differential topology polynomial combinatorial optimal optimise optimize concurrency "
    "concurrent distributed thread-safe lock-free dynamic amortized trade-offs architecture quantum orbital "
    "enzyme mechanism stereochemistry thermodynamic nested recursive simultaneously constraints",
    0.22: "then after each remaining every twice half third percent ratio unless except both neither total "
    "average if because explain compare analyse analyze why how steps several following exactly without "
    "must implement algorithm complexity efficient",
    -0.7: "hi hello thanks thank ok okay yes no simple simply quick quickly easy briefly capital spell",
}

DIFFICULTY: dict[str, float] = {word: weight for weight, text in _DIFFICULTY.items() for word in text.split()}
"""By lower-case word: how much harder it makes a request, in logits."""
