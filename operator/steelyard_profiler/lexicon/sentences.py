"""Sentences in our own words: what questions are asked with, and what is to be understood.

A phrase with braces is a pattern. Numbers that stand before a noun are drawn such that its form is right.
"""

from collections.abc import Mapping

MEANINGS = (
    "Tomorrow we are going to the sea by train.",
    "The kitchen window is still open.",
    "My sister reads a book every evening.",
    "In winter it gets dark early here.",
    "The children are playing in the garden.",
    "I have lost my key.",
)
"""What the sentences of `SENTENCES` mean, in order."""

SENTENCES: Mapping[str, tuple[str, ...]] = {
    "German": (
        "Morgen fahren wir mit dem Zug ans Meer.",
        "Das Küchenfenster ist noch offen.",
        "Meine Schwester liest jeden Abend ein Buch.",
        "Im Winter wird es hier früh dunkel.",
        "Die Kinder spielen im Garten.",
        "Ich habe meinen Schlüssel verloren.",
    ),
    "French": (
        "Demain nous allons à la mer en train.",
        "La fenêtre de la cuisine est encore ouverte.",
        "Ma sœur lit un livre chaque soir.",
        "En hiver, il fait nuit tôt ici.",
        "Les enfants jouent dans le jardin.",
        "J'ai perdu ma clé.",
    ),
    "Spanish": (
        "Mañana vamos al mar en tren.",
        "La ventana de la cocina sigue abierta.",
        "Mi hermana lee un libro cada noche.",
        "En invierno anochece temprano aquí.",
        "Los niños juegan en el jardín.",
        "He perdido mi llave.",
    ),
    "Italian": (
        "Domani andiamo al mare in treno.",
        "La finestra della cucina è ancora aperta.",
        "Mia sorella legge un libro ogni sera.",
        "In inverno qui fa buio presto.",
        "I bambini giocano in giardino.",
        "Ho perso la mia chiave.",
    ),
    "Portuguese": (
        "Amanhã vamos ao mar de trem.",
        "A janela da cozinha ainda está aberta.",
        "A minha irmã lê um livro todas as noites.",
        "No inverno escurece cedo aqui.",
        "As crianças brincam no jardim.",
        "Perdi a minha chave.",
    ),
    "Dutch": (
        "Morgen gaan we met de trein naar zee.",
        "Het keukenraam staat nog open.",
        "Mijn zus leest elke avond een boek.",
        "In de winter wordt het hier vroeg donker.",
        "De kinderen spelen in de tuin.",
        "Ik ben mijn sleutel kwijt.",
    ),
    "Swedish": (
        "I morgon åker vi tåg till havet.",
        "Köksfönstret är fortfarande öppet.",
        "Min syster läser en bok varje kväll.",
        "På vintern blir det tidigt mörkt här.",
        "Barnen leker i trädgården.",
        "Jag har tappat bort min nyckel.",
    ),
    "Polish": (
        "Jutro jedziemy pociągiem nad morze.",
        "Okno w kuchni jest jeszcze otwarte.",
        "Moja siostra co wieczór czyta książkę.",
        "Zimą wcześnie robi się tu ciemno.",
        "Dzieci bawią się w ogrodzie.",
        "Zgubiłem klucz.",
    ),
    "Russian": (
        "Завтра мы поедем на поезде к морю.",
        "Окно на кухне ещё открыто.",
        "Моя сестра каждый вечер читает книгу.",
        "Зимой здесь рано темнеет.",
        "Дети играют в саду.",
        "Я потерял ключ.",
    ),
    "Turkish": (
        "Yarın trenle denize gidiyoruz.",
        "Mutfak penceresi hâlâ açık.",
        "Kız kardeşim her akşam kitap okur.",
        "Kışın burada hava erken kararır.",
        "Çocuklar bahçede oynuyor.",
        "Anahtarımı kaybettim.",
    ),
    "Chinese": (
        "明天我们坐火车去海边。",
        "厨房的窗户还开着。",
        "我姐姐每天晚上看书。",
        "冬天这里天黑得很早。",
        "孩子们在花园里玩。",
        "我把钥匙弄丢了。",
    ),
    "Japanese": (
        "明日、電車で海へ行きます。",
        "台所の窓がまだ開いています。",
        "姉は毎晩本を読みます。",
        "冬はここでは早く暗くなります。",
        "子どもたちが庭で遊んでいます。",
        "鍵をなくしました。",
    ),
    "Korean": (
        "내일 우리는 기차를 타고 바다에 가요.",
        "부엌 창문이 아직 열려 있어요.",
        "우리 언니는 매일 저녁 책을 읽어요.",
        "겨울에는 여기가 일찍 어두워져요.",
        "아이들이 정원에서 놀고 있어요.",
        "열쇠를 잃어버렸어요.",
    ),
}
"""Language → sentences that mean `MEANINGS`."""

ALIKE = (
    ("Spanish", "Portuguese", "Italian", "French"),
    ("German", "Dutch", "Swedish"),
    ("Chinese", "Japanese", "Korean"),
)
"""Languages that are easily mixed up."""

UNLIKE = ("German", "French", "Polish", "Russian", "Turkish", "Chinese", "Spanish", "Korean")
"""Languages that differ at first sight."""

SUM: Mapping[str, str] = {
    "German": "Wie viel ist {a} plus {b}?",
    "French": "Combien font {a} plus {b} ?",
    "Spanish": "¿Cuánto es {a} más {b}?",
    "Italian": "Quanto fa {a} più {b}?",
    "Portuguese": "Quanto é {a} mais {b}?",
    "Dutch": "Hoeveel is {a} plus {b}?",
    "Swedish": "Hur mycket är {a} plus {b}?",
    "Polish": "Ile to jest {a} plus {b}?",
    "Russian": "Сколько будет {a} плюс {b}?",
    "Turkish": "{a} artı {b} kaç eder?",
    "Chinese": "{a}加{b}等于多少？",
    "Japanese": "{a}足す{b}はいくつですか。",
    "Korean": "{a} 더하기 {b}의 값은 얼마입니까?",
}
LARGER: Mapping[str, str] = {
    "German": "Welche Zahl ist größer, {a} oder {b}?",
    "French": "Quel nombre est plus grand, {a} ou {b} ?",
    "Spanish": "¿Qué número es mayor, {a} o {b}?",
    "Italian": "Quale numero è più grande, {a} o {b}?",
    "Portuguese": "Que número é maior, {a} ou {b}?",
    "Dutch": "Welk getal is groter, {a} of {b}?",
    "Swedish": "Vilket tal är störst, {a} eller {b}?",
    "Polish": "Która liczba jest większa, {a} czy {b}?",
    "Russian": "Какое число больше, {a} или {b}?",
    "Turkish": "{a} ve {b} sayılarından hangisi daha büyük?",
    "Chinese": "{a}和{b}哪个数大？",
    "Japanese": "{a}と{b}ではどちらが大きいですか。",
    "Korean": "{a}, {b} 중에서 어느 수가 더 큽니까?",
}
DAY_AFTER: Mapping[str, str] = {
    "German": "Welcher Wochentag kommt nach {day}?",
    "French": "Quel jour de la semaine vient après {day} ?",
    "Spanish": "¿Qué día de la semana viene después del {day}?",
    "Italian": "Quale giorno della settimana viene dopo {day}?",
    "Portuguese": "Que dia da semana vem depois de {day}?",
    "Dutch": "Welke dag komt na {day}?",
    "Swedish": "Vilken veckodag kommer efter {day}?",
    "Turkish": "{day} gününden sonra hangi gün gelir?",
    "Chinese": "{day}的后一天是星期几？",
    "Japanese": "{day}の次の日は何曜日ですか。",
    "Korean": "{day} 다음 날은 무슨 요일입니까?",
}
DAYS_LATER: Mapping[str, str] = {
    "German": "Heute ist {day}. Welcher Wochentag ist in {n} Tagen?",
    "French": "Aujourd'hui, c'est {day}. Quel jour de la semaine serons-nous dans {n} jours ?",
    "Spanish": "Hoy es {day}. ¿Qué día de la semana será dentro de {n} días?",
    "Italian": "Oggi è {day}. Che giorno della settimana sarà tra {n} giorni?",
    "Portuguese": "Hoje é {day}. Que dia da semana será daqui a {n} dias?",
    "Dutch": "Vandaag is het {day}. Welke dag is het over {n} dagen?",
    "Swedish": "I dag är det {day}. Vilken veckodag är det om {n} dagar?",
    "Polish": "Dzisiaj jest {day}. Jaki dzień tygodnia będzie za {n} dni?",
    "Russian": "Сегодня {day}. Какой день недели будет через {n} дней?",
    "Turkish": "Bugün {day}. {n} gün sonra hangi gün olur?",
    "Chinese": "今天是{day}。{n}天后是星期几？",
    "Japanese": "今日は{day}です。{n}日後は何曜日ですか。",
    "Korean": "오늘은 {day}입니다. {n}일 후는 무슨 요일입니까?",
}
OPPOSITE: Mapping[str, str] = {
    "German": "Was ist das Gegenteil von „{word}“?",
    "French": "Quel est le contraire de « {word} » ?",
    "Spanish": "¿Cuál es el contrario de «{word}»?",
    "Italian": "Qual è il contrario di «{word}»?",
    "Portuguese": "Qual é o contrário de «{word}»?",
    "Dutch": "Wat is het tegenovergestelde van “{word}”?",
    "Swedish": "Vad är motsatsen till ”{word}”?",
    "Polish": "Jakie jest przeciwieństwo słowa „{word}”?",
    "Russian": "Какое слово противоположно по смыслу слову «{word}»?",
    "Turkish": "“{word}” kelimesinin zıt anlamlısı nedir?",
    "Chinese": "“{word}”的反义词是什么？",
    "Japanese": "「{word}」の反対の言葉は何ですか。",
    "Korean": "“{word}”의 반대말은 무엇입니까?",
}
STORY: Mapping[str, str] = {
    "German": "Anna hat {a} Äpfel und kauft {b} dazu. Dann isst sie {c}. Wie viele Äpfel hat sie jetzt?",
    "French": (
        "Anna a {a} pommes et en achète encore {b}. "
        "Puis elle en mange {c}. Combien de pommes a-t-elle maintenant ?"
    ),
    "Spanish": "Ana tiene {a} manzanas y compra otras {b}. Luego se come {c}. ¿Cuántas manzanas tiene ahora?",
    "Italian": "Anna ha {a} mele e ne compra altre {b}. Poi ne mangia {c}. Quante mele ha adesso?",
    "Portuguese": "A Ana tem {a} maçãs e compra mais {b}. Depois come {c}. Quantas maçãs tem agora?",
    "Dutch": "Anna heeft {a} appels en koopt er {b} bij. Dan eet ze er {c} op. Hoeveel appels heeft ze nu?",
    "Swedish": "Anna har {a} äpplen och köper {b} till. Sedan äter hon {c}. Hur många äpplen har hon nu?",
    "Polish": "Anna ma {a} jabłek i kupuje jeszcze {b}. Potem zjada {c}. Ile jabłek ma teraz?",
    "Russian": "У Анны {a} яблок, и она покупает ещё {b}. Потом она съедает {c}. Сколько яблок у неё теперь?",
    "Turkish": (
        "Ayşe'nin {a} elması var, {b} elma daha alıyor. Sonra {c} tanesini yiyor. Şimdi kaç elması var?"
    ),
    "Chinese": "小明有{a}个苹果，又买了{b}个，然后吃了{c}个。他现在有几个苹果？",
    "Japanese": (
        "花子さんはりんごを{a}個持っています。さらに{b}個買い、{c}個食べました。今、りんごは何個ありますか。"
    ),
    "Korean": (
        "민수는 사과 {a}개를 가지고 있습니다. {b}개를 더 사고 {c}개를 먹었습니다. 지금 사과는 몇 개입니까?"
    ),
}
PRICE: Mapping[str, str] = {
    "German": "Das Buch hat {pages} Seiten und kostet {price} Euro. Wie viel kostet das Buch?",
    "French": "Le livre a {pages} pages et coûte {price} euros. Combien coûte le livre ?",
    "Spanish": "El libro tiene {pages} páginas y cuesta {price} euros. ¿Cuánto cuesta el libro?",
    "Italian": "Il libro ha {pages} pagine e costa {price} euro. Quanto costa il libro?",
    "Portuguese": "O livro tem {pages} páginas e custa {price} euros. Quanto custa o livro?",
    "Dutch": "Het boek heeft {pages} bladzijden en kost {price} euro. Hoeveel kost het boek?",
    "Swedish": "Boken har {pages} sidor och kostar {price} kronor. Hur mycket kostar boken?",
    "Polish": "Książka ma {pages} stron i kosztuje {price} złotych. Ile kosztuje książka?",
    "Russian": "В книге {pages} страниц, и она стоит {price} рублей. Сколько стоит книга?",
    "Turkish": "Kitap {pages} sayfa ve {price} lira. Kitap kaç lira?",
    "Chinese": "这本书有{pages}页，价格是{price}元。这本书多少钱？",
    "Japanese": "この本は{pages}ページあり、値段は{price}円です。本はいくらですか。",
    "Korean": "이 책은 {pages}쪽이고 값은 {price}원입니다. 책은 얼마입니까?",
}
YOUNGEST: Mapping[str, str] = {
    "German": "Jan ist {a}, Eva ist {b} und Max ist {c} Jahre alt. Wer ist am jüngsten?",
    "French": "Jan a {a} ans, Eva a {b} ans et Max a {c} ans. Qui est le plus jeune ?",
    "Spanish": "Jan tiene {a} años, Eva tiene {b} y Max tiene {c}. ¿Quién es el más joven?",
    "Italian": "Jan ha {a} anni, Eva ha {b} anni e Max ha {c} anni. Chi è il più giovane?",
    "Portuguese": "Jan tem {a} anos, Eva tem {b} e Max tem {c}. Quem é o mais novo?",
    "Dutch": "Jan is {a}, Eva is {b} en Max is {c} jaar oud. Wie is het jongst?",
    "Swedish": "Jan är {a}, Eva är {b} och Max är {c} år gammal. Vem är yngst?",
    "Polish": "Jan ma {a} lat, Eva ma {b} lat, a Max ma {c} lat. Kto jest najmłodszy?",
    "Turkish": "Jan {a}, Eva {b}, Max ise {c} yaşında. En genç kim?",
    "Chinese": "Jan{a}岁，Eva{b}岁，Max{c}岁。谁最年轻？",
    "Japanese": "Janは{a}歳、Evaは{b}歳、Maxは{c}歳です。一番若いのは誰ですか。",
    "Korean": "Jan은 {a}살, Eva는 {b}살, Max는 {c}살입니다. 누가 가장 어립니까?",
}
DIGITS_ONLY: Mapping[str, str] = {
    "German": "Antworte nur mit der Zahl.",
    "French": "Réponds seulement par le nombre.",
    "Spanish": "Responde solo con el número.",
    "Italian": "Rispondi solo con il numero.",
    "Portuguese": "Responde só com o número.",
    "Dutch": "Antwoord alleen met het getal.",
    "Swedish": "Svara bara med talet.",
    "Polish": "Odpowiedz tylko liczbą.",
    "Russian": "Ответь только числом.",
    "Turkish": "Sadece sayıyla cevap ver.",
    "Chinese": "只回答数字。",
    "Japanese": "数字だけで答えてください。",
    "Korean": "숫자로만 대답하세요.",
}
ONE_WORD: Mapping[str, str] = {
    "German": "Antworte mit einem Wort.",
    "French": "Réponds en un mot.",
    "Spanish": "Responde con una palabra.",
    "Italian": "Rispondi con una parola.",
    "Portuguese": "Responde com uma palavra.",
    "Dutch": "Antwoord met één woord.",
    "Swedish": "Svara med ett ord.",
    "Polish": "Odpowiedz jednym słowem.",
    "Russian": "Ответь одним словом.",
    "Turkish": "Tek kelimeyle cevap ver.",
    "Chinese": "只回答一个词。",
    "Japanese": "一つの言葉で答えてください。",
    "Korean": "한 단어로 대답하세요.",
}
IN_WORDS: Mapping[str, str] = {
    "German": "Schreibe das Ergebnis als Wort.",
    "French": "Écris le résultat en lettres.",
    "Spanish": "Escribe el resultado con letras.",
    "Italian": "Scrivi il risultato in lettere.",
    "Portuguese": "Escreve o resultado por extenso.",
    "Dutch": "Schrijf de uitkomst in letters.",
    "Swedish": "Skriv svaret med bokstäver.",
    "Polish": "Napisz wynik słownie.",
    "Russian": "Напиши ответ словами.",
    "Turkish": "Sonucu yazıyla yaz.",
}
"""Each: language → the phrase."""
