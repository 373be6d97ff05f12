#!/usr/bin/env bash
# Make the contact sheets of the README with sticker-mini: bash examples/gallery/make.sh
# Nothing is picked: seeds are those of the call, in order.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for sheet in styles astronauts; do
    "${STICKERFORGE:-stickerforge}" generate --prompts "$sheet.csv" --seed 1 --out "$work/$sheet" --set output.columns="$([ "$sheet" = styles ] && echo 8 || echo 5)" --quiet
    cp "$work/$sheet/contact-sheet.png" "$sheet.png"
done
