"""The words of one layer: what each phrase of a question can mean there.

An *option* is one thing a span of words may name: an entity, a measure, a dimension, a stored value, a way (a join's label).
Labels, plurals and synonyms count fully; a part of a label (« montant » for « montant HT ») counts less and never when the
part alone says nothing (« nombre », « date »); translations of business words count only where the layer has no such word.
Small words inside a phrase (« de », « la ») are optional.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Literal

from datapilot_kernel.catalog.values import ValueHit, ValueIndex
from datapilot_kernel.nl2sql.local.grammar import Grammar, Phrase, equivalents, phrase
from datapilot_kernel.nl2sql.local.tokens import Token, fold, stem, tokenize
from datapilot_kernel.semantic.model import Entity, Layer

OptionKind = Literal["entity", "measure", "dimension", "value", "way"]

_SMALL = {"de", "d", "du", "des", "la", "le", "les", "l", "un", "une", "of", "the", "a", "au", "aux"}
_PARTICIPLE = re.compile(r"(?:ee?s?|ies?|is|us?|ues?|ts?|tes?)$")
_TELLING_FIRST = {"au", "aux", "a"}
"""« au catalogue » is not « catalogue »."""
_SAYS_NOTHING = {
    stem(fold(w))
    for w in [
        "nombre",
        "nb",
        "taux",
        "part",
        "total",
        "date",
        "code",
        "nom",
        "numéro",
        "num",
        "libellé",
        "id",
        "identifiant",
        "type",
        "moyen",
        "moyenne",
        "jour",
        "mois",
        "année",
        "annuel",
        "brut",
        "net",
        "ht",
        "ttc",
        "number",
        "count",
        "rate",
        "name",
        "key",
        "kind",
        "total",
        "average",
        "client-de",
        "nouveau",
        "nouvelle",
        "actif",
        "unité",
        "cumul",
        "délai",
        "durée",
        "valeur",
        "value",
        "réel",
        "prévu",
        "premier",
        "dernier",
        "max",
        "min",
        "ratio",
        "pourcentage",
    ]
}
_KINDS = {("type",), ("natur",), ("code",), ("numero",), ("nom",)}
"""Words that say nothing alone, but name a column beside its entity (« clients par type »)."""
_SAME_EVENT = (
    (re.compile(r"(?:termine|acheve)e?s?$|finie?s?$"), ("fin",)),
    (re.compile(r"(?:commence|demarre|debute)e?s?$"), ("debut",)),
    (re.compile(r"(?:sorti|parti)e?s?$"), ("sorti", "depart")),
    (re.compile(r"arrivee?s?$"), ("arriv", "arrive")),
    (re.compile(r"(?:ferme|cloture)e?s?$|close?s?$"), ("clotur", "fermetur")),
    (re.compile(r"nee?s?$"), ("naissanc",)),
)
"""What is said to have happened, and the nouns of the dates of it."""
_EXPECTED = {"prevu", "prevue", "estim", "planifi", "limit"}
EXACT, SHORT, TRANSLATED, PART = 1.0, 0.9, 0.85, 0.7


@dataclass(frozen=True, slots=True)
class Option:
    """One thing a span may name.

    Attributes
    ----------
    ref
        ``entity`` (entity), ``entity.name`` (measure, dimension, value), name of a join (way).
    value
        The stored value; True or False for a boolean dimension.
    quality
        1: as the layer writes it. Lower: a part, a translation, a correction.
    participle
        Whether the layer's words end in a past participle (« facturé »); None: not known. Stems unite it with the noun
        (« factures »), so the ending as typed settles which was meant.
    """

    kind: OptionKind
    ref: str
    quality: float = 1.0
    value: str | bool | None = None
    participle: bool | None = None

    @property
    def entity(self) -> str:
        """The entity it belongs to."""
        return self.ref.partition(".")[0]


@dataclass(frozen=True, slots=True)
class LexSpan:
    """Tokens ``start`` … ``end`` (excluded) and what they may name, best first."""

    start: int
    end: int
    options: tuple[Option, ...]


def content(words: Iterable[str]) -> Phrase:
    """Drop the small words of a phrase (all of them kept when nothing else is there)."""
    every = tuple(words)
    kept = tuple(w for i, w in enumerate(every) if w not in _SMALL or (i == 0 and w in _TELLING_FIRST))
    return kept or every


def is_participle(text: str) -> bool:
    """Tell whether a text ends in a past participle (« payée », « livrés », and « payees » for want of accents)."""
    last = text.lower().rstrip("s")
    return last.endswith(("é", "ée", "ee"))


@cache
def _reserved() -> set[str]:
    """Stems of words that compute: a label with one of them has no parts."""
    return {
        stem(fold(w))
        for w in [
            "par",
            "moyen",
            "moyenne",
            "nombre",
            "taux",
            "part",
            "cumul",
            "évolution",
            "écart",
            "per",
            "average",
            "rate",
            "share",
            "number",
            "ratio",
        ]
    }


class Lexicon:
    """Built once for a layer; looked up for every question."""

    def __init__(self, layer: Layer, values: ValueIndex) -> None:
        self.layer, self.values = layer, values
        self._table: dict[Phrase, dict[tuple[str, str, object], Option]] = {}
        self._longest: dict[str, int] = {}
        self._spelled: set[str] = set()
        for name, entity in layer.entities.items():
            if not entity.hidden:
                self._entity(name, entity)
        for name, join in layer.joins.items():
            for text in (join.label, *join.synonyms):
                if text:
                    self._add(text, Option("way", name))
                    # « magasin de retrait » is also just « retrait ».
                    whose = set(content(phrase(layer.entities[join.to_entity].label)))
                    rest = tuple(w for w in content(phrase(text)) if w not in whose)
                    if rest and len(rest) < len(content(phrase(text))) and not set(rest) <= _SAYS_NOTHING:
                        self._put(rest, Option("way", name, SHORT))
        self._dated = self._date_roots()
        self._parts(_reserved())
        self._translations()
        self._longest = {}
        for key in self._table:
            self._longest[key[0]] = max(self._longest.get(key[0], 0), len(key))
        self.vocabulary = self._spelled

    def _entity(self, name: str, entity: Entity) -> None:
        own = [t for t in (entity.label, entity.plural, *entity.synonyms) if t]
        for text in own:
            self._add(text, Option("entity", name))
        own_phrases = {content(phrase(t)) for t in own}
        for measure_name, measure in entity.measures.items():
            if not measure.hidden:
                for name_said in (measure.label, measure.plural, *measure.synonyms):
                    if name_said:
                        self._add(name_said, Option("measure", f"{name}.{measure_name}"))
        for dimension_name, dimension in entity.dimensions.items():
            ref = f"{name}.{dimension_name}"
            if not dimension.hidden:
                for said in (dimension.label, dimension.plural, *dimension.synonyms):
                    if not said:
                        continue
                    key = content(phrase(said))
                    self._add(said, Option("dimension", ref))
                    for mine in own_phrases:
                        if len(key) > len(mine) and key[-len(mine) :] == mine:
                            # « ville du magasin » of magasins is also its « ville ».
                            rest = key[: -len(mine)]
                            if not set(rest) <= _SAYS_NOTHING or rest in _KINDS:
                                self._put(rest, Option("dimension", ref, SHORT))
                        elif key != mine and not set(mine) <= set(key):
                            self._put(key + mine, Option("dimension", ref))
            for stored, names in dimension.values.items() if not dimension.hidden else ():
                value: str | bool = stored
                if dimension.type == "boolean":
                    value = stored.strip().lower() in ("true", "1", "t", "oui", "vrai", "yes")
                for text in names:
                    self._add(text, Option("value", ref, value=value))
                if dimension.type != "boolean":
                    self._add(stored, Option("value", ref, 0.93 if names else EXACT, value=value))
            if dimension.type == "boolean" and not dimension.hidden:
                for yes in (dimension.label, dimension.plural, *dimension.synonyms):
                    if yes:
                        self._add(yes, Option("value", ref, 0.95, value=True))

    def _date_roots(self) -> list[tuple[str, str]]:
        """Return (root of the noun, reference) of dates of something that happens: « date d'ouverture » dates « ouverts
        ».
        """
        found = []
        for name, entity in self.layer.entities.items():
            for dimension_name, dimension in entity.dimensions.items():
                if dimension.type in ("date", "timestamp") and not dimension.hidden and not entity.hidden:
                    for text in (dimension.label, *dimension.synonyms):
                        own = set(phrase(entity.label)) | set(phrase(entity.plural or ""))
                        for word in phrase(text):
                            if len(word) >= 6 and word not in own and word not in ("creation", "dernier", "premier"):
                                found.append((word, f"{name}.{dimension_name}"))
        return found

    def dated_by(self, token: Token) -> tuple[Option, ...]:
        """Return the dates that a past participle may speak of: of the same root as the noun that names them.

        The participle shares all but its ending with the noun (« ouverts », ouverture; « embauchés », embauche).
        """
        typed = token.stem
        if token.kind == "word" and (same := self._same_event(token)):
            return same
        if token.kind != "word" or len(typed) < 4 or len(token.norm) < 6 or not _PARTICIPLE.search(token.norm):
            return ()
        root = max(4, len(typed) - 2)
        done = is_participle(token.text)  # « catalogue » is the noun of « date de mise au catalogue », nothing that was done
        refs = dict.fromkeys(ref for noun, ref in self._dated if noun[:root] == typed[:root] and (done or noun != typed))
        return tuple(Option("dimension", ref, 0.8) for ref in refs)

    def _same_event(self, token: Token) -> tuple[Option, ...]:
        """Return the dates of what a participle says by another word than the date's noun: « terminés », date de fin."""
        nouns = set(next((n for p, n in _SAME_EVENT if p.match(token.norm)), ()))
        if not nouns:
            return ()
        found = [ref for ref, said in self._event_words if any(t & nouns and not t & _EXPECTED for t in said)]
        return tuple(Option("dimension", ref, 0.8) for ref in found)

    @cached_property
    def _event_words(self) -> list[tuple[str, list[set[str]]]]:
        """The dates that people see, with the stems of each of their names: made once, five hundred tables have many."""
        return [
            (f"{name}.{dimension_name}", [set(phrase(text)) for text in (d.label, *d.synonyms)])
            for name, entity in self.layer.entities.items()
            for dimension_name, d in entity.dimensions.items()
            if not entity.hidden and d.type in ("date", "timestamp") and not d.hidden
        ]

    def words_of(self, option: Option) -> set[str]:
        """Return the stems of every label and synonym of what an option names."""
        layer = self.layer
        if option.kind == "measure":
            said = layer.measure(option.ref)
            texts = [said.label, *said.synonyms]
        elif option.kind == "dimension":
            dimension = layer.dimension(option.ref)
            texts = [dimension.label, *dimension.synonyms]
        elif option.kind == "entity":
            entity = layer.entities[option.ref]
            texts = [entity.label, *entity.synonyms]
        else:
            return set()
        return {w for t in texts for w in phrase(t)}

    def _add(self, text: str, option: Option) -> None:
        self._spelled.update(t.norm for t in tokenize(text) if len(t.norm) >= 4 and t.norm.isalpha())
        self._put(content(phrase(text)), replace(option, participle=is_participle(text)))

    def _put(self, key: Phrase, option: Option) -> None:
        if not key:
            return
        options = self._table.setdefault(key, {})
        identity = (option.kind, option.ref, option.value)
        known = options.get(identity)
        if known is not None and known.quality == option.quality and known.participle != option.participle:
            options[identity] = replace(option, participle=None)  # the layer writes it both ways
        elif known is None or known.quality < option.quality:
            options[identity] = option

    def _parts(self, reserved: set[str]) -> None:
        """Let a telling beginning of a label stand for it: « montant » for « montant HT », « marge » for « marge brute ».

        Only of labels (not of synonyms), and never of one that computes (« CA moyen par client » is not « CA moyen »).
        """
        whole = set(self._table)
        for entity_name, entity in self.layer.entities.items():
            if entity.hidden:
                continue
            named: list[tuple[OptionKind, str, str, bool]] = [
                ("measure", n, m.label, m.hidden) for n, m in entity.measures.items()
            ]
            named += [("dimension", n, d.label, d.hidden or d.type == "boolean") for n, d in entity.dimensions.items()]
            for kind, name, label, hidden in named:
                key = content(phrase(label))
                if hidden or set(key) & reserved:
                    continue
                for length in range(1, len(key)):
                    part = key[:length]
                    if not set(part) <= _SAYS_NOTHING and part not in whole:
                        self._put(part, Option(kind, f"{entity_name}.{name}", PART))

    def _translations(self) -> None:
        whole = {k: [o for o in v.values() if o.quality >= SHORT] for k, v in self._table.items()}
        for forms in equivalents():
            keys = [content(form) for form in forms]
            known = [options for key in keys if (options := whole.get(key))]
            for key in keys:
                if not whole.get(key):
                    for options in known:
                        for option in options:
                            self._put(key, Option(option.kind, option.ref, TRANSLATED, option.value))

    def _offered(self, ref: str) -> bool:
        """Tell whether a dimension of the index is one that people see (the index may be older than the layer)."""
        entity, _, name = ref.partition(".")
        model = self.layer.entities.get(entity)
        return model is not None and not model.hidden and name in model.dimensions and not model.dimensions[name].hidden

    def _as_stored(self, hit: ValueHit) -> float:
        """A code that the layer has words for counts less than the words (« pro » is first what is called so)."""
        entity, _, name = hit.ref.partition(".")
        dimension = self.layer.entities[entity].dimensions[name]
        words = phrase(dimension.label)
        code = hit.value in dimension.values or bool(words and words[0] == "code" and "postal" not in words)
        return hit.score - 0.07 if code else hit.score

    def knows(self, key: Phrase) -> tuple[Option, ...]:
        """Return what a whole phrase (stems, small words dropped) may name."""
        return tuple(self._table.get(key, {}).values())

    def lookup(self, text: str) -> tuple[Option, ...]:
        """Return what a text may name, as a whole."""
        return self.knows(content(phrase(text)))

    def spans(self, tokens: Sequence[Token], stems: Sequence[str]) -> list[LexSpan]:
        """Return every span of the tokens that names something of the layer, or a stored value."""
        found: dict[tuple[int, int], list[Option]] = {}
        for start, first in enumerate(stems):
            longest = self._longest.get(first, 0)
            if not longest:
                continue
            key: list[str] = []
            for end in range(start, min(len(stems), start + longest * 3)):
                word = stems[end]
                if tokens[end].kind == "symbol" and word not in '«»"-':
                    break
                if key and word in _SMALL:
                    if (options := self._table.get((*key, word))) is not None:
                        found.setdefault((start, end + 1), []).extend(options.values())
                    continue
                key.append(word)
                if len(key) > longest:
                    break
                options = self._table.get(tuple(key))
                if options:
                    found.setdefault((start, end + 1), []).extend(options.values())
        heard = [i for i, t in enumerate(tokens) if not _inside_a_name(tokens, i)]
        for first_heard, last_heard, hits in self.values.spans([tokens[i].norm for i in heard]):
            start, end = heard[first_heard], heard[last_heard - 1] + 1
            known = [h for h in hits if self._offered(h.ref) and not _several(tokens[start:end], h)]
            if known:
                found.setdefault((start, end), []).extend(Option("value", h.ref, self._as_stored(h), h.value) for h in known)
        spans = []
        for (start, end), options_found in found.items():
            best: dict[tuple[str, str, object], Option] = {}
            typed = is_participle(tokens[end - 1].text)
            for option in options_found:
                if option.participle is not None and option.participle != typed:
                    option = replace(option, quality=option.quality - 0.1)
                identity = (option.kind, option.ref, option.value)
                if identity not in best or best[identity].quality < option.quality:
                    best[identity] = option
            ordered = sorted(best.values(), key=lambda o: -o.quality)
            spans.append(LexSpan(start, end, tuple(o for o in ordered if o.quality >= ordered[0].quality - 0.35)))
        return spans


def _inside_a_name(tokens: Sequence[Token], place: int) -> bool:
    """Tell whether a sign belongs to the name around it: « Booking.com », « Net & Clair »."""
    token = tokens[place]
    if token.kind != "symbol" or token.norm not in (".", "&", "+", "@") or not 0 < place < len(tokens) - 1:
        return False
    before, after = tokens[place - 1], tokens[place + 1]
    glued = before.end == token.start and token.end == after.start
    return token.norm == "&" or (glued and before.kind == "word" and after.kind == "word")


def _several(typed: Sequence[Token], hit: ValueHit) -> bool:
    """« les lampes Céleste » are several: a part of the name of one lamp does not stand for them."""
    if hit.score >= 0.9:
        return False
    stored = {fold(w) for w in hit.value.split()}
    plural = [t.norm for t in typed if len(t.norm) > 4 and t.norm[-1] in "sx"]
    return any(w not in stored and w[:-1] in stored for w in plural)


def unknown_stems(tokens: Sequence[Token], covered: set[int], grammar: Grammar) -> list[int]:
    """Return the positions of tokens that nothing explains."""
    return [i for i, t in enumerate(tokens) if i not in covered and not grammar.is_filler(t)]
