#!/usr/bin/env bash
# Prompts to stickers: bash examples/1_generate.sh [FOLDER] [STICKERS PER PROMPT]
# Each is a 512 px PNG with transparency that remembers how it was made.
set -euo pipefail
out=${1:-stickers}
count=${2:-4}
stickerforge() { "${PYTHON:-python3}" -m stickerforge "$@"; }

# Sticker i of a prompt uses seed 7 + i, so the same call makes the same bytes again.
stickerforge generate "cat astronaut" "red apple" --style sticker --count "$count" --seed 7 --out "$out"

# One more like the first, with the settings that its file remembers, as a small WebP for a chat.
first=$(find "$out" -name "cat-astronaut-7-*.png" | head -n 1)
stickerforge generate --from "$first" --size 256 --format webp --out "$out/chat"

echo "all of them together: $out/contact-sheet.png"
