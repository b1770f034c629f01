#!/usr/bin/env bash
# Submit a whole study: generate (array) -> collect -> train (array) -> predict or rollout -> analysis, each when the one before it
# went well. Prints the ids. What is finished is skipped, so the same command continues a chain that broke.
#
#   slurm/submit.sh STUDY CONFIG.yaml [--run RUN] [--set KEY.PATH=VALUE ...] [--dry-run] [-- SBATCH OPTIONS for all jobs]
#   slurm/submit.sh nucleation jobs/nucleation/r10_l100.yaml --run $SCRATCH/r10
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

array() { echo "--array=0-$(($1 < $2 ? $1 - 1 : $2 - 1))"; }

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

previous= submitted=() chain=()
submit() {   # STAGE [sbatch options]: after the one before it
  local stage=$1 arguments=("$config" --run "$run" "${settings[@]}") log id wanted
  shift
  [ "$stage" != analysis ] || arguments=("$run")
  log=${run//%/%%}/log/slurm-$stage
  [[ "$*" == *--array* ]] && log+=-%a
  mapfile -t wanted < <(asked "$stage")
  # --requeue and --export here win over SBATCH_NO_REQUEUE and SBATCH_EXPORT of the site's environment
  local command=(sbatch --parsable --requeue --export=ALL --job-name="$study-$stage" --output="$log.out" --open-mode=append
    --kill-on-invalid-dep=yes ${previous:+--dependency=afterok:"$previous"} "$@" "${wanted[@]}" "${options[@]}"
    "$here/${study}_$stage.sh" --quench "$QUENCH" "${arguments[@]}")
  if [ -n "$dry" ]; then
    printf '%q ' "${command[@]}"; echo
    previous=ID-OF-$stage
    return
  fi
  if ! id=$("${command[@]}"); then   # all of a chain, or nothing
    [ ${#submitted[@]} = 0 ] || scancel "${submitted[@]}"
    fail "$stage was refused; of this chain nothing is left in the queue"
  fi
  previous=${id%%;*}
  submitted+=("$previous")
  chain+=("$stage $previous")
}
submit generate "$(array "$units" "$GENERATE_TASKS")"
submit collect
if [ "$networks" -gt 0 ]; then
  submit train "$(array "$networks" "$TRAIN_TASKS")"
  submit "$last"
fi
submit analysis
[ -n "$dry" ] || printf '%s\n' "${chain[@]}"
[ -n "$dry" ] || echo "how far it is: $PYTHON -m jobs status $run    figures then: $run/report.md"
