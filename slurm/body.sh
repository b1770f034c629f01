# What every template runs: $STUDY and $STAGE, with the arguments of the template. $here: this folder.
set -uo pipefail
QUENCH=$(cd "$here/.." && pwd)
source "$here/site.sh"
modules
: "${PYTHON:=$([ -x "$QUENCH/.venv/bin/python" ] && echo "$QUENCH/.venv/bin/python" || echo python3)}"
export PYTHONPATH=$QUENCH${PYTHONPATH:+:$PYTHONPATH}
ranks=${RANKS:-${SLURM_NTASKS:-1}} lives=${SLURM_RESTART_COUNT:-0}

if [ "$STAGE" = analysis ]; then
  command=("$PYTHON" -m analysis "$STUDY" "$@")
else
  gpu=${SLURM_GPUS_PER_TASK:-}${SLURM_JOB_GPUS:-}
  # a node without the GPU that was asked for is to be an error, not a task that takes a hundred times as long
  command=("$PYTHON" -m jobs "$STUDY" "$STAGE" ${gpu:+--device gpu} "$@")
fi
if [ "$ranks" -gt 1 ] && [ "$STAGE" != analysis ]; then
  export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1}
  launcher=($LAUNCHER)
  if [ "$STAGE" = train ] && grep -q '^TOGETHER = True' "$QUENCH/jobs/$STUDY/train.py"; then   # all ranks train one network, by torch
    export MASTER_ADDR=${MASTER_ADDR:-$(hostname)} MASTER_PORT=${MASTER_PORT:-$((20000 + ${SLURM_JOB_ID:-$$} % 20000))} WORLD_SIZE=$ranks
    if [ -n "${SLURM_JOB_ID:-}" ]; then
      command=(bash -c 'RANK=$SLURM_PROCID LOCAL_RANK=$SLURM_LOCALID exec "$@"' - "${command[@]}")
    else
      launcher=("$PYTHON" -m torch.distributed.run --nproc-per-node "$ranks" -m --) command=("${command[@]:2}")
    fi
  fi
  command=("${launcher[@]}" "${command[@]}")
fi
echo "$(date '+%F %T') $(hostname) ${SLURMD_NODENAME:-} job ${SLURM_JOB_ID:-none}, life $((lives + 1)): ${command[*]}"

signalled=0
pass_on() {   # the time limit is near, or the task is preempted: the ranks finish the unit or epoch they are in
  signalled=1
  trap '' USR1 TERM
  kill -USR1 "$work" 2>/dev/null
}
alive() { kill -0 "$work" 2>/dev/null; }
"${command[@]}" &
work=$!
trap pass_on USR1 TERM
wait "$work"
if [ "$signalled" = 1 ]; then   # which has ended wait, not the work
  for ((second = 0; second < GRACE; second++)); do alive && sleep 1 || break; done
  alive && kill -KILL "$work"
fi
wait "$work"
status=$?

if [ "$status" = 75 ] || { [ "$signalled" = 1 ] && [ "$status" -gt 128 ]; }; then   # to be continued, or killed after $GRACE
  if [ -z "${SLURM_JOB_ID:-}" ]; then
    echo "stopped; the same command continues" >&2
  elif [ "$lives" -ge "$MAX_REQUEUES" ]; then
    echo "stopped after $((lives + 1)) lives (MAX_REQUEUES in slurm/site.sh); the same command continues" >&2
  elif [ "$(squeue -h -j "$SLURM_JOB_ID" -o %T)" = RUNNING ] && scontrol requeue "$SLURM_JOB_ID"; then   # not one that was cancelled
    echo "$(date '+%F %T') requeued, life $((lives + 1)) ends"
    exit 0
  else
    echo "stopped, and not requeued; the same command continues" >&2
  fi
fi
exit "$status"
