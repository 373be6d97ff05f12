import dataclasses

from stickerforge.config.style_presets import style_presets


def test_styles_are_complete():
    for name, preset in style_presets().items():
        assert preset.words.startswith("in ")
        assert "{prompt}" in preset.template
        assert all(dataclasses.astuple(preset)), name
