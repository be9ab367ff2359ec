"""The final comparison sees every kind of difference, and says nothing where all agree."""

from dataclasses import replace

from streams.audit.figures import Figures, recount_figures
from streams.audit.recount import Compared, Difference, Recount
from streams.audit.verify import SHOWN_DIFFERENCES_MAX, compare, report
from streams.count import Cut, Field

NOTES: Field = (Cut.EVENTS, "44", "NOTES")
MBN: Field = (Cut.PROJECT, "mbn")
DUPLICATES = 4
MINUTES: dict[tuple[int, Field], int] = {(100, NOTES): 5, (101, NOTES): 2, (100, MBN): 5, (101, MBN): 2}
REASONS = {"too_old": 2, "not_json": 1}
REDIS = Figures("Redis", None, 7, 3, DUPLICATES, REASONS, MINUTES)
TRUTH = replace(REDIS, source="truth", published=14)
KAFKA = Figures("Kafka", 14)
FIELDS: dict[Field, int] = {NOTES: 7}


def lines_of(
    *figures: Figures, redis: Figures = REDIS, redis_fields=FIELDS, prometheus_fields=FIELDS
) -> tuple[int, str]:
    said: list[str] = []
    code = report(compare([KAFKA, redis, *figures], 14, redis, redis_fields, prometheus_fields), said.append)
    return code, "\n".join(said)


def test_equal_figures_agree():
    code, text = lines_of(TRUTH)
    assert code == 0
    assert "every figure agrees" in text
    assert "DIFFERS" not in text
    assert "minutes, Redis and truth: 2 minutes, 4 rows compared, 0 differ" in text


def test_a_minute_moved_to_its_neighbour_is_seen_though_totals_agree():
    moved = {**MINUTES, (100, NOTES): 4, (101, NOTES): 3}
    code, text = lines_of(replace(TRUTH, minutes=moved))
    assert code == 1
    assert "DIFFERS  minute 100 e 44 NOTES: Redis says 5, truth 4" in text
    assert "DIFFERS  minute 101 e 44 NOTES: Redis says 2, truth 3" in text


def test_a_minute_that_only_one_side_has_is_seen():
    fewer = {key: number for key, number in MINUTES.items() if key[0] != 101}
    assert "minute 101 e 44 NOTES: Redis says 2, truth 0" in lines_of(replace(TRUTH, minutes=fewer))[1]
    assert (
        "minute 102 e 44 NOTES: Redis says 0, truth 1"
        in lines_of(replace(TRUTH, minutes={**MINUTES, (102, NOTES): 1}))[1]
    )


def test_a_cut_that_the_other_side_does_not_know_is_no_difference():
    only_events = {key: number for key, number in MINUTES.items() if key[1][0] == Cut.EVENTS}
    assert lines_of(replace(TRUTH, minutes=only_events))[0] == 0


def test_a_lost_event_is_seen_in_the_sum():
    short = replace(REDIS, counted=6)
    code, text = lines_of(redis=short)
    assert code == 1
    assert "Redis: counted + rejected + duplicates is 13, published is 14" in text


def test_fewer_delivered_than_published_is_seen():
    assert "truth: 15 published, Kafka holds 14" in lines_of(replace(TRUTH, published=15))[1]


def test_what_was_sent_again_without_an_answer_may_stand_twice_and_no_more():
    log, redis = 14 + 2, replace(REDIS, duplicates=DUPLICATES + 2)

    def said(resent: int) -> tuple[int, str]:
        lines: list[str] = []
        found = compare([Figures("Kafka", log), redis, replace(TRUTH, resent=resent)], log, redis, FIELDS, FIELDS)
        return report(found, lines.append), "\n".join(lines)

    code, text = said(resent=3)
    assert code == 0
    assert "truth: 2 of 3 events that were sent again without an answer stand in Kafka twice" in text
    code, text = said(resent=1)
    assert code == 1
    assert "DIFFERS  truth: 15 published, Kafka holds 16" in text
    assert said(resent=0)[0] == 1


def test_reasons_that_differ_are_seen_though_their_sum_agrees():
    other = replace(TRUTH, rejected_by_reason={"too_old": 1, "not_json": 2})
    code, text = lines_of(other)
    assert code == 1
    assert "rejected as not_json: truth says 2, Redis 1" in text


def test_a_total_that_prometheus_lacks_is_seen():
    code, text = lines_of(prometheus_fields={})
    assert code == 1
    assert "44 NOTES: Redis says 7, Prometheus 0" in text


def test_repeats_that_were_counted_as_events_are_seen():
    code, text = lines_of(replace(TRUTH, counted=6, duplicates=5))
    assert code == 1
    assert "duplicates: truth says 5, Redis 4" in text


def test_a_source_that_does_not_know_the_duplicates_is_compared_in_the_rest():
    assert lines_of(replace(TRUTH, duplicates=None))[0] == 0
    assert "counted: truth says 8, Redis 7" in lines_of(replace(TRUTH, duplicates=None, counted=8))[1]


def test_the_list_of_differences_is_bounded():
    many = {(minute, NOTES): 1 for minute in range(200, 300)}
    _code, text = lines_of(replace(TRUTH, minutes={**MINUTES, **many}))
    assert text.count("DIFFERS") == SHOWN_DIFFERENCES_MAX
    assert f"... and {100 - SHOWN_DIFFERENCES_MAX} more" in text


def test_the_totals_of_a_recount_are_those_of_redis_and_what_differs():
    differences = (
        Difference(None, ("region,service", "44", "NOTES"), redis=7, recount=8),
        Difference(None, ("project", "mbn"), redis=7, recount=8),
        Difference(None, ("rejected", "too_old"), redis=2, recount=1),
        Difference(None, ("duplicate",), redis=4, recount=6),
        Difference(100, ("region,service", "44", "NOTES"), redis=5, recount=6),
    )
    found = Recount(14, 1.0, Compared(2, 8, differences), True, ())
    figures = recount_figures(found, REDIS)
    assert (figures.published, figures.counted, figures.rejected, figures.duplicates) == (14, 8, 2, 6)
