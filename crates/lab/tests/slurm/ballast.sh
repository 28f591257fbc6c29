#!/bin/bash
# Stands in for `ballast`: copies what is prepared for ARM/seed-N or for the cell, and does what marks there say:
# `exit` fails, `save` ends with 75, `stop` lasts until SIGTERM and goes on when run again, `long` is an evaluation that saves nothing.
here=$(dirname "$0")
echo "$@" >> "$here/calls"
command=$1
run=$2
while [ $# -gt 0 ]; do
  case "$1" in --run | --output) run=$2 ;; esac
  shift
done
name=${run#runs/*/}
prepared=$here/prepared/$name
echo "$command of $run with $OMP_NUM_THREADS thread"
last() {
  touch "$run/started-$command"
  for _ in $(seq 1200); do sleep 0.1; done
  exit 70
}
if [ "$command" = train ]; then
  if [ -f "$prepared/exit" ]; then
    echo "error: mine.csv:3:1: not a number" >&2
    exit 65
  fi
  [ -f "$prepared/save" ] && exit 75
  if [ -f "$prepared/stop" ] && [ ! -f "$run/half" ]; then
    trap 'touch "$run/half"; exit 75' TERM
    last
  fi
  cp "$prepared"/{run.json,metrics.jsonl} "$run/"
  echo "weights of $name" > "$run/model.safetensors"
else
  [ -f "$prepared/long" ] && last
  case "$name" in
    */evaluation-*) cp "$here/prepared/${name%/*}/evaluation.json" "$run/" ;;
    *) cp "$prepared/evaluation.json" "$run/" ;;
  esac
fi
