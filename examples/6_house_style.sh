#!/usr/bin/env bash
# A new house style, end to end: bash examples/6_house_style.sh [FOLDER] [STEPS]
# Simulated raters decide in place of people; with people, leave out --ratings and use the page.
# Twenty minutes on two cores. Needs the art of the recipe (examples/recipes/mini: fetch.py, art.py).
set -euo pipefail
out=${1:-house}
steps=${2:-150}
stickerforge() { "${PYTHON:-python3}" -m stickerforge "$@"; }
simulate() { "${PYTHON:-python3}" -m "examples.experiments.style_tailoring.$1" "${@:2}"; }

# Stickers of other styles with captions like tags, and a hundred drawings in the house style.
simulate domain "$out/domain"
simulate house "$out/house"

# The domain first: filters, then a training. Its model draws candidates, about which raters decide.
stickerforge tailor style --name house --stage domain --steps "$steps" --set domain.data="$out/domain"
stickerforge tailor style --name house --stage content
set_folder=${STICKERFORGE_HOME:-$HOME/.stickerforge}/sets/house/content
simulate raters "$set_folder"
stickerforge rate house --question match --ratings "$set_folder/simulated.jsonl"

# The house's own drawings count as picked. Then both together: the sticker model.
stickerforge tailor style --name house --stage style --set style.data="$out/house"
stickerforge tailor style --name house --stage joint --steps "$steps"

for words in before after; do
  adapter=(); [ "$words" = after ] && adapter=(--adapter house)
  stickerforge generate "a penguin" "a cat wearing a crown" "three mushrooms" --seed 7 \
    "${adapter[@]}" --out "$out/$words"
done
echo "compare $out/before/contact-sheet.png with $out/after/contact-sheet.png"
