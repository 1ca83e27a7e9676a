"""A grid of briefs from tables: subjects x needs x jobs x traits x settings x moods, with quotas.

Briefs are dealt, not drawn: every domain has its quota, a pair of subject and need comes back only after all pairs of
its domain, and then with another job, so that no two briefs agree in subject, need and job. All follows from the seed.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import yaml
from pydantic import Field, ValidationError

from datagen import seeds
from datagen.authoring.authored import Brief
from datagen.authoring.authoring_config import Scenarios, WriteRecipe
from datagen.authoring.topics import file_of, read_named
from datagen.errors import RecipeError
from datagen.recipe import explain
from datagen.recipe.distributions import ConfigPart
from datagen.sources.duplicates.near import NearDuplicates
from datagen.sources.duplicates.signatures import signatures

_PHRASES = ("topic", "persona", "situation")
_BATCH = 4096


class Tables(ConfigPart):
    """Tables of scenarios; every text by language."""

    subjects: dict[str, tuple[dict[str, str], ...]] = Field(min_length=1)
    """By domain."""
    needs: tuple[dict[str, str], ...] = Field(min_length=1)
    traits: tuple[dict[str, str], ...] = Field(min_length=1)
    settings: tuple[dict[str, str], ...] = Field(min_length=1)
    moods: tuple[dict[str, str], ...] = Field(min_length=1)
    jobs: dict[str, tuple[str, ...]]
    ages: tuple[int, ...] = Field(min_length=1)
    phrases: dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Coverage:
    """Evenness of briefs over the tables."""

    n_briefs: int
    domains: dict[str, int]
    languages: dict[str, int]
    n_topics: int
    """Pairs of a subject and a need, in all languages."""
    n_personas: int
    n_situations: int
    near_duplicates: float
    """Share of briefs that nearly repeat an earlier one: four fifths of their text or more."""


def tables_of(grid: Scenarios, languages: Iterable[str]) -> Tables:
    """The tables of a grid.

    Raises:
        SourceError: If they cannot be read.
        RecipeError: If they lack a key, or a text in one of the languages.
    """
    name = str(file_of(grid.tables))
    try:
        found = Tables.model_validate(yaml.safe_load(read_named(grid.tables, "scenarios")))
    except ValidationError as error:
        raise RecipeError(f"{name}: {explain(error, model=Tables)}") from error
    except yaml.YAMLError as error:
        raise RecipeError(f"{name} is not valid YAML: {error}") from error
    if unknown := sorted(set(grid.domains) - set(found.subjects)):
        raise RecipeError(f"input.scenarios.domains: {unknown[0]} is not in {name}: {', '.join(found.subjects)}")
    for language in languages:
        _check_language(found, language, name)
    return found


def _check_language(tables: Tables, language: str, name: str) -> None:
    lists = [*tables.subjects.values(), tables.needs, tables.traits, tables.settings, tables.moods]
    missing = next((entry for entries in lists for entry in entries if not entry.get(language)), None)
    if missing or not tables.jobs.get(language) or set(tables.phrases.get(language, ())) != set(_PHRASES):
        what = f"the entry {missing}" if missing else "jobs or phrases"
        raise RecipeError(f"{name}: {what} lacks a text in the language {language!r}")


def briefs_of(recipe: WriteRecipe) -> Iterator[Brief]:
    """All briefs of a recipe's grid, in order.

    Raises:
        SourceError: If the tables cannot be read.
        RecipeError: If they are invalid, or the grid has fewer briefs than are requested.
    """
    grid = recipe.input.scenarios
    if grid is None:
        raise ValueError("the recipe has no scenarios")
    shares = grid.languages or dict.fromkeys(recipe.languages, 1.0)
    tables = tables_of(grid, shares)
    count = min(grid.count, recipe.input.limit or grid.count)
    file = file_of(grid.tables)
    stem, name = file.stem, file.name
    decks = {language: _dealt(tables, language, grid, recipe.seed) for language in shares}
    order = _dealt_names(shares, count, recipe.seed, "languages")
    for record, language in enumerate(order):
        _, values = next(decks[language])
        yield Brief(
            f"{stem}-{record}", values["topic"], language, values["persona"], values["style"],
            source=name, record=record, situation=values["situation"],
        )  # fmt: skip


def _dealt(tables: Tables, language: str, grid: Scenarios, seed: int) -> Iterator[tuple[str, dict[str, str]]]:
    """Domain and texts of each brief in a language, without end until the grid is used up."""
    weights = {domain: grid.domains.get(domain, 1.0) for domain in tables.subjects}
    decks = {domain: _of_domain(tables, domain, language, seed) for domain, weight in weights.items() if weight}
    for domain in _dealt_names({d: weights[d] for d in decks}, None, seed, f"domains {language}"):
        values = next(decks[domain], None)
        if values is None:
            raise RecipeError(f"input.scenarios.count: the tables hold no more briefs of {domain!r} in {language!r}")
        yield domain, values


def _dealt_names(weights: dict[str, float], count: int | None, seed: int, what: str) -> Iterator[str]:
    """Names by their weights, each as soon as it is furthest behind its share; ties by the seed.

    >>> list(_dealt_names({"a": 2, "b": 1}, 6, 0, "x")).count("a")
    4
    """
    names = [name for name, weight in weights.items() if weight > 0]
    seeds.rng(seed, "scenarios", what).shuffle(names)
    total, given = sum(weights[name] for name in names), dict.fromkeys(names, 0)
    n = 0
    while count is None or n < count:
        n += 1
        name = max(names, key=lambda each: weights[each] / total * n - given[each])
        given[name] += 1
        yield name


def _of_domain(tables: Tables, domain: str, language: str, seed: int) -> Iterator[dict[str, str]]:
    """Briefs of one domain: rounds over all its pairs of subject and need, each time with another job."""
    chance = seeds.rng(seed, "scenarios", domain, language)
    subjects, jobs, phrases = tables.subjects[domain], tables.jobs[language], tables.phrases[language]
    pairs = [(subject, need) for subject in range(len(subjects)) for need in range(len(tables.needs))]
    first_job = chance.integers(0, len(jobs), len(pairs))
    for turn in range(len(jobs)):
        chance.shuffle(pairs)
        decks = [_deck(chance, table, len(pairs)) for table in (tables.traits, tables.settings, tables.moods)]
        ages = _deck(chance, tables.ages, len(pairs))
        for k, (subject, need) in enumerate(pairs):
            trait, setting, mood = (deck[k][language] for deck in decks)
            job = jobs[(int(first_job[subject * len(tables.needs) + need]) + turn) % len(jobs)]
            values = {
                "subject": subjects[subject][language], "need": tables.needs[need][language],
                "job": job, "age": str(ages[k]), "trait": trait, "setting": setting,
            }  # fmt: skip
            yield {**{name: _filled(phrases[name], values) for name in _PHRASES}, "style": mood}


def _deck(chance: Any, table: Sequence[Any], n: int) -> list[Any]:
    """`n` entries of a table, each about as often as any other, in a random order."""
    found = [table[k % len(table)] for k in range(n)]
    return [found[k] for k in chance.permutation(n)]


def _filled(phrase: str, values: dict[str, str]) -> str:
    """A phrase with its names in braces replaced; a table's texts are data, so no format string is run.

    >>> _filled("{subject}: {need}", {"subject": "a {need}", "need": "x"})
    'a {need}: x'
    """
    parts = phrase.replace("}", "{").split("{")
    return "".join(values.get(part, "") if k % 2 else part for k, part in enumerate(parts))


def coverage(recipe: WriteRecipe, briefs: Iterable[Brief] | None = None) -> Coverage:
    """Measure the evenness of a grid's briefs over its tables, and the share that nearly repeats another.

    Args:
        recipe: A recipe with scenarios.
        briefs: Its briefs; by default they are dealt here.
    """
    grid = recipe.input.scenarios
    if grid is None:
        raise ValueError("the recipe has no scenarios")
    shares = grid.languages or dict.fromkeys(recipe.languages, 1.0)
    tables = tables_of(grid, shares)
    domain_of = {
        entry[language]: domain
        for domain, entries in tables.subjects.items()
        for entry in entries
        for language in shares
    }
    heads = sorted(domain_of, key=len, reverse=True)
    domains, languages = Counter[str](), Counter[str]()
    topics, personas, situations = set[str](), set[str](), set[str]()
    near, n_near, n = NearDuplicates(0.8), 0, 0
    left = iter(briefs_of(recipe) if briefs is None else briefs)
    known: dict[str, str] = {}
    while batch := list(islice(left, _BATCH)):
        for brief, signature in zip(batch, signatures([text_of(brief) for brief in batch]), strict=True):
            n += 1
            n_near += near.seen(brief.id, signature) is not None
            if brief.topic not in known:
                known[brief.topic] = next((domain_of[head] for head in heads if brief.topic.startswith(head)), "")
            domains[known[brief.topic]] += 1
            languages[brief.language] += 1
            topics.add(brief.topic)
            personas.add(brief.persona)
            situations.add(brief.situation)
    return Coverage(
        n, dict(sorted(domains.items())), dict(sorted(languages.items())), len(topics), len(personas), len(situations),
        n_near / max(n, 1),
    )  # fmt: skip


def text_of(brief: Brief) -> str:
    """All texts of a brief, in one."""
    return "\n".join((brief.topic, brief.persona, brief.situation, brief.style))
