#!/bin/bash
# Stands in for `sbatch`: runs the tasks of the array at once; with a file `lazy` it leaves them in the file `queue`,
# and it refuses the script that a file `refuse` names. A task that touches `started-…` is signaled as if its time
# limit came near; one that is put back runs again.
here=$(dirname "$0")
echo "$@" >> "$here/submitted"
script=${!#}
if [ -f "$here/refuse" ] && [ "${script##*/}" = "$(cat "$here/refuse")" ]; then
  echo "sbatch: error: invalid partition specified: nowhere" >&2
  exit 1
fi
option() { sed -n "s/^#SBATCH --$1=//p" "$script" | tr -d '"'; }
id=$(($(cat "$here/last" 2>/dev/null || echo 40) + 1))
echo $id > "$here/last"
array=$(option array)
last=${array#0-}
last=${last%\%*}
for ((i = 0; i <= last; i++)); do
  task=${id}_$i
  if [ -f "$here/lazy" ]; then
    echo "$task|PENDING|Resources" >> "$here/queue"
    continue
  fi
  log=$(option output)
  log=${log//%a/$i}
  restarts=
  while :; do
    rm -f "$here/requeue-$task"
    echo "$task|RUNNING|None" > "$here/queue"
    rm -f runs/*/*/*/started-*
    SLURM_ARRAY_JOB_ID=$id SLURM_ARRAY_TASK_ID=$i SLURM_RESTART_COUNT=$restarts \
      bash "$script" >> "$log" 2>&1 &
    running=$!
    while kill -0 $running 2>/dev/null; do
      if ls runs/*/*/*/started-* > /dev/null 2>&1; then
        [ -f "$here/cancel" ] && echo "$task|COMPLETING|None" > "$here/queue"
        rm -f runs/*/*/*/started-*
        kill -TERM $running
      fi
      sleep 0.05
    done
    wait $running
    [ -f "$here/requeue-$task" ] || break
    restarts=$((restarts + 1))
  done
  : > "$here/queue"
  [ -f "$here/cancel" ] && echo "$task|CANCELLED|None" >> "$here/queue"
done
echo "$id"
