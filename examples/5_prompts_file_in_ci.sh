#!/usr/bin/env bash
# A prompts file, checked as in CI: bash examples/5_prompts_file_in_ci.sh [FOLDER] [STICKERS PER PROMPT]
# A rerun makes only what is missing; the job fails (exit code 5) where a limit is not kept.
set -euo pipefail
out=${1:-stickers}
count=${2:-2}
stickerforge() { "${PYTHON:-python3}" -m stickerforge "$@"; }
mkdir -p "$out"

cat > "$out/prompts.csv" <<CSV
id,prompt,style,count
login,key,flat,$count
welcome,cat astronaut,sticker,$count
error,"robot, on a red background",twemoji,$count
CSV
stickerforge generate --prompts "$out/prompts.csv" --seed 11 --out "$out/release" --json > "$out/release.json"

# Halo is the colour error of the edge, of 255; facts are what a judge finds of the prompt.
stickerforge evaluate "$out/release" --fail-under halo=12 --fail-under facts@judge=0.3 --out "$out/evaluation"
echo "passed: $out/evaluation/report.html"
