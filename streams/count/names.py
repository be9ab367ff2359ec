"""The names of what is counted, by number."""

from collections.abc import Sequence

import numpy as np

from streams.catalog import UNKNOWN, Catalog
from streams.count.delta import Cut, Field, Sketch, SketchKey


class FieldNames:
    """Every field that can be counted and every sketch, by the numbers of their codes: made once for all partitions."""

    def __init__(self, catalog: Catalog) -> None:
        places, regions, academies = catalog.uai_index.places, catalog.region_codes, catalog.academy_codes
        services, projects, profiles = catalog.service_codes, catalog.project_codes, catalog.profile_codes
        self.regions, self.services = len(regions), len(services)
        self.region_of_place = np.array([regions.index(region) for region, _ in places], np.int64)
        self.academy_of_place = np.array([academies.index(academy) for _, academy in places], np.int64)
        by_region = [(region,) for region in regions]
        by_region_service = [(region, service) for region in regions for service in services]
        by_project = [(project,) for project in projects]
        by_profile_region = [(profile, region) for profile in profiles for region in regions]
        by_academy = [(academy,) for academy in academies]
        # Of all events, of those that start a visit, and of those that start a visit of their service: cuts of one and the same numbers.
        self.events = Fields(
            (Cut.EVENTS, by_region_service),
            (Cut.PROJECT, by_project),
            (Cut.PROFILE, by_profile_region),
            (Cut.ACADEMY, by_academy),
        )
        self.visits = Fields(
            (Cut.VISITS, by_region),
            (Cut.VISIT_PROJECT, by_project),
            (Cut.VISIT_PROFILE, by_profile_region),
            (Cut.VISIT_ACADEMY, by_academy),
        )
        self.service_visits = Fields((Cut.SERVICE_VISITS, by_region_service))
        self.late = Fields((Cut.LATE, by_region))
        self.places = places
        self.known_place = np.array([region != UNKNOWN for region, _academy in places])
        self.academy_users: list[SketchKey] = [(Sketch.ACADEMY_USERS, *place) for place in places]
        self.project_users: list[SketchKey] = [(Sketch.PROJECT_USERS, project) for project in projects]
        self.region_schools: list[SketchKey] = [(Sketch.REGION_SCHOOLS, region) for region, _academy in places]
        self.project_schools: list[SketchKey] = [(Sketch.PROJECT_SCHOOLS, project) for project in projects]


class Fields:
    """The fields of some cuts, one cut after the other: code `c` of cut `k` is `names[begins[k] + c]`."""

    def __init__(self, *cuts: tuple[Cut, Sequence[tuple[str, ...]]]) -> None:
        self.names: list[Field] = [(cut, *codes) for cut, all_codes in cuts for codes in all_codes]
        self.begins = np.cumsum([0, *(len(all_codes) for _cut, all_codes in cuts[:-1])])[:, None]
