"""Intervals of a report: of enough prompts, else a dash."""

import pytest

from stickerforge.evaluation.html_report import score_rows
from stickerforge.evaluation.report import text_lines
from stickerforge.evaluation.scores import ScoreTable, mean_score, scores_to_json, set_score

VALUES = [0.2, 0.9, 0.4, 0.5, 0.1, 0.8]


@pytest.mark.parametrize("pictures", [1, 4])
def test_fewer_than_six_prompts_have_no_interval_however_many_pictures(pictures):
    for prompts, is_known in ((1, False), (5, False), (6, True)):
        keys = [str(n) for n in range(prompts) for _ in range(pictures)]
        values = [VALUES[int(key)] for key in keys]
        score = mean_score("coverage", values, keys)
        entry = scores_to_json([score])["coverage"]
        assert (entry["low"] is not None) == (entry["high"] is not None) == is_known
        line = text_lines(ScoreTable(scores=[score]))[0]
        assert (" to " in line) == is_known and ("   -  " in line) != is_known
        row = score_rows({"figures": {"coverage": entry}, "against_baseline": {}})
        assert ("<td>-</td>" in row) != is_known and (" to " in row) == is_known


def test_a_figure_of_a_set_has_a_dash():
    line = text_lines(ScoreTable(scores=[set_score("duplicates", 0.5, 40)]))[0]
    assert line.split()[1:3] == ["0.500", "-"]
