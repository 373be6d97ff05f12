"""`doctor`, and what `models` says of what is installed."""

import sys


def test_models_and_doctor(cli):
    listed = cli("models", "list", "--json").json["result"]["models"]
    assert listed[0]["name"].startswith("sticker-mini@")
    shown = cli("models", "show", "sticker-mini", "--json").json["result"]
    assert (
        shown["alpha"] == "premultiplied"
        and "astronaut" in shown["words"]
        and shown["megabytes"] < 30
    )
    healthy = cli("doctor", "--json")
    assert healthy.code == 0 and healthy.json["result"]["weights"]["sticker-mini"].startswith(
        "intact"
    )


def test_doctor_finds_what_is_broken(cli, monkeypatch):
    from stickerforge.commands import doctor
    from stickerforge.errors import EnvironmentFault
    from stickerforge.models.judge import model

    def damaged(folder):
        raise EnvironmentFault(f"{folder} is damaged", "install stickerforge again")

    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "torch", None)  # importing it fails
        assert doctor.devices().startswith("torch cannot be imported")
    with monkeypatch.context() as patch:
        patch.setattr(model, "read_card", damaged)
        ended = cli("doctor")
    assert ended.code == 5 and "judges: " in ended.err and "is damaged" in ended.err
    monkeypatch.setattr(doctor, "devices", lambda: "torch cannot be imported: libc.so")
    monkeypatch.setattr(doctor, "LIBRARIES", (*doctor.LIBRARIES, "no-such-library"))
    ended = cli("doctor")
    assert ended.code == 5 and "libc.so" in ended.err and "no-such-library is missing" in ended.err
