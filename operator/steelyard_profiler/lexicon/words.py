"""Single words: things, days, months, thanks and opposites."""

from collections.abc import Mapping

from steelyard_profiler.probes.words import listed

CONCEPTS = listed(
    "water bread milk dog cat house book tree sun moon fire night hand fish bird horse apple door window "
    "egg snow rain sea mother father friend school red white black green"
)
"""What the words of `WORDS` mean, in order."""

SYNONYMS: Mapping[str, str] = {
    "sea": "ocean",
    "mother": "mom|mum|mommy|mummy",
    "father": "dad|daddy",
    "house": "home",
    "dog": "hound",
    "friend": "buddy|pal|girlfriend|boyfriend",
    "night": "nighttime|evening",
    "sun": "sunshine",
}
"""Other English words that are right for a concept."""

WORDS: Mapping[str, tuple[str, ...]] = {
    "German": listed(
        "Wasser Brot Milch Hund Katze|Kater Haus Buch Baum Sonne Mond Feuer Nacht Hand Fisch Vogel "
        "Pferd|Ross Apfel Tür Fenster Ei Schnee Regen Meer|See|Ozean Mutter|Mama Vater|Papa Freund|Freundin "
        "Schule rot weiß schwarz grün"
    ),
    "French": listed(
        "eau pain lait chien|chienne chat|chatte maison livre|bouquin arbre soleil lune feu|incendie nuit "
        "main poisson oiseau cheval pomme porte fenêtre œuf neige pluie mer|océan mère|maman père|papa "
        "ami|amie|copain école rouge blanc|blanche noir|noire vert|verte"
    ),
    "Spanish": listed(
        "agua pan leche perro|perra gato|gata casa libro árbol sol luna fuego|incendio noche mano "
        "pez|pescado pájaro|ave caballo manzana puerta ventana huevo nieve lluvia mar|océano madre|mamá "
        "padre|papá amigo|amiga escuela|colegio rojo|roja blanco|blanca negro|negra verde"
    ),
    "Italian": listed(
        "acqua pane latte cane gatto|gatta casa libro albero sole luna fuoco|incendio notte mano pesce "
        "uccello cavallo mela porta finestra uovo neve pioggia mare|oceano madre|mamma padre|papà "
        "amico|amica scuola rosso|rossa bianco|bianca nero|nera verde"
    ),
    "Portuguese": listed(
        "água pão leite cão|cachorro gato|gata casa livro árvore sol lua fogo|incêndio|lume noite mão peixe "
        "pássaro|ave cavalo maçã porta janela ovo neve chuva mar|oceano mãe|mamãe pai|papai amigo|amiga "
        "escola vermelho|vermelha|encarnado branco|branca preto|preta|negro verde"
    ),
    "Dutch": listed(
        "water brood melk hond kat|poes huis boek boom zon maan vuur nacht hand vis vogel paard appel deur "
        "raam|venster ei sneeuw regen zee|oceaan moeder|mama vader|papa vriend|vriendin school rood|rode "
        "wit|witte zwart|zwarte groen|groene"
    ),
    "Swedish": listed(
        "vatten bröd mjölk hund katt hus bok träd sol måne eld|brand natt hand fisk fågel häst äpple dörr "
        "fönster ägg snö regn hav|sjö|ocean mor|mamma|moder far|pappa|fader vän|kompis skola "
        "röd|rött|röda vit|vitt|vita svart|svarta grön|grönt|gröna"
    ),
    "Polish": listed(
        "woda chleb mleko pies kot|kotka dom książka drzewo słońce księżyc ogień|pożar noc ręka|dłoń ryba "
        "ptak koń jabłko drzwi okno jajko|jajo śnieg deszcz morze|ocean matka|mama ojciec|tata "
        "przyjaciel|kolega|przyjaciółka szkoła czerwony|czerwona biały|biała czarny|czarna zielony|zielona"
    ),
    "Russian": listed(
        "вода хлеб молоко собака|пёс кошка|кот дом книга дерево солнце луна|месяц огонь|пожар ночь рука "
        "рыба птица лошадь|конь яблоко дверь окно яйцо снег дождь море|океан мать|мама отец|папа "
        "друг|подруга школа красный|красная белый|белая чёрный|чёрная зелёный|зелёная"
    ),
    "Turkish": listed(
        "su ekmek süt köpek kedi ev kitap ağaç güneş ay ateş|yangın gece el balık kuş at elma kapı pencere "
        "yumurta kar yağmur deniz|okyanus anne|ana baba arkadaş|dost okul kırmızı|kızıl beyaz|ak siyah|kara "
        "yeşil"
    ),
    "Chinese": listed(
        "水 面包|麵包 牛奶|奶 狗 猫|貓 房子|家|屋子|房屋 书|書|书本 树|樹|树木 太阳|太陽 月亮|月球 火 "
        "夜|夜晚|晚上 手 鱼|魚 鸟|鳥 马|馬 苹果|蘋果 门|門 窗户|窗|窗子|窗戶 鸡蛋|蛋|雞蛋 雪 雨|下雨 "
        "海|大海|海洋 母亲|妈妈|妈|母親|媽媽 父亲|爸爸|爸|父親 朋友 学校|學校 红|红色|紅|紅色 白|白色 "
        "黑|黑色 绿|绿色|綠|綠色"
    ),
    "Japanese": listed(
        "水|みず パン 牛乳|ミルク 犬|いぬ|イヌ 猫|ねこ|ネコ 家|いえ 本|ほん 木|樹木 太陽|日|お日様|お日さま "
        "月|つき 火|炎 夜|よる 手 魚|さかな 鳥|とり 馬|うま りんご|リンゴ|林檎 ドア|扉|戸 窓|まど "
        "卵|たまご|玉子 雪|ゆき 雨|あめ 海|うみ 母|お母さん|母親|はは 父|お父さん|父親|ちち "
        "友達|友人|友だち|ともだち 学校|がっこう 赤|赤い|あか|赤色 白|白い|しろ|白色 黒|黒い|くろ|黒色 "
        "緑|緑色|みどり"
    ),
    "Korean": listed(
        "물 빵 우유 개|강아지 고양이 집 책 나무 태양|해 달 불 밤 손 물고기|생선 새 말 사과 문 창문|창 "
        "계란|달걀 눈 비 바다 어머니|엄마 아버지|아빠 친구 학교 빨강|빨간색|빨간|붉은 "
        "하양|하얀색|흰색|하얀|흰 검정|검은색|검정색|검은|까만 초록|초록색|녹색"
    ),
}
"""Language → the words of `CONCEPTS`."""

SEVERAL_MEANINGS = frozenset(listed("눈 말 밤 달 새 ay at 月 木 livre"))
"""Of these words, those that mean something else as often: they are translated into, not from."""

KINDS: Mapping[str, tuple[str, ...]] = {
    "animal": ("dog", "cat", "fish", "bird", "horse"),
    "colour": ("red", "white", "black", "green"),
    "food": ("bread", "milk", "apple", "egg"),
}
"""Concepts that belong together, and to no other kind."""

DAYS: Mapping[str, tuple[str, ...]] = {
    "German": listed("Montag Dienstag Mittwoch Donnerstag Freitag Samstag|Sonnabend Sonntag"),
    "French": listed("lundi mardi mercredi jeudi vendredi samedi dimanche"),
    "Spanish": listed("lunes martes miércoles jueves viernes sábado domingo"),
    "Italian": listed("lunedì martedì mercoledì giovedì venerdì sabato domenica"),
    "Portuguese": listed(
        "segunda-feira|segunda terça-feira|terça quarta-feira|quarta quinta-feira|quinta sexta-feira|sexta "
        "sábado domingo"
    ),
    "Dutch": listed("maandag dinsdag woensdag donderdag vrijdag zaterdag zondag"),
    "Swedish": listed("måndag tisdag onsdag torsdag fredag lördag söndag"),
    "Polish": listed("poniedziałek wtorek środa czwartek piątek sobota niedziela"),
    "Russian": listed("понедельник вторник среда четверг пятница суббота воскресенье"),
    "Turkish": listed("Pazartesi Salı Çarşamba Perşembe Cuma Cumartesi Pazar"),
    "Chinese": listed(
        "星期一|周一|礼拜一|週一 星期二|周二|礼拜二|週二 星期三|周三|礼拜三|週三 星期四|周四|礼拜四|週四 "
        "星期五|周五|礼拜五|週五 星期六|周六|礼拜六|週六 星期日|星期天|周日|礼拜天|礼拜日|週日"
    ),
    "Japanese": listed("月曜日|月曜 火曜日|火曜 水曜日|水曜 木曜日|木曜 金曜日|金曜 土曜日|土曜 日曜日|日曜"),
    "Korean": listed("월요일 화요일 수요일 목요일 금요일 토요일 일요일"),
}
"""Language → the days from Monday to Sunday."""

MONTHS: Mapping[str, tuple[str, ...]] = {
    "German": listed(
        "Januar|Jänner Februar|Feber März April Mai Juni Juli August September Oktober November Dezember"
    ),
    "French": listed("janvier février mars avril mai juin juillet août septembre octobre novembre décembre"),
    "Spanish": listed(
        "enero febrero marzo abril mayo junio julio agosto septiembre|setiembre octubre noviembre diciembre"
    ),
    "Italian": listed(
        "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre"
    ),
    "Portuguese": listed(
        "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro"
    ),
    "Polish": listed(
        "styczeń luty marzec kwiecień maj czerwiec lipiec sierpień wrzesień październik listopad grudzień"
    ),
    "Russian": listed("январь февраль март апрель май июнь июль август сентябрь октябрь ноябрь декабрь"),
    "Turkish": listed("Ocak Şubat Mart Nisan Mayıs Haziran Temmuz Ağustos Eylül Ekim Kasım Aralık"),
}
"""Language → the months."""

THANKS: Mapping[str, str] = {
    "German": "danke",
    "French": "merci",
    "Spanish": "gracias",
    "Italian": "grazie",
    "Portuguese": "obrigado",
    "Dutch": "dank je wel",
    "Swedish": "tack",
    "Polish": "dziękuję",
    "Russian": "спасибо",
    "Turkish": "teşekkür ederim",
    "Chinese": "谢谢",
    "Japanese": "ありがとう",
    "Korean": "감사합니다",
}
"""Language → "thank you"."""

OPPOSITES: Mapping[str, tuple[str, ...]] = {
    "German": listed(
        "groß:klein kalt:heiß|warm lang:kurz schnell:langsam schwer:leicht|einfach voll:leer reich:arm "
        "hell:dunkel|finster alt:jung|neu laut:leise|still|ruhig hoch:tief|niedrig stark:schwach"
    ),
    "French": listed(
        "grand:petit froid:chaud long:court|bref rapide:lent lourd:léger plein:vide riche:pauvre "
        "vieux:jeune|neuf|nouveau|récent fort:faible|doux propre:sale ouvert:fermé haut:bas"
    ),
    "Spanish": listed(
        "grande:pequeño|pequeña|chico frío:caliente|cálido|calor largo:corto|breve rápido:lento "
        "pesado:ligero|liviano|leve lleno:vacío rico:pobre alto:bajo viejo:joven|nuevo fuerte:débil "
        "limpio:sucio abierto:cerrado"
    ),
    "Italian": listed(
        "grande:piccolo freddo:caldo lungo:corto|breve veloce:lento pesante:leggero pieno:vuoto "
        "ricco:povero alto:basso vecchio:giovane|nuovo forte:debole|piano pulito:sporco aperto:chiuso"
    ),
    "Portuguese": listed(
        "grande:pequeno frio:quente|calor longo:curto|breve rápido:lento|devagar|vagaroso pesado:leve "
        "cheio:vazio rico:pobre alto:baixo velho:novo|jovem forte:fraco limpo:sujo aberto:fechado"
    ),
    "Dutch": listed(
        "groot:klein koud:warm|heet lang:kort snel:langzaam|traag zwaar:licht vol:leeg rijk:arm "
        "oud:jong|nieuw hoog:laag sterk:zwak open:dicht|gesloten schoon:vuil|vies"
    ),
    "Swedish": listed(
        "stor:liten kall:varm|het lång:kort snabb:långsam tung:lätt full:tom|nykter rik:fattig "
        "gammal:ung|ny hög:låg stark:svag öppen:stängd|sluten ren:smutsig"
    ),
    "Polish": listed(
        "duży:mały zimny:ciepły|gorący długi:krótki szybki:wolny|powolny ciężki:lekki pełny:pusty "
        "bogaty:biedny|ubogi stary:młody|nowy wysoki:niski silny:słaby czysty:brudny otwarty:zamknięty"
    ),
    "Russian": listed(
        "большой:маленький|малый холодный:горячий|тёплый|жаркий длинный:короткий быстрый:медленный "
        "тяжёлый:лёгкий полный:пустой|худой богатый:бедный старый:молодой|новый высокий:низкий "
        "сильный:слабый чистый:грязный открытый:закрытый"
    ),
    "Turkish": listed(
        "büyük:küçük soğuk:sıcak uzun:kısa hızlı:yavaş ağır:hafif dolu:boş zengin:fakir|yoksul eski:yeni "
        "yüksek:alçak|düşük güçlü:zayıf|güçsüz temiz:kirli|pis açık:kapalı|koyu"
    ),
    "Chinese": listed("大:小 冷:热|熱 快:慢 重:轻|輕 多:少 高:低|矮 新:旧|老|舊 胖:瘦 远:近 贵:便宜|贱"),
    "Japanese": listed(
        "大きい:小さい 寒い:暑い|暖かい|熱い 長い:短い 速い:遅い|おそい 重い:軽い 高い:低い|安い "
        "新しい:古い 多い:少ない 強い:弱い 明るい:暗い"
    ),
    "Korean": listed(
        "크다:작다 춥다:덥다|따뜻하다 길다:짧다 빠르다:느리다 무겁다:가볍다 높다:낮다 많다:적다 밝다:어둡다 "
        "넓다:좁다 강하다:약하다"
    ),
}
"""Language → adjectives with their opposites."""
