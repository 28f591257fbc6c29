#!/bin/bash
# Stands in for `ballast`: as slow as a small training, one at a time in a directory, goes on where it was, and writes files whole.
here=$(dirname "$0")
command=$1
run=$2
while [ $# -gt 0 ]; do
  case "$1" in --run) run=$2 ;; esac
  shift
done
prepared=$here/prepared/${run#runs/*/}
whole() {
  cp "$1" "$run/.$$.new" && mv "$run/.$$.new" "$run/${1##*/}" || exit 74
}
if [ "$command" = evaluate ]; then
  sleep 0.05
  whole "$prepared/evaluation.json"
  exit
fi
exec 9> "$run/lock" || exit 74
flock --nonblock 9 || { echo "error: another process trains here" >&2; exit 2; }
[ -f "$prepared/train" ] && touch "$here/training"
step=$(cat "$run/step" 2>/dev/null || echo 0)
while [ "$step" -lt "$(cat "$prepared/train" 2>/dev/null || echo 8)" ]; do
  sleep 0.02
  step=$((step + 1))
  echo "$step" > "$run/.step.new" && mv "$run/.step.new" "$run/step" || exit 74
done
whole "$prepared/metrics.jsonl"
echo "weights after $step steps" > "$run/model.safetensors" || exit 74
whole "$prepared/run.json"
