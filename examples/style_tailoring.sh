#!/usr/bin/env bash
# A new house style, end to end: bash examples/style_tailoring.sh [FOLDER] [STEPS] [PROMPTS]
# Ten minutes on two cores; needs the art of examples/recipes/mini (fetch.py, art.py).
# Simulated raters decide here; people would, on a page, with `stickerforge rate house`.
set -euo pipefail
out=${1:-house}
mkdir -p "$out" && out=$(cd "$out" && pwd)
steps=${2:-300}
prompts=${3:-48}
stickerforge() { "${PYTHON:-python3}" -m stickerforge "$@"; }
ours() { "${PYTHON:-python3}" -m "examples.experiments.style_tailoring.$1" "${@:2}"; }
tailor() {
  stickerforge tailor style --name house --steps "$steps" --set validation.every=0 "$@"
}

# What a studio would bring: stickers of any style with tags, and a hundred in its own style.
ours domain "$out/domain"
ours house "$out/house" --inks
export STICKERFORGE_HOME=${STICKERFORGE_HOME:-$out/home}

# Filters, and the domain stage; then candidates that its model draws of prompts, and gates.
tailor --stage domain --set domain.data="$out/domain" --set domain.prompt_share=0.2
ours content "$out/prompts.txt" --count "$prompts"
tailor --stage content --set content.file="$out/prompts.txt" --set content.prompts="$prompts" --set content.batch=4
candidates=$STICKERFORGE_HOME/sets/house/content
ours raters "$candidates"
stickerforge rate house --question match --ratings "$candidates/simulated.jsonl"

# The house's own drawings count as picked; then both sets together: the sticker model.
tailor --stage style --set style.data="$out/house"
tailor --stage joint

# Every fourth prompt of those that the experiment asks for, before and after.
here=$(cd "$(dirname "$0")" && pwd)
grep -v '^#' "$here/experiments/style_tailoring/prompts.txt" | awk 'NR % 4 == 1' > "$out/words.txt"
draw() { stickerforge generate --prompts "$out/words.txt" --seed 7 --set output.colours=flat "$@"; }
draw --out "$out/before"
draw --adapter house --out "$out/after"
ours house_sheet "$out" "$out/sheet.png"
echo "before and after: $out/sheet.png"
