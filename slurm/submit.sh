#!/usr/bin/env bash
# Submit a whole study: generate (array) -> collect -> train (array) -> predict or rollout -> analysis, each when the one before it
# went well. Prints the ids. What is finished is skipped, so the same command continues a chain that broke.
#
#   slurm/submit.sh STUDY CONFIG.yaml [--run RUN] [--set KEY.PATH=VALUE ...] [--dry-run] [-- SBATCH OPTIONS for all jobs]
#   slurm/submit.sh nucleation jobs/nucleation/r10_l100.yaml --run $SCRATCH/r10
#   slurm/submit.sh --failed RUN    the tasks of a chain that failed, and what comes after them, as they were submitted
#
# --run: default runs/CONFIG's name. --dry-run: print the sbatch commands. Account, partition, QOS, GPUs and the like, by stage, and
# array lengths: slurm/site.sh
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/site.sh"
export QUENCH=${here%/slurm}
set +u; modules; set -u   # environment modules use variables that are not set
: "${PYTHON:=$([ -x "$QUENCH/.venv/bin/python" ] && echo "$QUENCH/.venv/bin/python" || echo python3)}"

fail() { echo "$1" >&2; exit 2; }

submitted=() chain=()
queue() {   # STAGE, then sbatch and its words: all of a chain, or nothing
  local stage=$1 id
  shift
  if ! id=$("$@"); then
    [ ${#submitted[@]} = 0 ] || scancel "${submitted[@]}"
    fail "$stage was refused; of this chain nothing is left in the queue"
  fi
  previous=${id%%;*}
  submitted+=("$previous")
  chain+=("$stage $previous")
}
written() {   # ids into RUN/log, once all are there: for status, and continuations
  local one
  for one in "${chain[@]}"; do echo "${one#* }" >>"$run/log/slurm-${one% *}.jobs"; done
  printf '%s\n' "${chain[@]}"
  echo "how far it is: $PYTHON -m jobs status $run    figures then: $run/report.md"
}
if [ "${1:-}" = --failed ]; then
  [ $# = 2 ] || fail "usage: slurm/submit.sh --failed RUN"
  run=$2 previous= first= tasks=
  found=$(PYTHONPATH=$QUENCH${PYTHONPATH:+:$PYTHONPATH} "$PYTHON" -m jobs status --failed "$run") || exit 2
  [[ $found != alive\ * ]] || fail "--failed: ${found#alive }: wait for it, or scancel it"
  [ -n "$found" ] || fail "--failed: nothing of $run has failed"
  read -r first tasks <<<"$found"
  [ -r "$run/log/slurm-$first.sbatch" ] || fail "--failed: $run was not submitted by submit.sh: submit it again, finished work is skipped"
  for stage in generate collect train predict rollout analysis; do
    [ "$stage" = "$first" ] || [ -n "$previous" ] || continue
    [ -r "$run/log/slurm-$stage.sbatch" ] || continue
    mapfile -t saved <"$run/log/slurm-$stage.sbatch"
    eval "options=(${saved[0]})"; eval "script=(${saved[1]})"
    more=()
    if [ "$stage" = "$first" ] && [ -n "$tasks" ]; then more=(--array="$tasks" --export=ALL,QUENCH_TASKS="${saved[2]}"); fi
    queue "$stage" sbatch "${options[@]}" ${previous:+--dependency=afterok:"$previous"} "${more[@]}" "${script[@]}"
  done
  written
  exit
fi
[ $# -ge 2 ] || fail "usage: slurm/submit.sh STUDY CONFIG.yaml [--run RUN] [--set KEY.PATH=VALUE ...] [--dry-run] [-- SBATCH OPTIONS]"
study=$1 config=$2 run= dry= settings=() options=()
shift 2
while [ $# -gt 0 ]; do
  case $1 in
    --run | --set) [ $# -ge 2 ] || fail "$1: expected a value" ;;&
    --run) run=$2; shift 2 ;;
    --set) settings+=(--set "$2"); shift 2 ;;
    --dry-run) dry=1; shift ;;
    --) shift; options=("$@"); break ;;
    *) fail "$1: unknown; known are --run, --set, --dry-run and -- SBATCH OPTIONS" ;;
  esac
done
: "${run:=runs/$(basename "$config" .yaml)}"
[ -n "$dry" ] || command -v sbatch >/dev/null ||
  fail "sbatch is not there: run slurm/${study}_STAGE.sh by bash, or python -m jobs $study all"
"$PYTHON" -c 'import h5py, pydantic' 2>/dev/null ||
  fail "$PYTHON lacks Quench's packages: run make .venv/installed, or set PYTHON in slurm/site.sh"
plan=(-m jobs plan --counts "$study" "$config" "${settings[@]}")
[ -n "$dry" ] || plan+=(--run "$run")
read -r units networks <<<"$(PYTHONPATH=$QUENCH${PYTHONPATH:+:$PYTHONPATH} "$PYTHON" "${plan[@]}" || echo failed)"
[ "$units" != failed ] || exit 2    # one line has said why
[ -n "$dry" ] || mkdir -p "$run/log"

last=predict
[ -e "$here/${study}_$last.sh" ] || last=rollout
[ "$networks" = 0 ] || [ -e "$here/${study}_$last.sh" ] || fail "slurm/${study}_predict.sh is not there"

array() {   # STAGE, how much there is to share, tasks at most: no more than an array may have, whose tasks then do more each
  local count=$(($2 < $3 ? $2 : $3)) most
  most=$(scontrol show config 2>/dev/null | sed -n 's/^MaxArraySize *= *//p') || true
  if [ -n "$most" ] && [ "$count" -gt "$most" ]; then
    echo "$1: $most tasks, of which arrays may not have more here (MaxArraySize), not $count" >&2
    count=$most
  fi
  echo "$count"
}

on_gpu() {   # STAGE: whether it asks for one
  local name
  case $1 in collect | analysis) return 1 ;; esac
  for name in "GPU_${study}_$1" "GPU_$1" GPU; do [ -z "${!name+set}" ] || { [ -n "${!name}" ]; return; }; done
}
of() {   # KEY STAGE: what site.sh says: of this study and stage, of the stage, of GPUs, or of all
  local name
  [ "$1" != GPU ] || on_gpu "$2" || return 0
  for name in "$1_${study}_$2" "$1_$2"; do [ -z "${!name+set}" ] || { echo "${!name}"; return; }; done
  name=GPU_$1
  if on_gpu "$2" && [ -n "${!name:-}" ]; then echo "${!name}"; else echo "${!1}"; fi
}
asked() {   # STAGE: sbatch's options, one a line
  local pair value
  for pair in account=ACCOUNT partition=PARTITION qos=QOS constraint=CONSTRAINT time=TIME mem=MEM cpus-per-task=CORES ntasks=NTASKS; do
    value=$(of "${pair#*=}" "$1")
    [ -z "$value" ] || echo "--${pair%%=*}=$value"
  done
  for value in $(of GPU "$1") $(of OPTIONS "$1"); do echo "$value"; done
}
for key in $NEEDS; do [ -n "${!key:-}" ] || fail "$key: ${SITE:-this cluster} wants one: set it in slurm/site.sh or the environment"; done

previous=
submit() {   # STAGE [tasks of its array]: after the one before it
  local stage=$1 tasks=${2:-} arguments=("$config" --run "$run" "${settings[@]}") log wanted
  [ "$stage" != analysis ] || arguments=("$run")
  log=${run//%/%%}/log/slurm-$stage${tasks:+-%a}
  mapfile -t wanted < <(asked "$stage")
  # --requeue and --export here win over SBATCH_NO_REQUEUE and SBATCH_EXPORT of the site's environment
  local words=(--parsable --requeue --export=ALL --job-name="$study-$stage" --output="$log.out" --open-mode=append
    --kill-on-invalid-dep=yes ${tasks:+--array=0-$((tasks - 1))} "${wanted[@]}" "${options[@]}")
  [ "$REQUEUE" != no ] || words[1]=--no-requeue
  local script=("$here/${study}_$stage.sh" --quench "$QUENCH" "${arguments[@]}")
  local after=${previous:+--dependency=afterok:$previous}
  if [ -n "$dry" ]; then
    printf '%q ' sbatch "${words[@]}" $after "${script[@]}"; echo
    previous=ID-OF-$stage
    return
  fi
  { printf '%q ' "${words[@]}" --chdir="$PWD"; echo; printf '%q ' "${script[@]}"; echo; echo "$tasks"; } >"$run/log/slurm-$stage.sbatch"
  queue "$stage" sbatch "${words[@]}" $after "${script[@]}"
}
submit generate "$(array generate "$units" "$GENERATE_TASKS")"
submit collect
if [ "$networks" -gt 0 ]; then
  submit train "$(array train "$networks" "$TRAIN_TASKS")"
  submit "$last"
fi
submit analysis
[ -n "$dry" ] || written
