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
        self.events = _fields(
            (Cut.EVENTS, by_region_service),
            (Cut.PROJECT, by_project),
            (Cut.PROFILE, by_profile_region),
            (Cut.ACADEMY, by_academy),
        )
        self.visits = _fields(
            (Cut.VISITS, by_region),
            (Cut.VISIT_PROJECT, by_project),
            (Cut.VISIT_PROFILE, by_profile_region),
            (Cut.VISIT_ACADEMY, by_academy),
        )
        self.service_visits = _fields((Cut.SERVICE_VISITS, by_region_service))
        self.late = _fields((Cut.LATE, by_region))
        self.places = places
        self.known_place = np.array([region != UNKNOWN for region, _academy in places])
        self.academy_users: list[SketchKey] = [(Sketch.ACADEMY_USERS, *place) for place in places]
        self.project_users: list[SketchKey] = [(Sketch.PROJECT_USERS, project) for project in projects]
        self.region_schools: list[SketchKey] = [(Sketch.REGION_SCHOOLS, region) for region, _academy in places]
        self.project_schools: list[SketchKey] = [(Sketch.PROJECT_SCHOOLS, project) for project in projects]


def _fields(*cuts: tuple[Cut, Sequence[tuple[str, ...]]]) -> list[list[Field]]:
    return [[(cut, *codes) for codes in all_codes] for cut, all_codes in cuts]
