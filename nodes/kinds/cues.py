"""Words that show what a request wants, as concepts shared by languages: "translate" and "traduce" are one feature.

Stems are matched at the start of a word, without accents; a stem that ends in `$` is a whole word. English and Spanish
are equals here; Portuguese, French, German, Italian and Catalan bring their commonest stems.
"""

from __future__ import annotations

from functools import lru_cache

ACTIONS: dict[str, str] = {
    "write": "write$ writing$ written$ compose$ draft escrib escrit redact compon escrev ecri redig schreib scriv "
    "compos",
    "create": "create$ creat generat gener$ genera$ generar$ invent imagine$ imagina craft design$ disen crea$ "
    "crear$ cree$ crie$ erstell erfind inventa",
    "make": "make$ made$ haz$ hazme$ hacer$ hagas$ haga$ faca$ fais$ mach$ mache$ fai$ fes$ elabora prepara",
    "translate": "translat traduc traduz tradui ubersetz tradurr tradueix",
    "say": "say$ dice$ decir$ dicen$ digo$ dirias$ diria$ sagt$ dit$ diz$ spelled$",
    "summarize": "corto$ shorter$ acorta$ acortame$ esquema$ outline$ sintetice sintetizame conclusion$ perdi$ "
    "missed$ linea$ semblanza$ synops sinops ficha$ opinion$ summari sum$ tldr tl resum recap condens abstract "
    "sintesis sintetiz riassum riassunt zusammenfass fasse$ resumo zusammen gist$ takeaway wrap$ digest$ abrevia",
    "rewrite": "vuelve$ otra$ distinta$ diferente$ differently$ otras$ modernis moderniz actualiza$ vuelta$ rewrit "
    "reword rephras paraphras parafras reescrib reformul replante reecri umschreib riscriv reescrev restat rework "
    "redraft revise$ revis$ reexpres expresa$ expresar$ rehaz$ rehacer$",
    "correct": "repasa$ repasar$ revisa$ revisame$ erratas$ tildes$ acentos$ comas$ typos$ mistakes$ misspel deberes$ "
    "homework$ ortograf correct corrig corrij correg proofread grammatic gramatic grammar spelling punctuat puntuac "
    "korrigier typo fix$ fixed$ arregl tidy clean$ faltas$ pulir$ pule$ polish mejor$ mejora$ mejorar$ mejorame$ "
    "improve",
    "simplify": "principiantes$ beginners$ plain$ llano$ facil$ easy$ entienda$ claro$ simplif simpler easier sencill "
    "vereinfach vulgariz accesible lenguaje$",
    "change_style": "tono$ suene$ suena$ sound$ sounds$ calida$ calido$ suaviza suavizar rebaja baja$ bajale$ sube$ "
    "pomposo$ cortes$ future$ futuro$ pasado$ past$ plural$ singular$ femenino$ masculino$ adapta adapt$ level$ "
    "nivel$ tuteo$ usted$ formal informal tone$ polite professional profesional friendly amable casual softer "
    "persuasi concise conciso shorter shorten acort acorta longer alarg tense$ passive pasiva person$ persona$ voz$ "
    "warmer warm$ empathic empat educado upbeat respetuos",
    "extract": "separa$ separate$ recopila anota$ apunta$ note$ entresaca quedate$ rescata copia$ copiame$ gather$ "
    "compile$ pluck$ isolate$ aislar$ aisla$ desglosa extract extra$ extrae extraig extraer extraeme retriev pull$ "
    "pick$ saca$ sacame$ sacar$ estrai grab$ localiza recoge recoger obten obtener collect$ scrape$ capture$ "
    "harvest$",
    "list": "personajes$ siglas$ medidas$ indica$ mentioned$ mencionan$ mencionados$ aparecen$ nombran$ named$ "
    "salen$ list$ lists$ listing$ lista$ listas$ listado listame enumer name$ nombra$ enlist liste$ elenca mention "
    "menciona",
    "find": "find$ found$ encuentra encontr busca$ buscar$ buscame$ search$ locate$ spot$ detect$ detecta$ highlight$ "
    "subraya senala marca$ underline",
    "identify": "identif determin detect$ reconoc recogni",
    "classify": "agrupa agrupar$ group$ divide$ reparte$ juzga$ judge$ nivel$ level$ encasilla puntua valora$ "
    "califica$ rank$ marca$ mark$ predict predice stance$ variedad$ dialect classif clasif categor label etiquet "
    "tag$ tags$ assign asigna rate$ score$ kategor einordn ordne$ classer$ klassifiz catalog encaja pertenec belong "
    "fall$ sort$ decide$ decid flag$ moderate$ triage$",
    "choose": "choos choice$ select selecc elig elij escog pick$ opcion option opciones alternativ cual$ which$",
    "solve": "solv resuel resolv lose$ risolv resoudre despej",
    "compute": "calcul compute$ berechne work$ evaluat deriv integr factor simplif",
    "explain": "explain explic erklar spieg explique$ explana aclar clarif",
    "describe": "describ descri beschreib decriv detall",
    "compare": "compar differen diferenc versus$ vs$ unterschied ventaj desventaj pros$ contras$ cons$ advantag",
    "define": "defin mean$ meaning$ means$ significa$ significado$ definit signific bedeut",
    "answer": "answer respond respuesta responde contest reply$ antwort repond rispond",
    "tell": "tell$ dime$ di$ cuentame$ cuenta$ contame$ decime$ digame$ explicame$ sag$ dis$ dimmi$ diga$",
    "show": "show$ muestra muestrame ensena mostrar$ give$ dame$ dar$ deme$ proporcion provide$ donne$ gib$ dammi$ "
    "devuelve return$ regresa output$",
    "convert": "convert conviert transform turn$ pasa$ pasar$ pasame$ cambia$ cambiar$ change$ chang umwand changer$",
    "debug": "debug depur bug$ bugs$ bugfix error$ errors$ errores$ exception excepcion crash traceback compil falla$ "
    "throws$ segfault warning$",
    "implement": "implement program$ programa$ codif refactor optimiz develop desarroll deploy instal configur",
    "count": "count$ cuenta$ contar$ zahl",
    "reorder": "sort$ order$ ordena$ ordenar$ reverse$ invert inviert alphabet alfabet uppercase lowercase mayuscul "
    "minuscul capital$ capitali repeat$ repite$ reves$ backwards$ remove$ quita$ elimina$ replace$ reemplaza "
    "sustituy",
    "continue": "continu complet finish$ termina$ acaba$ sigue$ follow",
    "recommend": "recommend recomiend recomend advice$ advis aconsej consejo tip$ tips$ sugier suger suggest should$ "
    "deberia debo$ conviene",
    "reason": "secuencia$ sequence$ serie$ series$ orden$ acertijo$ enigma$ pista$ pistas$ clues$ falacia fallacy "
    "balanza$ pesadas$ derecha$ izquierda$ left$ fila$ row$ extremo$ quien$ mide$ alto$ taller$ ocurrira$ pasaria$ "
    "happen$ happens$ would$ pasara$ parecen$ consequence consecuen reason$ razon deduc infer conclu logic assume "
    "suppos supon prove$ demuestr implies$ implica premis cause$ causa$ efect effect$ likely$ probable probably$ "
    "plausib analog acertij riddle puzzle adivin enigma liar mentiros verdad$ statement afirmac syllog silog "
    "contradic valid$ hypothe hipotes",
    "prefer": "rather$ better$ best$ mejor$ peor$ worse$",
    "wish": "want$ need$ quiero$ necesito$ would$ quisiera$ gustaria$ puedes$ podrias$ can$ could$ please$ favor$ "
    "help$ ayuda$ ayudame$ podes$ puede$ podria$ mind$",
}
THINGS: dict[str, str] = {
    "poetry": "poem poet verse$ verses$ verso rima rhym haiku sonnet sonet limeric song$ songs$ lyric cancion letra$ "
    "rap$ gedicht poesia strophe estrof copla ode$ oda$ ballad balad villanci chanson lied$ decima$",
    "story": "story$ stories$ tale$ cuento$ cuentos$ relato$ historia$ novel$ novela fabul fable$ plot$ trama$ "
    "character personaje fiction ficcion scene$ escena$ screenplay guion fanfic roleplay monolog dialogue$ dialogo "
    "opening$ chapter capitulo geschichte histoire racconto conte$ leyenda legend$ microrrelato script$ teatr "
    "anecdot protagonis",
    "mail": "email emails mail$ mails$ correo$ correos$ letter$ letters$ carta$ cartas$ brief$ message$ mensaje$ "
    "whatsapp invitation invitacion memo$ cover$ resignation renuncia$ lettre$ lettera$ courriel invit felicit "
    "apolog disculpa$ reclamac",
    "advert": "circular$ aviso$ nota$ note$ cartel$ pancarta$ banner$ advert anuncio slogan eslogan lema$ tagline$ "
    "ad$ ads$ publicidad publicit marketing campaign campana brochure folleto flyer$ headline$ titular$ landing$ "
    "jingle$ brand$ marca$ copy$ listing$ werbung press$",
    "post": "post$ posts$ tweet$ tweets$ tuit$ tuits$ blog$ caption instagram linkedin facebook tiktok hashtag "
    "youtube bio$ entrada$ publicacion",
    "speech": "speech$ discurso$ toast$ brindis$ eulog obituar necrolog pregon essay$ ensayo$ redaccion$ column$ "
    "columna$ sermon$ reviewof presentacion$ rede$ discours$ vow$ vows$ votos$ homenaj dedicator compliment",
    "joke": "joke$ jokes$ chiste$ chistes$ funny$ gracios broma$ bromas$ pun$ puns$ humor$ witz$ blague$",
    "language": "danes$ danish$ vietnamita$ vietnamese$ hebreo$ hebrew$ tagalo$ tagalog$ ucraniano$ ukrainian$ "
    "guarani$ irlandes$ irish$ inglesa$ francesa$ portuguesa$ alemana$ italiana$ checo$ czech$ sueco$ noruego$ "
    "norwegian$ hungaro$ rumano$ romanian$ turco$ holandes$ neerlandes$ polaco$ swahili$ persa$ farsi$ bulgaro$ "
    "serbio$ croata$ finlandes$ finnish$ thai$ tailandes$ english$ spanish$ french$ german$ italian$ portuguese$ "
    "chinese$ japanese$ russian$ catalan$ ingles$ espanol$ castellano$ frances$ aleman$ italiano$ portugues$ chino$ "
    "japones$ ruso$ latin$ gallego$ euskera$ arabic$ arabe$ korean$ coreano$ dutch$ polish$ swedish$ greek$ griego$ "
    "hindi$ turkish$ englisch$ spanisch$ anglais$ espagnol$ inglese$ spagnolo$ idioma$ quechua$ valenciano$ "
    "mandarin$ mexican$ idiom$ language$ languages$",
    "text": "text$ texts$ texto$ textos$ paragraph parrafo passage$ pasaje$ fragmento$ article articulo noticia$ news$ "
    "document report$ informe$ excerpt$ extracto$ abstract$ below$ siguiente$ following$ siguientes$ above$ "
    "anterior$ transcript conversation$ conversacion$ chat$ thread$ testo$ texte$ minutes$ acta$ essay$",
    "sentence": "sentence frase$ frases$ oracion line$ lines$ linea$ lineas$ phrase$ satz$ phrases$",
    "opinion_text": "review$ reviews$ resena$ resenas$ comment$ comments$ comentario feedback$ opinion$ opiniones$ "
    "critica$ complaint$ queja$ ticket$ tickets$ survey$ encuesta$ valoracion",
    "field": "names$ nombres$ date$ dates$ fecha$ fechas$ entit entidad keyword palabras$ phone$ telefono address "
    "direccion amount importe$ cantidad$ cantidades$ price$ prices$ precio$ precios$ figures$ cifra$ cifras$ "
    "number$ numbers$ numero$ numeros$ people$ personas$ places$ lugares$ organi field$ fields$ campo$ campos$ "
    "json$ csv$ ingredient terms$ terminos$ term$ quantities$ details$ datos$ data$ info$ informacion$ information$ "
    "url$ urls$ emails$ verbs$ verbos$ nouns$ sustantivos$ adjectives$ adjetivos$ hashtags$ invoice$ factura$ ibans",
    "feeling": "sentiment polarity polaridad positiv negativ neutral neutro$ sarcas spam$ ham$ toxic toxico offensiv "
    "ofensiv hate$ odio$ urgent urgencia urgente$ mood$ emocion$ emotion$ clickbait hostil stimmung",
    "category": "category categoria categories$ class$ classes$ clase$ clases$ type$ tipo$ topic$ tema$ genre$ "
    "genero$ intent$ intencion label$ etiqueta$ group$ grupo$ department departamento seccion section$ theme$ "
    "stars$ estrellas$ subject$ priority prioridad",
    "points": "bullet$ bullets$ points$ puntos$ key$ clave$ claves$ ideas$ main$ principales$ principal$ essential$ "
    "esencial$ essence$ idea$ title$ titulo$ highlights$ vinetas$ short$ breve$ brief$ briefly$ brevemente$ "
    "nutshell$",
    "program": "sentencias$ insert$ git$ commits$ rama$ plantuml$ div$ matriz$ pip$ install$ lenguaje$ extension$ "
    "navegador$ servidor$ server$ puerto$ deploy$ backend$ frontend$ login$ csv$ tabla$ bot$ function$ functions$ "
    "funcion$ funciones$ code$ codigo$ script$ scripts$ class$ clase$ method$ metodo$ query$ consulta$ queries$ "
    "regex$ regexp$ api$ endpoint$ loop$ bucle$ array$ arreglo$ algorithm algoritm snippet$ unit$ compiler$ "
    "database$ variable$ recurs component$ schema$ dockerfile$ makefile$ yaml$ cron$ crontab$ cli$ app$ string$ "
    "strings$ cadena$ cadenas$ boolean$ tuple$ tuples$ tupla$ dictionary$ diccionario$ dict$ list$ lista$ matrix$ "
    "pointer$ thread$ async$ lambda$ decorator$ command$ comando$ terminal$ programa$ program$ expresion$ commit$ "
    "branch$ repo$ library$ libreria$ framework$ import$ module$ modulo$",
    "tech": "python$ javascript$ js$ typescript$ java$ sql$ bash$ html$ css$ rust$ golang$ php$ ruby$ kotlin$ swift$ "
    "react$ django$ flask$ numpy$ pandas$ docker$ kubernetes$ k8s$ git$ linux$ excel$ vba$ postgres mysql$ sqlite$ "
    "mongodb$ node$ nodejs$ npm$ latex$ powershell$ spring$ unity$ arduino$ ansible$ terraform$ nginx$ pytest$ c$ "
    "r$ matlab$ scala$ perl$ haskell$ lua$ angular$ vue$ laravel$ fastapi$ aws$ github$ shell$ awk$ sed$ grep$ "
    "json$ xml$ cobol$ dart$ flutter$ jquery$ wordpress$ selenium$ tensorflow$ pytorch$",
    "maths": "equation ecuacion sum$ suma$ plus$ minus$ menos$ times$ percent porcent por$ ciento$ square$ cuadrad "
    "root$ raiz$ area$ perimet volumen$ volume$ triang radio$ radius$ average$ promedio$ media$ mean$ median$ "
    "mediana$ fraction fraccion probabil integral$ derivat derivad divid multipl double$ doble$ mitad$ half$ total$ "
    "altogether$ speed$ velocidad$ km$ kg$ miles$ litros$ liters$ interest$ interes$ tip$ propina$ discount$ "
    "descuento$ factorial$ logarit prime$ polynom polinom cuesta$ cost$ costs$ cuestan$ each$ left$ quedan$ remain "
    "sobran$ gasta$ spend$ spends$ earn$ earns$ gana$ sells$ vende$ buys$ compra$ fahrenheit celsius dozen$ docena$ "
    "hours$ horas$ minutes$ ratio$ hypotenus hipotenus mcd$ mcm$ twice$ vez$ veces$ tercio$ third$ cuarto$ quarter$",
    "money": "dollar$ dollars$ euro$ euros$ pesos$ peso$ cents$ centavos$ pounds$ libras$ soles$",
    "device": "captura$ screenshot$ foto$ photo$ picture$ aparque$ park$ parked$ limite$ visa$ peajes$ tolls$ "
    "confirma$ confirm$ leeme$ dado$ dice$ grabar$ record$ wifi$ alexa$ siri$ alarm alarma light$ lights$ luz$ "
    "luces$ lamp lampara thermostat termostato volume$ volumen$ playlist music$ musica$ song$ cancion$ timer$ "
    "temporizador remind$ reminder recuerdame recordator call$ llama$ llamar$ tv$ televis play$ pon$ ponme$ ponga$ "
    "reproduc pausa$ pause$ turn$ switch$ enciend encend apag sube$ baja$ uber$ taxi$ reserv book$ bluetooth$ "
    "flashlight linterna heating$ calefac persian blind$ blinds$ camera$ camara$ transfer$ transfier balance$ "
    "saldo$ account$ cuenta$ pay$ paga$ pagar$ card$ tarjeta$ calendar calendario lock$ bloque unlock$ desbloque "
    "open$ abre$ cierra$ close$ pedir$ pide$ order$ cancel$ cancela schedul agenda$ agend programa$ stop$ mute$ "
    "silenc snooze$ navigat vacuum$ aspirad oven$ horno$ garage garaje delete$ borra$ borrar$ send$ envia$ enviale$ "
    "manda$ mandale$ skip$ download$ descarga$ print$ imprime$ dim$",
    "greeting": "hi$ hello$ hey$ hola$ holi buenos$ buenas$ morning$ bonjour$ salut$ hallo$ ciao$ ola$ bom$ bon$ "
    "guten$ saludos$ yo$ sup$ greetings$ bye$ goodbye$ adios$ chao$ hasta$ welcome$ bienvenid evening$ night$ "
    "noches$ tardes$ dias$ tal$ buongiorno$ hiya$ chau$",
    "thanks": "thanks$ thank$ thx$ ty$ gracias$ merci$ danke$ grazie$ obrigad gracies$ agradec appreciate$ cheers$",
    "mood": "raro$ rara$ sueno$ suenas$ echo$ pienso$ vida$ life$ best$ loca$ vacio$ finde$ weekend$ vergonz "
    "verguenza$ locura$ crees$ preferirias$ harias$ suenan$ contento$ contenta$ happy$ sad$ tired$ bored$ lonely$ "
    "angry$ feliz$ triste$ cansad aburrid enojad enfadad solo$ miedo$ afraid$ love$ amo$ quiero$ odio$ hate$ feel$ "
    "feeling$ siento$ sientes$ lol$ jaja haha jeje wow$ cool$ genial$ nervous$ nervios stressed estresad miss$ "
    "extrano$ sorry$ perdon$ awesome$ stupid$ tonto$ estupid crazy$ loco$ guapo$ jealous$ celoso$ ok$ okay$ vale$ "
    "sure$ claro$ yeah$ yep$ nope$ worried preocupad glad$ proud$ orgullos",
    "bot": "bot$ robot$ chatbot$ human$ humano$ humana$ ai$ ia$ machine$ maquina$ assistant$ asistente$ artificial "
    "siri$ alexa$ chatgpt$ gpt$ person$ hobbies$ hobby$ boss$ jefe$ age$ edad$ born$ naciste$ alive$ vivo$ real$ "
    "creator creador developer sentient$ programmed",
    "school": "requisitos$ requirements$ sintomas$ symptoms$ trucos$ ingredients$ ingredientes$ causas$ causes$ "
    "partes$ parts$ tortuga$ huesos$ corazon$ capital$ country$ pais$ president$ presidente$ king$ rey$ war$ "
    "guerra$ river$ rio$ planet$ planeta$ invent$ discovered$ descubrio$ century$ siglo$ wrote$ escribio$ founded$ "
    "fundo$ located$ ubicad recipe$ receta$ cook$ cocinar$ history$ calories$ calorias$ symptom$ sintoma$ vitamin "
    "vitamina",
}
QUESTIONS: dict[str, str] = {
    "what": "what$ que$ whats$ what's$ was$ cosa$ quoi$ quel$ quelle$ o$",
    "who": "who$ quien$ quienes$ whom$ wer$ qui$ chi$ quem$ whose$",
    "where": "where$ donde$ wo$ ou$ dove$ onde$ adonde$",
    "when": "when$ cuando$ wann$ quand$ quando$",
    "why": "why$ porque$ warum$ pourquoi$ perche$ quan$",
    "how": "how$ como$ wie$ comment$ come$",
    "which": "which$ cual$ cuales$ welche quale$ qual$",
    "how_much": "cuanto$ cuanta$ cuantos$ cuantas$ many$ much$ wieviel$ combien$ quanto$ quanti$ quantos$",
    "be": "is$ are$ am$ es$ son$ eres$ estas$ esta$ do$ does$ did$ hay$ tienes$ have$ you're$ you$ tu$ te$ your$ tus$ "
    "usted$ vos$ sos$",
    "self": "i$ my$ me$ mi$ yo$ im$ i'm$ ive$ mis$ soy$ estoy$ tengo$ i've$ we$ our$ nosotros$ nuestro$ nuestra$",
    "number_word": "one$ two$ three$ four$ five$ six$ seven$ eight$ nine$ ten$ dos$ tres$ cuatro$ cinco$ seis$ "
    "siete$ ocho$ nueve$ diez$ twelve$ doce$ veinte$ twenty$ hundred$ cien$ thirty$ treinta$ fifty$ cincuenta$",
}

_WHOLE: dict[str, tuple[str, ...]] = {}
_STEMS: dict[str, tuple[str, ...]] = {}
for _table, _mark in ((ACTIONS, "!"), (THINGS, ""), (QUESTIONS, "?")):
    for _concept, _words in _table.items():
        for _word in _words.split():
            _target, _key = (_WHOLE, _word[:-1]) if _word.endswith("$") else (_STEMS, _word)
            _target[_key] = (*_target.get(_key, ()), _concept + _mark)
_LENGTHS = sorted({len(stem) for stem in _STEMS})


@lru_cache(maxsize=8_192)
def concepts(word: str) -> tuple[str, ...]:
    """What a lower-case word without accents may show, actions with a `!`, question words with a `?`; often nothing."""
    found = _WHOLE.get(word, ())
    for length in _LENGTHS:
        if length > len(word):
            break
        found += _STEMS.get(word[:length], ())
    return tuple(dict.fromkeys(found))


def is_action(word: str) -> bool:
    """Whether a word asks for something to be done."""
    return any(concept.endswith("!") for concept in concepts(word))
