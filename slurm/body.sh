# What every template runs: $STUDY and $STAGE, with the arguments of the template. $here: this folder.
set -uo pipefail
QUENCH=$(cd "$here/.." && pwd)
source "$here/site.sh"
set +u; modules; set -u   # environment modules use variables that are not set
: "${PYTHON:=$([ -x "$QUENCH/.venv/bin/python" ] && echo "$QUENCH/.venv/bin/python" || echo python3)}"
export PYTHONPATH=$QUENCH${PYTHONPATH:+:$PYTHONPATH}
export SLURM_EXPORT_ENV=ALL   # to the steps of this job, whose own environment sbatch --export=NONE may have emptied
ranks=${RANKS:-${SLURM_NTASKS:-1}} lives=$((${SLURM_RESTART_COUNT:-0} + ${QUENCH_LIVES:-0})) job=${SLURM_JOB_ID:-}   # job: empty without Slurm

[ "$lives" = 0 ] || export SLURM_RESTART_COUNT=$lives   # of a continuation, too
if [ -n "${QUENCH_TASKS:-}" ] && [ -n "${SLURM_ARRAY_TASK_ID:-}" ]; then   # some tasks of an array, submitted again
  export QUENCH_TASK=${QUENCH_TASK:-$SLURM_ARRAY_TASK_ID}
fi

if [ "$STAGE" = analysis ]; then
  command=("$PYTHON" -m analysis "$STUDY" "$@")
else
  gpu=
  for given in "${SLURM_GPUS_PER_TASK:-}" "${SLURM_GPUS_ON_NODE:-}" "${SLURM_JOB_GPUS:-}" "${SLURM_GPUS:-}"; do
    case $given in '' | 0) ;; *) gpu=yes ;; esac
  done
  # a node without the GPU that was asked for is to be an error, not a task that takes a hundred times as long
  command=("$PYTHON" -m jobs "$STUDY" "$STAGE" ${gpu:+--device gpu} "$@")
fi
if [ "$ranks" -gt 1 ] && [ "$STAGE" != analysis ]; then
  export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1}
  launcher=($LAUNCHER)
  if [ "$STAGE" = train ] && "$PYTHON" -c "from jobs import study; exit(not study.of('$STUDY').together)"; then   # all ranks train one network, by torch
    export MASTER_ADDR=${MASTER_ADDR:-$([ -n "$job" ] && hostname || echo 127.0.0.1)}
    export MASTER_PORT=${MASTER_PORT:-$((20000 + ${job:-$$} % 20000))} WORLD_SIZE=$ranks
    if [ -n "$job" ]; then
      command=(bash -c 'RANK=$SLURM_PROCID LOCAL_RANK=$SLURM_LOCALID exec "$@"' - "${command[@]}")
    else
      launcher=(together)
    fi
  fi
  command=("${launcher[@]}" "${command[@]}")
fi
# Notes of a stage that fails, for `status`: RUN/log/slurm-STAGE[-TASK].failed
run= before=
for argument in "$@"; do [ "$before" != --run ] || run=$argument; before=$argument; done
[ "$STAGE" != analysis ] || run=${1:-}
failure=${run:+$run/log/slurm-$STAGE${SLURM_ARRAY_TASK_ID:+-$SLURM_ARRAY_TASK_ID}.failed}
[ -z "$failure" ] || rm -f "$failure"
left=$((${SLURM_JOB_END_TIME:-0} - ${SLURM_JOB_START_TIME:-0}))
if [ "$STAGE" != analysis ] && [ "$left" -gt 0 ] && [ "$left" -le 660 ]; then
  echo "the time limit is $left s, and 600 s before it work is asked to stop: each life does one unit or epoch; ask for more --time" >&2
fi
echo "$(date '+%F %T') $(hostname) ${SLURMD_NODENAME:-} job ${job:-none}, life $((lives + 1)): ${command[*]}"

together() {   # without Slurm: what torchrun does, but a signal reaches the ranks, and their status comes back
  local processes=() left process rank code status=0
  trap '' INT   # Ctrl-C goes to everybody: it is for the one below
  for ((rank = 0; rank < ranks; rank++)); do
    RANK=$rank LOCAL_RANK=$rank "$@" &
    processes+=($!)
  done
  trap 'kill -USR1 "${processes[@]}" 2>/dev/null' USR1
  trap 'kill "${processes[@]}" 2>/dev/null' TERM
  while [ ${#processes[@]} -gt 0 ]; do
    wait -n "${processes[@]}"
    code=$? left=()
    for process in "${processes[@]}"; do ! kill -0 "$process" 2>/dev/null || left+=("$process"); done
    if [ "$code" != 0 ] && [ ${#left[@]} -lt ${#processes[@]} ]; then   # else a signal has ended wait
      status=$code
      [ "$code" = 75 ] || kill "${left[@]}" 2>/dev/null   # they would wait for the one that is gone
    fi
    processes=("${left[@]}")
  done
  exit "$status"
}

signalled=0
pass_on() {   # the time limit is near, or the task is preempted: the ranks finish the unit or epoch they are in
  signalled=1
  trap '' USR1 TERM HUP
  kill -USR1 "$work" 2>/dev/null
}
interrupt() {   # Ctrl-C, of which work in the background hears nothing: once to end after the unit, twice to end
  [ "$signalled" = 0 ] || { kill "$work" 2>/dev/null; exit 130; }
  echo "ending after the unit or epoch in progress; Ctrl-C again: at once" >&2
  pass_on
}
alive() { kill -0 "$work" 2>/dev/null; }
[ "$STAGE" != analysis ] || trap '' USR1   # it has nothing to keep, and may use its time to the end
"${command[@]}" &
work=$!
if [ "$STAGE" = analysis ]; then trap pass_on TERM HUP; else trap pass_on USR1 TERM HUP; fi
trap interrupt INT
wait "$work"
if [ "$signalled" = 1 ]; then   # which has ended wait, not the work
  for ((second = 0; second < GRACE || ${#job} == 0; second++)); do alive && sleep 1 || break; done
  alive && kill -KILL "$work"
fi
wait "$work"
status=$?

continued() {   # submits a job that goes on as submit.sh said, and makes those wait for it who wait for this one
  local saved words script name waiting wanted lock=$run/log/slurm-dependencies tries=0
  [ -r "$run/log/slurm-$STAGE.sbatch" ] || { echo "REQUEUE=no: only what submit.sh submitted can be continued" >&2; return 1; }
  mapfile -t saved <"$run/log/slurm-$STAGE.sbatch"
  eval "words=(${saved[0]})"; eval "script=(${saved[1]})"
  local more=QUENCH_LIVES=$((lives + 1))
  if [ -n "${SLURM_ARRAY_TASK_ID:-}" ]; then
    words+=(--array="$SLURM_ARRAY_TASK_ID")
    : "${QUENCH_TASK:=$(((SLURM_ARRAY_TASK_ID - SLURM_ARRAY_TASK_MIN) / ${SLURM_ARRAY_TASK_STEP:-1}))}"
    more+=,QUENCH_TASK=$QUENCH_TASK,QUENCH_TASKS=${QUENCH_TASKS:-$SLURM_ARRAY_TASK_COUNT}
  fi
  local mine=${SLURM_ARRAY_JOB_ID:-$job}
  local clean=(env)
  for name in $(compgen -e SLURM_); do [ "$name" = SLURM_CONF ] || clean+=(-u "$name"); done
  again=$("${clean[@]}" sbatch "${words[@]}" --dependency=afterany:"$task" --export=ALL,"$more" "${script[@]}") || return 1
  again=${again%%;*}
  echo "$again" >>"$run/log/slurm-$STAGE.jobs"
  until mkdir "$lock" 2>/dev/null || [ $((tries += 1)) -gt 60 ]; do sleep 1; done   # other tasks do the same; one that died does not count
  for waiting in $(squeue -h -u "$(id -u)" -t PENDING -o %A | sort -u); do
    wanted=$(scontrol show job -o "$waiting" | sed -n 's/.* Dependency=\([^ ]*\) .*/\1/p' | head -n 1 | sed 's/([^)]*)//g; s/_\*//g')
    case ,$wanted, in *,afterok:"$mine",*) scontrol update JobId="$waiting" Dependency="$wanted,afterok:$again" ;; esac
  done
  rmdir "$lock" 2>/dev/null
  return 0
}

# of this task alone: to squeue and scontrol the id of an array's last task is that of the whole array
task=${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID}
: "${task:=$job}"
if [ "$status" = 75 ] || { [ "$signalled" = 1 ] && [ "$status" -gt 128 ]; }; then   # to be continued, or killed after $GRACE
  if [ -z "$job" ]; then
    echo "stopped; the same command continues" >&2
  elif [ "$lives" -ge "$MAX_REQUEUES" ]; then
    echo "stopped after $((lives + 1)) lives (MAX_REQUEUES in slurm/site.sh); the same command continues" >&2
  elif [ "$(squeue -h -j "$task" -o %T)" != RUNNING ]; then   # cancelled
    echo "stopped, and not requeued; the same command continues" >&2
  elif [ "$REQUEUE" = no ]; then
    if continued; then
      echo "$(date '+%F %T') job $again goes on, life $((lives + 1)) ends"
      exit 0
    fi
    echo "stopped, and no job goes on; the same command continues" >&2
  elif scontrol requeue "$task"; then
    echo "$(date '+%F %T') requeued, life $((lives + 1)) ends"
    exit 0
  else
    echo "stopped, and not requeued; the same command continues" >&2
  fi
elif [ "$status" != 0 ] && [ -n "$failure" ] && [ -d "${failure%/*}" ]; then
  echo "$STAGE${SLURM_ARRAY_TASK_ID:+ task $SLURM_ARRAY_TASK_ID}: exit $status on $(date '+%F %T')${job:+, job ${task}}; see ${run}/log" >"$failure"
fi
exit "$status"
