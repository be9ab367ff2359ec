"""Establishments: valid numbers in the right departements, and the projects that serve them."""

from streams.catalog import departement_of
from streams.simulate.inputs import Configuration
from streams.simulate.population import make_establishments


def test_every_uai_is_valid_unique_and_in_its_region(configurations: dict[str, Configuration]) -> None:
    c = configurations["rentree"]
    found = make_establishments(c.catalog, c.traffic, 1)
    assert len(found) == 18
    every = [item for items in found.values() for item in items]
    assert len({item.uai for item in every}) == len(every) >= c.traffic.establishments * 0.98
    for region, items in found.items():
        assert len(items) >= c.traffic.establishments_per_region_min
        for item in items:
            assert departement_of(item.uai) == item.departement
            assert c.catalog.uai_index[item.uai] == (region, item.place.academy)
            assert item.place.region == region
    held = {d for region in c.catalog.regions if region.weight for a in region.academies for d in a.departements}
    assert {item.departement for item in every} == held


def test_projects_serve_their_region_and_departements(configurations: dict[str, Configuration]) -> None:
    c = configurations["rentree"]
    found = make_establishments(c.catalog, c.traffic, 1)
    projects = {project.code: project for project in c.catalog.projects}
    assert {item.place.project for items in found.values() for item in items} == set(projects)
    for region, items in found.items():
        for item in items:
            project = projects[item.place.project]
            assert project.region in (None, region)
            assert not project.departements or item.departement in project.departements
    for region in ("02", "03", "94"):
        assert {item.place.project for item in found[region]} == {"kosmos_edu"}


def test_the_same_seed_makes_the_same_schools(configurations: dict[str, Configuration]) -> None:
    c = configurations["rentree"]
    assert make_establishments(c.catalog, c.traffic, 5) == make_establishments(c.catalog, c.traffic, 5)
    assert make_establishments(c.catalog, c.traffic, 5) != make_establishments(c.catalog, c.traffic, 6)
