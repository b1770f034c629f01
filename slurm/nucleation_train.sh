#!/usr/bin/env bash
# Runs:  nucleation train: one network a model and fold, checkpointed every epoch, into RUN/train.
# Needs: 4 cores, or a GPU (cnn_4layer at L = 200: 8 GB of its memory, 12 GB of disk).
# Costs: R = 3: 4 minutes of one core a fold, R = 10: 30.
#   sbatch slurm/nucleation_train.sh CONFIG.yaml --run RUN [--set KEY.PATH=VALUE ...]
#   bash slurm/nucleation_train.sh CONFIG.yaml --run RUN [--set KEY.PATH=VALUE ...]    the same without Slurm
#SBATCH --job-name=nucleation-train
#SBATCH --array=0-9
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --mem=16G
#SBATCH --time=24:00:00
#SBATCH --signal=B:USR1@600
#SBATCH --requeue
#SBATCH --output=%x-%A_%a.out
#SBATCH --open-mode=append
STUDY=nucleation STAGE=train
[ "${1:-}" != --quench ] || { QUENCH=$2; shift 2; }   # from submit.sh, whatever is exported
here=$(dirname "$0"); [ -f "$here/body.sh" ] || here=${QUENCH:-$SLURM_SUBMIT_DIR}/slurm   # sbatch runs a copy of this file
source "$here/body.sh" || { echo "where is Quench? sbatch from its folder, or: sbatch $0 --quench FOLDER ..." >&2; exit 2; }
