import pytest

from stickerforge.errors import InputError
from stickerforge.training.run_folder import RunFolder, run_folder


def test_a_run_that_lies_elsewhere_is_not_touched(tmp_path, monkeypatch):
    monkeypatch.setenv("STICKERFORGE_HOME", str(tmp_path / "home"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "home" / "runs").mkdir(parents=True)
    run_folder("dog").path.symlink_to(tmp_path / "mine")
    with pytest.raises(InputError, match="is a link"), run_folder("dog").lock():
        pass
    assert not list((tmp_path / "mine").iterdir())


def test_a_run_is_one_process_alone(tmp_path):
    run = RunFolder(tmp_path / "dog")
    with run.lock(), pytest.raises(InputError, match="another customize"), run.lock():
        pass


@pytest.mark.parametrize("content", ["[" * 9999, "{}", '{"step": "x"}', "\0"])
def test_a_broken_pointer_is_one_error(tmp_path, content):
    run = RunFolder(tmp_path)
    run.pointer.write_text(content)
    with pytest.raises(InputError, match="is broken"):
        run.checkpoint_info()


def test_what_an_earlier_run_measured_goes_as_a_whole(tmp_path):
    run = RunFolder(tmp_path)
    run.validation_sheets.mkdir()
    measured = (run.best(3), run.validation_log, run.validation_plot)
    for path in (*measured, run.validation_sheets / "000003.png", run.metrics, run.config):
        path.write_text("x")
    run.remove_validations()
    assert {path.name for path in tmp_path.iterdir()} == {run.metrics.name, run.config.name}
    run.remove_validations()
