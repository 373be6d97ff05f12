"""From what metrics return to the table, with metrics that are declared here."""

from types import SimpleNamespace

import numpy as np
import pytest

from stickerforge.evaluation.metrics.base import METRICS, NotMeasured, metric
from stickerforge.evaluation.runner import score_sets, unmeasured_metrics
from tests.evaluation.inputs import metric_input

NAN = float("nan")


def pictures(*values):
    return [SimpleNamespace(value=value) for value in values]


def values_of(data):
    return np.array([item.value for item in data.pictures])


@pytest.fixture
def declare():
    """Declare metrics for one test."""
    names = set(METRICS)

    def register(compute, name="new", **fields):
        fields = {"group": "mine", "better": "higher", "about": "what it says"} | fields
        metric(name, **fields)(compute)

    yield register
    for name in set(METRICS) - names:
        del METRICS[name]


def test_values_of_pictures_are_a_mean_over_prompts(declare):
    declare(values_of)
    table = score_sets(metric_input(pictures(1, 3, 10, NAN), ["a", "a", "b", "c"]), {"new"})
    (score,) = table.scores
    assert (score.name, score.value, score.n, score.prompts) == ("new", 6, 3, 2)
    assert table.values["new"].tolist()[:3] == [1, 3, 10] and not table.weights


def test_values_of_pictures_may_stay_out_of_the_report(declare):
    declare(values_of, per_image=False)
    table = score_sets(metric_input(pictures(1, 3)), {"new"})
    assert table.scores[0].value == 2 and not table.values


def test_values_of_prompts_and_of_a_set(declare):
    declare(lambda data: {"a": 1.0, "b": 2.0}, encoded=True)
    declare(lambda data: 5.0, name="other", encoded=True, variant="twice")
    declare(lambda data: {}, name="empty")
    declare(lambda data: None, name="nothing")
    names = {"new", "other", "empty", "nothing"}
    table = score_sets(metric_input(pictures(1, 2, 3)), names)
    new, other = table.scores
    assert (new.name, new.value, new.n) == ("new@judge", 1.5, 2)
    assert (other.name, other.value, other.n, other.prompts) == ("other@judge", 5, 3, 0)
    assert table.weights == {"other@judge": "abc, twice"}
    assert unmeasured_metrics(table, names, set()) == [
        "empty: needs other pictures",
        "nothing: needs other pictures",
    ]


def test_what_cannot_be_measured_is_said(declare):
    def refuse(data):
        raise NotMeasured("it is too dark")

    declare(refuse)
    declare(values_of, name="other", needs=("reference",))
    table = score_sets(metric_input(pictures(1)), {"new", "other"})
    assert table.refused == ["new: it is too dark"] and not table.scores
    lines = unmeasured_metrics(table, {"new", "other"}, set())
    assert lines == ["other: needs --reference"]


def test_only_what_is_wanted_is_computed(declare):
    declare(lambda data: pytest.fail("computed"))
    assert not score_sets(metric_input(pictures(1)), set()).scores


def test_scores_stand_in_the_order_of_their_declaration(declare):
    declare(values_of, name="late")
    declare(values_of, name="later")
    table = score_sets(metric_input(pictures(1)), {"later", "late"})
    assert [score.name for score in table.scores] == ["late", "later"]


def test_paired_metrics_are_compared_with_the_baseline(declare):
    declare(values_of, paired=True)
    declare(values_of, name="alone")
    data = metric_input(pictures(2, 5), ["a", "b"], baseline=pictures(1, 1))
    table = score_sets(data, {"new", "alone"})
    assert set(table.paired) == {"new"}
    assert table.paired["new"]["change"] == 2.5 and table.paired["new"]["prompts"] == 2


def test_a_baseline_that_lacks_what_is_needed_is_not_compared(declare):
    def some(data):
        if data.pictures[0].value is None:
            raise NotMeasured("blind")
        return values_of(data)

    declare(some, paired=True)
    table = score_sets(metric_input(pictures(1), ["a"], baseline=pictures(None)), {"new"})
    assert table.scores and not table.paired and not table.refused


def test_metrics_with_weights_come_after_the_others_and_need_them(declare):
    order = []
    weights = SimpleNamespace(name="net", digest="123")
    declare(lambda data: order.append("heavy") or 1.0, name="heavy", weights="w", encoded=True)
    declare(lambda data: order.append("light") or 2.0, name="light")
    assert not score_sets(metric_input(pictures(1)), set(METRICS) & {"heavy"}).scores
    data = metric_input(pictures(1), places=("w",))
    data.models.load = lambda kind: weights
    table = score_sets(data, {"light"})
    assert order == ["light", "heavy"]
    assert [score.name for score in table.scores] == ["heavy@net", "light"]
    assert table.weights == {"heavy@net": "123"}
