#!/usr/bin/env bash
# Runs:  flocking train: one network a set, lambda and seed, checkpointed every epoch, into RUN/train.
# Needs: 4 cores, or a GPU.
# Costs: L = 81: a few seconds of four cores an epoch, up to some hundred epochs.
#   sbatch slurm/flocking_train.sh CONFIG.yaml --run RUN [--set KEY.PATH=VALUE ...]
#   bash slurm/flocking_train.sh CONFIG.yaml --run RUN [--set KEY.PATH=VALUE ...]    the same without Slurm
#SBATCH --job-name=flocking-train
#SBATCH --array=0-5
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --mem=8G
#SBATCH --time=12:00:00
#SBATCH --signal=B:USR1@600
#SBATCH --requeue
#SBATCH --output=%x-%A_%a.out
#SBATCH --open-mode=append
STUDY=flocking STAGE=train
[ "${1:-}" != --quench ] || { QUENCH=$2; shift 2; }   # from submit.sh, whatever is exported
here=$(dirname "$0"); [ -f "$here/body.sh" ] || here=${QUENCH:-$SLURM_SUBMIT_DIR}/slurm   # sbatch runs a copy of this file
source "$here/body.sh" || { echo "where is Quench? sbatch from its folder, or: sbatch $0 --quench FOLDER ..." >&2; exit 2; }
