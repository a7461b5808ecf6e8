"""Everyday turns of phrase, read as the plainer words they stand for, before anything else looks at the question.

Two kinds. *Phrases* are data (``[rewrites]`` of ``words/LANG.toml`` and ``words/spoken.LANG.toml``: typed -> read). *Turns*
are patterns over the words, whatever they are: « boutique par boutique » is « par boutique », « toutes marques confondues »
leaves nothing out, « …, en montant » at the end is « montant de … » at the beginning, « celui du web » after « et » says
« du web ».

A turn never drops a word that could narrow what is asked: it only drops what repeats, points back or widens.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from datapilot_kernel.nl2sql.local.grammar import Grammar
from datapilot_kernel.nl2sql.local.tokens import Token

_EVERY = {"tout", "tous", "toute", "toutes"}
_POINTING = {"celui", "celle", "ceux", "celles"}
_OF = {"de", "du", "des", "d"}
_JOINED = {"et", "ou", "vs", "contre", "a", "avec", "que", "comme", ","}
_UNITS = {"jour", "semaine", "mois", "trimestre", "semestre", "annee", "an"}
_ARTICLES = {"le", "la", "les", "l"}
_MONEY_TAIL = {"montant", "valeur", "euros", "€", "montants"}
_NUMBER_TAIL = {"nombre", "quantite", "nb"}
_NOTHING_ELSE = {"et", "maintenant", "en", "pour", "?", ".", ",", "plutot", "alors", "puis", "sur"}
_TRAILING = {"?", ".", "!", "svp", "stp", "merci"}


def rewrite(tokens: list[Token], words: Grammar) -> list[Token]:
    """Return the tokens with everyday turns replaced by what they stand for."""
    out = _phrases(tokens, words)
    if words.language != "fr":
        return out
    for turn in (_one_by_one, _from_one_to_another, _all_told, _pointing_back, _said_last, _short_units, _swapped):
        out = turn(out)
    return out


def _swapped(tokens: list[Token]) -> list[Token]:
    """« remplace le CA par le panier moyen »: the one instead of the other; with a number it is a wish to write."""
    norms = [t.norm for t in tokens]
    if not norms or norms[0] not in ("remplace", "remplacer", "remplacez") or "par" not in norms[2:]:
        return tokens
    par = norms.index("par", 2)
    end = len(tokens) - 1 if norms[-1] in _TRAILING else len(tokens)
    wanted, gone = tokens[par + 1 : end], tokens[1:par]
    if not wanted or len(tokens) > 12 or any(t.kind != "word" for t in (*wanted, *gone)):
        return tokens
    at = tokens[par]
    return [*wanted, *(_word(w, at.start, at.end) for w in ("au", "lieu", "de")), *gone]


def _phrases(tokens: list[Token], words: Grammar) -> list[Token]:
    """« best-sellers » -> produits les plus vendus."""
    out: list[Token] = []
    i = 0
    while i < len(tokens):
        for typed, read in words.rewrites_at(tokens[i].norm):
            if tuple(t.norm for t in tokens[i : i + len(typed)]) == typed:
                start, end = tokens[i].start, tokens[i + len(typed) - 1].end
                if len(out) > 1 and out[-1].kind == "number" and out[-2].norm == "top":
                    # « top 5 best-sellers »: the number said.
                    if read[:1] == ("top",):
                        read = read[2:]
                    else:
                        del out[-2]
                out += [_word(word, start, end) for word in read]
                i += len(typed)
                break
        else:
            out.append(tokens[i])
            i += 1
    return out


def _word(word: str, start: int, end: int) -> Token:
    number = Decimal(word) if word.isdigit() else None
    return Token(word, word, start, end, "word" if number is None else "number", number)


def _one_by_one(tokens: list[Token]) -> list[Token]:
    """« boutique par boutique », « mois après mois »: for each of them."""
    out: list[Token] = []
    i = 0
    while i < len(tokens):
        three = tokens[i : i + 3]
        if (
            len(three) == 3
            and all(t.kind == "word" for t in three)
            and three[0].stem == three[2].stem
            and len(three[0].norm) > 1
            and (three[1].norm, three[0].norm in _UNITS) in (("par", False), ("apres", True))
        ):
            out += [replace(three[1], text="par", norm="par"), three[2]]
            i += 3
        else:
            out.append(tokens[i])
            i += 1
    return out


def _from_one_to_another(tokens: list[Token]) -> list[Token]:
    """« d'un magasin à l'autre »: for each of them; « d'un mois à l'autre » is a comparison."""
    norms = [t.norm for t in tokens]
    for i in range(len(tokens) - 5):
        if norms[i] == "d" and norms[i + 1] in ("un", "une") and norms[i + 3 : i + 6] == ["a", "l", "autre"]:
            if norms[i + 2] in _UNITS or tokens[i + 2].kind != "word":
                continue
            return [*tokens[:i], replace(tokens[i], text="par", norm="par"), tokens[i + 2], *tokens[i + 6 :]]
    return tokens


def _all_told(tokens: list[Token]) -> list[Token]:
    """« toutes marques confondues »: nothing is left out, so nothing is said."""
    norms = [t.norm for t in tokens]
    for i, norm in enumerate(norms):
        if not norm.startswith("confondu") or i == 0:
            continue
        start = next((j for j in range(i - 1, max(-1, i - 7), -1) if norms[j] in _EVERY), None)
        if start is None or i - start < 2 or any(t.kind != "word" for t in tokens[start:i]):
            continue
        if i - start > 2 and any(w in _UNITS or w in ("periode", "periodes") for w in norms[start:i]):
            continue  # « toutes années confondues » is a period
        if set(norms[start:i]) & {*_UNITS, "annees", "periodes", "periode", "jours", "semaines"}:
            continue
        if not {*norms[:start], *norms[i + 1 :]} - _NOTHING_ELSE:
            return [*tokens[:i], *tokens[i + 1 :]]  # « tous canaux confondus », said of the question before
        kept = [*tokens[:start], *tokens[i + 1 :]]
        return _without_loose_commas(kept)
    return tokens


def _without_loose_commas(tokens: list[Token]) -> list[Token]:
    while tokens and tokens[-1].norm == ",":
        tokens = tokens[:-1]
    return tokens


def _pointing_back(tokens: list[Token]) -> list[Token]:
    """« le panier du web et celui des magasins »: the same thing of the other."""
    norms = [t.norm for t in tokens]
    return [
        t
        for i, t in enumerate(tokens)
        if not (
            norms[i] in _POINTING
            and 0 < i < len(norms) - 1
            and norms[i - 1] in _JOINED
            and norms[i + 1] in _OF
        )
    ]  # fmt: skip


def _said_last(tokens: list[Token]) -> list[Token]:
    """« règlements en espèces de 2025, montant »: « montant des règlements… »."""
    end = len(tokens)
    while end and tokens[end - 1].norm in _TRAILING:
        end -= 1
    tail = [t.norm for t in tokens[:end]]
    comma = max((i for i in range(max(0, end - 4), end) if tail[i] in (",", "(", ":", "-")), default=None)
    if comma is None or comma < 2:
        return tokens
    said = [w for w in tail[comma + 1 : end] if w not in ("en", "le", "leur", "leurs", ")", "total", "cumule")]
    if len(said) == 2 and said[0] in ("montant", "montants") and said[1] in ("ht", "ttc"):
        return _taxed_last(tokens, comma, end, said[1])
    if len(said) != 1 or (said[0] == "euros" and "en" not in tail[comma:end]):
        return tokens
    rest = tokens[:comma]
    norms = {t.norm for t in rest}
    if said[0] in ("noms", "nom", "liste"):
        return [*rest, *tokens[end:]]  # « clients dont l'encours dépasse…, noms svp »
    if said[0] == "combien" and not {t.norm for t in rest} & {"nombre", "combien", "nb", "montant", "part", "ca", "top"}:
        while rest and rest[0].norm in _ARTICLES:
            rest = rest[1:]
        at = tokens[comma]
        return [_word("nombre", at.start, at.end), _word("de", at.start, at.end), *rest]
    if said[0] == "taux" and "taux" in norms:
        return [*tokens[:comma], *tokens[end:]]  # « taux de réalisation…, en taux »
    if said[0] in _MONEY_TAIL and not norms & {"montant", "valeur", "part", "pourcentage", "ca"}:
        while rest and rest[0].norm in _ARTICLES:
            rest = rest[1:]
        rest = [
            t
            for i, t in enumerate(rest)
            if not (t.norm in ("combien",) or (i and t.norm in _OF and rest[i - 1].norm == "combien"))
        ]
        at = tokens[comma]
        return [_word("montant", at.start, at.end), _word("des", at.start, at.end), *rest]
    if said[0] in _NUMBER_TAIL and not norms & {
        "nombre",
        "combien",
        "nb",
        "montant",
        "part",
        "pourcentage",
        "taux",
        "ca",
        "top",
    }:
        while rest and rest[0].norm in _ARTICLES:
            rest = rest[1:]
        at = tokens[comma]
        return [_word("nombre", at.start, at.end), _word("de", at.start, at.end), *rest]
    return tokens


_BUYING = {"client", "clients", "acheteur", "acheteurs", "acheteuse", "acheteuses"}


def _taxed_last(tokens: list[Token], comma: int, end: int, tax: str) -> list[Token]:
    """« CA par mois, montants HT »: the tax of what is measured; « les 5 plus gros clients, montants TTC »: of what they
    bought.
    """
    norms = {t.norm for t in tokens[:comma]}
    at = tokens[comma]
    if norms & {"ca", "chiffre", "ventes", "panier", "montant", "marge", "encaissements"}:
        read = [tax]
    elif norms & _BUYING and norms & {"top", "gros", "grosse", "meilleurs", "plus"}:
        read = ["en", "ca", tax]
    else:
        return tokens
    return [*tokens[:comma], *(_word(w, at.start, at.end) for w in read), *tokens[end:]]


def _short_units(tokens: list[Token]) -> list[Token]:
    """« 1er trim. 2026 », « 2e sem. »."""
    out = list(tokens)
    ordinals = {
        "1er",
        "1ere",
        "2e",
        "2eme",
        "2nd",
        "3e",
        "3eme",
        "4e",
        "4eme",
        "premier",
        "deuxieme",
        "second",
        "troisieme",
        "quatrieme",
        "dernier",
    }
    for i, token in enumerate(tokens):
        following = tokens[i + 1].norm if i + 1 < len(tokens) else ""
        ordinal = i > 0 and tokens[i - 1].norm in ordinals
        if token.norm in ("trim", "trims"):
            out[i] = replace(token, norm="trimestre")
        elif token.norm == "sem" and ordinal:
            out[i] = replace(token, norm="semestre")
        else:
            continue
        if following == ".":
            out[i + 1] = replace(tokens[i + 1], text="", norm="", kind="symbol")
    return [t for t in out if t.norm]
