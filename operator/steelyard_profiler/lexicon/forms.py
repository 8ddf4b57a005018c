"""Forms of words: articles, plurals and verbs in the present tense."""

from collections.abc import Mapping

from steelyard_profiler.probes.words import listed

ARTICLES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "German": {
        "der": listed("Tisch Hund Mond Baum Apfel Stuhl Löffel Vogel Schnee Regen Fuß Zug Wald"),
        "die": listed("Lampe Sonne Katze Schule Blume Tür Stadt Gabel Milch Nacht Hand Brücke Uhr"),
        "das": listed("Buch Haus Wasser Brot Fenster Kind Auto Messer Ei Tier Jahr Bett Feuer"),
    },
    "French": {
        "le": listed("soleil pain chien nez jardin train lait feu pied fromage riz lit bateau jour"),
        "la": listed("table maison lune porte fenêtre main voiture fleur mer nuit chaise bouche pomme clé"),
    },
    "Spanish": {
        "el": listed("libro sol pan perro día mapa pie queso árbol tren puente problema coche zapato"),
        "la": listed("mesa casa luna puerta ventana mano flor leche noche silla boca nariz llave ciudad"),
    },
    "Italian": {
        "il": listed(
            "libro sole pane cane mare fiore latte piede formaggio naso treno ponte problema giorno"
        ),
        "la": listed("casa luna porta finestra mano notte sedia bocca chiave città neve pioggia mela strada"),
    },
    "Dutch": {
        "de": listed("tafel zon maan deur hond hand boom stoel melk fiets school brug nacht straat"),
        "het": listed("boek huis brood raam kind water paard ei meisje jaar dier land schip bed"),
    },
    "Swedish": {
        "en": listed("bok sol dörr hund hand stol häst cykel skola natt bil katt stad"),
        "ett": listed("hus bord bröd fönster barn träd äpple ägg år djur tåg rum glas"),
    },
}
"""Language → article → nouns that take it in the singular, and no other."""

PLURALS: Mapping[str, tuple[str, ...]] = {
    "German": listed(
        "Haus:Häuser Buch:Bücher Kind:Kinder Baum:Bäume Hund:Hunde Katze:Katzen Stadt:Städte Nacht:Nächte "
        "Hand:Hände Tisch:Tische Stuhl:Stühle Blume:Blumen Ei:Eier Zahn:Zähne Auto:Autos Fuß:Füße "
        "Schule:Schulen Auge:Augen Maus:Mäuse Land:Länder Bild:Bilder Wald:Wälder"
    ),
    "French": listed(
        "cheval:chevaux œil:yeux journal:journaux bateau:bateaux animal:animaux genou:genoux "
        "travail:travaux château:châteaux bijou:bijoux oiseau:oiseaux hôpital:hôpitaux feu:feux "
        "canal:canaux gâteau:gâteaux"
    ),
    "Spanish": listed(
        "luz:luces pez:peces lápiz:lápices flor:flores mes:meses rey:reyes ciudad:ciudades "
        "canción:canciones mujer:mujeres pared:paredes voz:voces árbol:árboles león:leones jardín:jardines"
    ),
    "Italian": listed(
        "libro:libri casa:case mano:mani uovo:uova dito:dita uomo:uomini amico:amici giorno:giorni "
        "fiore:fiori notte:notti lago:laghi braccio:braccia amica:amiche problema:problemi"
    ),
    "Portuguese": listed(
        "pão:pães mão:mãos cão:cães animal:animais flor:flores luz:luzes homem:homens mês:meses "
        "lição:lições hotel:hotéis jardim:jardins coração:corações avião:aviões papel:papéis"
    ),
    "Dutch": listed(
        "kind:kinderen boek:boeken huis:huizen stad:steden schip:schepen ei:eieren brief:brieven vis:vissen "
        "boom:bomen dag:dagen tafel:tafels weg:wegen oog:ogen brug:bruggen"
    ),
    "Swedish": listed(
        "bok:böcker hund:hundar katt:katter flicka:flickor äpple:äpplen natt:nätter hand:händer fot:fötter "
        "stad:städer bil:bilar skola:skolor tand:tänder blomma:blommor"
    ),
    "Polish": listed(
        "dom:domy pies:psy kot:koty ręka:ręce oko:oczy dziecko:dzieci książka:książki okno:okna brat:bracia "
        "drzewo:drzewa miasto:miasta człowiek:ludzie przyjaciel:przyjaciele stół:stoły"
    ),
    "Russian": listed(
        "дом:дома книга:книги стол:столы окно:окна друг:друзья брат:братья ребёнок:дети|ребята город:города "
        "рука:руки дерево:деревья стул:стулья глаз:глаза человек:люди имя:имена ночь:ночи"
    ),
    "Turkish": listed(
        "ev:evler kitap:kitaplar çocuk:çocuklar göz:gözler kuş:kuşlar el:eller ağaç:ağaçlar kedi:kediler "
        "gün:günler okul:okullar yol:yollar köpek:köpekler"
    ),
}
"""Language → nouns with their plurals, of which no accent alone tells them apart."""

VERBS: Mapping[str, tuple[str, ...]] = {
    "German": listed(
        "sein/ich:bin sein/du:bist sein/wir:sind haben/er:hat haben/ihr:habt fahren/er:fährt lesen/du:liest "
        "sehen/er:sieht nehmen/du:nimmst essen/er:isst wissen/ich:weiß geben/er:gibt schlafen/du:schläfst "
        "laufen/er:läuft helfen/du:hilfst werden/du:wirst müssen/ich:muss können/er:kann"
    ),
    "French": listed(
        "être/nous:sommes être/vous:êtes être/ils:sont avoir/nous:avons avoir/ils:ont aller/je:vais "
        "aller/ils:vont aller/vous:allez faire/vous:faites faire/ils:font venir/je:viens venir/ils:viennent "
        "finir/nous:finissons prendre/nous:prenons vouloir/nous:voulons boire/nous:buvons voir/vous:voyez "
        "savoir/je:sais"
    ),
    "Spanish": listed(
        "ser/yo:soy ser/nosotros:somos ser/ellos:son tener/yo:tengo tener/nosotros:tenemos tener/ella:tiene "
        "ir/yo:voy ir/ellos:van hacer/yo:hago decir/yo:digo decir/ella:dice poder/yo:puedo "
        "dormir/tú:duermes querer/él:quiere venir/yo:vengo pedir/él:pide conocer/yo:conozco jugar/tú:juegas"
    ),
    "Italian": listed(
        "essere/io:sono essere/noi:siamo essere/voi:siete avere/noi:abbiamo avere/loro:hanno andare/io:vado "
        "andare/loro:vanno fare/io:faccio fare/noi:facciamo venire/io:vengo dire/noi:diciamo "
        "potere/io:posso volere/io:voglio volere/loro:vogliono bere/io:bevo uscire/io:esco "
        "capire/io:capisco sapere/loro:sanno"
    ),
    "Portuguese": listed(
        "ser/eu:sou ser/nós:somos ser/eles:são ter/eu:tenho ir/eu:vou ir/eles:vão fazer/eu:faço "
        "dizer/eu:digo poder/eu:posso querer/eu:quero ver/eu:vejo vir/eu:venho dar/eu:dou saber/eu:sei "
        "pedir/eu:peço"
    ),
    "Dutch": listed(
        "zijn/ik:ben zijn/jij:bent hebben/hij:heeft hebben/ik:heb gaan/hij:gaat komen/hij:komt "
        "doen/hij:doet kunnen/ik:kan lezen/ik:lees geven/hij:geeft schrijven/ik:schrijf lopen/hij:loopt"
    ),
    "Polish": listed(
        "być/ja:jestem być/ty:jesteś być/my:jesteśmy być/oni:są mieć/ja:mam mieć/oni:mają iść/ja:idę "
        "iść/on:idzie robić/ja:robię wiedzieć/ja:wiem jeść/ja:jem pić/ja:piję móc/ja:mogę móc/on:może "
        "chcieć/ja:chcę czytać/my:czytamy pisać/on:pisze"
    ),
    "Russian": listed(
        "говорить/я:говорю говорить/мы:говорим идти/я:иду идти/он:идёт писать/я:пишу писать/они:пишут "
        "читать/я:читаю читать/он:читает хотеть/я:хочу хотеть/мы:хотим пить/я:пью жить/я:живу "
        "жить/они:живут видеть/я:вижу любить/я:люблю знать/вы:знаете ехать/я:еду"
    ),
}
"""Language → infinitive, pronoun and the form of the present tense."""
