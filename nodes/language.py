"""Which language a text is in: function words and letters of seven languages, scripts for others."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

UNDETERMINED = "und"
MAIN = ("en", "es")
"""Preferred where a text could be either of these or another: nearly all requests are in one of them."""

MAX_CHARS = 4_000
"""Only the start of a text is looked at: enough to tell, and a huge prompt stays cheap."""

_WORD = re.compile(r"[^\W\d_]+")
_FUNCTION_WORDS: dict[str, frozenset[str]] = {
    "en": frozenset(
        "a an and are as at be been but by can could did do does don doesn each every for from had has have "
        "he her him his how i if in into is isn it its just like ll make many me more most much my no not of "
        "off on one only or our out over please re said she should so some than that the their them then "
        "there these they this those to too up us ve very was we were what when where which while who whom "
        "whose why will with would you your am any about after all also because before between both during "
        "here let now other own same still such through under until without yes write give tell word words "
        "hello hi hey thanks thank good morning evening translate summarize list sum times plus minus divided "
        "multiplied equals today tomorrow time name it's reverse count sort text following sentence find "
        "explain describe create number two three best difference meaning mean show use using say help need "
        "want know get go people day first last".split()
    ),
    "es": frozenset(
        "a al algo algún alguna algunos antes aquí aunque bien cada como cómo con contra cual cuál cuáles "
        "cuando cuándo cuanto cuánto cuánta cuántos cuántas de del desde donde dónde dos durante e el él ella "
        "ellos en entre era es esa ese eso esta está están este esto estos estas estoy fue fueron ha había "
        "hace hacia han hasta hay la las le les lo los más me mi mis mucho muy nada ni no nos nosotros o otra "
        "otro para pero poco por porque puede puedo pues que qué quién quien quiero se según ser si sí sido "
        "sin sobre solo son soy su sus también te ti tiene tienen tengo toda todo todos todas tu tus un una "
        "uno unos usted y ya yo palabra palabras escribe escríbeme dime haz hazme dame hola gracias hoy "
        "mañana cuenta invierte repite traduce ordena resume resumen resuelve calcula buenos buenas días "
        "tardes noches favor texto siguiente frase menos suma necesito puedes podrías explica explícame "
        "significa crea lista ejemplo mejor inglés español eres estás cierto verdad claro vale quieres gusta "
        "llamas vez años año vamos ver ir sabes gustaría corrige clasifica extrae redacta oye pon ponme igual "
        "cuéntame".split()
    ),
    "pt": frozenset(
        "a à ao aos as até com como da das de dele do dos e é ela ele eles em entre era essa esse esta está "
        "este eu foi há isso isto já lhe mais mas me mesmo meu minha muito na não nas nem no nos nós num numa "
        "o os ou para pela pelo por porque qual quando quanto quantos que quem são se sem ser seu sua também "
        "te tem ter texto um uma você vocês olá obrigado obrigada bom dia onde escreva traduza resuma frase "
        "seguinte inglês quero preciso".split()
    ),
    "fr": frozenset(
        "à ai au aussi aux avec bien bonjour c ce ces cette combien comme comment dans d de des du elle elles "
        "en est et étaient était être eu fait il ils j je jamais l la le les leur lui m ma mais me merci mes "
        "moi mon n ne nos notre nous on ont ou où par pas plus pour pourquoi qu quand que quel quelle quelles "
        "quels qui quoi s sa salut sans se ses si son sont sur t ta te tes toi ton tous tout très tu un une "
        "vos votre vous y écris traduis résume texte suivant phrase anglais fais donne peux".split()
    ),
    "de": frozenset(
        "aber als am an auch auf aus bei bin bis bist bitte da damit danke das dass dein dem den der des dich "
        "die dir doch du durch ein eine einem einen einer eines er es für gibt guten hallo hat habe haben ich "
        "ihm ihn ihr ihre im in ins ist ja kann kein keine können man mein mich mir mit nach nein nicht noch "
        "nur ob oder ohne schreibe schreib sehr sein seine sich sie sind so über übersetze um und uns unter "
        "vom von vor war waren warum was wenn wer werden wie wieviel wir wird wo zu zum zur zwei folgenden "
        "text satz".split()
    ),
    "it": frozenset(
        "a ad ai al alla alle anche che chi ci ciao come con cosa così da dal dalla dei del della delle di "
        "dove due e è ed era gli grazie ha hai hanno ho i il in io la le lei lo loro lui ma me mi mia mio "
        "molto nel nella non o ogni per perché più poi puoi qual quale quando quanti quanto quello questa "
        "questo qui sei si sia sono su sua sul sulla suo ti tra tu tutti tutto un una uno vi voi scrivi "
        "traduci riassumi testo frase seguente inglese buongiorno vorrei".split()
    ),
    "ca": frozenset(
        "a al als amb aquest aquesta això bé bon com d de del dels dia el els em en és escriu et fa fer "
        "gràcies ha han hi hola i jo l la les li meu meva molt no o on para pel per però perquè qual quan "
        "quant quants què que qui quin quina s sense ser seu seva si són també té tot traduïu tradueix "
        "resumeix text un una va vaig vam van vol vull ara anglès següent".split()
    ),
}
_SHARED = Counter(word for words in _FUNCTION_WORDS.values() for word in words)
_LETTERS: tuple[tuple[re.Pattern[str], dict[str, float]], ...] = (
    (re.compile(r"[ñ¿¡]", re.IGNORECASE), {"es": 2.0}),
    (re.compile(r"[áíóú]", re.IGNORECASE), {"es": 1.0, "pt": 0.5, "ca": 0.2}),
    (re.compile(r"é", re.IGNORECASE), {"es": 0.5, "fr": 0.7, "pt": 0.4, "ca": 0.2, "it": 0.1}),
    (re.compile(r"[ãõ]|ção\b|ções\b", re.IGNORECASE), {"pt": 2.0}),
    (re.compile(r"[êâô]", re.IGNORECASE), {"pt": 1.0, "fr": 1.0}),
    (re.compile(r"[œëî]|\b(?:qu|[cdjlmnst])[’'](?=[aeéèêiouyh])", re.IGNORECASE), {"fr": 1.5, "it": 0.3, "ca": 0.5}),
    (re.compile(r"[èàù]", re.IGNORECASE), {"fr": 1.0, "it": 1.0, "ca": 0.9}),
    (re.compile(r"[ìò]|zione\b|zioni\b|\b(?:dell|nell|all|sull|un)[’'](?=[aeiouh])", re.IGNORECASE), {"it": 1.5}),
    (re.compile(r"ç", re.IGNORECASE), {"pt": 0.8, "fr": 0.8, "ca": 0.8}),
    (re.compile(r"[äß]|\wö|\wü|(?:ung|keit|heit|lich|isch)\b", re.IGNORECASE), {"de": 1.5}),
    (re.compile(r"(?:ción|ciones|dad|mente|ando|iendo|illo)\b", re.IGNORECASE), {"es": 0.7}),
    (re.compile(r"\w(?:os|as|ar|ito|ita|ado|ada|ido|oso|osa)\b", re.IGNORECASE), {"es": 0.3, "pt": 0.2}),
    (re.compile(r"\w(?:ck|th|sh|ed|er|ow|ee|ss|ll|rd|nd|ys|ts)\b", re.IGNORECASE), {"en": 0.2}),
    (re.compile(r"l·l|\bl'|ció\b|\w(?:ny|tge)\b", re.IGNORECASE), {"ca": 1.0}),
    (re.compile(r"(?:ing|tion|ould|ght|[^aeiou]ly|'s|n't)\b", re.IGNORECASE), {"en": 0.5}),
)
_SCRIPTS = {
    "CYRILLIC": "ru",
    "GREEK": "el",
    "ARABIC": "ar",
    "HEBREW": "he",
    "HANGUL": "ko",
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "CJK": "zh",
    "DEVANAGARI": "hi",
    "THAI": "th",
}


def detect(text: str) -> tuple[str, float]:
    """The language of a text and how sure that is, 0..1; `und` with 0.0 when nothing tells.

    How sure: by how much the best language's evidence is more than the next one's, as a share of both.
    """
    text = text[:MAX_CHARS]
    script = _dominant_script(text)
    if script is not None:
        return script, 0.9
    scores = _scores([word.lower() for word in _WORD.findall(text)], text)
    # A language of few speakers here must have a quarter more evidence than English or Spanish.
    weighed = {language: score * (1.25 if language in MAIN else 1.0) for language, score in scores.items()}
    best, second = sorted(weighed, key=lambda language: -weighed[language])[:2]
    if weighed[best] == weighed[second]:
        return UNDETERMINED, 0.0
    return best, (weighed[best] - weighed[second]) / (weighed[best] + weighed[second])


def _scores(words: list[str], text: str) -> dict[str, float]:
    """Evidence for each language: a word counts 1, less where close languages have it too."""
    scores = dict.fromkeys(_FUNCTION_WORDS, 0.0)
    for word in words:
        if word in _SHARED:
            for language, known in _FUNCTION_WORDS.items():
                if word in known:
                    scores[language] += 1.0 / _SHARED[word]
    for pattern, weights in _LETTERS:
        found = len(pattern.findall(text))
        for language, weight in weights.items():
            scores[language] += weight * found
    return scores


def _dominant_script(text: str) -> str | None:
    letters = [char for char in text if char.isalpha() and char > "\u02ff"]
    if len(letters) * 2 <= sum(char.isalpha() for char in text):
        return None
    names = Counter(unicodedata.name(char, "?").split()[0].split("-")[0] for char in letters)
    # Japanese mixes Chinese characters with kana; any kana settles it.
    if names.keys() & {"HIRAGANA", "KATAKANA"}:
        return "ja"
    return _SCRIPTS.get(names.most_common(1)[0][0])
