"""Every metric of Vigie: name, type, help, labels and owner, as one closed list.

Code, rules, boards and docs are held to this list by `tests/test_metrics.py`. Names follow Prometheus: prefix `ent_`, base units,
`_total` for counters. Labels take values of closed lists only, never a user, an establishment or a URL.
"""

from streams.metric_kinds import Kind, Metric, Owner


def _observer(name: str, kind: Kind, text: str, *labels: str) -> Metric:
    return Metric(name, kind, Owner.OBSERVER, text, labels)


def _extra(name: str, kind: Kind, text: str, *labels: str) -> Metric:
    return Metric(name, kind, Owner.OBSERVER, text, labels, is_extra=True)


def _worker(name: str, kind: Kind, text: str, *labels: str) -> Metric:
    return Metric(name, kind, Owner.WORKER, text, labels)


def _collector(name: str, kind: Kind, text: str, *labels: str) -> Metric:
    return Metric(name, kind, Owner.COLLECTOR, text, labels)


# --- observer: from Redis, the same on every observer
EVENTS = _observer(
    "ent_events_total", Kind.COUNTER, "Visit events counted, by region and service.", "region", "service"
)
PROJECT_EVENTS = _observer("ent_project_events_total", Kind.COUNTER, "Visit events counted, by ENT project.", "project")
PROFILE_EVENTS = _extra(
    "ent_profile_events_total", Kind.COUNTER, "Visit events counted, by profile and region.", "profile", "region"
)
ACADEMY_EVENTS = _extra("ent_academy_events_total", Kind.COUNTER, "Visit events counted, by academy.", "academy")
REJECTED = _observer("ent_events_rejected_total", Kind.COUNTER, "Events rejected, by reason.", "reason")
REJECTS_NOT_KEPT = _observer(
    "ent_rejects_not_kept_total",
    Kind.COUNTER,
    "Rejected events counted but not kept in the dead-letter topic (bound, or outage).",
    "reason",
)
LATE = _observer(
    "ent_events_late_total", Kind.COUNTER, "Events counted after their partition's watermark had passed them.", "region"
)
DUPLICATES = _observer("ent_events_duplicate_total", Kind.COUNTER, "Repeats of an id, removed and not counted.")
VISITS = _observer("ent_visits_total", Kind.COUNTER, "Visits by the ministry's rule, by region.", "region")
PROJECT_VISITS = _observer(
    "ent_project_visits_total", Kind.COUNTER, "Visits, by project of the event that starts them.", "project"
)
PROFILE_VISITS = _observer(
    "ent_profile_visits_total",
    Kind.COUNTER,
    "Visits, by profile and region of the event that starts them.",
    "profile",
    "region",
)
ACADEMY_VISITS = _observer(
    "ent_academy_visits_total", Kind.COUNTER, "Visits, by academy of the event that starts them.", "academy"
)
SERVICE_VISITS = _extra(
    "ent_service_visits_total",
    Kind.COUNTER,
    "Visits of a service, by region; added up over services they are no number of visits.",
    "region",
    "service",
)
USERS = _observer(
    "ent_users",
    Kind.GAUGE,
    "Distinct visitors, approximate (0.81 % standard error), in the last settled minutes or the local day; region - is France. "
    "They never add up.",
    "window",
    "region",
)
PROJECT_USERS = _observer(
    "ent_project_users",
    Kind.GAUGE,
    "Distinct visitors of a project, approximate, in the last settled minutes.",
    "window",
    "project",
)
ACADEMY_USERS = _observer(
    "ent_academy_users",
    Kind.GAUGE,
    "Distinct visitors of an academy, approximate, in the last settled minutes.",
    "window",
    "academy",
)
ESTABLISHMENTS = _observer(
    "ent_establishments_reporting",
    Kind.GAUGE,
    "Distinct establishments seen in the last 15 settled minutes, approximate; region - is France.",
    "region",
)
PROJECT_ESTABLISHMENTS = _observer(
    "ent_project_establishments_reporting",
    Kind.GAUGE,
    "Distinct establishments of a project seen in the last 15 settled minutes, approximate.",
    "project",
)
DEDUPE_WINDOW = _observer(
    "ent_dedupe_window_seconds",
    Kind.GAUGE,
    "How far back ids are remembered to remove repeats: the shortest over all partitions.",
)
VISIT_WINDOW = _observer(
    "ent_visit_window_seconds",
    Kind.GAUGE,
    "How far back visitors are remembered to know a visit that goes on: the shortest over all partitions.",
)
LOST = _observer("ent_events_lost_total", Kind.COUNTER, "Offsets that retention removed before they could be counted.")
MINUTE_EVENTS = _observer(
    "ent_minute_events",
    Kind.GAUGE,
    "Events of one settled minute; the sample's time is the start of that minute.",
    "region",
    "service",
)
MINUTE_VISITS = _observer(
    "ent_minute_visits",
    Kind.GAUGE,
    "Visits of one settled minute; the sample's time is the start of that minute.",
    "region",
)
MINUTE_SERVICE_VISITS = _observer(
    "ent_minute_service_visits",
    Kind.GAUGE,
    "Visits of a service of one settled minute; the sample's time is the start of that minute.",
    "region",
    "service",
)
EXPECTED_VISITS = _observer(
    "ent_expected_visits",
    Kind.GAUGE,
    "Visits expected in one settled minute, from comparable days; region - is France. The sample's time is the start of that minute.",
    "region",
)
EXPECTED_LOWER = _observer(
    "ent_expected_visits_lower",
    Kind.GAUGE,
    "Below so many visits in one settled minute is unusual; the sample's time is the start of that minute.",
    "region",
)
EXPECTED_UPPER = _observer(
    "ent_expected_visits_upper",
    Kind.GAUGE,
    "Above so many visits in one settled minute is unusual; the sample's time is the start of that minute.",
    "region",
)
FORECAST_VISITS = _observer(
    "ent_forecast_visits",
    Kind.GAUGE,
    "Visits in France that the kept forecast expects in 15 minutes: those that end now, or in an hour. Bound mean, or lower "
    "and upper: the interval from 10 to 90 %. Absent where none is kept.",
    "ahead",
    "bound",
)
FORECAST_DAY_VISITS = _observer(
    "ent_forecast_day_visits",
    Kind.GAUGE,
    "Visits in France that the kept forecast expects of the day in Paris, today or tomorrow, with the same bounds.",
    "day",
    "bound",
)
_ALERT = ("kind", "scope", "region", "service", "project")
ALERT_ACTIVE = _observer(
    "ent_alert_active",
    Kind.GAUGE,
    "1 while an incident runs that somebody is called for, and for those of its alerts that somebody was called for before; "
    "- where a label does not apply.",
    *_ALERT,
)
ALERT_RATIO = _observer(
    "ent_alert_ratio",
    Kind.GAUGE,
    "Observed over expected, from the start of the alert to the last judged minute.",
    *_ALERT,
)
ALERT_RATIO_NOW = _observer(
    "ent_alert_ratio_now", Kind.GAUGE, "Observed over expected in the last five judged minutes of the alert.", *_ALERT
)
INCIDENT_ALERTS = _observer(
    "ent_incident_alerts",
    Kind.GAUGE,
    "Of each incident that runs and somebody is called for: alerts that run in it, its own included, by level.",
    *_ALERT,
    "level",
)
ALERT_INFO = _observer(
    "ent_alert_info",
    Kind.GAUGE,
    "1: the id of an alert and what is said of it in French: what it is called, in a line, and in full with its figures of this minute.",
    *_ALERT,
    "id",
    "title",
    "summary",
    "sentence",
)
ALERT_ACKNOWLEDGED = _observer(
    "ent_alert_acknowledged",
    Kind.GAUGE,
    "Of each incident that runs and somebody is called for: 1 where somebody has taken it in charge, else 0; `who` says who, until when.",
    *_ALERT,
    "who",
)
ALERT_OBSERVED = _extra(
    "ent_alert_observed_visits",
    Kind.GAUGE,
    "Visits (events, where visits are too few and for silences) counted since the start of the alert.",
    *_ALERT,
)
ALERT_EXPECTED = _extra("ent_alert_expected_visits", Kind.GAUGE, "What was expected over the same minutes.", *_ALERT)
ALERT_START = _observer("ent_alert_start_timestamp_seconds", Kind.GAUGE, "Start of the alert.", *_ALERT)
ALERTS_QUIET = _observer(
    "ent_alerts_quiet",
    Kind.GAUGE,
    "Alerts that run and that nobody is called for, by reason: planned stops, series that are still learned, raised just now, "
    "services too small, parts of an incident, more than are exposed.",
    "kind",
    "reason",
)
JUDGED = _observer(
    "ent_judged_timestamp_seconds", Kind.GAUGE, "Time up to which settled minutes are judged, by any observer."
)
DETECTOR_LOADING = _observer(
    "ent_detector_loading", Kind.GAUGE, "1 while this observer's detector reads the past; else 0."
)
DETECTOR_FAILURES = _observer(
    "ent_detector_failures_total",
    Kind.COUNTER,
    "Times this observer's detector could not judge: Redis or the archive failed.",
)
SCREEN_SHIFT = _observer(
    "ent_screen_shift_seconds",
    Kind.GAUGE,
    "What screens add to UTC: the offset of Paris, and in a simulation the scenario's time minus the clock.",
)
KAFKA_UP = _observer("ent_kafka_up", Kind.GAUGE, "1 if a broker of Kafka takes connections from this observer, else 0.")
REGION_INFO = _observer("ent_region_info", Kind.GAUGE, "1: the French name of a region.", "region", "name")
SERVICE_INFO = _observer("ent_service_info", Kind.GAUGE, "1: the French label of a service.", "service", "name")
ACADEMY_INFO = _observer("ent_academy_info", Kind.GAUGE, "1: the French name of an academy.", "academy", "name")
PROJECT_INFO = _observer("ent_project_info", Kind.GAUGE, "1: the name of a project.", "project", "name")
SETTLED = _observer("ent_settled_timestamp_seconds", Kind.GAUGE, "Event time up to which minutes are settled.")
ARCHIVE_TIME = _observer(
    "ent_archive_timestamp_seconds",
    Kind.GAUGE,
    "Time up to which the archive holds all settled minutes, as far back as Redis does.",
)
ARCHIVE_WAITING = _observer(
    "ent_archive_gap_seconds",
    Kind.GAUGE,
    "Settled hours, in seconds, that Redis holds and the archive does not: a gap if they stay.",
)
ARCHIVE_MISSED = _observer(
    "ent_archive_missed_events_total",
    Kind.COUNTER,
    "Events removed from Redis that no archive holds: it could not be written for too long, or they came later than anything is kept.",
)
ARCHIVE_REFUSED = _observer(
    "ent_archive_refused_seconds",
    Kind.GAUGE,
    "Hours, in seconds, of which the archive keeps another reading, since Redis does not reflect all that it does.",
)
ARCHIVE_FAILURES = _observer(
    "ent_archive_failures_total", Kind.COUNTER, "Passes in which the archive could not be written or Redis not be read."
)
ARCHIVE_FILE_BYTES = _observer("ent_archive_file_bytes", Kind.GAUGE, "Size of the day's file that was written last.")
SETTLING_STALE = _observer(
    "ent_settling_stale_partitions",
    Kind.GAUGE,
    "Partitions that hold settled time back because no worker vouches for them.",
)
PARTITIONS_UNOWNED = _observer(
    "ent_partitions_unowned", Kind.GAUGE, "Partitions without a worker's heartbeat for 15 s."
)
LAG_EVENTS = _observer(
    "ent_lag_events",
    Kind.GAUGE,
    "Consumer lag: offsets in Kafka that are not counted yet, by partition.",
    "partition",
)
REDIS_UP = _observer(
    "ent_redis_up",
    Kind.GAUGE,
    "1 if this observer reads Redis, else 0 (every series that is read from Redis is then absent).",
)
UNSEEN_VALUES = _observer(
    "ent_unseen_values",
    Kind.GAUGE,
    "Different values of the last 24 hours that no list knows, by list (kind), at most 500 each; `vigie unseen` lists them.",
    "kind",
)
CATALOG_MISMATCH = _observer(
    "ent_catalog_mismatch",
    Kind.GAUGE,
    "1 if a worker counts under other lists than this observer's config/: restart what is behind.",
)
OBSERVER_BUILD = _observer(
    "ent_build_info",
    Kind.INFO,
    "Version of Vigie, of the key layout and of the catalog.",
    "version",
    "layout",
    "catalog",
)

# --- worker: its own view
WORKER_EVENTS = _worker(
    "ent_worker_events_total", Kind.COUNTER, "Records this worker counted or rejected since it started."
)
WORKER_CHUNKS = _worker(
    "ent_worker_chunks_total", Kind.COUNTER, "Chunks this worker ended, by outcome of the Redis call.", "kind"
)
WORKER_SEEKS = _worker(
    "ent_worker_seeks_total", Kind.COUNTER, "Times a partition was re-read from where Redis stands.", "kind"
)
LAG_SECONDS = _worker(
    "ent_lag_seconds",
    Kind.GAUGE,
    "Age of the oldest record that is not counted yet, by partition.",
    "partition",
)
INGEST_DELAY = _worker(
    "ent_ingest_delay_seconds",
    Kind.HISTOGRAM,
    "From the broker's append time to the count in Redis, by batch.",
)
WATERMARK = _worker(
    "ent_partition_watermark_timestamp_seconds", Kind.GAUGE, "Watermark of an owned partition.", "partition"
)
WARMING = _worker(
    "ent_partition_warming",
    Kind.GAUGE,
    "1 while a partition's memory of ids and visitors is read again from the log, before it goes on counting; else 0.",
    "partition",
)
MEMORY = _worker(
    "ent_worker_memory_entries",
    Kind.GAUGE,
    "Entries of the memory of the owned partitions: ids, and visitors with their services.",
    "kind",
)
MEMORY_BYTES = _worker("ent_worker_memory_bytes", Kind.GAUGE, "Bytes that these entries take.", "kind")
OWNED = _worker("ent_worker_partitions", Kind.GAUGE, "Partitions this worker owns.")
REDIS_FAILURES = _worker(
    "ent_worker_redis_failures_total", Kind.COUNTER, "Redis calls that failed and are tried again."
)
DEAD_LETTER_FAILURES = _worker(
    "ent_worker_dead_letter_failures_total", Kind.COUNTER, "Dead letters Kafka did not take in time."
)
LOG_LINES_SUPPRESSED = _worker("ent_worker_log_lines_suppressed_total", Kind.COUNTER, "Repeated log lines not written.")

# --- collector
COLLECTED = _collector(
    "ent_collector_events_total",
    Kind.COUNTER,
    "Events that this collector was sent, by what became of them: accepted (Kafka confirmed them), unconfirmed (the sender was told to "
    "send them again), or the reason why they were refused; project - where the token speaks for several.",
    "project",
    "outcome",
)
COLLECTOR_REQUESTS = _collector(
    "ent_collector_requests_total",
    Kind.COUNTER,
    "Requests with events that this collector answered, by status.",
    "status",
)
COLLECTOR_SECONDS = _collector(
    "ent_collector_request_seconds",
    Kind.HISTOGRAM,
    "From a request's head to its answer, Kafka's confirmation included.",
)
COLLECTOR_WAITING = _collector(
    "ent_collector_waiting_bytes", Kind.GAUGE, "Bytes of events that this collector holds until Kafka confirms them."
)
COLLECTOR_KAFKA_UP = _collector(
    "ent_collector_kafka_up", Kind.GAUGE, "1 while Kafka takes events from this collector, else 0."
)

# --- each process of itself
PROBLEM = Metric(
    "ent_problem",
    Kind.GAUGE,
    Owner.BOTH,
    "1 while a part of this process fails in a way that nobody foresaw, hangs or is gone; else 0.",
    ("part",),
)
DEFECTS = Metric(
    "ent_defects_total",
    Kind.COUNTER,
    Owner.BOTH,
    "Times a part of this process failed in a way that nobody foresaw.",
    ("part",),
)

METRICS: tuple[Metric, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
