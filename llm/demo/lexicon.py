"""The closed lists that the task generators draw from, in English and Spanish."""

from random import Random

from llm.demo.item import Lang, listed

_NOUNS = """house casa f|dog perro m|cat gato m|tree árbol m|book libro m|table mesa f|chair silla f|door puerta f
window ventana f|car coche m|flower flor f|bird pájaro m|fish pez m|horse caballo m|cow vaca f|river río m
mountain montaña f|beach playa f|street calle f|city ciudad f|school escuela f|garden jardín m|kitchen cocina f
bread pan m|apple manzana f|pear pera f|orange naranja f|lemon limón m|cheese queso m|egg huevo m|rice arroz m
soup sopa f|cake pastel m|shirt camisa f|shoe zapato m|hat sombrero m|coat abrigo m|moon luna f|star estrella f
cloud nube f|island isla f|boat barco m|train tren m|bridge puente m|clock reloj m|pencil lápiz m|letter carta f
mirror espejo m|bed cama f|lamp lámpara f|box caja f|ball pelota f|wall pared f|roof techo m|road camino m
forest bosque m|lake lago m|stone piedra f|plate plato m|cup taza f|spoon cuchara f|knife cuchillo m|bottle botella f
key llave f|bag bolsa f|mouse ratón m|duck pato m|frog rana f|lion león m|tiger tigre m|bear oso m|wolf lobo m
rabbit conejo m|monkey mono m|spider araña f|ship nave f|plane avión m|guitar guitarra f|piano piano m|drum tambor m"""
NOUNS: list[tuple[str, str, str]] = [
    (en, es, gender) for en, es, gender in (n.split() for n in _NOUNS.replace("\n", "|").split("|"))
]
"""English, Spanish, gender."""

_ADJECTIVES = """red rojo|white blanco|black negro|yellow amarillo|small pequeño|new nuevo|old viejo|tall alto
clean limpio
dirty sucio|beautiful bonito|expensive caro|cheap barato|fast rápido|slow lento|long largo|round redondo|cold frío
strange extraño|empty vacío|full lleno|broken roto|quiet tranquilo|pretty lindo|wide ancho|heavy pesado"""
ADJECTIVES: list[tuple[str, str]] = [
    (en, es) for en, es in (a.split() for a in _ADJECTIVES.replace("\n", "|").split("|"))
]
"""English, Spanish masculine; the feminine ends in -a."""

_MORE_WORDS = {
    "en": """about above across after again against almost alone along already always among answer anyone around autumn
        banana basket beyond blanket borrow bottom branch butter button camera candle castle change cheerful circle
        coffee
        corner cotton cousin desert dinner doctor dragon eleven engine enough evening family famous farmer father
        feather
        finger flight forget friend future ginger golden guitar hammer happen harbor honest hunger iron jacket jungle
        kettle ladder language laptop leader lesson little machine market memory minute mother nature needle number
        object office orbit paper parent pepper person picnic planet pocket potato puzzle quick rabbit random ribbon
        rocket saddle season secret shadow silver simple sister spring summer sunset teacher thunder ticket tomato
        travel
        tunnel turtle valley velvet village violin walnut water weather winter wisdom wonder yellow zebra python
        hello""",
    "es": """abeja abrir abuelo agua ahora alegre algodón amigo ancla anillo antes armario arena ayer azúcar balcón
    bandera
        barrio beber bicicleta bocina bolsillo brazo brújula cabeza cadena café camello campana canción carbón cereza
        cielo cinta clavel collar comida corazón corona cuaderno cuento dedo desierto diente dulce enero escalera espada
        espuma estación familia febrero fiesta fuego fuente gallina ganso globo granja grillo guante hermano hielo hoja
        hormiga huerto invierno jabón jarra juego jueves ladrillo leche lengua limpio lluvia lunes madera maleta mañana
        marzo martes melón mercado miel milagro moneda música naipe nariz nieve niño noche nube octubre oreja otoño
        pájaro palabra pan papel parque pato pelo perla pintura pirata planeta plaza pluma primo pueblo puerta queso
        ratón regalo reina reloj rosa sal sandía semilla señal siesta silla sol sueño tambor tarde teatro techo tesoro
        tienda tierra tigre tomate torre trigo uva vaso vela verano viaje viento violeta zapato zorro hola""",
}
WORDS: dict[Lang, list[str]] = {
    "en": sorted({*_MORE_WORDS["en"].split(), *(n[0] for n in NOUNS), *(a[0] for a in ADJECTIVES)}),
    "es": sorted({*_MORE_WORDS["es"].split(), *(n[1] for n in NOUNS), *(a[1] for a in ADJECTIVES)}),
}

NAMES = listed("""Ana Luis Marta Pedro Lucía Carlos Elena Jorge Sofía Pablo Laura Diego Carmen Andrés Julia Mario
Irene Hugo Clara
Óscar Tom Alice Bob Mary John Emma Peter Susan David Linda Paul Kate Henry Grace Jack Rose Sam Nora Frank Olivia Max
Iris
Leo Ruth Adam Eve Oliver Lucy George Anna Víctor Raquel Iván Nuria Bruno Alba""")

CITIES = listed("""Lima Madrid Paris Boston Quito Berlin Rome London Tokyo Bogotá Sevilla Oslo Cairo Dublin Miami
Chicago Toledo
Granada Lyon Milan Porto Vienna Prague Denver Austin Seattle Cuenca Bilbao Valencia Rosario""")

CITIES += ["New York", "San Francisco", "Buenos Aires", "Los Angeles", "La Paz", "Santa Fe"]

JOBS: dict[Lang, list[str]] = {
    "en": listed("teacher doctor nurse baker farmer painter driver singer writer cook lawyer pilot dentist sailor"),
    "es": listed(
        "maestra médico enfermera panadero granjero pintor chófer cantante escritora cocinero piloto dentista"
    ),
}

COLOURS: dict[Lang, list[str]] = {
    "en": listed("red blue green yellow black white orange purple pink brown grey"),
    "es": listed("rojo azul verde amarillo negro blanco naranja morado rosa marrón gris"),
}

CATEGORIES: dict[Lang, dict[str, list[str]]] = {
    "en": {
        "animal": listed("dog cat horse cow duck frog lion tiger bear wolf rabbit monkey spider mouse bird fish"),
        "fruit": listed("apple pear orange lemon banana grape cherry melon peach plum mango kiwi"),
        "color": listed("red blue green yellow black white purple pink brown grey"),
        "clothing": listed("shirt shoe hat coat sock glove scarf jacket skirt belt"),
        "city": CITIES,
    },
    "es": {
        "animal": listed("perro gato caballo vaca pato rana león tigre oso lobo conejo mono araña ratón pájaro pez"),
        "fruta": listed("manzana pera naranja limón plátano uva cereza melón melocotón ciruela mango kiwi"),
        "color": listed("rojo azul verde amarillo negro blanco morado rosa marrón gris"),
        "ropa": listed("camisa zapato sombrero abrigo calcetín guante bufanda chaqueta falda cinturón"),
        "ciudad": CITIES,
    },
}

_COUNTRIES = """France Francia Paris París|Spain España Madrid Madrid|Italy Italia Rome Roma
Germany Alemania Berlin Berlín
Portugal Portugal Lisbon Lisboa|Peru Perú Lima Lima|Chile Chile Santiago Santiago
Argentina Argentina Buenos_Aires Buenos_Aires
Mexico México Mexico_City Ciudad_de_México|Colombia Colombia Bogotá Bogotá|Ecuador Ecuador Quito Quito
Cuba Cuba Havana La_Habana
Uruguay Uruguay Montevideo Montevideo|Paraguay Paraguay Asunción Asunción|Venezuela Venezuela Caracas Caracas
Brazil Brasil Brasilia Brasilia|Canada Canadá Ottawa Ottawa|Japan Japón Tokyo Tokio|China China Beijing Pekín
India India New_Delhi Nueva_Delhi|Russia Rusia Moscow Moscú|Ukraine Ucrania Kyiv Kiev|Poland Polonia Warsaw Varsovia
Austria Austria Vienna Viena|Hungary Hungría Budapest Budapest|Greece Grecia Athens Atenas|Turkey Turquía Ankara Ankara
Egypt Egipto Cairo El_Cairo|Morocco Marruecos Rabat Rabat|Kenya Kenia Nairobi Nairobi|Nigeria Nigeria Abuja Abuja
Norway Noruega Oslo Oslo|Sweden Suecia Stockholm Estocolmo|Finland Finlandia Helsinki Helsinki
Denmark Dinamarca Copenhagen Copenhague
Ireland Irlanda Dublin Dublín|Iceland Islandia Reykjavik Reikiavik|Belgium Bélgica Brussels Bruselas
Croatia Croacia Zagreb Zagreb
Romania Rumanía Bucharest Bucarest|Bulgaria Bulgaria Sofia Sofía|Serbia Serbia Belgrade Belgrado
Slovakia Eslovaquia Bratislava Bratislava
Slovenia Eslovenia Ljubljana Liubliana|Australia Australia Canberra Canberra
New_Zealand Nueva_Zelanda Wellington Wellington
Thailand Tailandia Bangkok Bangkok|Vietnam Vietnam Hanoi Hanói|Indonesia Indonesia Jakarta Yakarta
South_Korea Corea_del_Sur Seoul Seúl
Iran Irán Tehran Teherán|Iraq Irak Baghdad Bagdad|Syria Siria Damascus Damasco|Lebanon Líbano Beirut Beirut
Tunisia Túnez Tunis Túnez|Algeria Argelia Algiers Argel|Senegal Senegal Dakar Dakar|Ghana Ghana Accra Acra
Ethiopia Etiopía Addis_Ababa Adís_Abeba|Nepal Nepal Kathmandu Katmandú|Bolivia Bolivia Sucre Sucre
Honduras Honduras Tegucigalpa Tegucigalpa
Guatemala Guatemala Guatemala_City Ciudad_de_Guatemala|Costa_Rica Costa_Rica San_José San_José
United_Kingdom Reino_Unido London Londres"""
COUNTRIES: list[dict[Lang, tuple[str, str]]] = [
    {"en": (en, capital), "es": (es, capital_es)}
    for en, es, capital, capital_es in (
        c.replace("_", "\0").split(" ") for c in _COUNTRIES.replace("\n", "|").split("|")
    )
]
COUNTRIES = [{k: (a.replace("\0", " "), b.replace("\0", " ")) for k, (a, b) in c.items()} for c in COUNTRIES]

UNITS: list[dict[Lang, tuple[str, str, str]]] = [
    {"en": (en_small, en_big, count), "es": (es_small, es_big, count)}
    for en_small, en_big, es_small, es_big, count in (
        row.split(",")
        for row in """grams,a kilogram,gramos,un kilogramo,1000|grams,a kilo,gramos,un kilo,1000
minutes,an hour,minutos,una hora,60|seconds,a minute,segundos,un minuto,60|hours,a day,horas,un día,24
days,a week,días,una semana,7|months,a year,meses,un año,12|days,a year,días,un año,365
years,a century,años,un siglo,100
years,a decade,años,una década,10|meters,a kilometer,metros,un kilómetro,1000
centimeters,a meter,centímetros,un metro,100
millimeters,a centimeter,milímetros,un centímetro,10|milliliters,a liter,mililitros,un litro,1000
kilograms,a ton,kilogramos,una tonelada,1000|millimeters,a meter,milímetros,un metro,1000|weeks,a year,semanas,un año,52
bits,a byte,bits,un byte,8|cents,a dollar,centavos,un dólar,100|sides,a triangle,lados,un triángulo,3
sides,a square,lados,un cuadrado,4|legs,a spider,patas,una araña,8|legs,a dog,patas,un perro,4
wheels,a bicycle,ruedas,una bicicleta,2
seconds,an hour,segundos,una hora,3600|eggs,a dozen,huevos,una docena,12""".replace("\n", "|").split("|")
    )
]
"""Per fact: the small unit, the big one with its article, and how many of the first make the second."""

REGULAR_VERBS: dict[Lang, list[tuple[str, str]]] = {
    "en": [
        (v, v + "d" if v.endswith("e") else v + "ed")
        for v in listed("""walk play cook clean paint watch open close visit call
        help jump talk wash push pull cross count climb follow finish answer carpet order love move dance bake like use
        save share smile close change taste arrive""")
    ],
    "es": [
        (v, v[:-2] + "ó")
        for v in listed("""hablar cantar cocinar limpiar pintar mirar visitar llamar ayudar saltar lavar
        empujar cruzar contar bailar trabajar comprar caminar estudiar ganar llevar usar cortar dibujar esperar""")
    ],
}
"""English base form and past; Spanish infinitive and third person of the past."""

_SYLLABLES = (
    "ba be bi bo bu ca ce co cu da de di do du fa fe fi ga go gu ha la le li lo lu ma me mi mo mu na ne ni no nu pa "
    "pe pi po ra re ri ro ru sa se si so su ta te ti to tu va ve vi xo yu za zo ter lin mor san del pri tra blu "
    "wick ston ing ox ark ell ump ast"
)
_ACCENTED = ["ña", "ño", "cá", "tén", "ción", "lú", "món", "bé", "sí"]


def invented_word(rng: Random, lang: Lang) -> str:
    """A word of two to four random syllables that most likely means nothing."""
    syllables = _SYLLABLES.split() + (_ACCENTED if lang == "es" else [])
    return "".join(rng.choice(syllables) for _ in range(rng.choice((2, 2, 3, 3, 4))))


def any_word(rng: Random, lang: Lang) -> str:
    """A real word half of the time, an invented one, or plain random letters now and then."""
    kind = rng.random()
    if kind < 0.45:
        return rng.choice(WORDS[lang])
    if kind < 0.85:
        return invented_word(rng, lang)
    return "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(2, 9)))


def phrase(rng: Random, lang: Lang, low: int = 1, high: int = 5) -> str:
    """Some words in a row."""
    return " ".join(any_word(rng, lang) for _ in range(rng.randint(low, high)))
