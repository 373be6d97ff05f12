#!/usr/bin/env bash
# Make the contact sheets of the README with sticker-mini: bash examples/gallery/make.sh
# Nothing is picked: seeds are those of the call, in order.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
make_sheet() { # NAME COLUMNS
    "${STICKERFORGE:-stickerforge}" generate --prompts "$1.csv" --seed 1 --out "$work/$1" \
        --set output.columns="$2" --quiet
    cp "$work/$1/contact-sheet.png" "$1.png"
}
make_sheet styles 8
make_sheet astronauts 5
