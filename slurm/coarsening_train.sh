#!/usr/bin/env bash
# Runs:  coarsening train: one network a task, or by all ranks of a task (sbatch --ntasks=4), checkpointed every epoch, into RUN/train.
# Needs: a GPU for paper.yaml.
# Costs: 16^3: an hour of two cores an epoch of the paper's set, 32^3: 17 hours.
#   sbatch slurm/coarsening_train.sh CONFIG.yaml --run RUN [--set KEY.PATH=VALUE ...]
#   bash slurm/coarsening_train.sh CONFIG.yaml --run RUN [--set KEY.PATH=VALUE ...]    the same without Slurm
#SBATCH --job-name=coarsening-train
#SBATCH --array=0-1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=8
#SBATCH --mem=16G
#SBATCH --time=24:00:00
#SBATCH --signal=B:USR1@600
#SBATCH --requeue
#SBATCH --output=%x-%A_%a.out
#SBATCH --open-mode=append
STUDY=coarsening STAGE=train
[ "${1:-}" != --quench ] || { QUENCH=$2; shift 2; }   # from submit.sh, whatever is exported
here=$(dirname "$0"); [ -f "$here/body.sh" ] || here=${QUENCH:-$SLURM_SUBMIT_DIR}/slurm   # sbatch runs a copy of this file
source "$here/body.sh" || { echo "where is Quench? sbatch from its folder, or: sbatch $0 --quench FOLDER ..." >&2; exit 2; }
